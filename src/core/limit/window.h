#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// How much of a budget is spent within a window of time.  Plain numbers, for
// memory that workers share; who uses them holds a lock.
namespace ai_proxy::limit {

enum class Algorithm : uint8_t {
    // Within no window is more spent than the budget.  What is spent becomes
    // free again a window later, or up to 1/128 of a window after that.
    sliding,
    // The window begins with the first spending, and at its end everything is
    // free again: as in Higress, and in the middle of twice its length it may
    // bring twice the budget.
    fixed,
};

struct Budget {
    uint64_t amount = 0;    // at most kMost
    uint64_t window_ms = 0; // at least 1000
    Algorithm algorithm = Algorithm::sliding;

    static constexpr uint64_t kMost = 4'000'000'000;
};

struct Level {
    uint64_t used = 0;
    uint64_t remaining = 0;
    uint64_t reset_ms = 0; // until nothing is used, if nothing is added
};

// What came of asking for an amount.
struct Taken {
    bool granted = false;
    int64_t stamp = 0; // where it was written, for settle()
    Level level;       // after it
    // Not granted: when it could be; 0: never, it is more than the budget.
    uint64_t retry_ms = 0;
};

// Zeroed memory of either kind is a window in which nothing is spent.

struct FixedWindow {
    int64_t begin = 0; // 0: not yet
    uint32_t spent = 0;
};

// Spending by parts of the window.  Parts that are over are kept in units, so
// that 16 bits hold the whole budget; rounding costs at most 129 of 65535.
struct SlidingWindow {
    static constexpr int64_t kParts = 128;
    static constexpr size_t kSlots = kParts + 1;

    int64_t newest = 0;  // number of the part that is now
    uint32_t now = 0;    // spent in it
    uint32_t before = 0; // in the parts before it, in units
    uint32_t carry = 0;  // given back in them, less than a unit
    std::array<uint16_t, kSlots> parts{}; // by number, in units
};

[[nodiscard]] size_t window_size(Algorithm algorithm) noexcept;

// The functions take the window of the budget's algorithm; times are monotonic
// milliseconds, more than 0.

// Takes the amount if it fits the budget, or, with force, anyhow.
[[nodiscard]] Taken take(void* window, const Budget& budget, uint64_t amount,
    int64_t now_ms, bool force) noexcept;
// Corrects what was taken: more is spent now, less is given back where it was
// taken as far as that is not over yet, or, with stamp 0, of what was spent
// last.
Level settle(void* window, const Budget& budget, int64_t difference,
    int64_t stamp, int64_t now_ms) noexcept;
[[nodiscard]] Level level(
    void* window, const Budget& budget, int64_t now_ms) noexcept;

} // namespace ai_proxy::limit
