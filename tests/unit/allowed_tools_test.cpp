#include "core/provider/registry.h"

#include "caller_probe.h"
#include "vendor_probe.h"

#include <gtest/gtest.h>

#include <string>

// tool_choice {"type":"allowed_tools"} towards everyone.

namespace {

using namespace ai_proxy;
using ai_proxy::testing::Hub;
using ai_proxy::testing::to_hub;
using dialect::Api;
using vendor_probe::compact;

constexpr std::string_view kTools =
    R"("tools":[{"type":"function","function":{"name":"a"}},)"
    R"({"type":"function","function":{"name":"b"}},)"
    R"({"type":"function","function":{"name":"c"}}])";

std::string allowed(std::string_view mode, std::string_view names)
{
    std::string tools;
    for (const char name : names) {
        tools += tools.empty() ? "" : ",";
        tools += R"({"type":"function","function":{"name":")";
        tools += name;
        tools += R"("}})";
    }
    return R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":")"
        + std::string(mode) + R"(","tools":[)" + tools + "]}}";
}

std::string body(std::string_view mode, std::string_view names)
{
    return R"({"model":"m","messages":[{"role":"user","content":"x"}],)"
        + std::string(kTools) + "," + allowed(mode, names) + "}";
}

std::unique_ptr<vendor_probe::Encoded> sent(const provider::Protocol& protocol,
    std::string_view mode, std::string_view names)
{
    return vendor_probe::encode(protocol, body(mode, names), "m");
}

TEST(AllowedTools, AreAllThatAVendorIsShown)
{
    const auto claude = sent(provider::kClaude, "required", "ca");
    EXPECT_EQ(claude->body["tools"].size(), 2u);
    EXPECT_EQ(claude->body["tools"].at(0)["name"].string(), "a");
    EXPECT_EQ(claude->body["tools"].at(1)["name"].string(), "c");
    EXPECT_EQ(compact(claude->body["tool_choice"]), R"({"type":"any"})");

    const auto bedrock = sent(provider::kBedrock, "auto", "b");
    const auto config = bedrock->body["toolConfig"];
    EXPECT_EQ(config["tools"].size(), 1u);
    EXPECT_EQ(compact(config["toolChoice"]), R"({"auto":{}})");

    const auto cohere = sent(provider::kCohere, "required", "bc");
    EXPECT_EQ(cohere->body["tools"].size(), 2u);
    EXPECT_EQ(cohere->body["tool_choice"].string(), "REQUIRED");

    const auto qwen = sent(provider::kQwen, "required", "b");
    EXPECT_EQ(compact(qwen->body["parameters"]["tool_choice"]),
        R"({"type":"function","function":{"name":"b"}})");

    const auto ollama = sent(provider::kOllama, "auto", "bc");
    EXPECT_EQ(ollama->body["tools"].size(), 2u);
}

TEST(AllowedTools, NoneAllowedIsNoChoice)
{
    const auto claude = sent(provider::kClaude, "required", "");
    EXPECT_EQ(claude->body["tools"].size(), 3u);
    EXPECT_EQ(compact(claude->body["tool_choice"]), R"({"type":"none"})");
}

TEST(AllowedTools, GeminiIsToldTheNames)
{
    const auto gemini = sent(provider::kGemini, "required", "ac");
    EXPECT_EQ(compact(gemini->body["tools"]),
        R"([{"functionDeclarations":[{"name":"a"},{"name":"c"},)"
        R"({"name":"b"}]}])");
    EXPECT_EQ(compact(gemini->body["toolConfig"]),
        R"({"functionCallingConfig":{"mode":"ANY",)"
        R"("allowedFunctionNames":["a","c"]}})");
    // With AUTO it takes no names.
    const auto free = sent(provider::kGemini, "auto", "ac");
    EXPECT_EQ(free->body["tools"].at(0)["functionDeclarations"].size(), 2u);
    EXPECT_EQ(compact(free->body["toolConfig"]),
        R"({"functionCallingConfig":{"mode":"AUTO"}})");
}

TEST(AllowedTools, UnknownNamesAreRefused)
{
    const auto claude = sent(provider::kClaude, "auto", "az");
    ASSERT_FALSE(claude->result.ok());
    EXPECT_EQ(
        claude->result.error().param, "tool_choice.allowed_tools.tools[1]");
}

