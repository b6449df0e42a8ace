#include "core/config/gateway.h"
#include "core/policy/plugin_limits.h"
#include "core/policy/serve_quota.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Requests on their way through the limits of Higress' plugins.
namespace ai_proxy::policy {
namespace {

using config::KeyLimit;
using redis::Reply;
using testing::ClientRequest;
using testing::FakeIo;
using testing::GatewayFixture;

Reply counts(int64_t most, int64_t count, int64_t seconds)
{
    return Reply::of(std::vector<Reply>{
        Reply::of(most), Reply::of(count), Reply::of(seconds)});
}

template <class T>
std::shared_ptr<const config::Rules<T>> for_all(T settings)
{
    config::Rules<T> rules;
    rules.global = std::move(settings);
    return std::make_shared<const config::Rules<T>>(std::move(rules));
}

KeyLimit global_limit(std::string_view name, int64_t most, uint16_t redis)
{
    KeyLimit made;
    made.rules.name = name;
    made.rules.global = limit::KeyWindow{most, 60};
    made.redis = redis;
    return made;
}

// A site with the plugins of the test; Redis says what "answers" has.
struct World {
    explicit World(FakeIo& fake) : io(fake)
    {
        fixture.provider("one", "openai");
        fixture.route("main", {0});
        fixture.site().location = "/v1/";
        fixture.gateway.redis.resize(3);
        io.redis_says = [this](const redis::Command& command) {
            const std::string text = command.text();
            for (const auto& [part, reply] : answers) {
                if (text.find(part) != std::string::npos) {
                    return reply;
                }
            }
            return Reply();
        };
        io.immediate = true;
        request.body =
            R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
    }
    World() : World(own) {}

    config::Plugins& plugins() { return fixture.site().plugins; }
    void with_quota()
    {
        config::Quota quota;
        quota.admin_consumer = "admin";
        quota.redis = 2;
        plugins().quota = for_all(std::move(quota));
    }
    void open()
    {
        ClientHead head = request.head();
        head.consumer = caller;
        exchange.emplace(fixture.gateway, fixture.site(), head, 100);
    }
    void receive()
    {
        open();
        const auto done =
            exchange->receive(request.padded(), request.body.size(), &io);
        ASSERT_TRUE(done) << done.error().message;
    }
    std::optional<Outcome> ask()
    {
        receive();
        if (exchange->plugin_limits() == nullptr) {
            return std::nullopt;
        }
        async::FrameArena frames(*std::pmr::new_delete_resource());
        async::Scope scope{frames, io};
        async::Root root(limit_by_plugins(scope, *exchange));
        EXPECT_TRUE(root.start());
        return root.take();
    }
    // "STATUS body" of a call to the administrator's API.
    std::string admin(std::string_view path, std::string_view query,
        std::string_view form = "")
    {
        request.path = path;
        request.query = query;
        open();
        if (!administers_quota(*exchange)) {
            return "none";
        }
        async::FrameArena frames(*std::pmr::new_delete_resource());
        async::Scope scope{frames, io};
        async::Root root(serve_quota(scope, *exchange, form));
        EXPECT_TRUE(root.start());
        const Outcome outcome = root.take();
        EXPECT_EQ(exchange->books().status, outcome.reply.status);
        return std::to_string(outcome.reply.status) + " " + outcome.reply.body;
    }
    void used(int64_t prompt, int64_t completion)
    {
        Books& books = exchange->books();
        books.usage.known = true;
        books.usage.prompt = prompt;
        books.usage.completion = completion;
        exchange->plugin_limits()->settle(io, books);
    }

