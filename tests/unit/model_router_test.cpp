#include "core/config/plugin_model_router.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using route::ModelRouter;

using Headers = std::vector<std::pair<std::string, std::string>>;

TEST(ModelRouterTest, SplitsAtTheFirstSlash)
{
    ModelRouter router;
    router.provider_header = "x-provider";
    const auto routed = router.route("openrouter/qwen/qwen-max", "");
    EXPECT_EQ(routed.model, "qwen/qwen-max");
    EXPECT_EQ(routed.headers, (Headers{{"x-provider", "openrouter"}}));
    EXPECT_EQ(router.route("plain", "").model, "");
    EXPECT_TRUE(router.route("plain", "").headers.empty());
}

TEST(ModelRouterTest, TheHeaderOfTheModelHasAllOfIt)
{
    ModelRouter router;
    router.model_header = "x-model";
    router.provider_header = "x-provider";
    const auto routed = router.route("p/m", "");
    EXPECT_EQ(
        routed.headers, (Headers{{"x-model", "p/m"}, {"x-provider", "p"}}));
    EXPECT_EQ(routed.model, "m");
}

TEST(ModelRouterTest, ChoosesByTheQuestion)
{
    ModelRouter router;
    router.auto_model = "higress/auto";
    router.model_header = "x-model";
    router.provider_header = "x-provider";
    ASSERT_TRUE(router.add_rule("(?i)(draw|paint)", "image").ok());
    ASSERT_TRUE(router.add_rule("(?i)\xc3\xa4hnlich", "german").ok());
    ASSERT_TRUE(router.add_rule("draw", "never").ok());
    const auto routed = router.route("higress/auto", "Please DRAW a cat");
    EXPECT_EQ(routed.model, "image");
    EXPECT_EQ(routed.headers, (Headers{{"x-higress-llm-model", "image"}}));
    EXPECT_EQ(router.route("higress/auto", "\xc3\x84HNLICH").model, "german");
    EXPECT_EQ(router.route("higress/auto", "\xff draw").model, "image");
    EXPECT_EQ(router.route("higress/auto", "else").model, "");
    EXPECT_TRUE(router.route("higress/auto", "else").headers.empty());
    router.auto_default = "usual";
    EXPECT_EQ(router.route("higress/auto", "else").model, "usual");
    EXPECT_EQ(router.route("other", "draw").model, "");
}

TEST(ModelRouterTest, ARegexThatRunsAwayFindsNothing)
{
    ModelRouter router;
    router.auto_model = "auto";
    ASSERT_TRUE(router.add_rule("(a+)+$", "m").ok());
    EXPECT_EQ(router.route("auto", std::string(5000, 'a') + "b").model, "");
}

struct Loaded {
    config::Plugins plugins;
    config::yaml::Warnings warnings;
    std::string fault;
};

Loaded load(std::string_view text)
{
    Loaded loaded;
    auto document = config::yaml::Document::parse("r.yaml", text);
    if (!document) {
        loaded.fault = document.error().message;
        return loaded;
    }
    config::Gateway gateway;
    const config::SecretSource secrets;
    config::LoadContext context{*document, loaded.warnings, secrets, gateway};
    const auto done =
        config::find_plugin("model-router")->load(context, loaded.plugins);
    loaded.fault = done ? "" : done.error().message;
    return loaded;
}

TEST(ModelRouterTest, LoadsItsYaml)
{
    const Loaded loaded = load(R"(
modelKey: model
addProviderHeader: x-provider
modelToHeader: x-higress-llm-model
enableOnPathSuffix: ["*"]
autoRouting:
  enable: true
  defaultModel: qwen-turbo
  rules:
  - {pattern: "(?i)draw", model: qwen-vl-max}
  - {pattern: "(", model: broken}
  - {pattern: x}
)");
    ASSERT_EQ(loaded.fault, "");
    EXPECT_EQ(loaded.warnings.size(), 2u);
    EXPECT_NE(loaded.warnings[0].find("field \"autoRouting.rules[1]\": invalid"
                                      " regex \"(\""),
        std::string::npos);
    const ModelRouter* router = loaded.plugins.model_router->find({});
    ASSERT_NE(router, nullptr);
    EXPECT_TRUE(router->paths.cover("/anything"));
    EXPECT_EQ(router->route("higress/auto", "draw").model, "qwen-vl-max");
    EXPECT_EQ(router->route("higress/auto", "").model, "qwen-turbo");
    EXPECT_EQ(router->route("a/b", "").model, "b");
}

TEST(ModelRouterTest, RefusesWhatItDoesNotKnow)
{
    EXPECT_EQ(load("modelToHeader: 'a b'\n").fault,
        "r.yaml:1: field \"modelToHeader\": the name of a header is expected");
    EXPECT_EQ(load("autoRouting: {enabled: true}\n").fault,
        "r.yaml:1: field \"autoRouting.enabled\": unknown field");
    EXPECT_EQ(load("autoRouting: on\n").fault,
        "r.yaml:1: field \"autoRouting\": a mapping is expected");
    EXPECT_NE(load("modelKey: m\naddProviderHeader: x\n").fault, "");
    EXPECT_EQ(load("modelKey: parameters.model\n").fault,
        "r.yaml:1: field \"modelKey\": a member of the body itself is "
        "expected, "
        "no path");
    EXPECT_EQ(load("modelKey: m\nmodelToHeader: x\n").fault, "");
}

TEST(ModelRouterTest, DirectivesFillTheSame)
{
    ModelRouter router;
    ASSERT_TRUE(config::set_model_router(router,
        {"ai_proxy_model_router", "model_header=x-m", "auto=auto", "default=d"})
                    .ok());
    ASSERT_TRUE(
        config::add_model_rule(router, {"ai_proxy_model_rule", "^hi", "m"})
            .ok());
    EXPECT_EQ(router.route("auto", "hi").model, "m");
    EXPECT_EQ(router.route("auto", "ho").model, "d");
    EXPECT_TRUE(router.paths.cover("/v1/audio/transcriptions"));
    EXPECT_NE(config::set_model_router(router, {"x", "model_header=a b"})
                  .error()
                  .message.find("the name of a header is expected"),
        std::string::npos);
    EXPECT_FALSE(config::set_model_router(router, {"x", "nosuch=1"}).ok());
    EXPECT_FALSE(config::add_model_rule(router, {"x", "(", "m"}).ok());
}

} // namespace
