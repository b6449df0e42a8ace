#pragma once

#include "core/base/error.h"
#include "core/base/in_flight.h"

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

namespace ai_proxy::route {

// What the workers share of one key.  Zeroed memory is a key that has never
// failed.  Times are monotonic microseconds, the same for all processes.
struct KeyState {
    std::atomic<int64_t> away_until{}; // 0: in the pool
    std::atomic<int64_t> failed_at{};
    std::atomic<uint32_t> strikes{}; // failures in a row
    std::atomic<uint32_t> status{};  // that the last one of them had
    std::atomic<uint32_t> passes{};  // successes in a row while it was away
    std::atomic<uint64_t> tries{}, failures{};
};

// How a request gets its key.
enum class KeySelect : uint8_t {
    random,
    least_used, // the one with the fewest tries
};

// Statuses from 400 to 599.
class Statuses {
public:
    Statuses() = default;
    Statuses(std::initializer_list<int> all) noexcept
    {
        for (const int status : all) {
            add(status);
        }
    }
    // A status outside is none.
    void add(int status) noexcept
    {
        if (status >= 400 && status < 600) {
            all_.set(static_cast<size_t>(status - 400));
        }
    }
    [[nodiscard]] bool has(int status) const noexcept
    {
        return status >= 400 && status < 600
            && all_.test(static_cast<size_t>(status - 400));
    }

private:
    std::bitset<200> all_;
};

struct KeyRules {
    KeySelect select = KeySelect::random;
    uint64_t cooldown_least_ms = 1000;
    uint64_t cooldown_most_ms = 600'000; // 0: a key never leaves the pool
    // What another key may cure: a key that has met it so often in a row leaves
    // the pool.
    Statuses on{401, 402, 403, 429};
    uint32_t fails = 1;
    // So many successes in a row bring it back before its time.
    uint32_t passes = 1;
    // Requests that a key may have under way at a time, 0: any number.
    uint32_t concurrency = 0;
};

// The keys of one provider.  A key that the provider refuses leaves the pool for a time: as long as the provider said, or, when it
// did not, from cooldown_least on, twice as long each time in a row.
class KeyPool {
public:
    // Keeps its states in own memory until share().
    explicit KeyPool(uint32_t count);

    KeyRules rules;
    uint64_t id = 0; // of the provider's requests under way

    [[nodiscard]] uint32_t size() const noexcept
    {
        return static_cast<uint32_t>(keys_.size());
    }
    // The state of a key is at a place that all workers see.
    void share(uint32_t key, KeyState& state) noexcept { keys_[key] = &state; }
    [[nodiscard]] const KeyState& state(uint32_t key) const noexcept
    {
        return *keys_[key];
    }

    [[nodiscard]] bool available(uint32_t key, int64_t now) const noexcept;
    // Is no key in the pool?  Then the status that the last one to fail had.
    [[nodiscard]] std::optional<int> all_away(int64_t now) const noexcept;
    // Takes a key for a try: one that was not tried if there is one, that is
    // in the pool if there is one, else the one that comes back first, and
    // that has a place free.  random: uniform 64 bits; in_flight may be
    // nullptr where keys have no limit.
    [[nodiscard]] uint32_t choose(const std::vector<bool>& tried,
        uint64_t random, int64_t now,
        const InFlight* in_flight = nullptr) const noexcept;
    // Takes this key.
    void take(uint32_t key, int64_t now) const noexcept;
    // The id of the key's requests under way.
    [[nodiscard]] uint64_t in_flight_id(uint32_t key) const noexcept;
    // May one more request get the key?
    [[nodiscard]] bool has_place(
        uint32_t key, const InFlight* in_flight) const noexcept;

    // Notes how a try with the key ended, which began at begin.  status: the
    // provider's, 0 without one; retry_after_ms: 0 when it did not say.
    void note(uint32_t key, int status, uint64_t retry_after_ms, int64_t begin,
        int64_t now) const noexcept;

private:
    std::unique_ptr<KeyState[]> own_;
    std::vector<KeyState*> keys_;
};

} // namespace ai_proxy::route
