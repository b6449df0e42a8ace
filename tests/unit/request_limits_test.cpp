#include "core/config/request_rules.h"
#include "core/limit/key_rules.h"
#include "core/policy/request_limits.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {
namespace {

using config::Redis;
using redis::Reply;
using testing::ClientRequest;
using testing::FakeIo;
using testing::GatewayFixture;

// Counters as the script keeps them: "EVALSHA 1 KEY MOST SECONDS".
class Counters {
public:
    Reply say(const redis::Command& command)
    {
        const std::string text = command.text();
        const size_t seconds = text.rfind(' ');
        const size_t most = text.rfind(' ', seconds - 1);
        const std::string key = text.substr(10, most - 10);
        const int64_t limit = std::stoll(text.substr(most + 1));
        int64_t& count = counts[key];
        count += count <= limit ? 1 : 0;
        return Reply::of(std::vector<Reply>{
            Reply::of(limit), Reply::of(count), Reply::of(int64_t(17))});
    }
    std::map<std::string, int64_t> counts;
};

// A site with the request limits of the test; texts are "a", "b", ...
struct World {
    explicit World(FakeIo& fake) : io(fake)
    {
        fixture.provider("one", "openai");
        fixture.route("main", {0});
        for (const char* name : {"first", "second"}) {
            Redis redis;
            redis.name = name;
            fixture.gateway.redis.push_back(std::move(redis));
        }
        io.redis_says = [this](const redis::Command& command) {
            return counters.say(command);
        };
        request.body = R"({"model":"m","messages":[]})";
    }
    World() : World(own) {}

    void add(std::string_view rate, std::string_view redis)
    {
        const std::string index(1, char('a' + io.texts.size()));
        const std::string key = "key=" + index;
        const std::string rate_word = "rate=" + std::string(rate);
        const std::string redis_word = "redis=" + std::string(redis);
        auto rule = config::parse_request_rule(
            {"ai_proxy_request_limit", key, rate_word, redis_word},
            fixture.gateway);
        ASSERT_TRUE(rule) << rule.error().message;
        rule->value = static_cast<uint32_t>(io.texts.size());
        io.texts.push_back("value-" + index);
        fixture.site().request_limits.push_back(std::move(*rule));
    }
    std::optional<Outcome> ask()
    {
        io.immediate = true;
        exchange.emplace(fixture.gateway, fixture.site(), request.head(), 100);
        async::FrameArena frames(*std::pmr::new_delete_resource());
        async::Scope scope{frames, io};
        async::Root root(limit_requests(scope, *exchange));
        EXPECT_TRUE(root.start());
        return root.take();
    }
    int status()
    {
        auto outcome = ask();
        return outcome ? outcome->reply.status : 0;
    }

    FakeIo own;
    FakeIo& io;
    GatewayFixture fixture;
    ClientRequest request;
    Counters counters;
    std::optional<Exchange> exchange;
};

std::string field(const Outcome& outcome, std::string_view name)
{
    for (const auto& header : outcome.reply.headers) {
        if (header.name == name) {
            return std::string(header.value);
        }
    }
    return "";
}

TEST(RequestLimits, CountByKeyAndRefuseAboveTheLimit)
{
    World world;
    world.add("2/m", "first");
    EXPECT_EQ(world.status(), 0);
    EXPECT_EQ(world.status(), 0);
    const auto refused = world.ask();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->reply.status, 429);
    EXPECT_EQ(field(*refused, "Retry-After"), "17");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::request_limit);
    EXPECT_EQ(world.io.started.front(),
        "redis 0: EVALSHA 1 ai_proxy_request_limit:a:60:value-a 2 60");
    world.io.texts[0] = "somebody else";
    EXPECT_EQ(world.status(), 0);
    world.io.texts[0] = "";
    EXPECT_EQ(world.status(), 0);
    EXPECT_EQ(world.counters.counts.size(), 2u);
}

TEST(RequestLimits, OfOneRedisAreAskedTogether)
{
    World world;
    world.add("9/m", "first");
    world.add("8/s", "first");
    world.add("1/d", "second");
    EXPECT_EQ(world.status(), 0);
    EXPECT_EQ(world.status(), 429);
    ASSERT_EQ(world.io.started.size(), 4u);
    EXPECT_EQ(world.io.started[0],
        "redis 0: EVALSHA 1 ai_proxy_request_limit:a:60:value-a 9 60; "
        "EVALSHA 1 ai_proxy_request_limit:b:1:value-b 8 1");
    EXPECT_EQ(world.io.started[1],
        "redis 1: EVALSHA 1 ai_proxy_request_limit:c:86400:value-c 1 86400");
}

