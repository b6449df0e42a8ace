#include "token_limits_fixture.h"

// Budgets in Redis as a request asks and tells them.
namespace ai_proxy::policy {
namespace {

using namespace testing;

bool has_end(const std::vector<std::string>& told, std::string_view end)
{
    return told.size() == 1 && told[0].ends_with(end);
}

TEST(TokenLimitsInRedis, AreAskedAfterTheZone)
{
    SharedWorld world(config::Redis::OnError::allow);
    std::string asked;
    world.io.redis_says = [&asked](const redis::Command& command) {
        asked = command.text();
        return numbers({1, 777, 250, 60'000, 0});
    };
    TokenLimits limits(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(limits.admit(world.io));
    ASSERT_TRUE(limits.asks_redis());
    ASSERT_FALSE(limits.take(world.io, world.ask(limits)));
    EXPECT_FALSE(limits.asks_redis());
    EXPECT_EQ(limits.status(), LimitStatus::passed);
    EXPECT_EQ(world.used(0), 250u);
    EXPECT_NE(asked.find(":b 60000 0 300 250 0"), std::string::npos) << asked;
    limits.settle(world.io, answered(90, 40));
    EXPECT_EQ(world.used(0), 130u);
    const auto told = world.io.debts.told();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find(":b 60000 0  0 0 -120 777"), std::string::npos)
        << told[0];
}

// What a request did not need is given back with the next take, if there is
// one soon enough.
TEST(TokenLimitsInRedis, ATakeSettlesWhatWasBefore)
{
    SharedWorld world(config::Redis::OnError::allow);
    std::string asked;
    int64_t stamp = 777;
    world.io.redis_says = [&](const redis::Command& command) {
        asked = command.text();
        return numbers({1, stamp, 250, 60'000, 0});
    };
    const auto run = [&world](const Books& books) {
        TokenLimits limits(world.gateway, world.rules, 100, 50);
        ASSERT_FALSE(limits.admit(world.io));
        ASSERT_FALSE(limits.take(world.io, world.ask(limits)));
        limits.settle(world.io, books);
    };
    run(answered(90, 40));
    EXPECT_EQ(world.io.debts.noted, std::vector<size_t>{1});
    run(answered(100, 80));
    EXPECT_NE(asked.find(":b 60000 0 300 150 0 -20 777"), std::string::npos)
        << asked;

    // Of one part they are one, what is charged beyond a take is as well.
    TokenLimits first(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(first.admit(world.io));
    ASSERT_FALSE(first.take(world.io, world.ask(first)));
    EXPECT_NE(asked.find(":b 60000 0 300 150 0 30 0"), std::string::npos)
        << asked;
    stamp = 778;
    TokenLimits second(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(second.admit(world.io));
    ASSERT_FALSE(second.take(world.io, world.ask(second)));
    TokenLimits third(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(third.admit(world.io));
    ASSERT_FALSE(third.take(world.io, world.ask(third)));
    first.settle(world.io, answered(90, 40));
    second.settle(world.io, answered(90, 30));
    third.settle(world.io, answered(90, 20));
    const auto told = world.io.debts.told();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(
        told[0].find(":b 60000 0  0 0 -20 777 -70 778"), std::string::npos)
        << told[0];
}

TEST(TokenLimitsInRedis, WhatWasDebitedAheadIsGivenBack)
{
    SharedWorld world(config::Redis::OnError::allow);
    world.io.redis_says = [](const redis::Command&) {
        return numbers({1, 777, 150, 60'000, 0});
    };
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(limits.admit(world.io));
    ASSERT_FALSE(limits.take(world.io, world.ask(limits)));
    limits.debit(world.io, 60);
    EXPECT_TRUE(has_end(world.io.debts.told(), " 266 0"));
    limits.settle(world.io, answered(90, 40));
    EXPECT_TRUE(has_end(world.io.debts.told(), " -266 0 -20 777"));
}

TEST(TokenLimitsInRedis, OneThatOnlyCountsDoesNotHideARefusal)
{
    SharedWorld world(config::Redis::OnError::allow);
    world.rules.push_back(world.rules[1]);
    world.rules[2].mode = limit::Mode::log;
    bool first = true;
    world.io.redis_says = [&first](const redis::Command&) {
        return std::exchange(first, false)
            ? numbers({0, 777, 280, 60'000, 41'000})
            : numbers({1, 777, 400, 60'000, 0});
    };
    TokenLimits limits(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_TRUE(limits.take(world.io, world.ask(limits)));
    EXPECT_EQ(limits.status(), LimitStatus::rejected);
}

TEST(TokenLimitsInRedis, WhatNobodyWaitedForIsTakenBack)
{
    SharedWorld world(config::Redis::OnError::allow);
    TokenLimits limits(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(limits.admit(world.io));
    const auto commands = limits.commands();
    ASSERT_EQ(commands.size(), 1u);
    const redis::TakeBack& take_back = commands[0].take_back();
    ASSERT_TRUE(take_back);
    const auto undo = take_back(numbers({1, 777, 250, 60'000, 0}));
    ASSERT_TRUE(undo);
    EXPECT_NE(undo->text().find(":b 60000 0  0 0 -250 777"), std::string::npos)
        << undo->text();
    EXPECT_FALSE(take_back(numbers({0, 777, 280, 60'000, 41'000})));
    EXPECT_FALSE(take_back(redis::Reply()));
}

TEST(TokenLimitsInRedis, WhatRedisRefusesIsGivenBackInTheZone)
{
    SharedWorld world(config::Redis::OnError::allow);
    world.io.redis_says = [](const redis::Command&) {
        return numbers({0, 777, 280, 60'000, 41'000});
    };
    TokenLimits limits(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(limits.admit(world.io));
    const auto refusal = limits.take(world.io, world.ask(limits));
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->error.http_status(), 429);
    EXPECT_EQ(refusal->headers.front().value, "41");
    EXPECT_EQ(world.used(0), 0u);
    EXPECT_TRUE(world.io.debts.told().empty());
}

TEST(TokenLimitsInRedis, WithoutRedisThePolicyHolds)
{
    using OnError = config::Redis::OnError;
    for (const OnError policy : {OnError::allow, OnError::deny, OnError::zone})
    {
        SharedWorld world(policy);
        world.io.redis_down = ErrorCode::redis_timeout;
        TokenLimits limits(world.gateway, world.rules, 100, 150);
        ASSERT_FALSE(limits.admit(world.io));
        const auto refusal = limits.take(world.io, world.ask(limits));
        EXPECT_EQ(refusal.has_value(), policy == OnError::deny);
        EXPECT_EQ(world.used(0), policy == OnError::deny ? 0u : 250u);
        EXPECT_EQ(world.used(1), policy == OnError::zone ? 250u : 0u);
        if (refusal) {
            EXPECT_EQ(refusal->error.http_status(), 503);
        }
        limits.settle(world.io, answered(1, 1));
        EXPECT_TRUE(world.io.debts.told().empty());
    }
}

TEST(TokenLimitsInRedis, AnAnswerThatIsNoneGrants)
{
    SharedWorld world(config::Redis::OnError::deny);
    world.io.redis_says = [](const redis::Command&) { return numbers({1, 2}); };
    TokenLimits limits(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_FALSE(limits.take(world.io, world.ask(limits)));
}

} // namespace
} // namespace ai_proxy::policy
