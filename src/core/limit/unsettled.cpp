#include "core/limit/unsettled.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ai_proxy::limit {

namespace {

std::string place_of(const Rule& rule, std::string_view key)
{
    return std::to_string(rule.redis) + redis_key(rule, key);
}

} // namespace

void Unsettled::add(const TokenScripts& scripts, const Rule& rule,
    std::string_view key, int64_t difference, int64_t stamp)
{
    const auto [debt, is_new] = debts_.try_emplace(
        place_of(rule, key), Debt{&scripts, &rule, std::string(key), {}});
    // What is charged beyond a take counts from now, whenever that was.
    const int64_t when = difference > 0 ? 0 : stamp;
    Corrections& corrections = debt->second.corrections;
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
    if (debts_.empty() || !has_room(static_cast<uint16_t>(rule.redis))) {
        return {};
    }
    const auto debt = debts_.extract(place_of(rule, key));
    return debt ? std::move(debt.mapped().corrections) : Corrections();
}

void Unsettled::send_all()
{
    std::vector<int> full;
    std::erase_if(debts_, [&](const auto& entry) {
        const Debt& debt = entry.second;
        const int redis = debt.rule->redis;
        if (std::find(full.begin(), full.end(), redis) != full.end()) {
            return false;
        }
        const bool sent = send(static_cast<uint16_t>(redis),
            debt.scripts->settle(*debt.rule, debt.key, debt.corrections));
        if (!sent) {
            full.push_back(redis);
        }
        return sent;
    });
}

} // namespace ai_proxy::limit