TEST(RequestLimits, WithoutRedisThePolicyHolds)
{
    World world;
    world.add("2/h", "first");
    Redis& redis = world.fixture.gateway.redis[0];
    world.io.redis_down = ErrorCode::redis_timeout;
    EXPECT_EQ(world.status(), 0) << "allow";

    redis.on_error = Redis::OnError::deny;
    EXPECT_EQ(world.status(), 503);
    EXPECT_EQ(world.exchange->books().error, ErrorCode::redis_timeout);

    redis.on_error = Redis::OnError::zone;
    EXPECT_EQ(world.status(), 0);
    EXPECT_EQ(world.status(), 0);
    EXPECT_EQ(world.status(), 429);
    world.io.budgets.now_ms += 3'600'000;
    EXPECT_EQ(world.status(), 0) << "the next window";
}

TEST(RequestLimits, AnAnswerOfAnotherShapeIsAnError)
{
    World world;
    world.add("2/h", "first");
    world.fixture.gateway.redis[0].on_error = Redis::OnError::deny;
    for (const Reply& reply :
        {Reply(), Reply::of("x"), Reply::of(std::vector<Reply>(3)),
            Reply::of(Reply::Kind::error, "OOM")})
    {
        world.io.redis_says = [&](const redis::Command&) { return reply; };
        EXPECT_EQ(world.status(), 503);
        EXPECT_EQ(world.exchange->books().error, ErrorCode::redis_error);
    }
}

// Suspended, destroyed, starved.
struct Flow : World {
    explicit Flow(FakeIo& fake) : World(fake)
    {
        add("2/m", "first");
        add("2/m", "second");
        exchange.emplace(fixture.gateway, fixture.site(), request.head(), 100);
    }
    async::Task<std::optional<Outcome>> task(async::Scope& s)
    {
        return limit_requests(s, *exchange);
    }
    void check(const std::optional<Outcome>& outcome) const
    {
        EXPECT_FALSE(outcome);
        EXPECT_EQ(counters.counts.size(), 2u);
    }
};

TEST(RequestLimits, EveryWay)
{
    testing::run_every_way<Flow>();
}

// ---- as Higress' plugins have them

using limit::KeyKind;

limit::LimitItem item(KeyKind kind, std::string name,
    const std::vector<std::pair<std::string, int64_t>>& keys)
{
    limit::LimitItem made{kind, std::move(name), {}};
    for (const auto& [key, most] : keys) {
        auto limit_key = limit::make_limit_key(kind, key, {most, 60});
        EXPECT_TRUE(limit_key) << limit_key.error().message;
        made.keys.push_back(std::move(*limit_key));
    }
    return made;
}

std::string counter(
    const std::vector<limit::LimitItem>& items, const limit::KeyFacts& facts)
{
    limit::KeyRules rules;
    rules.name = "r";
    rules.items = items;
    const auto found = limit::find_counter(rules, facts);
    return found ? found->key + " " + std::to_string(found->window.most) : "";
}

TEST(KeyRules, LookAtWhatTheyName)
{
    const std::vector<Header> headers = {{"X-Ca-Key", "102234"},
        {"Cookie", "a=1; key1=value1; b"},
        {"X-Forwarded-For", "10.1.2.3, ::1"}};
    limit::KeyFacts facts;
    facts.headers = headers;
    facts.query = "x=1&apikey=a%20b%2B+c";
    facts.address = "192.168.1.7";
    facts.consumer = "anna";
    const auto one = [&](KeyKind kind, const char* name, const char* key) {
        return counter({item(kind, name, {{key, 5}})}, facts);
    };
    EXPECT_EQ(one(KeyKind::header, "x-ca-key", "102234"),
        "r:limit_by_header:60:x-ca-key:102234 5");
    EXPECT_EQ(one(KeyKind::header, "x-ca-key", "other"), "");
    EXPECT_EQ(one(KeyKind::header, "x-none", "102234"), "");
    EXPECT_EQ(one(KeyKind::param, "apikey", "a b+ c"),
        "r:limit_by_param:60:apikey:a b+ c 5");
    EXPECT_EQ(one(KeyKind::cookie, "key1", "value1"),
        "r:limit_by_cookie:60:key1:value1 5");
    EXPECT_EQ(one(KeyKind::cookie, "b", "value1"), "");
    EXPECT_EQ(one(KeyKind::consumer, "", "anna"),
        "r:limit_by_consumer:60:x-mse-consumer:anna 5");
    EXPECT_EQ(one(KeyKind::per_consumer, "", "*"),
        "r:limit_by_per_consumer:60:x-mse-consumer:anna 5");
    EXPECT_EQ(one(KeyKind::per_header, "x-ca-key", "regexp:^10"),
        "r:limit_by_per_header:60:x-ca-key:102234 5");
    EXPECT_EQ(one(KeyKind::per_header, "x-ca-key", "regexp:^2"), "");
    EXPECT_EQ(one(KeyKind::per_ip, "from-remote-addr", "192.168.0.0/16"),
        "r:limit_by_per_ip:60:from-remote-addr:192.168.1.7 5");
    EXPECT_EQ(one(KeyKind::per_ip, "from-remote-addr", "192.168.1.8"), "");
    EXPECT_EQ(one(KeyKind::per_ip, "from-header-x-forwarded-for", "0.0.0.0/0"),
        "r:limit_by_per_ip:60:from-header-x-forwarded-for:10.1.2.3 5");
    facts.consumer = "";
    EXPECT_EQ(one(KeyKind::per_consumer, "", "*"), "");
}

