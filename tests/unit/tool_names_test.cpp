#include "caller_probe.h"

#include <gtest/gtest.h>

// Names of functions that are longer than most providers take.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

const std::string kLong = "mcp__" + std::string(100, 'a') + "__one";
const std::string kOther = "mcp__" + std::string(100, 'a') + "__two";
const std::string kFits(64, 'b');

struct Row {
    Api api;
    std::string_view body; // L, O and F stand for the names above
    std::string_view call; // in an answer
};

const Row kRows[] = {
    {Api::messages,
        R"({"max_tokens":9,"messages":[{"role":"user","content":"x"},)"
        R"({"role":"assistant","content":[{"type":"tool_use","id":"t",)"
        R"("name":"L","input":{}}]},{"role":"user","content":[)"
        R"({"type":"tool_result","tool_use_id":"t","content":"r"}]}],)"
        R"("tools":[{"name":"L","input_schema":{"type":"object"}},)"
        R"({"name":"O","input_schema":{"type":"object"}},)"
        R"({"name":"F","input_schema":{"type":"object"}}],)"
        R"("tool_choice":{"type":"tool","name":"L"}})",
        R"("name":"L")"},
    {Api::gemini_generate,
        R"({"contents":[{"role":"user","parts":[{"text":"x"}]},)"
        R"({"role":"model","parts":[{"functionCall":{"name":"L"}}]},)"
        R"({"role":"user","parts":[{"functionResponse":{"name":"L",)"
        R"("response":{"r":1}}}]}],"tools":[{"functionDeclarations":[)"
        R"({"name":"L"},{"name":"O"},{"name":"F"}]}],"toolConfig":{)"
        R"("functionCallingConfig":{"mode":"ANY",)"
        R"("allowedFunctionNames":["L"]}}})",
        R"("name":"L")"},
    {Api::responses,
        R"({"input":[{"role":"user","content":"x"},)"
        R"({"type":"function_call","call_id":"t","name":"L",)"
        R"("arguments":"{}"},{"type":"function_call_output","call_id":"t",)"
        R"("output":"r"}],"tools":[{"type":"function","name":"L"},)"
        R"({"type":"function","name":"O"},{"type":"function","name":"F"}],)"
        R"("tool_choice":{"type":"function","name":"L"}})",
        R"("name":"L")"},
};

std::string spelled(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool alone = i > 0 && text[i - 1] == '"' && text[i + 1] == '"';
        out += alone && text[i] == 'L' ? kLong
            : alone && text[i] == 'O'  ? kOther
            : alone && text[i] == 'F'  ? kFits
                                       : std::string(1, text[i]);
    }
    return out;
}

TEST(ToolNames, AreShortUpstreamAndLongInTheAnswer)
{
    GatewayFixture world;
    config::Provider& provider = world.provider("one", "openai");
    for (const Row& row : kRows) {
        const std::string body = spelled(row.body);
        const Hub hub = to_hub(row.api, body);
        ASSERT_TRUE(hub.ok) << hub.error.message;
        json::Parser parser;
        const auto chat = parser.parse(std::string_view(hub.text));
        ASSERT_TRUE(chat.ok()) << hub.text;
        const json::Node tools = (*chat)["tools"];
        const std::string sent(tools.at(0)["function"]["name"].string_or());
        EXPECT_EQ(sent.size(), 64u);
        EXPECT_NE(tools.at(1)["function"]["name"].string_or(), sent);
        EXPECT_EQ(tools.at(2)["function"]["name"].string_or(), kFits);
        EXPECT_EQ((*chat)["tool_choice"]["function"]["name"].string_or(), sent);
        EXPECT_EQ((*chat)["messages"]
                      .at(1)["tool_calls"]
                      .at(0)["function"]["name"]
                      .string_or(),
            sent);
        EXPECT_FALSE(has(hub.text, kLong));

        const auto asked = parser.parse(std::string_view(body));
        ASSERT_TRUE(asked.ok());
        const std::string echo = dialect::find_caller(row.api)->echo(*asked);
        const std::string call = R"("tool_calls":[{"index":0,"id":"t0",)"
                                 R"("type":"function","function":{"name":")"
            + sent + R"(","arguments":"{}"}}]})";
        const std::string plain = R"({"id":"c","choices":[{"index":0,)"
                                  R"("message":{"role":"assistant",)"
            + call + R"(,"finish_reason":"tool_calls"}]})";
        const std::string chunk =
            R"(data: {"id":"c","choices":[{"index":0,"delta":{)" + call
            + R"(,"finish_reason":"tool_calls"}]})"
              "\n\ndata: [DONE]\n\n";
        for (const bool stream : {false, true}) {
            const Fed fed = feed(provider, row.api, stream,
                stream ? chunk : plain, 0, false, echo);
            EXPECT_EQ(fed.state, State::whole);
            EXPECT_TRUE(has(fed.out, spelled(row.call))) << fed.out;
            EXPECT_FALSE(has(fed.out, sent)) << fed.out;
        }
    }
}

TEST(ToolNames, ThatFitNeedNoMap)
{
    json::Parser parser;
    const auto body = parser.parse(R"({"tools":[{"name":"f"}]})");
    ASSERT_TRUE(body.ok());
    EXPECT_EQ(dialect::find_caller(Api::messages)->echo(*body), "");
}

TEST(ToolNames, OfSeveralAllowed)
{
    const Hub hub = to_hub(Api::gemini_generate,
        spelled(R"({"contents":[{"role":"user","parts":[{"text":"x"}]}],)"
                R"("tools":[{"functionDeclarations":[{"name":"L"},)"
                R"({"name":"O"}]}],"toolConfig":{"functionCallingConfig":{)"
                R"("mode":"ANY","allowedFunctionNames":["L","O"]}}})"));
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_FALSE(has(hub.text, kLong)) << hub.text;
    EXPECT_FALSE(has(hub.text, kOther)) << hub.text;
}

} // namespace
} // namespace ai_proxy::testing
