#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ai_proxy::route {

// N counts over the last half to whole window, in memory that workers share.
// Zeroed memory counts nothing.  Counts that workers add at the moment when
// the window moves on may be lost.
template <size_t N>
struct SlidingCount {
    // now, window_us: microseconds; window_us > 1.
    void add(size_t which, int64_t now, int64_t window_us) noexcept
    {
        move_on(now, window_us);
        recent[which].fetch_add(1, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t read(
        size_t which, int64_t now, int64_t window_us) noexcept
    {
        move_on(now, window_us);
        return uint64_t{recent[which].load(std::memory_order_relaxed)}
        + before[which].load(std::memory_order_relaxed);
    }
    void clear() noexcept
    {
        for (size_t i = 0; i < N; ++i) {
            recent[i].store(0, std::memory_order_relaxed);
            before[i].store(0, std::memory_order_relaxed);
        }
    }

    std::atomic<int64_t> half{}; // the number of the current half window
    std::array<std::atomic<uint32_t>, N> recent{}, before{};

private:
    void move_on(int64_t now, int64_t window_us) noexcept
    {
        const int64_t current = now / (window_us / 2);
        int64_t seen = half.load(std::memory_order_relaxed);
        if (seen >= current
            || !half.compare_exchange_strong(
                seen, current, std::memory_order_relaxed))
        {
            return;
        }
        for (size_t i = 0; i < N; ++i) {
            const uint32_t last =
                recent[i].exchange(0, std::memory_order_relaxed);
            before[i].store(
                seen + 1 == current ? last : 0, std::memory_order_relaxed);
        }
    }
};

} // namespace ai_proxy::route
