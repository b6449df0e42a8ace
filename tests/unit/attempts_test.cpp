#include "core/route/route.h"

#include "route_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace {

using namespace ai_proxy;
using route::Balance;
using route::On;
using route::Route;
using route::Target;
using route::TryResult;

Target target_of(uint16_t provider, uint32_t weight = 1)
{
    Target target;
    target.provider = provider;
    target.weight = weight;
    return target;
}

Target fallback_of(uint16_t provider, std::string_view on)
{
    Target target = target_of(provider);
    target.on = *On::parse(on);
    return target;
}

Route route_of(std::initializer_list<uint32_t> weights,
    Balance balance = Balance::weighted)
{
    Route route;
    route.balance = balance;
    uint16_t provider = 0;
    for (uint32_t weight : weights)
        route.targets.push_back(target_of(provider++, weight));
    return route;
}

std::vector<route::KeyPool> pools(std::initializer_list<uint32_t> counts)
{
    std::vector<route::KeyPool> made;
    for (const uint32_t count : counts)
        made.emplace_back(count);
    return made;
}

// Tries among providers that are only told apart by their keys.
class Plain {
protected:
    explicit Plain(const std::vector<route::KeyPool>& keys) : keys_(keys)
    {
        for (size_t i = 0; i < keys.size(); ++i)
            peers_.emplace_back("p" + std::to_string(i), nullptr);
    }
    const std::vector<route::KeyPool>& keys_;
    std::vector<route::Peer> peers_;
    ai_proxy::testing::FakeInFlight in_flight_;
};

class Attempts : private Plain, public route::Attempts {
public:
    Attempts(const Route& route, const std::vector<route::KeyPool>& keys,
        uint64_t random, uint64_t turn,
        route::Affinity affinity = route::Affinity::none)
        : Plain(keys), route::Attempts(route, {keys_, peers_, in_flight_},
                           {random, turn, affinity, "m", false})
    {
    }
};

const std::vector<route::KeyPool> kOneKey = pools({1, 1, 1, 1, 1, 1, 1, 1});

TryResult failed(int status, uint64_t retry_after = 0)
{
    return {ErrorCode::upstream_status, status, retry_after};
}

const TryResult kRefused = {ErrorCode::upstream_connect, 0, 0};

// ------------------------------------------------------------------ on=

TEST(OnTest, Words)
{
    auto on = On::parse("429,5xx,timeout");
    ASSERT_TRUE(on.ok());
    EXPECT_TRUE(on->allows(ErrorCode::upstream_status, 429));
    EXPECT_TRUE(on->allows(ErrorCode::upstream_status, 500));
    EXPECT_TRUE(on->allows(ErrorCode::upstream_status, 529));
    EXPECT_FALSE(on->allows(ErrorCode::upstream_status, 400));
    EXPECT_TRUE(on->allows(ErrorCode::timeout_idle, 200));
    EXPECT_FALSE(on->allows(ErrorCode::upstream_connect, 0));
    EXPECT_TRUE(On::parse("error")->allows(ErrorCode::upstream_connect, 0));
    EXPECT_TRUE(On::parse("4xx")->allows(ErrorCode::upstream_status, 422));
    EXPECT_FALSE(On::parse("4xx")->allows(ErrorCode::upstream_status, 500));
}

TEST(OnTest, RefusalsCountOnlyWhereTheyAreNamed)
{
    using route::Refusal;
    const On on = *On::parse("content_filter,context_length");
    for (const Refusal refusal :
        {Refusal::content_filter, Refusal::context_length}) {
        EXPECT_TRUE(on.allows(ErrorCode::upstream_status, 400, refusal));
        EXPECT_TRUE(on.allows(ErrorCode::none, 200, refusal));
        EXPECT_FALSE(
            On::standard().allows(ErrorCode::upstream_status, 400, refusal));
    }
    EXPECT_FALSE(on.allows(ErrorCode::upstream_status, 400));
    EXPECT_FALSE(on.allows(ErrorCode::none, 200));
    EXPECT_FALSE(
        On::parse("content_filter")
            ->allows(ErrorCode::upstream_status, 400, Refusal::context_length));
}

