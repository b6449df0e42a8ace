#include "core/config/gateway.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using config::Gateway;
using config::RouteBuilder;
using config::Words;

Gateway three_providers()
{
    Gateway gateway;
    for (std::string_view name : {"qwen", "deepseek", "claude"}) {
        auto provider = std::make_unique<config::Provider>();
        provider->options.name = name;
        gateway.providers.push_back(std::move(provider));
    }
    return gateway;
}

struct BuiltRoute {
    std::unique_ptr<route::Route> route;
    std::string error;
};

BuiltRoute build_route(std::initializer_list<Words> lines)
{
    Gateway gateway = three_providers();
    RouteBuilder builder("chat", gateway);
    for (const Words& words : lines)
        if (auto done = builder.line(words); !done)
            return {nullptr, done.error().message};
    auto route = builder.finish();
    if (!route)
        return {nullptr, route.error().message};
    return {std::move(*route), ""};
}

std::string route_fault(std::initializer_list<Words> lines)
{
    return build_route(lines).error;
}

TEST(RouteBuilderTest, TheExampleOfTheDesign)
{
    BuiltRoute built = build_route({{"match", "gpt-*", "claude-*"},
        {"match", "o1"}, {"provider", "qwen", "weight=80"},
        {"provider", "deepseek", "weight=20", "model=deepseek-chat"},
        {"fallback", "claude", "model=claude-sonnet-4-5",
            "on=429,5xx,timeout,error"},
        {"balance", "weighted"}, {"retry", "2", "backoff=100ms..3s"},
        {"model_map", "a", "b"}});
    ASSERT_EQ(built.error, "");
    const route::Route& route = *built.route;
    EXPECT_EQ(route.name, "chat");
    EXPECT_EQ(
        route.match, (std::vector<std::string>{"gpt-*", "claude-*", "o1"}));
    ASSERT_EQ(route.targets.size(), 2u);
    EXPECT_EQ(route.targets[0].provider, 0);
    EXPECT_EQ(route.targets[0].weight, 80u);
    EXPECT_EQ(route.targets[0].model, "");
    EXPECT_EQ(route.targets[1].provider, 1);
    EXPECT_EQ(route.targets[1].weight, 20u);
    EXPECT_EQ(route.targets[1].model, "deepseek-chat");
    ASSERT_EQ(route.fallbacks.size(), 1u);
    EXPECT_EQ(route.fallbacks[0].provider, 2);
    EXPECT_TRUE(route.fallbacks[0].on.allows(ErrorCode::upstream_status, 503));
    EXPECT_FALSE(route.fallbacks[0].on.allows(ErrorCode::upstream_status, 408));
    EXPECT_EQ(route.balance, route::Balance::weighted);
    EXPECT_EQ(route.retries, 2u);
    EXPECT_EQ(route.backoff_min_ms, 100u);
    EXPECT_EQ(route.backoff_max_ms, 3'000u);
    EXPECT_EQ(route.model_map.map("a"), "b");
}

TEST(RouteBuilderTest, Defaults)
{
    BuiltRoute built =
        build_route({{"provider", "qwen"}, {"provider", "deepseek"},
            {"balance", "round_robin"}, {"fallback", "claude"}});
    ASSERT_EQ(built.error, "");
    EXPECT_EQ(built.route->balance, route::Balance::round_robin);
    EXPECT_EQ(built.route->retries, 0u);
    EXPECT_EQ(built.route->targets[0].weight, 1u);
    EXPECT_TRUE(
        built.route->fallbacks[0].on.allows(ErrorCode::upstream_status, 429));
    EXPECT_TRUE(built.route->matches("anything"));
}

TEST(RouteBuilderTest, OneProviderWithTwoModels)
{
    BuiltRoute built = build_route(
        {{"provider", "qwen", "model=a"}, {"provider", "qwen", "model=b"}});
    EXPECT_EQ(built.error, "");
    EXPECT_EQ(route_fault({{"provider", "qwen"}, {"provider", "qwen"}}),
        "\"qwen\" in \"provider\" is duplicate");
}

TEST(RouteBuilderTest, NamesTheFault)
{
    EXPECT_EQ(route_fault({}), "no \"provider\" in route \"chat\"");
    EXPECT_EQ(route_fault({{"fallback", "qwen"}}),
        "no \"provider\" in route \"chat\"");
    EXPECT_EQ(
        route_fault({{"provider", "nobody"}}), "unknown provider \"nobody\"");
    EXPECT_EQ(route_fault({{"provider"}}), "no provider name");
    EXPECT_EQ(route_fault({{"colour", "red"}}), "unknown field \"colour\"");
    EXPECT_EQ(route_fault({{}}), "unknown field \"\"");
    EXPECT_EQ(route_fault({{"provider", "qwen", "weight=0"}}),
        "invalid value \"0\" in \"weight\": a number from 1 to 65535 is "
        "expected");
    EXPECT_NE(route_fault({{"provider", "qwen", "weight=65536"}}), "");
    EXPECT_NE(route_fault({{"provider", "qwen", "weight=-1"}}), "");
    EXPECT_EQ(route_fault({{"provider", "qwen", "weight=1", "weight=2"}}),
        "\"weight\" is duplicate");
    EXPECT_EQ(route_fault({{"provider", "qwen", "on=429"}}),
        "unknown parameter \"on=429\"");
    EXPECT_EQ(route_fault({{"fallback", "qwen", "weight=2"}}),
        "unknown parameter \"weight=2\"");
    EXPECT_EQ(route_fault({{"provider", "qwen", "model="}}),
        "invalid value \"\" in \"model\"");
    EXPECT_EQ(route_fault({{"provider", "qwen", "banana"}}),
        "unknown parameter \"banana\"");
    EXPECT_NE(route_fault({{"fallback", "qwen", "on=399"}}), "");
    EXPECT_EQ(
        route_fault({{"match"}}), "invalid number of arguments in \"match\"");
    EXPECT_EQ(route_fault({{"match", "a"}, {"match", "a"}}),
        "\"a\" in \"match\" is duplicate");
}

TEST(RouteBuilderTest, Balance)
{
    for (const Words& words : {Words{"balance", "least_latency"},
             Words{"balance", "least_conn"}, Words{"balance", "hash", "$x"}})
        EXPECT_EQ(route_fault({words}),
            "\"balance " + std::string(words[1])
                + "\" is not available in this version");
    EXPECT_EQ(route_fault({{"balance", "fair"}}),
        "invalid value \"fair\" in \"balance\": weighted or round_robin is "
        "expected");
    EXPECT_EQ(route_fault({{"balance"}}),
        "invalid number of arguments in \"balance\"");
    EXPECT_EQ(route_fault({{"balance", "weighted"}, {"balance", "weighted"}}),
        "\"balance\" is duplicate");
}

TEST(RouteBuilderTest, Retry)
{
    EXPECT_EQ(route_fault({{"retry", "11"}}),
        "invalid value \"11\" in \"retry\": a number from 0 to 10 is "
        "expected");
    EXPECT_EQ(route_fault({{"retry", "2", "after=1s"}}),
        "invalid value \"after=1s\" in \"retry\": backoff= is expected");
    for (std::string_view bad : {"backoff=5s..1s", "backoff=", "backoff=..",
             "backoff=0..1s", "backoff=1s..2h", "backoff=1s..", "backoff=x"})
        EXPECT_TRUE(route_fault({{"retry", "2", bad}})
                        .starts_with("invalid value \""
                            + std::string(bad.substr(8)) + "\" in \"backoff\""))
            << bad;
    BuiltRoute built =
        build_route({{"provider", "qwen"}, {"retry", "1", "backoff=1s"}});
    ASSERT_EQ(built.error, "");
    EXPECT_EQ(built.route->backoff_min_ms, 1'000u);
    EXPECT_EQ(built.route->backoff_max_ms, 1'000u);
    EXPECT_EQ(route_fault({{"retry", "1"}, {"retry", "1"}}),
        "\"retry\" is duplicate");
}

TEST(RouteBuilderTest, TargetsOfADirective)
{
    Gateway gateway = three_providers();
    const Words words = {"ai_proxy_fallback", "claude", "on=5xx"};
    auto target = config::parse_target(words, 1, gateway, true);
    ASSERT_TRUE(target.ok());
    EXPECT_EQ(target->provider, 2);
    EXPECT_FALSE(config::parse_target(words, 3, gateway, true).ok());
    EXPECT_FALSE(config::parse_target(words, 1, gateway, false).ok());
}

TEST(RouteBuilderTest, CountsAreBounded)
{
    Gateway gateway = three_providers();
    RouteBuilder builder("r", gateway);
    std::string error;
    for (int i = 0; i < 100 && error.empty(); ++i) {
        std::string model = "model=" + std::to_string(i);
        auto done = builder.line({"provider", "qwen", model});
        if (!done)
            error = done.error().message;
    }
    EXPECT_EQ(error, "too many \"provider\"");
}

TEST(GatewayTest, FindsByName)
{
    Gateway gateway = three_providers();
    EXPECT_EQ(gateway.find_provider("qwen"), 0);
    EXPECT_EQ(gateway.find_provider("claude"), 2);
    EXPECT_EQ(gateway.find_provider("Claude"), -1);
    auto route = std::make_unique<route::Route>();
    route->name = "chat";
    gateway.routes.push_back(std::move(route));
    EXPECT_EQ(gateway.find_route("chat"), gateway.routes[0].get());
    EXPECT_EQ(gateway.find_route("x"), nullptr);
}

} // namespace
