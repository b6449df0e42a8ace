#include "core/limit/unsettled.h"

#include <algorithm>

namespace ai_proxy::limit {

std::string Unsettled::name_of(const Rule& rule, std::string_view key)
{
    return std::to_string(rule.redis) + ':' + std::to_string(rule.id) + ':'
        + std::string(key);
}

void Unsettled::add(const TokenScripts& scripts, const Rule& rule,
    std::string_view key, int64_t difference, int64_t stamp)
{
    const auto [at, is_new] = debts_.try_emplace(
        name_of(rule, key), Debt{&scripts, &rule, std::string(key), {}});
    Corrections& corrections = at->second.corrections;
    // What is charged beyond a take counts from now, whenever that was.
    const int64_t when = difference > 0 ? 0 : stamp;
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
    if (debts_.empty()) {
        return {};
    }
    auto found = debts_.extract(name_of(rule, key));
    return found ? std::move(found.mapped().corrections) : Corrections();
}

std::vector<Unsettled::Settlement> Unsettled::claim_all()
{
    std::vector<Settlement> all;
    all.reserve(debts_.size());
    for (const auto& [name, debt] : debts_) {
        all.push_back({static_cast<uint16_t>(debt.rule->redis),
            debt.scripts->settle(*debt.rule, debt.key, debt.corrections)});
    }
    debts_.clear();
    return all;
}

} // namespace ai_proxy::limit