TEST(OnTest, Standard)
{
    On on = On::standard();
    for (int status : {408, 409, 429, 500, 502, 503, 529})
        EXPECT_TRUE(on.allows(ErrorCode::upstream_status, status)) << status;
    for (int status : {400, 401, 403, 404, 413, 422})
        EXPECT_FALSE(on.allows(ErrorCode::upstream_status, status)) << status;
    for (ErrorCode code : {ErrorCode::upstream_connect, ErrorCode::upstream_tls,
             ErrorCode::upstream_closed, ErrorCode::upstream_truncated,
             ErrorCode::upstream_invalid, ErrorCode::upstream_error,
             ErrorCode::timeout_connect, ErrorCode::timeout_tls,
             ErrorCode::timeout_first_token, ErrorCode::timeout_total})
        EXPECT_TRUE(on.allows(code, 200)) << int(code);
    for (ErrorCode code : {ErrorCode::none, ErrorCode::client_closed,
             ErrorCode::shutdown, ErrorCode::internal,
             ErrorCode::invalid_request, ErrorCode::invalid_json})
        EXPECT_FALSE(on.allows(code, 0)) << int(code);
}

TEST(OnTest, AnErrorInsideA200HasItsOwnStatus)
{
    On on = *On::parse("429");
    EXPECT_TRUE(on.allows(ErrorCode::upstream_error, 429));
    EXPECT_FALSE(on.allows(ErrorCode::upstream_error, 200));
    EXPECT_TRUE(On::parse("error")->allows(ErrorCode::upstream_error, 200));
}

TEST(OnTest, RefusesWhatItDoesNotKnow)
{
    for (std::string_view bad : {"", "429,", ",", "399", "600", "0429",
             "banana", "429 500", "6xx", "99999999999999999999", "TIMEOUT"})
        EXPECT_FALSE(On::parse(bad).ok()) << bad;
    EXPECT_EQ(On::parse("429,x").error().message,
        "invalid value \"x\" in \"on\": a status from 400 to 599, 4xx, 5xx, "
        "timeout, error, content_filter or context_length is expected");
}

TEST(RetryableTest, FollowsTheCause)
{
    for (int status : {408, 409, 429, 500, 503, 529})
        EXPECT_TRUE(route::retryable(ErrorCode::upstream_status, status));
    for (int status : {400, 401, 403, 404, 413, 422})
        EXPECT_FALSE(route::retryable(ErrorCode::upstream_status, status));
    for (ErrorCode code : {ErrorCode::upstream_connect, ErrorCode::upstream_tls,
             ErrorCode::upstream_closed, ErrorCode::upstream_truncated,
             ErrorCode::timeout_first_byte, ErrorCode::timeout_idle,
             ErrorCode::timeout_total, ErrorCode::timeout_connect})
        EXPECT_TRUE(route::retryable(code, 0)) << int(code);
    EXPECT_TRUE(route::retryable(ErrorCode::upstream_error, 200));
    EXPECT_FALSE(route::retryable(ErrorCode::upstream_error, 400));
    EXPECT_FALSE(route::retryable(ErrorCode::unsupported_api, 0));
    EXPECT_FALSE(route::retryable(ErrorCode::client_closed, 0));
    EXPECT_FALSE(route::retryable(ErrorCode::shutdown, 0));
}

// -------------------------------------------------------------- balance

TEST(WeightedTest, SharesAreWithinOnePercent)
{
    Route route = route_of({80, 15, 5});
    std::mt19937_64 random(1);
    std::map<int, int> first, second;
    constexpr int kPicks = 100'000;
    for (int i = 0; i < kPicks; ++i) {
        Attempts attempts(route, kOneKey, random(), 0);
        auto step = attempts.first();
        ASSERT_NE(step.target, nullptr);
        EXPECT_EQ(step.delay_ms, 0u);
        int provider = step.target->provider;
        ++first[provider];
        step = attempts.next(kRefused, random());
        ASSERT_NE(step.target, nullptr);
        EXPECT_NE(step.target->provider, provider);
        if (provider == 0)
            ++second[step.target->provider];
    }
    EXPECT_NEAR(first[0] / double(kPicks), 0.80, 0.01);
    EXPECT_NEAR(first[1] / double(kPicks), 0.15, 0.01);
    EXPECT_NEAR(first[2] / double(kPicks), 0.05, 0.01);
    // Of the rest, again by weight: 15 to 5.
    EXPECT_NEAR(second[1] / double(first[0]), 0.75, 0.01);
}

