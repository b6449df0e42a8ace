#include "core/provider/registry.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;

std::string adjusted(
    std::string_view type, std::string text, bool stream_options = true)
{
    provider::Options options;
    options.type = provider::find_type(type);
    options.stream_options = stream_options;
    size_t length = text.size();
    text.append(json::kPadding, ' ');
    json::Parser parser;
    auto node = parser.parse(text.data(), length);
    EXPECT_TRUE(node.ok());
    auto body = json::Splice::scan(text.data(), length);
    EXPECT_TRUE(body.ok());
    const provider::EncodeContext context{options, "m", 0, 0};
    if (options.type->adjust != nullptr) {
        EXPECT_TRUE(options.type->adjust(*body, *node, context).ok());
    }
    return body->text();
}

TEST(AdjustDeveloper, OnlyTheRoleChanges)
{
    EXPECT_EQ(
        adjusted("deepseek",
            R"({"messages" : [ {"role" :  "developer", "content":"a" },)"
            R"({"content":"developer","x":1.0,"role":"user"}], "n":1.50})"),
        R"({"messages" : [ {"role" :  "system", "content":"a" },)"
        R"({"content":"developer","x":1.0,"role":"user"}], "n":1.50})");
}

TEST(AdjustDeveloper, LooksOnlyAtTheMessagesOwnRole)
{
    std::string text =
        R"({"messages":[{"role":"user","content":[{"role":"developer",)"
        R"("text":"\"role\":\"developer\""}],"role2":"developer"}]})";
    EXPECT_EQ(adjusted("groq", text), text);
}

TEST(AdjustDeveloper, EscapedSpellingsAreFound)
{
    EXPECT_EQ(adjusted("groq",
                  R"({"messages":[{"r\u006fle":"developer","content":"a"},)"
                  R"({"role":"d\u0065veloper","content":1.0}]})"),
        R"({"messages":[{"role":"system","content":"a"},)"
        R"({"role":"system","content":1.0}]})");
}

TEST(AdjustDeveloper, StaysWhereTheVendorKnowsIt)
{
    std::string text = R"({"messages":[{"role":"developer","content":"a"}]})";
    for (std::string_view type : {"openai", "azure", "generic", "mock"})
        EXPECT_EQ(adjusted(type, text), text) << type;
    for (std::string_view type :
        {"deepseek", "moonshot", "doubao", "zhipuai", "groq", "grok",
            "openrouter", "mistral", "together-ai", "ollama", "vllm", "qwen"})
        EXPECT_EQ(adjusted(type, text),
            R"({"messages":[{"role":"system","content":"a"}]})")
            << type;
}

TEST(AdjustStreamOptions, AreDroppedWhereRefused)
{
    std::string text =
        R"({"stream":true,"stream_options":{"include_usage":true}})";
    EXPECT_EQ(adjusted("openai", text), text);
    EXPECT_EQ(adjusted("openai", text, false), R"({"stream":true})");
    EXPECT_EQ(adjusted("mistral", text), R"({"stream":true})");
    EXPECT_EQ(adjusted("generic", text), text);
}

TEST(AdjustMistral, UsesItsOwnNames)
{
    EXPECT_EQ(adjusted("mistral",
                  R"({"seed":7,"max_completion_tokens":10,"max_tokens":20})"),
        R"({"random_seed":7,"max_tokens":10})");
    EXPECT_EQ(adjusted("mistral", R"({"max_tokens":20,"a":1})"),
        R"({"max_tokens":20,"a":1})");
    EXPECT_EQ(adjusted("mistral",
                  R"({"random_seed":1,"seed":2,)"
                  R"("max_completion_tokens":null,"max_tokens":3})"),
        R"({"random_seed":1,"max_tokens":3})");
}