    FakeIo own;
    FakeIo& io;
    GatewayFixture fixture;
    ClientRequest request;
    const consumer::Consumer* caller = nullptr;
    std::vector<std::pair<std::string, Reply>> answers;
    std::optional<Exchange> exchange;
};

std::string field(
    const std::vector<Response::Field>& headers, std::string_view name)
{
    for (const auto& header : headers) {
        if (header.name == name) {
            return header.value;
        }
    }
    return "";
}

const consumer::Consumer kAnna{"anna", {}, 0};
const consumer::Consumer kAdmin{"admin", {"no-model"}, 1};

TEST(PluginLimitFlow, RequestsAreCounted)
{
    World world;
    KeyLimit plugin = global_limit("routeA", 2, 1);
    plugin.rejected_code = 430;
    plugin.rejected_msg = "slow down";
    plugin.show_limit_quota_header = true;
    world.plugins().request_limit = for_all(plugin);
    world.answers = {{"EVALSHA", counts(2, 2, 17)}};
    EXPECT_FALSE(world.ask()) << "exactly at the threshold";
    EXPECT_EQ(world.io.started.back(),
        "redis 1: EVALSHA 1 "
        "higress-cluster-key-rate-limit:routeA:global_threshold:60 2 60");
    std::vector<Response::Field> headers;
    world.exchange->plugin_limits()->add_headers(headers);
    EXPECT_EQ(field(headers, "X-RateLimit-Limit"), "2");
    EXPECT_EQ(field(headers, "X-RateLimit-Remaining"), "0");
    EXPECT_EQ(world.exchange->plugin_limits()->status(), LimitStatus::none);
    world.used(5, 6);
    EXPECT_TRUE(world.io.told.empty()) << "tokens are nothing to it";

    world.answers = {{"EVALSHA", counts(2, 3, 17)}};
    const auto refused = world.ask();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->reply.status, 430);
    EXPECT_EQ(refused->reply.body, "slow down");
    EXPECT_EQ(refused->reply.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(field(refused->reply.headers, "X-RateLimit-Reset"), "17");
    EXPECT_EQ(field(refused->reply.headers, "X-RateLimit-Limit"), "2");
    EXPECT_EQ(field(refused->reply.headers, "X-RateLimit-Remaining"), "0");
    EXPECT_EQ(field(refused->reply.headers, "Retry-After"), "17");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::request_limit);
    headers.clear();
    world.exchange->plugin_limits()->add_headers(headers);
    EXPECT_TRUE(headers.empty()) << "they are in the answer already";
}

TEST(PluginLimitFlow, TokensAreCheckedBeforeAndCountedAfter)
{
    World world;
    world.plugins().token_limit = for_all(global_limit("t", 100, 0));
    world.answers = {{"EVALSHA", counts(100, 100, 60)}};
    EXPECT_FALSE(world.ask()) << "exactly at the threshold";
    const std::string key =
        "EVALSHA 1 higress-token-ratelimit:t:global_threshold:60 100 60";
    EXPECT_EQ(world.io.started.back(), "redis 0: " + key);
    EXPECT_EQ(world.exchange->plugin_limits()->status(), LimitStatus::passed);
    world.used(31, 11);
    world.used(31, 11);
    EXPECT_EQ(world.io.told, std::vector<std::string>{"0: " + key + " 42"})
        << "once";

    world.io.told.clear();
    world.answers = {{"EVALSHA", counts(100, 101, 33)}};
    const auto refused = world.ask();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->reply.status, 429);
    EXPECT_EQ(refused->reply.body, "Too many requests");
    EXPECT_EQ(field(refused->reply.headers, "X-TokenRateLimit-Reset"), "33");
    EXPECT_EQ(field(refused->reply.headers, "X-RateLimit-Reset"), "");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::token_limit);
    EXPECT_EQ(world.exchange->plugin_limits()->status(), LimitStatus::rejected);
    world.exchange->plugin_limits()->settle(world.io, world.exchange->books());
    EXPECT_TRUE(world.io.told.empty()) << "nothing was used";
}

TEST(PluginLimitFlow, WithoutRedisLimitsLetGo)
{
    World world;
    world.plugins().token_limit = for_all(global_limit("t", 1, 0));
    world.plugins().request_limit = for_all(global_limit("r", 1, 1));
    for (auto& redis : world.fixture.gateway.redis) {
        redis.on_error = config::Redis::OnError::deny;
    }
    for (const Reply& reply :
        {Reply(), Reply::of("x"), Reply::of(std::vector<Reply>(3)),
            Reply::of(Reply::Kind::error, "OOM")})
    {
        world.answers = {{"EVALSHA", reply}};
        EXPECT_FALSE(world.ask());
        world.io.told.clear();
        world.used(1, 2);
        EXPECT_EQ(world.io.told.size(), 1u) << "the tokens count all the same";
    }
    world.io.redis_down = ErrorCode::redis_timeout;
    EXPECT_FALSE(world.ask());
    EXPECT_EQ(world.exchange->books().error, ErrorCode::none);
}

TEST(PluginLimitFlow, CallsThatUseNoTokensAreRequestsOnly)
{
    World world;
    world.with_quota();
    world.plugins().token_limit = for_all(global_limit("t", 1, 0));
    world.request.method = "GET";
    world.request.path = "/v1/files";
    EXPECT_FALSE(world.ask());
    EXPECT_EQ(world.exchange->plugin_limits(), nullptr);
    world.plugins().request_limit = for_all(global_limit("r", 1, 1));
    world.answers = {{"EVALSHA", counts(1, 1, 1)}};
    EXPECT_FALSE(world.ask());
    EXPECT_EQ(world.io.started.size(), 1u);
}