TEST(WeightedTest, SharesHoldForPoorRandomness)
{
    // Consecutive numbers instead of random ones.
    Route route = route_of({3, 1});
    int first = 0;
    for (uint64_t i = 0; i < 100'000; ++i)
        first += Attempts(route, kOneKey, i, 0).first().target->provider == 0;
    EXPECT_NEAR(first / 100'000.0, 0.75, 0.01);
}

TEST(RoundRobinTest, EqualWeightsTakeTurnsInOrder)
{
    Route route = route_of({2, 2, 2}, Balance::round_robin);
    for (uint64_t turn = 0; turn < 9; ++turn) {
        Attempts attempts(route, kOneKey, 99, turn);
        EXPECT_EQ(attempts.first().target->provider, turn % 3);
        EXPECT_EQ(attempts.next(kRefused, 0).target->provider, (turn + 1) % 3);
        EXPECT_EQ(attempts.next(kRefused, 0).target->provider, (turn + 2) % 3);
        EXPECT_TRUE(attempts.next(kRefused, 0).give_up);
    }
}

TEST(RoundRobinTest, WeightsAreExactAndInterleave)
{
    for (auto weights : {std::initializer_list<uint32_t>{5, 1}, {3, 2, 1},
             {1, 65535}, {7, 7, 1}})
    {
        Route route = route_of(weights, Balance::round_robin);
        std::vector<uint32_t> wanted(weights);
        uint64_t total = 0;
        for (uint32_t weight : wanted)
            total += weight;
        std::vector<uint32_t> seen(wanted.size());
        const uint64_t start = UINT64_MAX / total * total - 5 * total;
        for (uint64_t turn = start; turn < start + total; ++turn)
            ++seen[Attempts(route, kOneKey, 0, turn).first().target->provider];
        EXPECT_EQ(seen, wanted);
    }
    // 3 to 3 to 1 must not come in blocks.
    Route route = route_of({3, 3, 1}, Balance::round_robin);
    int changes = 0, before = -1;
    for (uint64_t turn = 0; turn < 7; ++turn) {
        int now = Attempts(route, kOneKey, 0, turn).first().target->provider;
        changes += now != before;
        before = now;
    }
    EXPECT_GE(changes, 5);
}

// ------------------------------------------------------------- attempts

TEST(AttemptsTest, FallbacksInOrderAsTheirOnAllows)
{
    Route route = route_of({1});
    route.fallbacks = {fallback_of(1, "429"), fallback_of(2, "5xx,404"),
        fallback_of(3, "timeout")};
    Attempts attempts(route, kOneKey, 0, 0);
    EXPECT_EQ(attempts.first().target->provider, 0);
    EXPECT_EQ(attempts.next(failed(503), 0).target->provider, 2);
    EXPECT_TRUE(attempts.next(failed(429), 0).give_up);

    Attempts second(route, kOneKey, 0, 0);
    (void)second.first();
    EXPECT_EQ(second.next(failed(429), 0).target->provider, 1);
    EXPECT_EQ(second.next(failed(404), 0).target->provider, 2);
    EXPECT_EQ(
        second.next({ErrorCode::timeout_idle, 200, 0}, 0).target->provider, 3);
    EXPECT_TRUE(second.next(kRefused, 0).give_up);
}

TEST(AttemptsTest, AClientErrorEndsItUnlessOnSaysSo)
{
    Route route = route_of({1, 1});
    route.retries = 3;
    route.fallbacks = {fallback_of(5, "error")};
    for (int status : {400, 401, 403, 404, 413, 422}) {
        Attempts attempts(route, kOneKey, 0, 0);
        (void)attempts.first();
        EXPECT_TRUE(attempts.next(failed(status), 0).give_up) << status;
    }
    route.fallbacks = {fallback_of(5, "400")};
    Attempts attempts(route, kOneKey, 0, 0);
    (void)attempts.first();
    EXPECT_EQ(attempts.next(failed(400), 0).target->provider, 5);
}

TEST(AttemptsTest, WhatAProviderCannotDoGoesToTheNext)
{
    Route route = route_of({1, 1}, Balance::round_robin);
    route.retries = 3;
    Attempts attempts(route, kOneKey, 0, 0);
    (void)attempts.first();
    auto step = attempts.next({ErrorCode::unsupported_api, 0, 0}, 0);
    ASSERT_FALSE(step.give_up);
    EXPECT_EQ(step.target->provider, 1);
}

TEST(AttemptsTest, RetriesHereThenGoesOn)
{
    Route route = route_of({1, 1}, Balance::round_robin);
    route.retries = 2;
    Attempts attempts(route, kOneKey, 0, 0);
    std::string order = std::to_string(attempts.first().target->provider);
    for (;;) {
        auto step = attempts.next(kRefused, 0);
        if (step.give_up)
            break;
        order += std::to_string(step.target->provider);
    }
    EXPECT_EQ(order, "000111");
}

TEST(AttemptsTest, BackoffDoublesWithFullJitter)
{
    Route route = route_of({1});
    route.retries = 6;
    route.backoff_min_ms = 100;
    route.backoff_max_ms = 1000;
    const uint64_t kCaps[] = {200, 400, 800, 1000, 1000, 1000};
    Attempts low(route, kOneKey, 0, 0), high(route, kOneKey, 0, 0);
    (void)low.first();
    (void)high.first();
    for (uint64_t cap : kCaps) {
        EXPECT_EQ(low.next(kRefused, 0).delay_ms, 100u);
        EXPECT_EQ(high.next(kRefused, UINT64_MAX).delay_ms, cap);
    }
    std::mt19937_64 random(7);
    std::set<uint64_t> seen;
    for (int i = 0; i < 2000; ++i) {
        Attempts attempts(route, kOneKey, 0, 0);
        (void)attempts.first();
        uint64_t delay = attempts.next(kRefused, random()).delay_ms;
        EXPECT_GE(delay, 100u);
        EXPECT_LE(delay, 200u);
        seen.insert(delay);
    }
    EXPECT_GT(seen.size(), 90u);
}

TEST(AttemptsTest, RetryAfterIsKeptUpToThirtySeconds)
{
    Route route = route_of({1, 1}, Balance::round_robin);
    route.retries = 5;
    Attempts attempts(route, kOneKey, 0, 0);
    (void)attempts.first();
    auto step = attempts.next(failed(429, 30'000), 0);
    EXPECT_EQ(step.target->provider, 0);
    EXPECT_EQ(step.delay_ms, 30'000u);
    step = attempts.next(failed(429, 5), 0);
    EXPECT_EQ(step.delay_ms, route.backoff_min_ms);
    step = attempts.next(failed(429, 30'001), 0);
    EXPECT_EQ(step.target->provider, 1);
    EXPECT_EQ(step.delay_ms, 0u);
}

TEST(AttemptsTest, AnotherKeyIsTriedAtOnce)
{
    Route route = route_of({1});
    route.retries = 5;
    const auto keys = pools({3});
    for (int status : {401, 403, 429}) {
        Attempts attempts(route, keys, 12345, 0);
        auto step = attempts.first();
        std::set<uint32_t> seen = {step.key};
        for (int i = 0; i < 2; ++i) {
            step = attempts.next(failed(status, 60'000), 0);
            ASSERT_FALSE(step.give_up);
            EXPECT_EQ(step.delay_ms, 0u);
            EXPECT_LT(step.key, 3u);
            EXPECT_TRUE(seen.insert(step.key).second);
        }
        // No key is left: a bad key ends it, a full one waits.
        step = attempts.next(failed(status), 0);
        EXPECT_EQ(step.give_up, status != 429);
        if (status == 429) {
            EXPECT_EQ(step.delay_ms, route.backoff_min_ms);
        }
    }
}

TEST(AttemptsTest, AnotherKeyIsNoRetryButThreeAreEnough)
{
    Route route = route_of({1});
    const auto keys = pools({6});
    for (int status : {401, 402, 403, 429}) {
        Attempts attempts(route, keys, 1, 0);
        (void)attempts.first();
        for (int i = 0; i < 3; ++i)
            EXPECT_FALSE(attempts.next(failed(status), 0).give_up);
        EXPECT_TRUE(attempts.next(failed(status), 0).give_up);
    }
}

TEST(AttemptsTest, AProviderWithoutAKeyIsLeftOutWhileAnotherMayFollow)
{
    Route route = route_of({1});
    route.fallbacks.push_back(fallback_of(1, "5xx"));
    route.fallbacks.push_back(fallback_of(2, "429"));
    auto keys = pools({1, 1, 1});
    keys[0].note(0, 429, 5'000, 1, 1);
    auto first = [&](int64_t now) {
        return Attempts(route, keys, 1, 0).first(now).target->provider;
    };
    // The second does not stand in for a 429, the third does.
    EXPECT_EQ(first(2), 2);
    EXPECT_EQ(first(6'000'000), 0);
    // Nobody has a key: the first is asked all the same.
    keys[2].note(0, 401, 0, 1, 1);
    EXPECT_EQ(first(2), 0);
}

TEST(AttemptsTest, ARetryPrefersAKeyOfThePool)
{
    Route route = route_of({1});
    route.retries = 3;
    const auto keys = pools({3});
    Attempts attempts(route, keys, 5, 0);
    const uint32_t begin = attempts.first(1).key;
    keys[0].note((begin + 1) % 3, 429, 60'000, 1, 1);
    EXPECT_EQ(attempts.next(failed(503), 0, 2).key, (begin + 2) % 3);
}

TEST(AttemptsTest, FirstKeyIsSpreadOverThePool)
{
    Route route = route_of({1});
    const auto keys = pools({4});
    std::mt19937_64 random(3);
    std::map<uint32_t, int> seen;
    for (int i = 0; i < 40'000; ++i)
        ++seen[Attempts(route, keys, random(), 0).first().key];
    ASSERT_EQ(seen.size(), 4u);
    for (auto [key, count] : seen)
        EXPECT_NEAR(count / 40'000.0, 0.25, 0.01) << key;
}

TEST(AttemptsTest, NeverMoreThanSixtyFourSteps)
{
    Route route = route_of({1, 1, 1, 1, 1, 1, 1, 1});
    for (int i = 0; i < 20; ++i)
        route.fallbacks.push_back(fallback_of(0, "error"));
    route.retries = 10;
    Attempts attempts(route, kOneKey, 0, 0);
    int steps = 1;
    (void)attempts.first();
    while (!attempts.next(kRefused, 0).give_up)
        ASSERT_LT(++steps, 1000);
    EXPECT_EQ(steps, 64);
    EXPECT_TRUE(attempts.next(kRefused, 0).give_up);
}

TEST(RouteTest, MatchesGlobs)
{
    Route route;
    EXPECT_TRUE(route.matches("anything"));
    EXPECT_TRUE(route.matches(""));
    route.match = {"gpt-*", "claude-3"};
    EXPECT_TRUE(route.matches("gpt-4o"));
    EXPECT_TRUE(route.matches("claude-3"));
    EXPECT_FALSE(route.matches("claude-3-5"));
    EXPECT_FALSE(route.matches("xgpt-4o"));
}

// ------------------------------------------------------------- affinity

TEST(AttemptsAffinity, AClientHasOneProviderAndKey)
{
    const Route route = route_of({3, 1, 1});
    const auto keys = pools({4, 4, 4}), more_keys = pools({4, 4, 4, 4});
    std::map<uint16_t, int> first;
    for (uint64_t client = 0; client < 5000; ++client) {
        const uint64_t seed = client * 0x9e3779b97f4a7c15ull;
        Attempts once(route, keys, seed, 0, route::Affinity::only);
        Attempts again(route, keys, seed, 99, route::Affinity::first);
        const auto a = once.first(), b = again.first();
        ASSERT_EQ(a.target, b.target);
        ASSERT_EQ(a.key, b.key);
        first[a.target->provider]++;

        // Another provider moves nobody but those who come to it.
        const Route more = route_of({3, 1, 1, 5});
        Attempts other(more, more_keys, seed, 0, route::Affinity::only);
        const auto c = other.first();
        if (c.target->provider != 3) {
            ASSERT_EQ(c.target->provider, a.target->provider);
            ASSERT_EQ(c.key, a.key);
        }
    }
    EXPECT_NEAR(first[0], 3000, 200);
    EXPECT_NEAR(first[1], 1000, 150);
    EXPECT_NEAR(first[2], 1000, 150);
}

TEST(AttemptsAffinity, OnlyMeansThere)
{
    Route route = route_of({1, 1});
    route.fallbacks.push_back(fallback_of(2, "4xx,5xx,error"));
    route.retries = 1;
    const auto keys = pools({3, 3, 3});
    Attempts attempts(route, keys, 7, 0, route::Affinity::only);
    const auto begin = attempts.first();
    const auto retry = attempts.next(failed(429), 1);
    ASSERT_FALSE(retry.give_up);
    EXPECT_EQ(retry.target, begin.target);
    EXPECT_EQ(retry.key, begin.key);
    EXPECT_TRUE(attempts.next(failed(429), 1).give_up);

    Attempts next(route, keys, 7, 0, route::Affinity::only);
    (void)next.first();
    const auto other = next.next({ErrorCode::unsupported_api, 0, 0}, 1);
    ASSERT_FALSE(other.give_up);
    EXPECT_NE(other.target->provider, begin.target->provider);

    Attempts begins(route, keys, 7, 0, route::Affinity::first);
    (void)begins.first();
    (void)begins.next(failed(500), 1);
    EXPECT_NE(begins.next(failed(500), 1).target, begin.target);
}

} // namespace