TEST(KeyRules, TheFirstMatchDecides)
{
    const std::vector<Header> headers = {{"k", "vip"}};
    limit::KeyFacts facts;
    facts.headers = headers;
    EXPECT_EQ(counter({item(KeyKind::header, "none", {{"vip", 1}}),
                          item(KeyKind::per_header, "k",
                              {{"regexp:^x", 2}, {"regexp:^v", 3}, {"*", 4}}),
                          item(KeyKind::header, "k", {{"vip", 5}})},
                  facts),
        "r:limit_by_per_header:60:k:vip 3");
    limit::KeyRules global;
    global.name = "all";
    global.global = limit::KeyWindow{1000, 3600};
    EXPECT_EQ(
        limit::find_counter(global, facts)->key, "all:global_threshold:3600");
}

TEST(KeyRules, RefuseKeysThatCannotMatch)
{
    const auto wrong = [](KeyKind kind, const char* key) {
        return !limit::make_limit_key(kind, key, {1, 1}).ok();
    };
    EXPECT_TRUE(wrong(KeyKind::header, ""));
    EXPECT_TRUE(wrong(KeyKind::per_header, "plain"));
    EXPECT_TRUE(wrong(KeyKind::per_header, "regexp:("));
    EXPECT_TRUE(wrong(KeyKind::per_ip, "10.0.0.0/33"));
    EXPECT_TRUE(wrong(KeyKind::per_ip, "10.0.0"));
    EXPECT_TRUE(wrong(KeyKind::per_ip, "::1/129"));
    EXPECT_FALSE(wrong(KeyKind::per_ip, "::1"));
    EXPECT_FALSE(wrong(KeyKind::per_ip, "::/0"));
    EXPECT_TRUE(limit::valid_ip_source("from-header-x"));
    EXPECT_FALSE(limit::valid_ip_source("from-header-"));
    EXPECT_FALSE(limit::valid_ip_source("remote"));
    EXPECT_EQ(limit::parse_key_kind("limit_by_per_ip"), KeyKind::per_ip);
    EXPECT_EQ(limit::parse_key_kind("limit_by_ip"), std::nullopt);
}

TEST(KeyRules, AnAddressCountsOnceHoweverItIsWritten)
{
    const auto key = [](std::string_view value) {
        const std::vector<Header> headers = {{"X-Real-IP", value}};
        limit::KeyFacts facts;
        facts.headers = headers;
        return counter(
            {item(KeyKind::per_ip, "from-header-x-real-ip", {{"::/0", 1}})},
            facts);
    };
    const std::string expected =
        "r:limit_by_per_ip:60:from-header-x-real-ip:2001:db8::1 1";
    EXPECT_EQ(key("2001:db8::1"), expected);
    EXPECT_EQ(key("[2001:DB8:0::0:1]:80"), expected);
    EXPECT_EQ(key("::ffff:10.0.0.1"),
        "r:limit_by_per_ip:60:from-header-x-real-ip:10.0.0.1 1");
    EXPECT_EQ(key("nobody"), "");
}

TEST(KeyRules, TheConsumerIsWhoWasAuthenticated)
{
    const std::vector<Header> headers = {{"X-Mse-Consumer", "root"}};
    limit::KeyFacts facts;
    facts.headers = headers;
    const std::vector<limit::LimitItem> items = {
        item(KeyKind::per_header, "x-mse-consumer", {{"*", 1}})};
    EXPECT_EQ(counter(items, facts), "");
    facts.consumer = "anna";
    EXPECT_EQ(counter(items, facts),
        "r:limit_by_per_header:60:x-mse-consumer:anna 1");
}

} // namespace
} // namespace ai_proxy::policy
