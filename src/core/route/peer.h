#pragma once

#include "core/route/model_map.h"
#include "core/route/sliding_count.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// A mean that follows what is slow at once and what is fast slowly (peak
// EWMA), and falls while nothing is measured, so that what was slow once is
// tried again.  Microseconds.
struct PeakMean {
    void add(int64_t micros, int64_t now) noexcept;
    [[nodiscard]] int64_t read(int64_t now) const noexcept;

    std::atomic<int64_t> at{}; // 0: nothing was measured yet
    std::atomic<int64_t> micros{};
};

// Durations by size, of the last thousand or so.
struct Durations {
    static constexpr size_t kBuckets = 40;
    void add(int64_t micros) noexcept;
    // What the share (0 to 1) of them does not exceed, to within a third;
    // 0: too few are known.
    [[nodiscard]] int64_t quantile(double share) const noexcept;

    std::array<std::atomic<uint32_t>, kBuckets> counts{};
};

// What the workers share of one model at one provider.  Zeroed memory is one
// that nothing is known of.  Times are monotonic microseconds.
struct PeerState {
    enum : size_t { calls, failures };
    SlidingCount<2> recent;
    std::atomic<int64_t> open_until{};  // of its breaker; 0: closed
    std::atomic<int64_t> probe_until{}; // a probe is under way until then
    std::atomic<uint32_t> opened{};     // times in a row
    std::atomic<uint32_t> down{};       // the health check says so
    std::atomic<uint32_t> checks_failed{}, checks_passed{}; // in a row
    std::atomic<int64_t> next_check{};
    PeakMean first_token, duration;
    Durations first_tokens, durations;
    std::atomic<uint64_t> trips{};
};

// When calls to a model are given up for a time.
struct BreakerRules {
    uint32_t percent = 0; // of failures that opens it; 0: there is none
    uint32_t least_calls = 20;
    uint64_t window_ms = 30'000;
    uint64_t open_least_ms = 10'000; // doubles each time in a row
    uint64_t open_most_ms = 300'000;
};

struct HealthRules {
    uint64_t interval_ms = 0; // 0: there are no checks
    uint64_t timeout_ms = 5'000;
    std::string model; // that is asked
    uint32_t fails = 3, passes = 2;
    // Only keys that are away are checked, and nothing is said of the
    // provider.
    bool only_keys = false;
};

enum class Verdict : uint8_t {
    good,
    bad,     // the provider's fault
    nothing, // the try says nothing of the provider
};

// One provider as the balance sees it.
class Peer {
public:
    // id: of its requests under way.
    Peer(std::string_view name, const ModelMap* map);

    uint64_t id = 0;
    const ModelMap* model_map = nullptr;
    BreakerRules breaker;
    HealthRules health;
    // Requests that it may have at a time, 0: any number; how many more may
    // wait for a place, and for how long.
    uint32_t concurrency = 0;
    uint32_t queue = 0;
    uint64_t queue_ms = 0;
    bool counted = false; // requests under way are counted
    bool watched = false; // states are kept

    // Names the models that have a state of their own; the others share one.
    // All are in own memory until share().
    void watch(std::vector<std::string> models);
    [[nodiscard]] size_t state_count() const noexcept { return states_.size(); }
    // The last one, "", is that of all others.
    [[nodiscard]] std::string_view model(size_t i) const noexcept;
    void share(size_t i, PeerState& state) noexcept { states_[i] = &state; }
    [[nodiscard]] PeerState& state_at(size_t i) const noexcept
    {
        return *states_[i];
    }
    // nullptr: it is not watched.
    [[nodiscard]] PeerState* state(std::string_view model) const noexcept;

    // Do its health checks say so, of all its models?
    [[nodiscard]] bool is_down() const noexcept;
    // May a request go there?  Nothing is taken.
    [[nodiscard]] bool admits(
        const PeerState& state, int64_t now) const noexcept;
    // Microseconds until it may be asked again, 0: now or nobody knows.
    [[nodiscard]] static int64_t closed_for(
        const PeerState& state, int64_t now) noexcept;
    enum class Entry : uint8_t { refused, normal, probe };
    // A request goes there: of an open breaker one at a time is let in to see
    // whether it has recovered.
    [[nodiscard]] Entry enter(PeerState& state, int64_t now) const noexcept;
    // How a request that was let in at begin ended.
    void note(PeerState& state, Verdict verdict, Entry entry, int64_t begin,
        int64_t now) const noexcept;
    // How a health check ended.
    void note_check(PeerState& state, bool good) const noexcept;

private:
    void open(PeerState& state, int64_t now) const noexcept;

    std::vector<std::string> models_; // sorted
    std::unique_ptr<PeerState[]> own_;
    std::vector<PeerState*> states_;
};

} // namespace ai_proxy::route
