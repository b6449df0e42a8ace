#include "core/config/rules.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using ai_proxy::config::is_service;
using ai_proxy::config::Matcher;
using ai_proxy::config::Rules;
using ai_proxy::config::split_rules;
using ai_proxy::config::Subject;
using ai_proxy::config::yaml::Document;

// Settings are the number "n"; which of them hold.
std::string find(std::string_view text, const Subject& subject)
{
    auto document = Document::parse("x.yaml", text);
    if (!document) {
        return document.error().message;
    }
    auto nodes = split_rules(*document);
    if (!nodes) {
        return nodes.error().message;
    }
    Rules<std::string> rules;
    if (nodes->global.has_value()) {
        rules.global = nodes->global.json();
    }
    for (auto& rule : nodes->list) {
        rules.list.push_back({std::move(rule.matcher), rule.settings.json()});
    }
    const std::string* found = rules.find(subject);
    return found != nullptr ? *found : "off";
}

Subject host(std::string_view name)
{
    return {"", "", name, ""};
}

constexpr std::string_view kAll = R"(
n: 0
_rules_:
- _match_route_: [route-a, /v1/]
  n: 1
- _match_route_prefix_: [team-]
  n: 2
- _match_domain_: ["*.example.com", test.com, "api*"]
  n: 3
- _match_service_: [llm-qwen.internal.dns, "redis.static:6379"]
  n: 4
- _match_domain_: ["*"]
  _match_route_: [route-b]
  n: 5
)";

TEST(RulesTest, TheFirstThatMatchesHoldsElseTheGlobalPart)
{
    EXPECT_EQ(find(kAll, {}), R"({"n":0})");
    EXPECT_EQ(find(kAll, {"route-a", "", "", ""}), R"({"n":1})");
    EXPECT_EQ(find(kAll, {"other", "/v1/", "", ""}), R"({"n":1})");
    EXPECT_EQ(find(kAll, {"team-x", "", "", ""}), R"({"n":2})");
    EXPECT_EQ(find(kAll, {"", "team-", "", ""}), R"({"n":2})");
    EXPECT_EQ(find(kAll, {"route-a", "", "test.com", ""}), R"({"n":1})");
    EXPECT_EQ(find(kAll, {"route-ab", "", "", ""}), R"({"n":0})");
}

TEST(RulesTest, DomainsAreExactOrWithAStar)
{
    EXPECT_EQ(find(kAll, host("a.example.com")), R"({"n":3})");
    EXPECT_EQ(find(kAll, host("a.b.example.com")), R"({"n":3})");
    EXPECT_EQ(find(kAll, host("example.com")), R"({"n":0})");
    EXPECT_EQ(find(kAll, host("test.com")), R"({"n":3})");
    EXPECT_EQ(find(kAll, host("atest.com")), R"({"n":0})");
    EXPECT_EQ(find(kAll, host("api.x.org")), R"({"n":3})");
    EXPECT_EQ(find(kAll, {"route-b", "", "any", ""}), R"({"n":5})");
    EXPECT_EQ(find(kAll, host("any")), R"({"n":0})");
}

TEST(RulesTest, CaseAndPortOfARulesDomainDoNotMatter)
{
    const std::string_view text =
        "_rules_: [{_match_domain_: ['Test.COM:8443'], n: 1}]";
    EXPECT_EQ(find(text, host("test.com")), R"({"n":1})");
}

TEST(RulesTest, ServicesAreProvidersByAnyOfTheirNames)
{
    EXPECT_EQ(find(kAll, {"", "", "", "qwen"}), R"({"n":4})");
    EXPECT_EQ(find(kAll, {"", "", "", "redis"}), R"({"n":4})");
    EXPECT_EQ(find(kAll, {"", "", "", "llm-qwen.internal.dns"}), R"({"n":4})");
    EXPECT_EQ(find(kAll, {"", "", "", "wen"}), R"({"n":0})");
    EXPECT_TRUE(is_service("qwen", "qwen"));
    EXPECT_TRUE(is_service("qwen.static", "qwen"));
    EXPECT_TRUE(is_service("qwen.dns", "qwen"));
    EXPECT_TRUE(is_service("llm-qwen.internal.static", "qwen"));
    EXPECT_FALSE(is_service("llm-.internal", "qwen"));
    EXPECT_FALSE(is_service("llm-internal.dns", "internal"));
    EXPECT_FALSE(is_service("qwen", ""));
}

