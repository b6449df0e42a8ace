#include "core/config/plugin.h"
#include "core/route/model_mapper.h"

#include "exchange_fixture.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using route::ModelMapper;

TEST(ModelMapperTest, ExactThenPrefixesInTheOrderOfKeysThenDefault)
{
    ModelMapper mapper;
    mapper.add("gpt-4-*", "long");
    mapper.add("gpt-*", "short");
    mapper.add("gpt-4-x", "exact");
    mapper.add("*", "default");
    EXPECT_EQ(mapper.map("gpt-4-x"), "exact");
    // '*' sorts before '4'.
    EXPECT_EQ(mapper.map("gpt-4-y"), "short");
    EXPECT_EQ(mapper.map("llama"), "default");
    EXPECT_EQ(mapper.map(""), "default");
}

TEST(ModelMapperTest, AnEmptyTargetOrNoHitKeepsTheName)
{
    ModelMapper mapper;
    mapper.add("a", "");
    mapper.add("b*", "");
    EXPECT_EQ(mapper.map("a"), "a");
    EXPECT_EQ(mapper.map("bc"), "bc");
    EXPECT_EQ(mapper.map("c"), "c");
    EXPECT_EQ(mapper.map(""), "");
}

TEST(ModelMapperTest, PathsAreToldByTheirEnd)
{
    const route::PathSuffixes standard;
    EXPECT_TRUE(standard.cover("/x/v1/chat/completions"));
    EXPECT_TRUE(standard.cover("/v1/messages"));
    EXPECT_FALSE(standard.cover("/v1/audio/transcriptions"));
    route::PathSuffixes own;
    own.replace({"/x", "*"}, true);
    EXPECT_TRUE(own.cover("/any"));
    own.replace({"/x", "*"}, false);
    EXPECT_FALSE(own.cover("/any"));
    EXPECT_TRUE(own.cover("/a/x"));
}

config::Plugins load(std::string_view text, std::string& fault)
{
    config::Plugins plugins;
    auto document = config::yaml::Document::parse("m.yaml", text);
    if (!document) {
        fault = document.error().message;
        return plugins;
    }
    config::yaml::Warnings warnings;
    config::Gateway gateway;
    const config::SecretSource secrets;
    config::LoadContext context{*document, warnings, secrets, gateway};
    const auto done =
        config::find_plugin("model-mapper")->load(context, plugins);
    fault = done ? "" : done.error().message;
    return plugins;
}

TEST(ModelMapperTest, LoadsItsYaml)
{
    std::string fault;
    const auto plugins = load("modelKey: model\n"
                              "modelMapping:\n  'gpt-4-*': qwen-max\n"
                              "  gpt-4o: qwen-vl-plus\n  '*': qwen-turbo\n"
                              "  keep:\n"
                              "enableOnPathSuffix: [/completions]\n"
                              "_rules_:\n"
                              "- _match_service_: [s]\n"
                              "  modelMapping: {a: b}\n",
        fault);
    ASSERT_EQ(fault, "");
    const auto& rules = *plugins.model_mapper;
    const ModelMapper* global = rules.find({});
    ASSERT_NE(global, nullptr);
    EXPECT_EQ(global->map("gpt-4-32k"), "qwen-max");
    EXPECT_EQ(global->map("keep"), "keep");
    EXPECT_FALSE(global->paths.cover("/v1/embeddings"));
    const ModelMapper* rule = rules.find({"", "", "", "s"});
    EXPECT_EQ(rule->map("a"), "b");
    EXPECT_EQ(rule->map("gpt-4o"), "gpt-4o");
    EXPECT_TRUE(rule->paths.cover("/v1/embeddings"));
}

TEST(ModelMapperTest, RefusesWhatItDoesNotKnow)
{
    std::string fault;
    (void)load("modelMaping: {}\n", fault);
    EXPECT_EQ(fault, "m.yaml:1: field \"modelMaping\": unknown field");
    (void)load("modelMapping:\n  a: [b]\n", fault);
    EXPECT_EQ(fault, "m.yaml:2: field \"modelMapping.a\": a text is expected");
    (void)load("modelKey: ''\n", fault);
    EXPECT_EQ(fault,
        "m.yaml:1: field \"modelKey\": the name of a member is expected");
    (void)load("modelKey: a.b\n", fault);
    EXPECT_EQ(fault,
        "m.yaml:1: field \"modelKey\": a member of the body itself is "
        "expected, no path");
}

class OtherKey : public ai_proxy::testing::ExchangeFixture {
protected:
    std::string asked(std::string_view yaml, std::string body)
    {
        std::string fault;
        begin();
        world.site().plugins = load(std::string(yaml), fault);
        EXPECT_EQ(fault, "");
        request.body = std::move(body);
        return ai_proxy::testing::body_text(prepare().outbound);
    }
};

constexpr std::string_view kEngine =
    "modelKey: engine\nmodelMapping: {a: b, 'x-*': '', m: n, '*': other}\n";

TEST_F(OtherKey, ThanTheModelIsMapped)
{
    EXPECT_EQ(asked(kEngine,
                  R"({"engine":"a","model":"m","messages":[{"role":"user",)"
                  R"("content":"hi"}]})"),
        R"({"engine":"b","model":"m","messages":[{"role":"user",)"
        R"("content":"hi"}]})");
}

TEST_F(OtherKey, ThatIsMissingIsAdded)
{
    const std::string text = asked(kEngine,
        R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
    EXPECT_NE(text.find(R"("engine":"other")"), std::string::npos) << text;
    EXPECT_NE(text.find(R"("model":"m")"), std::string::npos) << text;
}

TEST_F(OtherKey, ThatIsNoTextStays)
{
    const std::string body =
        R"({"engine":7,"model":"m","messages":[{"role":"user",)"
        R"("content":"hi"}]})";
    EXPECT_EQ(asked(kEngine, body), body);
}

TEST(PluginTest, TheNearerLevelReplacesTheOuterOne)
{
    std::string fault;
    const auto outer = load("modelMapping: {a: outer}\n", fault);
    auto inner = load("modelMapping: {a: inner}\n", fault);
    const auto* plugin = config::find_plugin("model-mapper");
    EXPECT_TRUE(plugin->is_set(inner));
    plugin->inherit(inner, outer);
    EXPECT_EQ(inner.model_mapper->find({})->map("a"), "inner");
    config::Plugins none;
    EXPECT_FALSE(plugin->is_set(none));
    plugin->inherit(none, outer);
    EXPECT_EQ(none.model_mapper->find({})->map("a"), "outer");
    EXPECT_EQ(config::find_plugin("nosuch"), nullptr);
}

} // namespace