TEST(AllowedTools, WrongFormsAreRefused)
{
    struct Wrong {
        std::string_view choice, param;
    };
    const Wrong rows[] = {
        {R"({"type":"allowed_tools"})", "tool_choice.allowed_tools"},
        {R"({"type":"allowed_tools","allowed_tools":{"tools":[]}})",
            "tool_choice.allowed_tools.mode"},
        {R"({"type":"allowed_tools","allowed_tools":{"mode":"x","tools":[]}})",
            "tool_choice.allowed_tools.mode"},
        {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto"}})",
            "tool_choice.allowed_tools.tools"},
        {R"({"type":"allowed_tools",)"
         R"("allowed_tools":{"mode":"auto","tools":["a"]}})",
            "tool_choice.allowed_tools.tools[0]"},
    };
    for (const Wrong& row : rows) {
        json::Parser parser;
        const auto parsed = parser.parse(std::string_view(
            R"({"messages":[{"role":"user","content":"x"}],"tool_choice":)"
            + std::string(row.choice) + "}"));
        ASSERT_TRUE(parsed.ok()) << row.choice;
        const auto checked = dialect::check_chat(*parsed);
        ASSERT_FALSE(checked.ok()) << row.choice;
        EXPECT_EQ(checked.error().param, row.param);
    }
}

std::string relayed(std::string_view type, std::string text)
{
    provider::Options options;
    options.type = provider::find_type(type);
    const size_t length = text.size();
    text.append(json::kPadding, ' ');
    json::Parser parser;
    const auto node = parser.parse(text.data(), length);
    auto splice = json::Splice::scan(text.data(), length);
    if (!node || !splice) {
        ADD_FAILURE() << text;
        return {};
    }
    EXPECT_TRUE(
        options.type->adjust(*splice, *node, {options, "m", 0, 0}).ok());
    return splice->text();
}

// OpenAI knows the form; those who imitate it mostly do not.
TEST(AllowedTools, AreNarrowedInARelayedBody)
{
    EXPECT_EQ(
        relayed("openai", body("required", "ac")), body("required", "ac"));
    for (const std::string_view type : {"groq", "mistral", "deepseek"}) {
        EXPECT_EQ(relayed(type, body("required", "ac")),
            R"({"model":"m","messages":[{"role":"user","content":"x"}],)"
            R"("tools":[{"type":"function","function":{"name":"a"}},)"
            R"({"type":"function","function":{"name":"c"}}],)"
            R"("tool_choice":"required"})")
            << type;
    }
    EXPECT_EQ(relayed("groq", R"({"tools":[],)" + allowed("auto", "") + "}"),
        R"({"tools":[],"tool_choice":"none"})");
}

TEST(AllowedTools, OfAResponsesClient)
{
    const Hub hub = to_hub(Api::responses, R"({"model":"m","input":"x",
        "tools":[{"type":"function","name":"a"},{"type":"function","name":"b"}],
        "tool_choice":{"type":"allowed_tools","mode":"required","tools":[
            {"type":"function","name":"b"},{"type":"web_search"}]}})");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_NE(hub.text.find(allowed("required", "b")), std::string::npos)
        << hub.text;
    EXPECT_EQ(
        hub.dropped.fields(), std::vector<std::string>{"tool_choice.tools[1]"});
}

TEST(AllowedTools, OfAGeminiClient)
{
    const auto choice = [](std::string_view config) {
        const Hub hub = to_hub(Api::gemini_generate,
            R"({"contents":[{"parts":[{"text":"x"}]}],"tools":[)"
            R"({"functionDeclarations":[{"name":"a"},{"name":"b"}]}],)"
            R"("toolConfig":{"functionCallingConfig":)"
                + std::string(config) + "}}");
        EXPECT_TRUE(hub.ok) << hub.error.message;
        EXPECT_TRUE(hub.dropped.empty());
        const size_t at = hub.text.find(R"("tool_choice")");
        return at == std::string::npos ? std::string() : hub.text.substr(at);
    };
    EXPECT_EQ(choice(R"({"mode":"ANY","allowedFunctionNames":["a","b"]})"),
        allowed("required", "ab") + "}");
    EXPECT_EQ(choice(R"({"mode":"VALIDATED","allowedFunctionNames":["b"]})"),
        allowed("auto", "b") + "}");
    EXPECT_EQ(choice(R"({"mode":"VALIDATED"})"), R"("tool_choice":"auto"})");
    EXPECT_EQ(choice(R"({"mode":"ANY","allowedFunctionNames":["b"]})"),
        R"("tool_choice":{"type":"function","function":{"name":"b"}}})");
}

} // namespace
