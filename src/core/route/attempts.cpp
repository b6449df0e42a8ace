#include "core/route/route.h"

#include "core/base/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ai_proxy::route {

namespace {

constexpr uint32_t kMaxSteps = 64;
constexpr uint64_t kMaxRetryAfter = 30'000;
constexpr uint32_t kMaxOtherKeys = 3;

uint64_t total_weight(const std::vector<const Target*>& targets)
{
    uint64_t sum = 0;
    for (const Target* t : targets)
        sum += t->weight;
    return sum;
}

size_t target_at(const std::vector<const Target*>& targets, uint64_t offset)
{
    size_t i = 0;
    while (i + 1 < targets.size() && offset >= targets[i]->weight)
        offset -= targets[i++]->weight;
    return i;
}

// By weight, then the rest by weight among themselves, and so on.
void append_weighted(std::vector<const Target*> rest, uint64_t random,
    std::vector<const Target*>& order)
{
    while (!rest.empty()) {
        uint64_t total = total_weight(rest);
        size_t i = total == 0 ? 0 : target_at(rest, below(mix(random), total));
        order.push_back(rest[i]);
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

// Turns go through all slots (one per unit of weight) in strides prime to
// their number: shares are exact and the targets interleave.
uint64_t slot_of_turn(uint64_t turn, uint64_t slots) noexcept
{
    uint64_t stride = std::max<uint64_t>(slots * 618 / 1000, 1);
    while (std::gcd(stride, slots) != 1)
        ++stride;
    return (turn % slots) * stride % slots;
}

void append_round_robin(const std::vector<const Target*>& targets,
    uint64_t turn, std::vector<const Target*>& order)
{
    uint64_t total = total_weight(targets);
    bool equal = std::all_of(targets.begin(), targets.end(),
        [&](const Target* t) { return t->weight == targets[0]->weight; });
    size_t begin = 0;
    if (equal)
        begin = static_cast<size_t>(turn % targets.size());
    else
        begin = target_at(targets, slot_of_turn(turn, total));
    for (size_t i = 0; i < targets.size(); ++i)
        order.push_back(targets[(begin + i) % targets.size()]);
}

// Of one client and one provider, whatever else there is.
uint64_t mix_provider(uint64_t client, uint16_t provider) noexcept
{
    uint64_t state = client ^ (uint64_t{provider} + 1) * 0xd1b54a32d192ed03ull;
    return mix(state);
}

// Highest random weight: a provider that comes or goes moves its own clients
// only.
void append_by_client(std::vector<const Target*> targets, uint64_t client,
    std::vector<const Target*>& order)
{
    const auto cost = [client](const Target* t) {
        const auto share =
            static_cast<double>((mix_provider(client, t->provider) >> 11) + 1);
        return (53 * std::log(2.0) - std::log(share))
            / std::max<double>(t->weight, 1e-9);
    };
    std::stable_sort(targets.begin(), targets.end(),
        [&cost](
            const Target* a, const Target* b) { return cost(a) < cost(b); });
    order.insert(order.end(), targets.begin(), targets.end());
}

} // namespace

Attempts::Attempts(const Route& route, const std::vector<KeyPool>& keys,
    uint64_t random, uint64_t turn, Affinity affinity)
    : route_(route), keys_(keys), random_(random), affinity_(affinity)
{
    std::vector<const Target*> targets;
    for (const Target& target : route.targets)
        targets.push_back(&target);
    if (affinity != Affinity::none)
        append_by_client(std::move(targets), random, order_);
    else if (route.balance == Balance::round_robin && !targets.empty())
        append_round_robin(targets, turn, order_);
    else
        append_weighted(std::move(targets), random, order_);
    for (const Target& target : route.fallbacks)
        order_.push_back(&target);
}

const KeyPool& Attempts::keys() const noexcept
{
    return keys_[order_[position_]->provider];
}

// The first position from here on whose provider has a key; position itself
// when none has that may follow.
size_t Attempts::with_keys(size_t position, int64_t now) const
{
    size_t at = position;
    while (at < order_.size()) {
        const auto status = keys_[order_[at]->provider].all_away(now);
        if (!status)
            return at;
        do
            ++at;
        while (at < order_.size()
            && !order_[at]->on.allows(ErrorCode::upstream_status, *status));
    }
    return position;
}

Attempts::Step Attempts::go(size_t position, uint64_t random, int64_t now)
{
    Step step;
    if (position >= order_.size()) {
        step.give_up = true;
        return step;
    }
    position_ =
        affinity_ == Affinity::only ? position : with_keys(position, now);
    retries_here_ = other_keys_here_ = 0;
    tried_.assign(keys().size(), false);
    return same_target(0, random, now);
}

Attempts::Step Attempts::first(int64_t now)
{
    steps_ = 1;
    uint64_t state = ~random_;
    return go(0, mix(state), now);
}

// Full jitter between the least backoff and a cap that doubles each time.
uint64_t Attempts::backoff(uint64_t random) const noexcept
{
    uint64_t least = route_.backoff_min_ms;
    uint64_t most = std::max(least, route_.backoff_max_ms);
    uint64_t cap = least;
    for (uint32_t i = 0; i <= retries_here_ && cap < most; ++i)
        cap = std::min(cap * 2, most);
    return least + below(random, cap - least + 1);
}

// With an affinity the client's own key, if it may be used.
uint32_t Attempts::choose_key(uint64_t random, int64_t now) const
{
    if (affinity_ == Affinity::none)
        return keys().choose(tried_, random, now);
    const auto own = static_cast<uint32_t>(below(
        mix_provider(~random_, order_[position_]->provider), keys().size()));
    const bool free = !tried_[own] && keys().available(own, now);
    if (affinity_ == Affinity::first && !free)
        return keys().choose(tried_, random, now);
    std::vector<bool> others(keys().size(), true);
    others[own] = false;
    return keys().choose(others, random, now);
}

Attempts::Step Attempts::same_target(
    uint64_t delay_ms, uint64_t random, int64_t now)
{
    Step step;
    step.delay_ms = delay_ms;
    step.target = order_[position_];
    step.key = choose_key(random, now);
    tried_[step.key] = true;
    return step;
}

Attempts::Step Attempts::next(
    const TryResult& last, uint64_t random, int64_t now)
{
    Step step;
    if (order_.empty() || steps_ >= kMaxSteps) {
        step.give_up = true;
        return step;
    }
    ++steps_;
    const bool only = affinity_ == Affinity::only;
    const bool fresh_key =
        std::find(tried_.begin(), tried_.end(), false) != tried_.end();
    if (fresh_key && is_key_failure(last.status) && !only
        && other_keys_here_ < kMaxOtherKeys)
    {
        ++other_keys_here_;
        return same_target(0, random, now);
    }
    if (retryable(last.code, last.status) && retries_here_ < route_.retries
        && last.retry_after_ms <= kMaxRetryAfter)
    {
        const uint64_t pause = std::max(backoff(random), last.retry_after_ms);
        ++retries_here_;
        // All were tried: any of them may have recovered.
        if (!fresh_key)
            tried_.assign(tried_.size(), false);
        return same_target(pause, random, now);
    }
    if (only && last.code != ErrorCode::unsupported_api) {
        step.give_up = true;
        return step;
    }
    size_t other = position_ + 1;
    while (other < order_.size()
        && !order_[other]->on.allows(last.code, last.status))
        ++other;
    return go(other, random, now);
}

} // namespace ai_proxy::route