TEST(RulesTest, RouteAndServiceTogetherMustBothMatch)
{
    const std::string_view text = "_rules_: [{_match_route_: [r], "
                                  "_match_service_: [s], n: 1}]";
    EXPECT_EQ(find(text, {"r", "", "", "s"}), R"({"n":1})");
    EXPECT_EQ(find(text, {"r", "", "", ""}), "off");
    EXPECT_EQ(find(text, {"", "", "", "s"}), "off");
}

TEST(RulesTest, WithoutAGlobalPartThePluginIsOffElsewhere)
{
    EXPECT_EQ(find("_rules_: [{_match_route_: [r], n: 1}]", {}), "off");
    EXPECT_EQ(find("_rules_: [{_match_route_: [r]}]", {"r", "", "", ""}), "{}");
    EXPECT_EQ(find("", {}), "{}");
    EXPECT_EQ(find("_rules_: []", {}), "off");
}

TEST(RulesTest, ARuleMustMatchSomething)
{
    EXPECT_EQ(find("_rules_:\n- n: 1\n", {}),
        "x.yaml:2: field \"_rules_[0]\": the rule matches nothing "
        "(_match_route_, _match_route_prefix_, _match_domain_, "
        "_match_service_)");
    EXPECT_NE(find("_rules_:\n- _match_route_: ['']\n", {}).find("empty"),
        std::string::npos);
    EXPECT_NE(
        find("_rules_: 3\n", {}).find("a list is expected"), std::string::npos);
    EXPECT_NE(find("_rules_: [3]\n", {}).find("a mapping is expected"),
        std::string::npos);
}

TEST(RulesTest, AResourceOfKubernetesIsTheSameThing)
{
    constexpr std::string_view kResource = R"(
apiVersion: extensions.higress.io/v1alpha1
kind: WasmPlugin
metadata: {name: x, namespace: higress-system}
spec:
  url: oci://registry/x:1.0.0
  phase: AUTHN
  priority: 100
  defaultConfig: {n: 0}
  matchRules:
  - domain: [a.com]
    configDisable: true
    config: {n: 1}
  - domain: [a.com]
    config: {n: 2}
  - ingress: [default/chat]
    config: {n: 3}
  - service: [llm-qwen.internal.dns]
    configDisable: false
    config: {n: 4}
  - ingress: [bare]
)";
    EXPECT_EQ(find(kResource, {}), R"({"n":0})");
    EXPECT_EQ(find(kResource, host("a.com")), R"({"n":2})");
    EXPECT_EQ(find(kResource, {"default/chat", "", "", ""}), R"({"n":3})");
    EXPECT_EQ(find(kResource, {"", "", "", "qwen"}), R"({"n":4})");
    EXPECT_EQ(find(kResource, {"bare", "", "", ""}), "{}");
    EXPECT_EQ(find("kind: WasmPlugin\nspec:\n  defaultConfig: {n: 0}\n"
                   "  defaultConfigDisable: true\n",
                  {}),
        "off");
    EXPECT_NE(find("kind: WasmPlugin\n", {}).find("\"spec\" is missing"),
        std::string::npos);
    EXPECT_NE(
        find("kind: WasmPlugin\nspec:\n  matchRules: [{config: {}}]\n", {})
            .find("the rule matches nothing (ingress, domain, service)"),
        std::string::npos);
}

TEST(RulesTest, WhatIsNotKnownYetMayStillMatch)
{
    Matcher matcher;
    matcher.routes = {"r", "/v1/"};
    matcher.domains = {"a.com"};
    EXPECT_TRUE(matcher.may_match({}));
    EXPECT_TRUE(matcher.may_match({"r", "", "", ""}));
    EXPECT_FALSE(matcher.may_match({"q", "/x/", "", ""}));
    EXPECT_FALSE(matcher.may_match({"r", "", "b.com", ""}));
}

} // namespace
