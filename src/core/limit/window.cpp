#include "core/limit/window.h"

#include <algorithm>
#include <limits>

namespace ai_proxy::limit {

namespace {

constexpr uint64_t kMostTokens = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMostUnits = std::numeric_limits<uint16_t>::max();

uint32_t bounded(uint64_t tokens) noexcept
{
    return static_cast<uint32_t>(std::min(tokens, kMostTokens));
}

uint64_t wait(int64_t until_ms, int64_t now_ms) noexcept
{
    return static_cast<uint64_t>(std::max<int64_t>(until_ms - now_ms, 0));
}

// What both kinds of window can do, with the budget and the time at hand.
class Fixed {
public:
    Fixed(FixedWindow& window, const Budget& budget, int64_t now_ms) noexcept
        : window_(window), length_(static_cast<int64_t>(budget.window_ms)),
          now_(now_ms)
    {
        if (window.begin != 0 && now_ms - window.begin >= length_) {
            window = FixedWindow();
        }
    }
    [[nodiscard]] uint64_t used() const noexcept { return window_.spent; }
    [[nodiscard]] int64_t stamp() const noexcept { return window_.begin; }
    void spend(uint64_t amount) noexcept
    {
        if (window_.begin == 0) {
            window_.begin = now_;
        }
        window_.spent = bounded(window_.spent + amount);
    }
    void give_back(uint64_t amount, int64_t stamp) noexcept
    {
        if (stamp == 0 || stamp == window_.begin) {
            window_.spent -= static_cast<uint32_t>(
                std::min<uint64_t>(window_.spent, amount));
        }
    }
    [[nodiscard]] uint64_t wait_for(uint64_t) const noexcept { return reset(); }
    [[nodiscard]] uint64_t reset() const noexcept
    {
        return window_.begin == 0 ? 0 : wait(window_.begin + length_, now_);
    }

private:
    FixedWindow& window_;
    int64_t length_;
    int64_t now_;
};

class Sliding {
public:
    Sliding(
        SlidingWindow& window, const Budget& budget, int64_t now_ms) noexcept
        : window_(window), length_(static_cast<int64_t>(budget.window_ms)),
          now_(now_ms), unit_((budget.amount + kMostUnits - 1) / kMostUnits)
    {
        move_on(
            std::max(now_ms * SlidingWindow::kParts / length_, window.newest));
    }
    [[nodiscard]] uint64_t used() const noexcept
    {
        return window_.before * unit_ + window_.now;
    }
    [[nodiscard]] int64_t stamp() const noexcept { return window_.newest; }
    void spend(uint64_t amount) noexcept
    {
        window_.now = bounded(window_.now + amount);
    }
    void give_back(uint64_t amount, int64_t stamp) noexcept;
    [[nodiscard]] uint64_t wait_for(uint64_t excess) const noexcept;
    [[nodiscard]] uint64_t reset() const noexcept;

private:
    [[nodiscard]] uint64_t wait_until_free(int64_t number) const noexcept;
    // Of the parts before now, from this one back to that.
    void give_back_parts(
        uint64_t amount, int64_t newest, int64_t oldest) noexcept;
    [[nodiscard]] uint16_t& part(int64_t number) const noexcept
    {
        return window_
            .parts[static_cast<size_t>(number) % SlidingWindow::kSlots];
    }
    void move_on(int64_t newest) noexcept;

