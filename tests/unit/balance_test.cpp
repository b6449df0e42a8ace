#include "core/base/random.h"
#include "core/route/route.h"

#include "route_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace ai_proxy::route {
namespace {

using testing::RouteWorld;

std::vector<KeyPool> one_key_each(size_t providers)
{
    std::vector<KeyPool> pools;
    for (size_t i = 0; i < providers; ++i) {
        pools.emplace_back(1);
    }
    return pools;
}

class BalanceTest : public ::testing::Test {
protected:
    explicit BalanceTest() : world(one_key_each(4)) {}

    void add(uint32_t weight = 1, uint16_t tier = 1)
    {
        Target target;
        target.provider = static_cast<uint16_t>(route.targets.size());
        target.weight = weight;
        target.tier = tier;
        route.targets.push_back(target);
    }
    void open_breaker(uint16_t provider, int64_t until)
    {
        world.peers[provider].breaker.percent = 50;
        world.peers[provider].watch({});
        world.peers[provider].state("m")->open_until = until;
    }
    int first(int64_t now = 1)
    {
        const Asked asked{random(), turn++, affinity, "m", stream};
        Attempts attempts(route, world.around(), asked, now);
        const auto step = attempts.first(now);
        return step.give_up ? -1 : step.target->provider;
    }

