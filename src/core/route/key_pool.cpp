#include "core/route/key_pool.h"

#include "core/base/random.h"

#include <algorithm>

namespace ai_proxy::route {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// A key that is wrong or not paid for does not heal within a second.
constexpr uint64_t kLeastRefused = 30'000;

uint64_t pause_ms(const KeyPool& pool, int status, uint32_t strikes,
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

bool is_key_failure(int status) noexcept
{
    return status == 401 || status == 402 || status == 403 || status == 429;
}

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
void KeyPool::took(uint32_t key, int64_t now) const noexcept
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

uint32_t KeyPool::soonest(const std::vector<uint32_t>& keys) const noexcept
{
    return *std::min_element(
        keys.begin(), keys.end(), [this](uint32_t a, uint32_t b) {
            return keys_[a]->away_until.load(kRelaxed)
                < keys_[b]->away_until.load(kRelaxed);
        });
}

uint32_t KeyPool::least_used(
    const std::vector<uint32_t>& keys, size_t first) const noexcept
{
    uint32_t least = keys[first];
    for (size_t i = 1; i < keys.size(); ++i) {
        const uint32_t key = keys[(first + i) % keys.size()];
        if (keys_[key]->tries.load(kRelaxed)
            < keys_[least]->tries.load(kRelaxed)) {
            least = key;
        }
    }
    return least;
}

uint32_t KeyPool::choose(
    const std::vector<bool>& tried, uint64_t random, int64_t now) const
{
    std::vector<uint32_t> in_pool, away;
    for (uint32_t key = 0; key < size(); ++key) {
        if (key >= tried.size() || !tried[key]) {
            (available(key, now) ? in_pool : away).push_back(key);
        }
    }
    uint32_t chosen = 0;
    if (!in_pool.empty()) {
        const size_t place = below(random, in_pool.size());
        chosen = select == KeySelect::least_used ? least_used(in_pool, place)
                                                 : in_pool[place];
    } else if (!away.empty()) {
        chosen = soonest(away);
    }
    took(chosen, now);
    return chosen;
}

void KeyPool::note(uint32_t key, int status, uint64_t retry_after_ms,
    int64_t begin, int64_t now) const noexcept
{
    KeyState& state = *keys_[key];
    if (!is_key_failure(status)) {
        // A success that began before the failure says nothing about it.
        const bool good = status >= 200 && status < 400;
        if (good && state.strikes.load(kRelaxed) != 0
            && begin > state.failed_at.load(kRelaxed))
        {
            state.strikes.store(0, kRelaxed);
            state.away_until.store(0, kRelaxed);
        }
        return;
    }
    state.failures.fetch_add(1, kRelaxed);
    if (cooldown_most_ms == 0) {
        return;
    }
    // Many tries fail at once when a key does: they are one strike.
    const bool again = begin > state.failed_at.load(kRelaxed)
        || state.strikes.load(kRelaxed) == 0;
    const uint32_t strikes = again ? state.strikes.fetch_add(1, kRelaxed) + 1
                                   : state.strikes.load(kRelaxed);
    state.status.store(static_cast<uint32_t>(status), kRelaxed);
    state.failed_at.store(now, kRelaxed);
    const int64_t until = now
        + static_cast<int64_t>(pause_ms(*this, status, strikes, retry_after_ms))
            * 1000;
    if (until > state.away_until.load(kRelaxed)) {
        state.away_until.store(until, kRelaxed);
    }
}

} // namespace ai_proxy::route
