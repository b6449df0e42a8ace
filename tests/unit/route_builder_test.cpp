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
    EXPECT_EQ(route_fault({{"balance", "fair"}}),
        "invalid value \"fair\" in \"balance\": weighted, round_robin, "
        "least_conn, least_latency, hash or prefix is expected");
    EXPECT_EQ(route_fault({{"balance", "hash"}}),
        "invalid number of arguments in \"balance\"");
    EXPECT_EQ(route_fault({{"balance", "hash", "x"}}),
        "invalid value \"x\" in \"balance\": a variable is expected");
    EXPECT_EQ(route_fault({{"balance", "prefix", "bytes=0"}}),
        "invalid value \"0\" in \"bytes\": a number from 1 to 1048576 is "
        "expected");
    EXPECT_EQ(route_fault({{"balance", "least_conn", "x"}}),
        "invalid number of arguments in \"balance\"");
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
        "unknown parameter \"after=1s\" in \"retry\"");
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

TEST(RouteBuilderTest, BudgetHedgeTierHashAndPrefix)
{
    BuiltRoute built = build_route({{"provider", "qwen", "tier=2"},
        {"provider", "deepseek"}, {"balance", "hash", "$remote_addr"},
        {"retry", "2", "budget=20%"}, {"hedge", "after=p95", "budget=7%"}});
    ASSERT_EQ(built.error, "");
    EXPECT_EQ(built.route->targets[0].tier, 2);
    EXPECT_EQ(built.route->targets[1].tier, 1);
    EXPECT_EQ(built.route->hash_text, "$remote_addr");
    EXPECT_EQ(built.route->budget_percent, 20u);
    EXPECT_DOUBLE_EQ(built.route->hedge.quantile, 0.95);
    EXPECT_EQ(built.route->hedge.percent, 7u);
    built = build_route({{"provider", "qwen"}, {"hedge", "after=2s"},
        {"balance", "prefix", "bytes=300"}});
    ASSERT_EQ(built.error, "");
    EXPECT_EQ(built.route->hedge.after_ms, 2'000u);
    EXPECT_EQ(built.route->hedge.percent, 5u);
    EXPECT_EQ(built.route->prefix_bytes, 300u);

    for (std::string_view bad : {"after=p49", "after=p100", "after=0",
             "after=11m", "after=soon", "budget=0%", "budget=5", "budget=101%"})
        EXPECT_TRUE(route_fault({{"hedge", bad}}).starts_with("invalid value"))
            << bad;
    EXPECT_EQ(
        route_fault({{"hedge", "budget=5%"}}), "\"hedge\" needs \"after\"");
    EXPECT_EQ(route_fault({{"retry", "1", "budget=x"}}),
        "invalid value \"x\" in \"budget\": a share like \"20%\" is "
        "expected");
    EXPECT_EQ(route_fault({{"provider", "qwen", "tier=0"}}),
        "invalid value \"0\" in \"tier\": a number from 1 to 64 is expected");
    EXPECT_EQ(route_fault({{"fallback", "qwen", "tier=1"}}),
        "unknown parameter \"tier=1\"");
}

TEST(RouteBuilderTest, WhatIsRetried)
{
    BuiltRoute built = build_route(
        {{"provider", "qwen"}, {"retry", "1", "on=400,content_filter"}});
    ASSERT_EQ(built.error, "");
    ASSERT_TRUE(built.route->retry_on);
    EXPECT_TRUE(built.route->retry_on->allows(ErrorCode::upstream_status, 400));
    EXPECT_FALSE(
        built.route->retry_on->allows(ErrorCode::upstream_status, 503));
    EXPECT_EQ(route_fault({{"retry", "1", "on=odd"}}),
        "invalid value \"odd\" in \"on\": causes as of a fallback are "
        "expected");
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