    Route route;
    RouteWorld world;
    std::mt19937_64 random{11};
    uint64_t turn = 0;
    Affinity affinity = Affinity::none;
    bool stream = false;
};

// A hundred clients, each with one request under way that takes its
// provider's time: the number at each settles where the waits are equal.
TEST_F(BalanceTest, LeastConnKeepsTheCountsEven)
{
    add();
    add();
    add(2);
    route.balance = Balance::least_conn;
    std::vector<uint64_t> under_way(3);
    for (int i = 0; i < 100'000; ++i) {
        const int provider = first();
        ASSERT_GE(provider, 0);
        ASSERT_TRUE(world.in_flight.enter(world.peers[size_t(provider)].id));
        ++under_way[size_t(provider)];
        if (i >= 400) {
            // One that is under way ends, any of them.
            uint64_t ends =
                below(random(), under_way[0] + under_way[1] + under_way[2]);
            size_t p = 0;
            while (ends >= under_way[p]) {
                ends -= under_way[p++];
            }
            --under_way[p];
            world.in_flight.leave(world.peers[p].id);
        }
    }
    EXPECT_NEAR(double(under_way[0]), 100, 3);
    EXPECT_NEAR(double(under_way[1]), 100, 3);
    EXPECT_NEAR(double(under_way[2]), 200, 3);
}

TEST_F(BalanceTest, LeastConnSharesEvenlyWhenNothingIsUnderWay)
{
    add();
    add(3);
    route.balance = Balance::least_conn;
    // The cost of one more at weight 3 is a third.
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(first(), 1);
    }
    route.targets[1].weight = 1;
    int zero = 0;
    for (int i = 0; i < 100'000; ++i) {
        zero += first() == 0;
    }
    EXPECT_NEAR(zero / 100'000.0, 0.5, 0.01);
}

TEST_F(BalanceTest, LeastLatencyPrefersTheFastOneAndCountsItsQueue)
{
    add();
    add();
    route.balance = Balance::least_latency;
    for (size_t i = 0; i < 2; ++i) {
        world.peers[i].watch({});
    }
    // Nothing is known: both, one after the other or not.
    int zero = 0;
    for (int i = 0; i < 100'000; ++i) {
        zero += first() == 0;
    }
    EXPECT_NEAR(zero / 100'000.0, 0.5, 0.01);

    world.peers[0].state("m")->duration.add(100'000, 1);
    world.peers[1].state("m")->duration.add(350'000, 1);
    EXPECT_EQ(first(), 0);
    // Each request under way is one more to wait for: 4 x 100 > 1 x 350.
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(world.in_flight.enter(world.peers[0].id));
        EXPECT_EQ(first(), 0);
    }
    ASSERT_TRUE(world.in_flight.enter(world.peers[0].id));
    EXPECT_EQ(first(), 1);
    // Streams are compared by their first token.
    stream = true;
    world.peers[0].state("m")->first_token.add(90'000, 1);
    world.peers[1].state("m")->first_token.add(10'000, 1);
    EXPECT_EQ(first(), 1);
}

TEST_F(BalanceTest, HashFollowsTheNumberAndTheWeights)
{
    add(1);
    add(3);
    add(4);
    affinity = Affinity::first;
    std::map<int, int> seen;
    constexpr int kPicks = 100'000;
    for (int i = 0; i < kPicks; ++i) {
        ++seen[first()];
    }
    EXPECT_NEAR(seen[0] / double(kPicks), 1 / 8.0, 0.01);
    EXPECT_NEAR(seen[1] / double(kPicks), 3 / 8.0, 0.01);
    EXPECT_NEAR(seen[2] / double(kPicks), 4 / 8.0, 0.01);

    // A provider that goes moves its own only.
    std::vector<uint64_t> numbers(10'000);
    std::map<uint64_t, uint16_t> before;
    for (uint64_t& number : numbers) {
        number = random();
        const Asked asked{number, 0, affinity, "m", false};
        Attempts attempts(route, world.around(), asked, 1);
        before[number] = attempts.first(1).target->provider;
    }
    route.targets.erase(route.targets.begin() + 1);
    for (const uint64_t number : numbers) {
        const Asked asked{number, 0, affinity, "m", false};
        Attempts attempts(route, world.around(), asked, 1);
        const uint16_t after = attempts.first(1).target->provider;
        if (before[number] != 1) {
            EXPECT_EQ(after, before[number]);
        }
    }
}

TEST_F(BalanceTest, ALowerTierIsUsedUpFirst)
{
    add(1, 2);
    add(1, 1);
    add(1, 1);
    std::map<int, int> seen;
    for (int i = 0; i < 1'000; ++i) {
        ++seen[first()];
    }
    EXPECT_EQ(seen.count(0), 0u);
    EXPECT_GT(seen[1], 400);
    EXPECT_GT(seen[2], 400);
    open_breaker(1, 100);
    open_breaker(2, 100);
    EXPECT_EQ(first(5), 0);
    EXPECT_NE(first(101), 0);
}

TEST_F(BalanceTest, AnOpenBreakerIsLeftOutAndAllOfThemFailAtOnce)
{
    add();
    add();
    open_breaker(0, 5'000'000);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(first(1), 1);
    }
    open_breaker(1, 3'000'000);
    Attempts attempts(route, world.around(), {7, 0, affinity, "m", false}, 1);
    const auto step = attempts.first(1);
    EXPECT_TRUE(step.give_up);
    EXPECT_EQ(step.blocked, ErrorCode::breaker_open);
    EXPECT_GE(step.retry_after_ms, 2'000u);
    // A fallback that stands in for errors does here too.
    Target fallback;
    fallback.provider = 2;
    fallback.on = *On::parse("error");
    route.fallbacks.push_back(fallback);
    EXPECT_EQ(first(1), 2);
    route.fallbacks[0].on = *On::parse("429");
    EXPECT_EQ(first(1), -1);
}

TEST_F(BalanceTest, AFullProviderIsLeftOutWhileAnotherHasRoom)
{
    add();
    add();
    world.peers[0].concurrency = 1;
    ASSERT_TRUE(world.in_flight.enter(world.peers[0].id));
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(first(1), 1);
    }
    // Nobody has: who waits is no matter of the choice.
    world.peers[1].concurrency = 1;
    ASSERT_TRUE(world.in_flight.enter(world.peers[1].id));
    EXPECT_NE(first(1), -1);
}

TEST_F(BalanceTest, RetriesKeepToTheirBudget)
{
    add();
    RouteState shared;
    route.state = &shared;
    route.retries = 1;
    route.budget_percent = 20;
    int retries = 0;
    for (int i = 0; i < 1'000; ++i) {
        Attempts attempts(
            route, world.around(), {random(), 0, affinity, "m", false}, 1);
        (void)attempts.first(1);
        retries +=
            !attempts.next({ErrorCode::upstream_connect, 0, 0}, 0, 1).give_up;
    }
    EXPECT_EQ(retries, 200);
}

TEST_F(BalanceTest, HedgesKeepToTheirBudgetAndGoElsewhere)
{
    add();
    add();
    RouteState shared;
    route.state = &shared;
    route.hedge.percent = 5;
    int hedges = 0;
    for (int i = 0; i < 1'000; ++i) {
        Attempts attempts(
            route, world.around(), {random(), 0, affinity, "m", false}, 1);
        const auto step = attempts.first(1);
        const auto other = attempts.hedge(0, 1);
        if (!other.give_up) {
            ++hedges;
            EXPECT_NE(other.target->provider, step.target->provider);
        }
    }
    EXPECT_EQ(hedges, 50);
}

} // namespace
} // namespace ai_proxy::route