    SlidingWindow& window_;
    int64_t length_;
    int64_t now_;
    uint64_t unit_; // tokens
};

void Sliding::move_on(int64_t newest) noexcept
{
    if (newest == window_.newest) {
        return;
    }
    if (newest - window_.newest > SlidingWindow::kParts) {
        window_ = SlidingWindow();
        window_.newest = newest;
        return;
    }
    const uint64_t units =
        std::min((window_.now + unit_ - 1) / unit_, kMostUnits);
    part(window_.newest) = static_cast<uint16_t>(units);
    window_.before += static_cast<uint32_t>(units);
    window_.now = 0;
    while (window_.newest < newest) {
        uint16_t& oldest = part(++window_.newest);
        window_.before -= oldest;
        oldest = 0;
    }
}

void Sliding::give_back(uint64_t amount, int64_t stamp) noexcept
{
    const int64_t oldest = window_.newest - SlidingWindow::kParts;
    if (stamp == 0 || stamp >= window_.newest) {
        const uint64_t now = std::min<uint64_t>(window_.now, amount);
        window_.now -= static_cast<uint32_t>(now);
        if (stamp == 0 && now < amount) {
            give_back_parts(amount - now, window_.newest - 1, oldest);
        }
    } else if (stamp >= oldest) {
        give_back_parts(amount, stamp, stamp);
    }
}

void Sliding::give_back_parts(
    uint64_t amount, int64_t newest, int64_t oldest) noexcept
{
    amount += window_.carry;
    window_.carry = static_cast<uint32_t>(amount % unit_);
    uint64_t units = amount / unit_;
    for (int64_t number = newest; units != 0 && number >= oldest; --number) {
        uint16_t& spent = part(number);
        const uint64_t less = std::min<uint64_t>(units, spent);
        spent = static_cast<uint16_t>(spent - less);
        window_.before -= static_cast<uint32_t>(less);
        units -= less;
    }
}

// Milliseconds until excess of what is used is free.
uint64_t Sliding::wait_for(uint64_t excess) const noexcept
{
    int64_t number = window_.newest - SlidingWindow::kParts;
    for (; number < window_.newest; ++number) {
        const uint64_t tokens = part(number) * unit_;
        if (tokens >= excess) {
            break;
        }
        excess -= tokens;
    }
    return wait_until_free(number);
}

// Until the last part in which something was spent is over; something was.
uint64_t Sliding::reset() const noexcept
{
    int64_t number = window_.newest;
    if (window_.now == 0) {
        const int64_t oldest = number - SlidingWindow::kParts;
        do {
            --number;
        } while (number > oldest && part(number) == 0);
    }
    return wait_until_free(number);
}

// The first millisecond of the part in which this one is the oldest no more.
uint64_t Sliding::wait_until_free(int64_t number) const noexcept
{
    constexpr int64_t kParts = SlidingWindow::kParts;
    const int64_t part_end = number + kParts + 1;
    return wait((part_end * length_ + kParts - 1) / kParts, now_);
}

template <class Kind>
Level level_of(const Kind& window, const Budget& budget) noexcept
{
    Level level;
    level.used = window.used();
    level.remaining =
        level.used < budget.amount ? budget.amount - level.used : 0;
    if (level.used != 0) {
        level.reset_ms = window.reset();
    }
    return level;
}

template <class Kind>
Taken take_from(
    Kind window, const Budget& budget, uint64_t amount, bool force) noexcept
{
    const uint64_t before = window.used();
    Taken taken;
    taken.granted = force || before + amount <= budget.amount;
    if (taken.granted) {
        window.spend(amount);
        taken.stamp = window.stamp();
    } else if (amount <= budget.amount) {
        taken.retry_ms = std::max<uint64_t>(
            window.wait_for(before + amount - budget.amount), 1);
    }
    taken.level = level_of(window, budget);
    return taken;
}

template <class Kind>
Level settle_in(Kind window, const Budget& budget, int64_t difference,
    int64_t stamp) noexcept
{
    if (difference >= 0) {
        window.spend(static_cast<uint64_t>(difference));
    } else {
        window.give_back(static_cast<uint64_t>(-difference), stamp);
    }
    return level_of(window, budget);
}

// Calls what is to be done with the window as what it is.
template <class Do>
auto with(void* window, const Budget& budget, int64_t now_ms, Do act) noexcept
{
    return budget.algorithm == Algorithm::fixed
        ? act(Fixed(*static_cast<FixedWindow*>(window), budget, now_ms))
        : act(Sliding(*static_cast<SlidingWindow*>(window), budget, now_ms));
}

} // namespace

size_t window_size(Algorithm algorithm) noexcept
{
    return algorithm == Algorithm::fixed ? sizeof(FixedWindow)
                                         : sizeof(SlidingWindow);
}

Taken take(void* window, const Budget& budget, uint64_t amount, int64_t now_ms,
    bool force) noexcept
{
    return with(window, budget, now_ms,
        [&](auto kind) { return take_from(kind, budget, amount, force); });
}

Level settle(void* window, const Budget& budget, int64_t difference,
    int64_t stamp, int64_t now_ms) noexcept
{
    return with(window, budget, now_ms,
        [&](auto kind) { return settle_in(kind, budget, difference, stamp); });
}

Level level(void* window, const Budget& budget, int64_t now_ms) noexcept
{
    return with(window, budget, now_ms,
        [&](auto kind) { return level_of(kind, budget); });
}

} // namespace ai_proxy::limit
