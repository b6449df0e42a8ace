#include "core/route/key_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace {

using namespace ai_proxy;
using route::KeyPool;
using route::KeySelect;

constexpr int64_t kSecond = 1'000'000;
const std::vector<bool> kFresh;

// Which keys are chosen in many picks.
std::map<uint32_t, int> picks(const KeyPool& pool, int count, int64_t now)
{
    std::mt19937_64 random(7);
    std::map<uint32_t, int> seen;
    for (int i = 0; i < count; ++i) {
        ++seen[pool.choose(kFresh, random(), now)];
    }
    return seen;
}

TEST(KeyPoolTest, RandomKeysShareEqually)
{
    KeyPool pool(4);
    for (const auto& [key, count] : picks(pool, 100'000, 0)) {
        EXPECT_NEAR(count, 25'000, 1'000) << key;
    }
}

TEST(KeyPoolTest, TheLeastUsedKeyIsNext)
{
    KeyPool pool(3);
    pool.rules.select = KeySelect::least_used;
    const auto seen = picks(pool, 300, 0);
    ASSERT_EQ(seen.size(), 3u);
    for (const auto& [key, count] : seen) {
        EXPECT_EQ(count, 100) << key;
    }
}

TEST(KeyPoolTest, ARefusedKeyLeavesForATime)
{
    struct Case {
        int status;
        uint64_t retry_after_ms;
        int64_t away; // seconds
    };
    for (const Case& c : {Case{429, 0, 1}, Case{429, 5'000, 5},
             Case{429, 10, 1}, Case{429, 86'400'000, 600}, Case{401, 0, 30},
             Case{402, 0, 30}, Case{403, 0, 30}, Case{401, 2'000, 2}})
    {
        KeyPool pool(2);
        const int64_t now = 100 * kSecond;
        pool.note(0, c.status, c.retry_after_ms, now - 1, now);
        EXPECT_FALSE(pool.available(0, now + c.away * kSecond - 1)) << c.status;
        EXPECT_TRUE(pool.available(0, now + c.away * kSecond)) << c.status;
        EXPECT_EQ(picks(pool, 100, now), (std::map<uint32_t, int>{{1, 100}}));
    }
}

TEST(KeyPoolTest, OtherFailuresKeepTheKey)
{
    KeyPool pool(2);
    for (int status : {0, 200, 400, 404, 413, 422, 500, 503, 529}) {
        pool.note(0, status, 1'000, 1, 2);
    }
    EXPECT_TRUE(pool.available(0, 2));
    EXPECT_EQ(pool.state(0).failures.load(), 0u);
}

TEST(KeyPoolTest, EachFailureInARowDoublesTheTime)
{
    KeyPool pool(2);
    int64_t now = kSecond;
    for (int64_t seconds : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600}) {
        pool.note(0, 429, 0, now - 1, now);
        EXPECT_FALSE(pool.available(0, now + seconds * kSecond - 1)) << seconds;
        now += seconds * kSecond;
        EXPECT_TRUE(pool.available(0, now)) << seconds;
        ++now;
    }
    // A success ends the row.
    pool.note(0, 200, 0, now, now + 1);
    pool.note(0, 429, 0, now + 2, now + 2);
    EXPECT_TRUE(pool.available(0, now + 2 + kSecond));
}

TEST(KeyPoolTest, FailuresAtTheSameTimeAreOneStrike)
{
    KeyPool pool(2);
    for (int i = 0; i < 50; ++i) {
        pool.note(0, 429, 0, kSecond - i, kSecond + i);
    }
    EXPECT_EQ(pool.state(0).strikes.load(), 1u);
    EXPECT_EQ(pool.state(0).failures.load(), 50u);
    EXPECT_TRUE(pool.available(0, 2 * kSecond + 50));
}

TEST(KeyPoolTest, ASuccessThatBeganEarlierDoesNotBringTheKeyBack)
{
    KeyPool pool(2);
    pool.note(0, 401, 0, 5, 10);
    pool.note(0, 200, 0, 4, 20);
    EXPECT_FALSE(pool.available(0, 20));
    pool.note(0, 200, 0, 11, 21);
    EXPECT_TRUE(pool.available(0, 21));
}

TEST(KeyPoolTest, AllAwayNamesTheLastStatusAndTheSoonestServes)
{
    KeyPool pool(3);
    const int64_t now = kSecond;
    EXPECT_EQ(pool.all_away(now), std::nullopt);
    pool.note(0, 401, 0, now, now);
    pool.note(1, 429, 3'000, now, now + 2);
    EXPECT_EQ(pool.all_away(now), std::nullopt);
    pool.note(2, 403, 0, now, now + 1);
    EXPECT_EQ(pool.all_away(now + 2), 429);
    EXPECT_EQ(pool.choose(kFresh, 99, now + 2), 1u);
    EXPECT_EQ(pool.all_away(now + 4 * kSecond), std::nullopt);
}

TEST(KeyPoolTest, TriedKeysAreLeftOut)
{
    KeyPool pool(3);
    for (uint64_t random : {uint64_t(0), UINT64_MAX, UINT64_MAX / 2}) {
        EXPECT_EQ(pool.choose({true, false, true}, random, 0), 1u);
    }
    pool.note(1, 429, 0, 1, 1);
    EXPECT_EQ(pool.choose({true, false, true}, 0, 1), 1u);
}

TEST(KeyPoolTest, AKeyThatComesBackDoesNotMakeGood)
{
    KeyPool pool(2);
    pool.rules.select = KeySelect::least_used;
    pool.note(0, 429, 0, 0, 1);
    EXPECT_EQ(picks(pool, 1'000, 1), (std::map<uint32_t, int>{{1, 1'000}}));
    const auto after = picks(pool, 1'000, 10 * kSecond);
    EXPECT_NEAR(after.at(0), 500, 2);
    EXPECT_NEAR(after.at(1), 500, 2);
}

TEST(KeyPoolTest, CooldownOffKeepsKeys)
{
    KeyPool pool(1);
    pool.rules.cooldown_most_ms = 0;
    pool.note(0, 401, 0, 1, 2);
    EXPECT_TRUE(pool.available(0, 2));
    EXPECT_EQ(pool.state(0).failures.load(), 1u);
}

TEST(KeyPoolTest, SharedStateIsSeenByAllPools)
{
    route::KeyState shared[2];
    KeyPool a(2), b(2);
    for (uint32_t key : {0u, 1u}) {
        a.share(key, shared[key]);
        b.share(key, shared[key]);
    }
    a.note(1, 429, 0, 1, 2);
    EXPECT_FALSE(b.available(1, 2));
    EXPECT_EQ(picks(b, 10, 2), (std::map<uint32_t, int>{{0, 10}}));
}

TEST(KeyPoolTest, LeavesAfterSoManyFailuresInARow)
{
    KeyPool pool(2);
    pool.rules.fails = 3;
    pool.rules.on = {500};
    int64_t now = 1'000'000;
    const auto end = [&](int status) {
        pool.note(0, status, 0, now - 1, now);
        now += 1000;
    };
    end(500);
    end(500);
    end(200);
    end(500);
    end(500);
    EXPECT_TRUE(pool.available(0, now));
    end(429); // is not one of them, and no success either
    EXPECT_TRUE(pool.available(0, now));
    end(500);
    EXPECT_FALSE(pool.available(0, now));
    EXPECT_EQ(pool.state(0).failures.load(), 5u);
}

} // namespace
