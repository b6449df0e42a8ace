#include "caller_probe.h"

#include <gtest/gtest.h>

#include <string>

// Namespaces, tools that come as items, and custom tools, for providers that
// know functions only.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

constexpr std::string_view kTools = R"(,"tools":[
    {"type":"function","name":"plain","parameters":{"type":"object"}},
    {"type":"namespace","name":"crm","description":"Customers.","tools":[
        {"type":"function","name":"find","description":"Looks.",
            "parameters":{"type":"object"},"strict":true},
        {"type":"custom","name":"note"}]},
    {"type":"custom","name":"patch","description":"Edits.",
        "format":{"type":"grammar","syntax":"lark","definition":"start: X"}}])";

Hub ask(std::string_view input, std::string_view more = {})
{
    return to_hub(Api::responses,
        R"({"input":)" + std::string(input) + std::string(kTools)
            + std::string(more) + "}");
}

TEST(ResponsesTools, AreFunctions)
{
    const Hub made = ask(R"([{"type":"additional_tools","role":"developer",
        "tools":[{"type":"function","name":"late"},{"type":"mcp"}]},
        {"role":"user","content":"x"}])");
    ASSERT_TRUE(made.ok) << made.error.message;
    EXPECT_EQ(made.text.substr(made.text.find(R"("tools")")),
        R"("tools":[{"type":"function","function":{"name":"plain",)"
        R"("parameters":{"type":"object"}}},)"
        R"({"type":"function","function":{"name":"crm__find",)"
        R"("description":"Customers.\n\nLooks.",)"
        R"("parameters":{"type":"object"},"strict":true}},)"
        R"({"type":"function","function":{"name":"crm__note",)"
        R"("description":"Customers.","parameters":{"type":"object",)"
        R"("properties":{"input":{"type":"string"}},"required":["input"]}}},)"
        R"({"type":"function","function":{"name":"patch",)"
        R"("description":"Edits.\n\nThe input follows this lark grammar:\n)"
        R"(start: X","parameters":{"type":"object",)"
        R"("properties":{"input":{"type":"string"}},"required":["input"]}}},)"
        R"({"type":"function","function":{"name":"late"}}]})");
    EXPECT_EQ(made.dropped.fields(),
        (std::vector<std::string>{
            "tools[2].format", "input[0].tools[1].type"}));
}

// Clients tell them again with each turn.
TEST(ResponsesTools, AreToldOnce)
{
    const Hub made = ask(R"([{"type":"additional_tools","role":"developer",
        "tools":[{"type":"function","name":"plain","description":"new"}]}])");
    ASSERT_TRUE(made.ok);
    EXPECT_EQ(count(made.text, R"("name":"plain")"), 1u);
    EXPECT_TRUE(has(made.text, R"("name":"plain","description":"new")"));
}

TEST(ResponsesTools, CallsOfTurnsBefore)
{
    const Hub made = ask(R"([
        {"type":"function_call","call_id":"a","name":"find",
            "namespace":"crm","arguments":"{}"},
        {"type":"custom_tool_call","call_id":"b","name":"patch",
            "input":"say \"hi\""},
        {"type":"custom_tool_call_output","call_id":"b","output":"ok"}])");
    ASSERT_TRUE(made.ok) << made.error.message;
    EXPECT_TRUE(has(made.text,
        R"({"id":"a","type":"function","function":{"name":"crm__find",)"
        R"("arguments":"{}"}},{"id":"b","type":"function","function":)"
        R"({"name":"patch","arguments":"{\"input\":\"say \\\"hi\\\"\"}"}}]},)"
        R"({"role":"tool","tool_call_id":"b","content":"ok"})"))
        << made.text;
}

TEST(ResponsesTools, AreChosen)
{
    const auto choice = [](std::string_view given) {
        const Hub made =
            ask(R"("x")", R"(,"tool_choice":)" + std::string(given));
        EXPECT_TRUE(made.ok);
        const size_t at = made.text.find(R"("tool_choice":)");
        return at == std::string::npos ? std::string()
                                       : made.text.substr(at + 14);
    };
    EXPECT_EQ(choice(R"({"type":"custom","name":"patch"})"),
        R"({"type":"function","function":{"name":"patch"}}})");
    EXPECT_EQ(choice(R"({"type":"function","name":"find"})"),
        R"({"type":"function","function":{"name":"crm__find"}}})");
    EXPECT_EQ(choice(R"({"type":"allowed_tools","mode":"auto","tools":[
            {"type":"namespace","name":"crm"},{"type":"custom","name":"patch"}]})"),
        R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[)"
        R"({"type":"function","function":{"name":"crm__find"}},)"
        R"({"type":"function","function":{"name":"crm__note"}},)"
        R"({"type":"function","function":{"name":"patch"}}]}}})");
}

