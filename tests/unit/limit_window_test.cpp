#include "core/base/random.h"
#include "core/limit/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <utility>

// Budgets over windows of time, with the clock in the test's hands.
namespace ai_proxy::limit {
namespace {

constexpr int64_t kStart = 123'456'789;

// A window of either kind.
struct Window {
    SlidingWindow sliding;
    FixedWindow fixed;

    void* of(const Budget& budget)
    {
        return budget.algorithm == Algorithm::fixed
            ? static_cast<void*>(&fixed)
            : static_cast<void*>(&sliding);
    }
    Taken take(const Budget& budget, uint64_t amount, int64_t now, bool force)
    {
        return limit::take(of(budget), budget, amount, now, force);
    }
    Level settle(
        const Budget& budget, int64_t difference, int64_t stamp, int64_t now)
    {
        return limit::settle(of(budget), budget, difference, stamp, now);
    }
    Level level(const Budget& budget, int64_t now)
    {
        return limit::level(of(budget), budget, now);
    }
};

Budget per_minute(uint64_t amount, Algorithm algorithm = Algorithm::sliding)
{
    return {amount, 60'000, algorithm};
}

TEST(LimitWindow, GrantsUpToTheBudgetExactly)
{
    for (const Algorithm algorithm : {Algorithm::sliding, Algorithm::fixed}) {
        const Budget budget = per_minute(100, algorithm);
        Window window;
        EXPECT_TRUE(window.take(budget, 60, kStart, false).granted);
        const Taken taken = window.take(budget, 40, kStart, false);
        EXPECT_TRUE(taken.granted);
        EXPECT_EQ(taken.level.used, 100u);
        EXPECT_EQ(taken.level.remaining, 0u);
        const Taken refused = window.take(budget, 1, kStart, false);
        EXPECT_FALSE(refused.granted);
        EXPECT_EQ(refused.level.used, 100u);
        EXPECT_GT(refused.retry_ms, 0u);
        EXPECT_TRUE(window.take(budget, 0, kStart, false).granted);
    }
}

TEST(LimitWindow, WhatIsMoreThanTheBudgetNeverFits)
{
    Window window;
    const Taken taken = window.take(per_minute(100), 101, kStart, false);
    EXPECT_FALSE(taken.granted);
    EXPECT_EQ(taken.retry_ms, 0u);
}

TEST(LimitWindow, AFixedWindowBeginsWithTheFirstSpending)
{
    const Budget budget = per_minute(100, Algorithm::fixed);
    Window window;
    EXPECT_TRUE(window.take(budget, 100, kStart, false).granted);
    const Taken refused = window.take(budget, 1, kStart + 20'000, false);
    EXPECT_FALSE(refused.granted);
    EXPECT_EQ(refused.retry_ms, 40'000u);
    EXPECT_EQ(refused.level.reset_ms, 40'000u);
    EXPECT_FALSE(window.take(budget, 1, kStart + 59'999, false).granted);
    EXPECT_TRUE(window.take(budget, 100, kStart + 60'000, false).granted);
    EXPECT_FALSE(window.take(budget, 1, kStart + 119'999, false).granted);
}

TEST(LimitWindow, ASlidingWindowForgetsWhatIsOlder)
{
    const Budget budget = per_minute(100);
    for (const int64_t offset : {0, 1, 300, 468, 469}) {
        const int64_t begin = int64_t{60'000} * 1000 + offset;
        Window window;
        EXPECT_TRUE(window.take(budget, 60, begin, false).granted);
        EXPECT_TRUE(window.take(budget, 40, begin + 10'000, false).granted);
        EXPECT_EQ(window.level(budget, begin + 59'999).used, 100u);
        // 1/128 of the window later at most.
        EXPECT_EQ(window.level(budget, begin + 60'469).used, 40u);
        EXPECT_EQ(window.level(budget, begin + 69'999).used, 40u);
        EXPECT_EQ(window.level(budget, begin + 70'469).used, 0u);
    }
}

TEST(LimitWindow, TellsWhenToComeAgain)
{
    uint64_t state = 7;
    for (int round = 0; round < 300; ++round) {
        const Budget budget = {1000, round % 2 == 0 ? 1000u : 60'000u,
            round % 3 == 0 ? Algorithm::fixed : Algorithm::sliding};
        Window window;
        int64_t now = kStart;
        for (int i = 0; i < 40; ++i) {
            now += static_cast<int64_t>(mix(state) % (budget.window_ms / 6));
            (void)window.take(budget, mix(state) % 300, now, false);
        }
        const uint64_t amount = 1 + mix(state) % 1000;
        Window before = window;
        const Taken taken = window.take(budget, amount, now, false);
        if (taken.granted) {
            continue;
        }
        ASSERT_GT(taken.retry_ms, 0u);
        const auto wait = static_cast<int64_t>(taken.retry_ms);
        Window later = before;
        EXPECT_TRUE(later.take(budget, amount, now + wait, false).granted);
        Window early = before;
        EXPECT_FALSE(early.take(budget, amount, now + wait - 1, false).granted);
        Window idle = before;
        const Level level = idle.level(budget, now);
        const auto reset = static_cast<int64_t>(level.reset_ms);
        EXPECT_NE(idle.level(budget, now + reset - 1).used, 0u);
        EXPECT_EQ(idle.level(budget, now + reset).used, 0u);
    }
}

// Within no window is more granted than the budget, and who always asks gets
// all of it, who asks a little too much not much less.
TEST(LimitWindow, HoldsTheRateOfAnEagerClient)
{
    const Budget budget = {8000, 1000, Algorithm::sliding};
    struct Client {
        uint64_t step;
        int asks; // each millisecond
        uint64_t least;
    };
    constexpr uint64_t kLeast = 20 * 8000 * 99 / 100;
    for (const Client client :
        {Client{1, 9000, kLeast}, {7, 20, kLeast}, {1, 9, kLeast}})
    {
        Window window;
        std::deque<std::pair<int64_t, uint64_t>> granted;
        uint64_t recent = 0, most = 0, all = 0;
        for (int64_t now = kStart; now < kStart + 20'000; ++now) {
            uint64_t got = 0;
            for (int i = 0; i < client.asks; ++i) {
                if (!window.take(budget, client.step, now, false).granted) {
                    break;
                }
                got += client.step;
            }
            granted.emplace_back(now, got);
            recent += got;
            all += got;
            while (granted.front().first <= now - 1000) {
                recent -= granted.front().second;
                granted.pop_front();
            }
            most = std::max(most, recent);
        }
        EXPECT_LE(most, 8000u) << client.step;
        EXPECT_GE(all, client.least) << client.step;
    }
}

TEST(LimitWindow, GivesBackWhatWasNotNeeded)
{
    for (const Algorithm algorithm : {Algorithm::sliding, Algorithm::fixed}) {
        const Budget budget = per_minute(100, algorithm);
        Window window;
        const Taken taken = window.take(budget, 100, kStart, false);
        EXPECT_EQ(
            window.settle(budget, -70, taken.stamp, kStart + 30'000).used, 30u);
        EXPECT_TRUE(window.take(budget, 70, kStart + 30'000, false).granted);
        // Never below nothing.
        EXPECT_EQ(
            window.settle(budget, -1000, taken.stamp, kStart + 30'000).used,
            algorithm == Algorithm::fixed ? 0u : 70u);
    }
}

TEST(LimitWindow, WhatIsOverIsNotGivenBack)
{
    for (const Algorithm algorithm : {Algorithm::sliding, Algorithm::fixed}) {
        const Budget budget = per_minute(100, algorithm);
        Window window;
        const Taken first = window.take(budget, 100, kStart, false);
        const int64_t later = kStart + 130'000;
        EXPECT_TRUE(window.take(budget, 90, later, false).granted);
        EXPECT_EQ(window.settle(budget, -50, first.stamp, later).used, 90u);
    }
}

TEST(LimitWindow, GivesBackWhatWasSpentLast)
{
    for (const uint64_t amount : {1000u, 10'000'000u}) {
        const Budget budget = per_minute(amount);
        // Big budgets are kept in units, of which each part may lose one.
        const auto slack = static_cast<double>(amount / 65'535 * 4);
        Window window;
        const uint64_t part = amount / 10;
        const auto by = static_cast<int64_t>(part);
        (void)window.take(budget, part, kStart, false);
        for (int64_t i = 1; i <= 3; ++i) {
            (void)window.settle(budget, by, 0, kStart + i * 5000);
        }
        // That of the last two, and half of the one before.
        const int64_t now = kStart + 20'000;
        const auto left = window.settle(budget, -by * 5 / 2, 0, now).used;
        EXPECT_NEAR(
            static_cast<double>(left), static_cast<double>(part) * 1.5, slack);
        const auto later = window.level(budget, kStart + 60'469).used;
        EXPECT_NEAR(
            static_cast<double>(later), static_cast<double>(part) * 0.5, slack);
        // Never below nothing.
        EXPECT_EQ(window.settle(budget, -by * 9, 0, now).used, 0u);
        EXPECT_TRUE(window.take(budget, amount, now, false).granted);
    }
}

TEST(LimitWindow, MoreThanWasTakenIsSpentNow)
{
    const Budget budget = per_minute(100);
    Window window;
    const Taken taken = window.take(budget, 90, kStart, false);
    const Level level =
        window.settle(budget, 500, taken.stamp, kStart + 45'000);
    EXPECT_EQ(level.used, 590u);
    EXPECT_EQ(level.remaining, 0u);
    // The first 90 are over before the rest.
    EXPECT_EQ(window.level(budget, kStart + 60'469).used, 500u);
}

// Big budgets are kept in units of more than one token.
TEST(LimitWindow, RoundingLosesNothingOverManyRequests)
{
    const Budget budget = {10'000'000, 60'000, Algorithm::sliding};
    Window window;
    int64_t now = kStart;
    uint64_t spent = 0;
    for (int i = 0; i < 20'000; ++i) {
        const Taken taken = window.take(budget, 1000, now, true);
        now += 3; // all within a window
        // Settled a second later, to 301 tokens.
        const int64_t later = now + 1000;
        (void)window.settle(budget, -699, taken.stamp, later - 1000);
        spent += 301;
    }
    const Level level = window.level(budget, now);
    EXPECT_GE(level.used, spent * 98 / 100 / 60 * 59);
    EXPECT_LE(level.used, spent + 129 * 153);

    Window late;
    const Taken taken = late.take(budget, 1'000'000, kStart, true);
    for (int i = 0; i < 1000; ++i) {
        (void)late.settle(budget, -999, taken.stamp, kStart + 5000);
    }
    EXPECT_LE(late.level(budget, kStart + 5000).used, 1000u + 2 * 153);
}

TEST(LimitWindow, NumbersStayInRange)
{
    const Budget budget = {Budget::kMost, 86'400'000, Algorithm::sliding};
    Window window;
    for (int i = 0; i < 10; ++i) {
        (void)window.take(budget, Budget::kMost, kStart, true);
    }
    EXPECT_EQ(window.level(budget, kStart).used, 4'294'967'295u);
    EXPECT_FALSE(window.take(budget, 1, kStart, false).granted);
    // A clock that went back does no harm.
    EXPECT_FALSE(window.take(budget, 1, kStart - 90'000'000, false).granted);
}

} // namespace
} // namespace ai_proxy::limit
