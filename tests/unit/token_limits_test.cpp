#include "core/policy/serve.h"
#include "core/policy/token_limits.h"

#include "core/config/gateway.h"
#include "core/metrics/limits.h"
#include "exchange_fixture.h"
#include "token_limits_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// A request's way through the token limits of its location.
namespace ai_proxy::policy {
namespace {

using namespace testing;

TEST(TokenLimits, TakeWhatIsNeededAndChargeWhatWasUsed)
{
    World world(std::vector<std::string_view>{"key=$x rate=1000/m",
        "key=$y rate=500/h count=input", "key=$z rate=800/d count=output"});
    TokenLimits limits(world.gateway, world.rules, 100, 300);
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_EQ(limits.status(), LimitStatus::passed);
    EXPECT_EQ(world.used(0), 400u);
    EXPECT_EQ(world.used(1), 100u);
    EXPECT_EQ(world.used(2), 300u);
    limits.settle(world.io, answered(90, 40));
    EXPECT_EQ(world.used(0), 130u);
    EXPECT_EQ(world.used(1), 90u);
    EXPECT_EQ(world.used(2), 40u);
    limits.settle(world.io, answered(1, 1)); // once
    EXPECT_EQ(world.used(0), 130u);
}

TEST(TokenLimits, WhoLeavesWhileAProviderIsAskedPaysThePrompt)
{
    for (const bool asked : {true, false}) {
        World world(std::vector<std::string_view>{"key=$x rate=1000/m"});
        TokenLimits limits(world.gateway, world.rules, 100, 300);
        ASSERT_FALSE(limits.admit(world.io));
        Books books;
        books.status = 499;
        books.tries.emplace_back();
        books.left_asked = asked;
        limits.settle(world.io, books);
        EXPECT_EQ(world.used(0), asked ? 100u : 0u);
    }
}

TEST(TokenLimits, WhatAProviderCountsMeanwhileIsDebited)
{
    World world(std::vector<std::string_view>{
        "key=$x rate=1000/m reserve=off", "key=$y rate=1000/m count=output"});
    TokenLimits limits(world.gateway, world.rules, 0, 50);
    ASSERT_FALSE(limits.admit(world.io));
    const Books half = answered(100, 40);
    limits.debit(world.io, half.usage);
    EXPECT_EQ(world.used(0), 140u);
    EXPECT_EQ(world.used(1), 50u) << "less than was taken: nothing yet";
    limits.debit(world.io, answered(200, 90).usage);
    EXPECT_EQ(world.used(0), 290u);
    EXPECT_EQ(world.used(1), 90u);
    limits.settle(world.io, answered(200, 90));
    EXPECT_EQ(world.used(0), 290u);
    EXPECT_EQ(world.used(1), 90u);
}

TEST(TokenLimits, AnAnswerWithoutBoundIsTakenToNeedAShare)
{
    World world(std::vector<std::string_view>{"key=$x rate=1000/m",
        "key=$y rate=1000/m reserve=50%", "key=$z rate=1000/m reserve=off"});
    TokenLimits limits(world.gateway, world.rules, 20, std::nullopt);
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_EQ(world.used(0), 120u);
    EXPECT_EQ(world.used(1), 520u);
    EXPECT_EQ(world.used(2), 20u);
}

TEST(TokenLimits, OneThatRefusesGivesTheOthersBack)
{
    World world(std::vector<std::string_view>{
        "key=$x rate=1000/m", "key=$y rate=300/m"});
    TokenLimits first(world.gateway, world.rules, 100, 150);
    ASSERT_FALSE(first.admit(world.io));
    TokenLimits second(world.gateway, world.rules, 100, 150);
    const auto refusal = second.admit(world.io);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(second.status(), LimitStatus::rejected);
    EXPECT_EQ(refusal->error.http_status(), 429);
    EXPECT_EQ(refusal->error.code, ErrorCode::token_limit);
    EXPECT_NE(refusal->error.message.find("300 tokens per minute, 250 used, "
                                          "250 requested; try again in 1m"),
        std::string::npos)
        << refusal->error.message;
    EXPECT_EQ(world.used(0), 250u);
    EXPECT_EQ(world.used(1), 250u);
    std::vector<std::string> fields;
    for (const auto& field : refusal->headers) {
        fields.push_back(field.name + ": " + field.value);
    }
    ASSERT_EQ(fields.size(), 4u);
    EXPECT_EQ(fields[0].substr(0, 14), "Retry-After: 6");
    EXPECT_EQ(fields[1], "x-ratelimit-limit-tokens: 300");
    EXPECT_EQ(fields[2], "x-ratelimit-remaining-tokens: 50");
    // Nothing was held for it, so nothing is charged.
    second.settle(world.io, answered(10, 10));
    EXPECT_EQ(world.used(0), 250u);
}

TEST(TokenLimits, WhatCanNeverPassIsToldSo)
{
    World world(std::vector<std::string_view>{"key=$x rate=100/s status=413"});
    TokenLimits limits(world.gateway, world.rules, 50, 51);
    const auto refusal = limits.admit(world.io);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->error.http_status(), 413);
    EXPECT_NE(refusal->error.message.find("the request is too large"),
        std::string::npos);
    EXPECT_EQ(refusal->headers.front().name, "x-ratelimit-limit-tokens");
}

TEST(TokenLimits, AnEmptyKeyIsNotLimited)
{
    World world(std::vector<std::string_view>{"key=$x rate=1/m"});
    world.io.texts[0].clear();
    TokenLimits limits(world.gateway, world.rules, 50, 50);
    EXPECT_FALSE(limits.admit(world.io));
    EXPECT_EQ(limits.status(), LimitStatus::none);
    std::vector<Response::Field> headers;
    limits.add_headers(headers);
    EXPECT_TRUE(headers.empty());
}

TEST(TokenLimits, InModeLogTheyOnlyCount)
{
    World world(std::vector<std::string_view>{"key=$x rate=100/m mode=log"});
    TokenLimits limits(world.gateway, world.rules, 150, 50);
    EXPECT_FALSE(limits.admit(world.io));
    EXPECT_EQ(limits.status(), LimitStatus::logged);
    EXPECT_EQ(world.used(0), 200u);
    limits.settle(world.io, answered(120, 30));
    EXPECT_EQ(world.used(0), 150u);
}

TEST(TokenLimits, ARunningAnswerIsDebitedBeyondWhatWasTaken)
{
    World world(std::vector<std::string_view>{"key=$x rate=1000/m"});
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(limits.admit(world.io));
    limits.debit(world.io, 50);
    EXPECT_EQ(world.used(0), 150u);
    limits.debit(world.io, 60);
    EXPECT_GE(world.used(0), 160u);
    EXPECT_LE(world.used(0), 160u + 64u);
    // The client left: the provider counted nothing.
    Books books;
    books.status = 200;
    books.tries.emplace_back();
    books.error = ErrorCode::client_closed;
    limits.settle(world.io, books);
    EXPECT_EQ(world.used(0), 160u);
}

// However much later than the take that was, and whatever others spent there.
TEST(TokenLimits, WhatWasDebitedAheadIsGivenBack)
{
    for (const std::string_view line :
        {"key=$x rate=1000/m", "key=$x rate=1000/m reserve=off",
            "key=$x rate=1000/m algorithm=fixed"})
    {
        World world({line});
        TokenLimits limits(world.gateway, world.rules, 100, 10);
        ASSERT_FALSE(limits.admit(world.io));
        for (const int64_t said : {40, 90}) {
            world.io.budgets.now_ms += 5000;
            limits.debit(world.io, said);
        }
        world.io.budgets.now_ms += 5000;
        limits.settle(world.io, answered(30, 60));
        EXPECT_EQ(world.used(0), 90u) << line;
    }
}

TEST(TokenLimits, AStreamThatSpendsABudgetEnds)
{
    World world(std::vector<std::string_view>{
        "key=$x rate=1000/m", "key=$y rate=200/m exhausted=end"});
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    TokenLimits other(world.gateway, world.rules, 20, 10);
    EXPECT_TRUE(limits.may_end());
    ASSERT_FALSE(limits.admit(world.io));
    ASSERT_FALSE(other.admit(world.io));
    // 150 and 30 are taken: 20 are left for both.
    EXPECT_TRUE(limits.goes_on(50));
    EXPECT_TRUE(limits.goes_on(60));
    EXPECT_TRUE(limits.goes_on(70));
    EXPECT_EQ(limits.status(), LimitStatus::passed);
    EXPECT_TRUE(other.goes_on(10));
    EXPECT_FALSE(other.goes_on(11));
    EXPECT_EQ(other.status(), LimitStatus::ended);
    EXPECT_FALSE(limits.goes_on(71));
    // What was debited for more than could be said is given back.
    other.settle(world.io, answered(20, 11));
    EXPECT_TRUE(limits.goes_on(70));
    limits.settle(world.io, answered(100, 71));
    EXPECT_EQ(world.used(1), 202u);
}

TEST(TokenLimits, InModeLogNothingEnds)
{
    World world(std::vector<std::string_view>{
        "key=$x rate=100/m mode=log exhausted=end"});
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    EXPECT_FALSE(limits.may_end());
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_TRUE(limits.goes_on(500));
}

// Dollars for a million tokens.
usage::Price price(uint64_t input, uint64_t output)
{
    usage::Price made;
    made.model = "*";
    made.input = made.cached = made.cache_write = input * 1'000'000;
    made.output = output * 1'000'000;
    return made;
}

TEST(TokenLimits, CostIsCountedAtThePricesOfTheModel)
{
    World world(std::vector<std::string_view>{
        "rate=0.01/d key=$x count=cost exhausted=end", "key=$y rate=1000/m"});
    const usage::Price dear = price(3, 15), cheap = price(1, 2);
    TokenLimits limits(world.gateway, world.rules, 100, 300);
    EXPECT_TRUE(limits.counts_cost());
    EXPECT_GT(limits.likely_cost(dear), limits.likely_cost(cheap));
    limits.set_price(&dear);
    ASSERT_FALSE(limits.admit(world.io));
    EXPECT_EQ(world.used(0), 300u + 4500u); // millionths of a dollar
    EXPECT_EQ(world.used(1), 400u);
    EXPECT_EQ(world.io.budgets.held, 2);
    // 10000 are the budget.
    EXPECT_TRUE(limits.goes_on(300));
    EXPECT_TRUE(limits.goes_on(600));
    EXPECT_TRUE(limits.goes_on(646));
    EXPECT_FALSE(limits.goes_on(647));
    // Another one has answered in the end.
    Books books = answered(90, 50);
    books.price = &cheap;
    limits.settle(world.io, books);
    EXPECT_EQ(world.used(0), 190u);
    EXPECT_EQ(world.used(1), 140u);
    EXPECT_EQ(world.io.budgets.held, 0);
    // No fields tell it: they are of tokens.
    std::vector<Response::Field> headers;
    limits.add_headers(headers);
    ASSERT_FALSE(headers.empty());
    EXPECT_EQ(headers[0].value, "1000");
}

TEST(TokenLimits, ASpentBudgetOfDollarsIsTold)
{
    World world(std::vector<std::string_view>{"rate=1.5/d key=$x count=cost"});
    const usage::Price dear = price(1000, 5000);
    TokenLimits first(world.gateway, world.rules, 500, 100);
    first.set_price(&dear);
    ASSERT_FALSE(first.admit(world.io));
    TokenLimits second(world.gateway, world.rules, 500, 101);
    second.set_price(&dear);
    const auto refusal = second.admit(world.io);
    ASSERT_TRUE(refusal);
    EXPECT_NE(refusal->error.message.find("1.5 USD per day, 1 used, 1.005 "
                                          "requested; try again in "),
        std::string::npos)
        << refusal->error.message;
    ASSERT_EQ(refusal->headers.size(), 1u);
    EXPECT_EQ(refusal->headers[0].name, "Retry-After");
    EXPECT_EQ(world.used(0), 1'000'000u);
}

TEST(TokenLimits, WhatHasNoPriceIsFree)
{
    World world(
        std::vector<std::string_view>{"rate=0.000001/d key=$x count=cost"});
    const usage::Price dear = price(1, 1);
    TokenLimits one(world.gateway, world.rules, 1, 0);
    one.set_price(&dear);
    ASSERT_FALSE(one.admit(world.io));
    TokenLimits other(world.gateway, world.rules, 1000, std::nullopt);
    EXPECT_FALSE(other.admit(world.io));
    EXPECT_EQ(other.status(), LimitStatus::passed);
    EXPECT_EQ(world.used(0), 1u);
    // An answer without bound is taken to need a share of the budget.
    World share(std::vector<std::string_view>{
        "rate=10/d key=$x count=cost reserve=20%"});
    TokenLimits unbound(share.gateway, share.rules, 1000, std::nullopt);
    unbound.set_price(&dear);
    ASSERT_FALSE(unbound.admit(share.io));
    EXPECT_EQ(share.used(0), 2'001'000u);
}

TEST(TokenLimits, TheirNumbersAreKept)
{
    World world(std::vector<std::string_view>{"key=$x rate=100/m",
        "key=$y rate=100/m mode=log", "key=$z rate=0.001/d count=cost"});
    std::array<metrics::LimitCounts, 3> counts{};
    for (size_t i = 0; i < 3; ++i) {
        world.rules[i].counts = &counts[i];
    }
    const usage::Price dear = price(1, 1);
    TokenLimits first(world.gateway, world.rules, 30, 40);
    first.set_price(&dear);
    ASSERT_FALSE(first.admit(world.io));
    EXPECT_TRUE(
        TokenLimits(world.gateway, world.rules, 30, 40).admit(world.io));
    Books books = answered(30, 31);
    books.price = &dear;
    first.settle(world.io, books);
    EXPECT_EQ(counts[0].passed, 1u);
    EXPECT_EQ(counts[0].rejected, 1u);
    EXPECT_EQ(counts[0].tokens, 61u);
    EXPECT_EQ(counts[1].passed, 1u);
    EXPECT_EQ(counts[1].rejected, 0u);
    EXPECT_EQ(counts[2].passed, 1u);
    EXPECT_EQ(counts[2].micro_dollars, 61u);
    EXPECT_EQ(counts[2].tokens, 0u);
    world.rules[0].mode = limit::Mode::log;
    TokenLimits second(world.gateway, world.rules, 30, 40);
    ASSERT_FALSE(second.admit(world.io));
    second.settle(world.io, answered(30, 40));
    EXPECT_EQ(counts[0].logged, 1u);
    EXPECT_EQ(world.io.budgets.held, 0);
}

TEST(TokenLimits, WhatFailedCostsNothing)
{
    World world(std::vector<std::string_view>{"key=$x rate=1000/m"});
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(limits.admit(world.io));
    Books books;
    books.status = 502;
    books.tries.emplace_back();
    books.error = ErrorCode::upstream_connect;
    limits.settle(world.io, books);
    EXPECT_EQ(world.used(0), 0u);
}

TEST(TokenLimits, TellTheBudgetThatIsNearestToItsEnd)
{
    World world(std::vector<std::string_view>{
        "key=$x rate=1000/m", "key=$y rate=10k/d", "key=$z rate=200/h"});
    TokenLimits limits(world.gateway, world.rules, 100, 50);
    ASSERT_FALSE(limits.admit(world.io));
    std::vector<Response::Field> headers;
    limits.add_headers(headers);
    ASSERT_EQ(headers.size(), 3u);
    EXPECT_EQ(headers[0].value, "200");
    EXPECT_EQ(headers[1].value, "50");
    EXPECT_EQ(headers[2].value.substr(0, 2), "1h");
}

TEST(TokenLimits, RulesWrittenAlikeShareTheirCounters)
{
    EXPECT_EQ(rule("key=$x rate=1000/m").id,
        rule("rate=1k/m key=$x status=503 mode=log").id);
    EXPECT_NE(rule("key=$x rate=1000/m").id,
        rule("key=$x rate=1000/m name=other").id);
    EXPECT_NE(rule("key=$x rate=1000/m").id, rule("key=$x rate=1000/h").id);
    EXPECT_NE(rule("key=$x rate=1000/m").id,
        rule("key=$x rate=1000/m count=input").id);
}

TEST(TokenLimits, WrongLinesAreRefused)
{
    struct Case {
        std::vector<std::string_view> words;
        std::string_view message;
    };
    for (const Case& wrong : {
             Case{{"rate=1/m"}, "\"key\" is missing"},
             {{"key=$x"}, "\"rate\" is missing"},
             {{"key=", "rate=1/m"}, "invalid value \"\" in \"key\""},
             {{"key=$x", "rate=0/m"}, "invalid value \"0/m\" in \"rate\""},
             {{"key=$x", "rate=1/w"}, "invalid value \"1/w\" in \"rate\""},
             {{"key=$x", "rate=1"}, "invalid value \"1\" in \"rate\""},
             {{"key=$x", "rate=-1/m"}, "invalid value \"-1/m\""},
             {{"key=$x", "rate=4001M/m"}, "invalid value \"4001M/m\""},
             {{"key=$x", "rate=99999999999999999999/m"}, "invalid value"},
             {{"key=$x", "rate=1/m", "count=all"}, "in \"count\""},
             {{"key=$x", "rate=1/m", "algorithm=x"}, "in \"algorithm\""},
             {{"key=$x", "rate=1/m", "mode=x"}, "in \"mode\""},
             {{"key=$x", "rate=1/m", "status=200"}, "in \"status\""},
             {{"key=$x", "rate=1/m", "reserve=101%"}, "in \"reserve\""},
             {{"key=$x", "rate=1/m", "burst=2"}, "unknown parameter"},
             {{"key=$x", "key=$y"},
                 "\"key\" in \"ai_proxy_token_limit\" is "
                 "duplicate"},
         })
    {
        std::vector<std::string_view> words = wrong.words;
        words.insert(words.begin(), "ai_proxy_token_limit");
        const auto made = config::parse_token_limit(words, config::Gateway());
        ASSERT_FALSE(made.ok()) << wrong.message;
        EXPECT_NE(made.error().message.find(wrong.message), std::string::npos)
            << made.error().message;
    }
}

} // namespace
} // namespace ai_proxy::policy