// Calls that another vendor named: Mistral refuses their ids.
TEST(AdjustMistral, CallsHaveIdsOfNineLetters)
{
    const std::string text = adjusted("mistral",
        R"({"messages":[{"role":"developer","content":"s"},)"
        R"({"role":"assistant","content":"","tool_calls":[)"
        R"({"id":"call_abcdefghijkl","type":"function","function":)"
        R"({"name":"f","arguments":"{}"}},{"id":"Ab3456789","n":1.50}]},)"
        R"({"role":"tool","tool_call_id":"call_abcdefghijkl",)"
        R"("content":"r"},{"role":"tool","tool_call_id":"Ab3456789",)"
        R"("content":"q"}]})");
    json::Parser parser;
    const auto body = parser.parse(std::string_view(text));
    ASSERT_TRUE(body.ok()) << text;
    const json::Node messages = (*body)["messages"];
    EXPECT_EQ(messages.at(0)["role"].string(), "system");
    const json::Node calls = messages.at(1)["tool_calls"];
    const std::string made(calls.at(0)["id"].string_or());
    EXPECT_EQ(made.size(), 9U);
    EXPECT_EQ(made.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        std::string::npos);
    EXPECT_EQ(messages.at(2)["tool_call_id"].string(), made);
    EXPECT_EQ(calls.at(0)["function"]["name"].string(), "f");
    EXPECT_EQ(calls.at(1)["id"].string(), "Ab3456789");
    EXPECT_EQ(messages.at(3)["tool_call_id"].string(), "Ab3456789");
    // Its own stay untouched, byte for byte.
    const std::string own =
        R"({"messages":[{"role":"tool",  "tool_call_id":"Ab3456789"}]})";
    EXPECT_EQ(adjusted("mistral", own), own);
}

TEST(AdjustZhipu, EffortBecomesThinking)
{
    EXPECT_EQ(adjusted("zhipuai", R"({"reasoning_effort":"low","n":1})"),
        R"({"n":1,"thinking":{"type":"enabled"}})");
    EXPECT_EQ(adjusted("zhipuai", R"({"n":1,"reasoning_effort":"none"})"),
        R"({"n":1,"thinking":{"type":"disabled"}})");
    EXPECT_EQ(adjusted("zhipuai",
                  R"({"thinking":{"type":"disabled"},)"
                  R"("reasoning_effort":"high"})"),
        R"({"thinking":{"type":"disabled"}})");
    EXPECT_EQ(adjusted("zhipuai", R"({"reasoning_effort":""})"),
        R"({"reasoning_effort":""})");
}

TEST(AdjustOpenrouter, BudgetGoesIntoReasoning)
{
    EXPECT_EQ(adjusted("openrouter",
                  R"({"a":1,"reasoning_max_tokens":2000,)"
                  R"("reasoning_effort":"low"})"),
        R"({"a":1,"reasoning":{"max_tokens":2000}})");
    EXPECT_EQ(adjusted("openrouter",
                  R"({"reasoning":{"exclude":true,"effort":"low"},)"
                  R"("reasoning_max_tokens":5})"),
        R"({"reasoning":{"exclude":true,"max_tokens":5}})");
    EXPECT_EQ(adjusted("openrouter",
                  R"({"reasoning_effort":"low","reasoning_max_tokens":0})"),
        R"({"reasoning_effort":"low"})");
}

TEST(AdjustDoubao, ImagesAndResponses)
{
    EXPECT_EQ(adjusted("doubao", R"({"prompt":"a cat"})"),
        R"({"prompt":"a cat","watermark":false})");
    EXPECT_EQ(adjusted("doubao", R"({"prompt":"a cat","watermark":true})"),
        R"({"prompt":"a cat","watermark":true})");
    EXPECT_EQ(adjusted("doubao",
                  R"({"input":"a","tool_choice":"auto",)"
                  R"("parallel_tool_calls":true})"),
        R"({"input":"a"})");
    std::string chat =
        R"({"messages":[{"role":"user","content":"a"}],"tool_choice":"auto"})";
    EXPECT_EQ(adjusted("doubao", chat), chat);
}

} // namespace