TEST(ResponsesTools, LongNamesAreCut)
{
    const std::string name(60, 'n');
    const Hub made = to_hub(Api::responses,
        R"({"input":[{"type":"function_call","call_id":"a","namespace":"crm",)"
        R"("arguments":"{}","name":")"
            + name
            + R"("}],"tools":[{"type":"namespace","name":"crm",)"
              R"("tools":[{"type":"function","name":")"
            + name + "\"}]}]}");
    ASSERT_TRUE(made.ok);
    const size_t at = made.text.find("crm__nnn");
    ASSERT_NE(at, std::string::npos);
    const std::string sent = made.text.substr(at, made.text.find('"', at) - at);
    EXPECT_EQ(sent.size(), 64u);
    EXPECT_EQ(count(made.text, "\"" + sent + "\""), 2u);
}

// What a client of such tools gets of calls.
class ResponsesCalls : public ::testing::Test {
protected:
    Fed answer(bool stream, std::string_view body, size_t split = 0)
    {
        json::Parser parser;
        const std::string asked = R"({"input":"x")" + std::string(kTools) + "}";
        const auto parsed = parser.parse(std::string_view(asked));
        config::Provider& provider = world.provider("one", "openai");
        return feed(provider, Api::responses, stream, body, split, false,
            dialect::find_caller(Api::responses)->echo(*parsed));
    }
    GatewayFixture world;
};

TEST_F(ResponsesCalls, Plain)
{
    const Fed fed = answer(false, R"({"id":"c","choices":[{"index":0,
        "message":{"role":"assistant","content":null,"tool_calls":[
        {"id":"a","type":"function","function":{"name":"crm__find",
            "arguments":"{}"}},
        {"id":"b","type":"function","function":{"name":"patch",
            "arguments":"{\"input\":\"say \\\"hi\\\"\"}"}},
        {"id":"c","type":"function","function":{"name":"crm__note",
            "arguments":"odd"}},
        {"id":"d","type":"function","function":{"name":"plain",
            "arguments":"{}"}}]},"finish_reason":"tool_calls"}]})");
    for (const std::string_view what :
        {R"("type":"function_call","status":"completed","call_id":"a",)"
         R"("namespace":"crm","name":"find","arguments":"{}"})",
            R"({"id":"ctc_1_1","type":"custom_tool_call",)"
            R"("status":"completed","call_id":"b","name":"patch",)"
            R"("input":"say \"hi\""})",
            R"("call_id":"c","namespace":"crm","name":"note","input":"odd"})",
            R"("call_id":"d","name":"plain","arguments":"{}"})"})
    {
        EXPECT_TRUE(has(fed.out, what)) << what << "\n" << fed.out;
    }
    EXPECT_FALSE(has(fed.out, ":tools"));
}

TEST_F(ResponsesCalls, Stream)
{
    constexpr std::string_view kBody =
        R"(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[)"
        R"({"index":0,"id":"b","type":"function","function":)"
        R"({"name":"patch","arguments":"{\"inp"}}]}}]})"
        "\n\n"
        R"(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[)"
        R"({"index":0,"function":{"arguments":"ut\":\"hi\"}"}}]},)"
        R"("finish_reason":"tool_calls"}]})"
        "\n\ndata: [DONE]\n\n";
    for (const size_t split : {0, 1, 3}) {
        const Fed fed = answer(true, kBody, split);
        EXPECT_EQ(fed.state, State::whole);
        for (const std::string_view what :
            {R"("item":{"id":"ctc_1_0","type":"custom_tool_call",)"
             R"("status":"in_progress","call_id":"b","name":"patch",)"
             R"("input":""})",
                R"(event: response.custom_tool_call_input.delta)",
                R"("item_id":"ctc_1_0","output_index":0,"delta":"hi"})",
                R"(event: response.custom_tool_call_input.done)",
                R"("item_id":"ctc_1_0","output_index":0,"input":"hi"})"})
        {
            EXPECT_TRUE(has(fed.out, what)) << what << "\n" << fed.out;
        }
        EXPECT_FALSE(has(fed.out, "function_call_arguments"));
        EXPECT_FALSE(has(fed.out, ":tools"));
    }
}

} // namespace
} // namespace ai_proxy::testing
