#include "core/route/route.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ai_proxy::route {

namespace {

constexpr uint32_t kMaxSteps = 64;
constexpr uint64_t kMaxRetryAfter = 30'000;

// splitmix64: many independent numbers of one.
uint64_t mix(uint64_t& state) noexcept
{
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Uniform in [0, bound); high half of the 128-bit product.
uint64_t below(uint64_t random, uint64_t bound) noexcept
{
    uint64_t low = (random & 0xffffffff) * bound;
    uint64_t high = (random >> 32) * bound + (low >> 32);
    return high >> 32;
}

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

// Failures that another key may cure.
bool is_key_failure(int status) noexcept
{
    return status == 401 || status == 403 || status == 429;
}

} // namespace

Attempts::Attempts(const Route& route, const std::vector<uint32_t>& keys,
    uint64_t random, uint64_t turn)
    : route_(route), key_counts_(keys), random_(random)
{
    std::vector<const Target*> targets;
    for (const Target& target : route.targets)
        targets.push_back(&target);
    if (route.balance == Balance::round_robin && !targets.empty())
        append_round_robin(targets, turn, order_);
    else
        append_weighted(std::move(targets), random, order_);
    for (const Target& target : route.fallbacks)
        order_.push_back(&target);
}

uint32_t Attempts::keys() const noexcept
{
    size_t provider = order_[position_]->provider;
    uint32_t count = provider < key_counts_.size() ? key_counts_[provider] : 0;
    return std::max<uint32_t>(count, 1);
}

Attempts::Step Attempts::go(size_t position, uint64_t random)
{
    Step step;
    if (position >= order_.size()) {
        step.give_up = true;
        return step;
    }
    position_ = position;
    retries_here_ = 0;
    key_ = static_cast<uint32_t>(below(random, keys()));
    fresh_keys_ = keys() - 1;
    step.target = order_[position_];
    step.key = key_;
    return step;
}

Attempts::Step Attempts::first()
{
    steps_ = 1;
    uint64_t state = ~random_;
    return go(0, mix(state));
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

Attempts::Step Attempts::next(const TryResult& last, uint64_t random)
{
    Step step;
    if (order_.empty() || steps_ >= kMaxSteps) {
        step.give_up = true;
        return step;
    }
    ++steps_;
    bool other_key = fresh_keys_ > 0 && is_key_failure(last.status);
    bool again = retryable(last.code, last.status)
        && last.retry_after_ms <= kMaxRetryAfter;
    if (retries_here_ < route_.retries && (other_key || again)) {
        if (!other_key)
            step.delay_ms = std::max(backoff(random), last.retry_after_ms);
        ++retries_here_;
        key_ = (key_ + 1) % keys();
        fresh_keys_ -= fresh_keys_ > 0 ? 1 : 0;
        step.target = order_[position_];
        step.key = key_;
        return step;
    }
    size_t other = position_ + 1;
    while (other < order_.size()
        && !order_[other]->on.allows(last.code, last.status))
        ++other;
    return go(other, random);
}

} // namespace ai_proxy::route
