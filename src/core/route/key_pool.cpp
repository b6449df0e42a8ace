#include "core/route/key_pool.h"

#include "core/base/random.h"

#include <algorithm>
#include <compare>

namespace ai_proxy::route {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// A key that is wrong or not paid for does not heal within a second.
constexpr uint64_t kLeastRefused = 30'000;

uint64_t pause_ms(const KeyRules& pool, int status, uint32_t strikes,
    uint64_t retry_after_ms) noexcept
{
    if (retry_after_ms != 0) {
        return std::clamp(
            retry_after_ms, pool.cooldown_least_ms, pool.cooldown_most_ms);
    }
    uint64_t pause = pool.cooldown_least_ms;
    if (status != 429) {
        pause = std::max(pause, kLeastRefused);
    }
    for (uint32_t i = 1; i < strikes && pause < pool.cooldown_most_ms; ++i) {
        pause *= 2;
    }
    return std::min(pause, pool.cooldown_most_ms);
}

} // namespace

KeyPool::KeyPool(uint32_t count)
    : own_(std::make_unique<KeyState[]>(std::max<uint32_t>(count, 1)))
{
    for (uint32_t i = 0; i < std::max<uint32_t>(count, 1); ++i) {
        keys_.push_back(&own_[i]);
    }
}

bool KeyPool::available(uint32_t key, int64_t now) const noexcept
{
    return keys_[key]->away_until.load(kRelaxed) <= now;
}

std::optional<int> KeyPool::all_away(int64_t now) const noexcept
{
    const KeyState* last = nullptr;
    for (uint32_t key = 0; key < size(); ++key) {
        if (available(key, now)) {
            return std::nullopt;
        }
        if (last == nullptr
            || keys_[key]->failed_at.load(kRelaxed)
                > last->failed_at.load(kRelaxed))
        {
            last = keys_[key];
        }
    }
    return static_cast<int>(last->status.load(kRelaxed));
}

// A key that comes back is not to make good for the time it was away.
void KeyPool::take(uint32_t key, int64_t now) const noexcept
{
    KeyState& state = *keys_[key];
    int64_t until = state.away_until.load(kRelaxed);
    if (until != 0 && until <= now
        && state.away_until.compare_exchange_strong(until, 0, kRelaxed))
    {
        uint64_t least = UINT64_MAX;
        for (const KeyState* other : keys_) {
            if (other != &state) {
                least = std::min(least, other->tries.load(kRelaxed));
            }
        }
        if (least != UINT64_MAX && state.tries.load(kRelaxed) < least) {
            state.tries.store(least, kRelaxed);
        }
    }
    state.tries.fetch_add(1, kRelaxed);
}

uint64_t KeyPool::in_flight_id(uint32_t key) const noexcept
{
    uint64_t state = id + key + 1;
    return mix(state);
}

bool KeyPool::has_place(uint32_t key, const InFlight* in_flight) const noexcept
{
    return rules.concurrency == 0 || in_flight == nullptr
        || in_flight->count(in_flight_id(key)) < rules.concurrency;
}

uint32_t KeyPool::choose(const std::vector<bool>& tried, uint64_t random,
    int64_t now, const InFlight* in_flight) const noexcept
{
    struct Cost {
        bool tried;
        int64_t away_until;
        bool full;
        uint64_t tries;
        auto operator<=>(const Cost&) const = default;
    };
    uint32_t chosen = 0;
    Cost least{true, INT64_MAX, true, UINT64_MAX};
    uint64_t equals = 0;
    for (uint32_t key = 0; key < size(); ++key) {
        const KeyState& state = *keys_[key];
        const int64_t until = state.away_until.load(kRelaxed);
        const Cost cost{key < tried.size() && tried[key],
            until > now ? until : 0, !has_place(key, in_flight),
            rules.select == KeySelect::least_used ? state.tries.load(kRelaxed)
                                                  : 0};
        if (cost < least) {
            equals = 0;
        } else if (cost != least) {
            continue;
        }
        least = cost;
        // Each of those that cost the same with the same chance.
        if (below(mix(random), ++equals) == 0) {
            chosen = key;
        }
    }
    take(chosen, now);
    return chosen;
}

void KeyPool::note(uint32_t key, int status, uint64_t retry_after_ms,
    int64_t begin, int64_t now) const noexcept
{
    KeyState& state = *keys_[key];
    if (!rules.on.has(status)) {
        // A success that began before the failure says nothing about it.
        const bool good = status >= 200 && status < 400;
        if (good && state.strikes.load(kRelaxed) != 0
            && begin > state.failed_at.load(kRelaxed))
        {
            if (state.away_until.load(kRelaxed) > now
                && state.passes.fetch_add(1, kRelaxed) + 1 < rules.passes)
            {
                return;
            }
            state.passes.store(0, kRelaxed);
            state.strikes.store(0, kRelaxed);
            state.away_until.store(0, kRelaxed);
        }
        return;
    }
    state.failures.fetch_add(1, kRelaxed);
    if (rules.cooldown_most_ms == 0) {
        return;
    }
    // Many tries fail at once when a key does: they are one strike.
    const bool again = begin > state.failed_at.load(kRelaxed)
        || state.strikes.load(kRelaxed) == 0;
    const uint32_t strikes = again ? state.strikes.fetch_add(1, kRelaxed) + 1
                                   : state.strikes.load(kRelaxed);
    state.status.store(static_cast<uint32_t>(status), kRelaxed);
    state.passes.store(0, kRelaxed);
    state.failed_at.store(now, kRelaxed);
    if (strikes < rules.fails) {
        return;
    }
    const int64_t until = now
        + static_cast<int64_t>(pause_ms(
              rules, status, strikes - rules.fails + 1, retry_after_ms))
            * 1000;
    if (until > state.away_until.load(kRelaxed)) {
        state.away_until.store(until, kRelaxed);
    }
}

} // namespace ai_proxy::route