TEST(PluginLimitFlow, QuotaIsForConsumersWhoHaveSomeLeft)
{
    World world;
    world.with_quota();
    auto outcome = world.ask();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->reply.status, 401);
    EXPECT_EQ(outcome->reply.body,
        "Request denied by ai quota check. No Key "
        "Authentication information found.");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::no_credential);
    EXPECT_TRUE(world.io.started.empty());

    world.caller = &kAnna;
    world.answers = {{"GET", Reply::of("7")}};
    EXPECT_FALSE(world.ask());
    EXPECT_EQ(world.io.started.back(), "redis 2: GET chat_quota:anna");
    EXPECT_EQ(world.exchange->plugin_limits()->status(), LimitStatus::passed);
    world.used(20, 3);
    EXPECT_EQ(world.io.told,
        std::vector<std::string>{"2: DECRBY chat_quota:anna 23"});

    for (const Reply& reply : {Reply(), Reply::of("0"), Reply::of("-4"),
             Reply::of("many"), Reply::of(std::vector<Reply>(1))})
    {
        world.answers = {{"GET", reply}};
        outcome = world.ask();
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->reply.status, 403);
        EXPECT_EQ(outcome->reply.body,
            "Request denied by ai quota check, No quota left");
        EXPECT_EQ(world.exchange->books().error, ErrorCode::token_limit);
    }
    world.io.redis_down = ErrorCode::redis_unavailable;
    outcome = world.ask();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->reply.status, 403);
    EXPECT_EQ(world.exchange->books().error, ErrorCode::redis_unavailable);
}

TEST(PluginLimitFlow, TheyAreAskedInTheirOrderUntilOneRefuses)
{
    World world;
    world.with_quota();
    world.caller = &kAnna;
    world.plugins().token_limit = for_all(global_limit("t", 10, 0));
    world.plugins().request_limit = for_all(global_limit("r", 10, 1));
    world.answers = {{"GET", Reply::of("1")}, {"token", counts(10, 11, 1)},
        {"cluster", counts(10, 1, 1)}};
    EXPECT_TRUE(world.ask());
    EXPECT_EQ(world.io.started.size(), 2u) << "the request is not counted";
    world.answers[1].second = counts(10, 1, 1);
    EXPECT_FALSE(world.ask());
    ASSERT_EQ(world.io.started.size(), 5u);
    world.used(1, 1);
    EXPECT_EQ(world.io.told.size(), 2u);
}

TEST(PluginLimitFlow, RulesGoByRouteLocationAndService)
{
    World world;
    config::Rules<KeyLimit> rules;
    config::Matcher matcher;
    matcher.services = {"llm-other.internal.dns"};
    rules.list.push_back({matcher, global_limit("other", 1, 0)});
    matcher.services = {"llm-one.internal.dns"};
    matcher.routes = {"main"};
    rules.list.push_back({matcher, global_limit("mine", 1, 0)});
    world.plugins().request_limit =
        std::make_shared<const config::Rules<KeyLimit>>(rules);
    world.answers = {{"EVALSHA", counts(1, 1, 1)}};
    EXPECT_FALSE(world.ask());
    EXPECT_NE(world.io.started.back().find(":mine:"), std::string::npos);
}

// ---- the administrator

TEST(QuotaAdmin, SeesAndSetsWhatIsLeft)
{
    const std::string path = "/any/v1/chat/completions/quota";
    World world;
    EXPECT_EQ(world.admin(path, ""), "none") << "there is no plugin";
    world.with_quota();
    world.caller = &kAdmin;
    world.answers = {{"GET chat_quota:anna", Reply::of("17")}};
    EXPECT_EQ(world.admin(path, "consumer=anna"),
        R"(200 {"consumer":"anna","quota":17})");
    EXPECT_EQ(world.admin(path, "x=1&consumer=a%22b"),
        R"(200 {"consumer":"a\"b","quota":0})");
    EXPECT_EQ(world.io.started.back(), "redis 2: GET chat_quota:a\"b");
    EXPECT_EQ(world.admin(path + "/refresh", "", "consumer=anna&quota=10000"),
        "200 refresh quota successful");
    EXPECT_EQ(world.io.started.back(), "redis 2: SET chat_quota:anna 10000");
    EXPECT_EQ(world.admin(path + "/delta", "", "value=100&consumer=anna+b"),
        "200 delta quota successful");
    EXPECT_EQ(world.io.started.back(), "redis 2: INCRBY chat_quota:anna b 100");
    EXPECT_EQ(world.admin(path + "/delta", "", "consumer=anna&value=-100"),
        "200 delta quota successful");
    EXPECT_EQ(world.io.started.back(), "redis 2: DECRBY chat_quota:anna 100");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::none);

    EXPECT_EQ(world.admin("/v1/chat/completions", "consumer=anna"), "none");
    EXPECT_EQ(world.admin("/v1/quota", "consumer=anna"), "none");
    EXPECT_EQ(world.admin(path + "/other", "consumer=anna"), "none");
    EXPECT_EQ(world.admin(path + "/", "consumer=anna"), "none");
}

