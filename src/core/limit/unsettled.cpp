#include "core/limit/unsettled.h"

#include <algorithm>

namespace ai_proxy::limit {

// They are few: what is left of them goes every moment.
Unsettled::Debts::iterator Unsettled::find(
    const Rule& rule, std::string_view key) noexcept
{
    return std::find_if(debts_.begin(), debts_.end(), [&](const Debt& debt) {
        return debt.rule->id == rule.id && debt.rule->redis == rule.redis
            && debt.key == key;
    });
}

void Unsettled::add(const TokenScripts& scripts, const Rule& rule,
    std::string_view key, int64_t difference, int64_t stamp)
{
    auto debt = find(rule, key);
    const bool is_new = debt == debts_.end();
    if (is_new) {
        debt = debts_.insert(debt, {&scripts, &rule, std::string(key), {}});
    }
    // What is charged beyond a take counts from now, whenever that was.
    const int64_t when = difference > 0 ? 0 : stamp;
    Corrections& corrections = debt->corrections;
    const auto same = std::find_if(corrections.begin(), corrections.end(),
        [when](const Correction& c) { return c.stamp == when; });
    if (same != corrections.end()) {
        same->difference += difference;
    } else {
        corrections.push_back({difference, when});
    }
    if (is_new) {
        grown(debts_.size());
    }
}

Corrections Unsettled::claim(const Rule& rule, std::string_view key)
{
    const auto debt = find(rule, key);
    if (debt == debts_.end()) {
        return {};
    }
    Corrections corrections = std::move(debt->corrections);
    std::swap(*debt, debts_.back());
    debts_.pop_back();
    return corrections;
}

std::vector<Unsettled::Settlement> Unsettled::claim_all()
{
    std::vector<Settlement> all;
    all.reserve(debts_.size());
    for (const Debt& debt : debts_) {
        all.push_back({static_cast<uint16_t>(debt.rule->redis),
            debt.scripts->settle(*debt.rule, debt.key, debt.corrections)});
    }
    debts_.clear();
    return all;
}

} // namespace ai_proxy::limit