TEST(QuotaAdmin, MayBeElsewhere)
{
    World world;
    config::Quota quota;
    quota.admin_consumer = "admin";
    quota.admin_path = "/my/refresh";
    world.plugins().quota = for_all(quota);
    world.caller = &kAdmin;
    const std::string path = "/v1/chat/completions/my/refresh";
    EXPECT_EQ(
        world.admin(path, "consumer=a"), R"(200 {"consumer":"a","quota":0})");
    EXPECT_EQ(world.admin(path + "/delta", "", "consumer=a&value=1"),
        "200 delta quota successful");
    EXPECT_EQ(world.admin("/v1/chat/completions/quota", ""), "none");
}

TEST(QuotaAdmin, IsForOneConsumer)
{
    const std::string path = "/v1/chat/completions/quota";
    World world;
    world.with_quota();
    world.request.headers = {{"x-mse-consumer", "admin"}};
    for (const char* end : {"", "/refresh", "/delta"}) {
        EXPECT_EQ(world.admin(path + end, "consumer=anna"),
            "401 Request denied by ai quota check. No Key Authentication "
            "information found.");
        EXPECT_EQ(world.exchange->books().error, ErrorCode::no_credential);
    }
    world.caller = &kAnna;
    for (const char* end : {"", "/refresh", "/delta"}) {
        EXPECT_EQ(
            world.admin(path + end, "consumer=anna", "consumer=anna&quota=9"),
            "403 Request denied by ai quota check. Unauthorized admin "
            "consumer.");
        EXPECT_EQ(world.exchange->books().error, ErrorCode::consumer_forbidden);
    }
    EXPECT_TRUE(world.io.started.empty());
}

TEST(QuotaAdmin, SaysWhatIsWrong)
{
    const std::string path = "/v1/chat/completions/quota";
    const std::string no = "403 Request denied by ai quota check. ";
    World world;
    world.with_quota();
    world.caller = &kAdmin;
    EXPECT_EQ(world.admin(path, ""), no + "consumer can't be empty.");
    EXPECT_EQ(world.admin(path, "consumer="), no + "consumer can't be empty.");
    for (const char* form : {"", "quota=1", "consumer=&quota=1", "consumer=a",
             "consumer=a&quota=", "consumer=a&quota=1.5", "consumer=a&quota=x",
             "consumer=a&quota=+-1", "consumer=a&quota=9223372036854775808",
             "consumer=a&value=1"})
    {
        EXPECT_EQ(world.admin(path + "/refresh", "", form),
            no + "consumer can't be empty and quota must be integer.")
            << form;
    }
    for (const char* form : {"consumer=a&quota=1", "value=1",
             "consumer=a&value=-9223372036854775808"})
    {
        EXPECT_EQ(world.admin(path + "/delta", "", form),
            no + "consumer can't be empty and value must be integer.")
            << form;
    }
    EXPECT_TRUE(world.io.started.empty());
    world.io.redis_down = ErrorCode::redis_timeout;
    EXPECT_EQ(world.admin(path, "consumer=a"), "503 redis error:redis_timeout");
    EXPECT_EQ(world.admin(path + "/refresh", "", "consumer=a&quota=1"),
        "503 redis error:redis_timeout");
    EXPECT_EQ(world.exchange->books().error, ErrorCode::redis_timeout);
}

// ---- suspended, destroyed, starved

struct LimitFlow : World {
    explicit LimitFlow(FakeIo& fake) : World(fake)
    {
        io.immediate = false;
        with_quota();
        caller = &kAnna;
        plugins().token_limit = for_all(global_limit("t", 10, 0));
        plugins().request_limit = for_all(global_limit("r", 10, 1));
        answers = {{"GET", Reply::of("1")}, {"token", counts(10, 1, 1)},
            {"cluster", counts(10, 11, 1)}};
        receive();
    }
    async::Task<std::optional<Outcome>> task(async::Scope& s)
    {
        return limit_by_plugins(s, *exchange);
    }
    static void check(const std::optional<Outcome>& outcome)
    {
        ASSERT_TRUE(outcome);
        EXPECT_EQ(outcome->reply.status, 429);
    }
};

TEST(PluginLimitFlow, EveryWay)
{
    testing::run_every_way<LimitFlow>();
}

struct AdminFlow : World {
    explicit AdminFlow(FakeIo& fake) : World(fake)
    {
        io.immediate = false;
        with_quota();
        caller = &kAdmin;
        request.path = "/v1/chat/completions/quota";
        request.query = "consumer=anna";
        open();
    }
    async::Task<Outcome> task(async::Scope& s)
    {
        return serve_quota(s, *exchange, {});
    }
    static void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 200);
    }
};

TEST(QuotaAdmin, EveryWay)
{
    testing::run_every_way<AdminFlow>();
}

} // namespace
} // namespace ai_proxy::policy
