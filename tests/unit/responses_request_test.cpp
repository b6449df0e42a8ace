#include "caller_probe.h"

#include <gtest/gtest.h>

#include <string>

// The Responses API for providers that only have chat.
namespace ai_proxy::testing {
namespace {

using dialect::Api;

// The hub's text behind the model.
std::string hub(std::string_view members)
{
    const Hub made = to_hub(Api::responses, "{" + std::string(members) + "}");
    EXPECT_TRUE(made.ok) << made.error.message;
    constexpr std::string_view kBegin = R"({"model":"m",)";
    EXPECT_TRUE(made.text.starts_with(kBegin)) << made.text;
    return made.text.substr(std::min(kBegin.size(), made.text.size()));
}

// What another service encrypted says nothing to this one.
TEST(ResponsesHub, ReasoningOfOthersIsTextOnly)
{
    EXPECT_EQ(hub(R"("input":[{"type":"reasoning","id":"rs",
        "summary":[{"type":"summary_text","text":"hm"}],
        "encrypted_content":"gAAAA"},
        {"type":"reasoning","id":"rs2","summary":[],"encrypted_content":"gB"},
        {"role":"assistant","content":"a"}])"),
        R"("messages":[{"role":"assistant","content":"a",)"
        R"("reasoning_content":"hm","thinking_blocks":[)"
        R"({"type":"thinking","thinking":"hm","signature":""}]}]})");
}

TEST(ResponsesHub, OwnReasoningKeepsItsSignature)
{
    EXPECT_EQ(hub(R"("input":[{"type":"reasoning","summary":[],
        "encrypted_content":"signed_thinking:U0lH"},
        {"type":"reasoning","summary":[],
        "encrypted_content":"redacted_thinking:UkVE"}])"),
        R"("messages":[{"role":"assistant","content":null,)"
        R"("thinking_blocks":[)"
        R"({"type":"thinking","thinking":"","signature":"U0lH"},)"
        R"({"type":"redacted_thinking","data":"UkVE"}]}]})");
}

TEST(ResponsesHub, TheChoiceGovernsTheSearch)
{
    const auto searches = [](std::string_view choice) {
        return has(hub(R"("input":"x","tools":[{"type":"web_search"},)"
                       R"({"type":"function","name":"f"}],"tool_choice":)"
                       + std::string(choice)),
            "web_search_options");
    };
    EXPECT_TRUE(searches(R"("auto")"));
    EXPECT_TRUE(searches("null"));
    EXPECT_FALSE(searches(R"("none")"));
    EXPECT_FALSE(searches(R"({"type":"allowed_tools","mode":"auto",)"
                          R"("tools":[{"type":"function","name":"f"}]})"));
    EXPECT_TRUE(searches(R"({"type":"allowed_tools","mode":"auto",)"
                         R"("tools":[{"type":"function","name":"f"},)"
                         R"({"type":"web_search_preview"}]})"));
}

TEST(ResponsesHub, AnAllowedSearchIsNoLoss)
{
    const Hub made = to_hub(Api::responses, R"({"input":"x","tools":[
        {"type":"web_search"},{"type":"function","name":"f"}],
        "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[
            {"type":"function","name":"f"},{"type":"web_search"},
            {"type":"mcp","server_label":"s"}]}})");
    ASSERT_TRUE(made.ok);
    EXPECT_EQ(made.dropped.fields(),
        std::vector<std::string>{"tool_choice.tools[2]"});
}

// The param of a refusal.
std::string refused(std::string_view members)
{
    const Hub made = to_hub(Api::responses, "{" + std::string(members) + "}");
    EXPECT_FALSE(made.ok) << members;
    EXPECT_EQ(made.error.http_status(), 400);
    return made.error.param;
}

TEST(ResponsesHub, WhatOnlyItsMakerKnowsIsRefused)
{
    EXPECT_EQ(refused(R"("input":[{"type":"compaction","id":"c",
        "encrypted_content":"E"}])"),
        "input[0].type");
    EXPECT_EQ(
        refused(R"("input":[{"type":"compaction_trigger"}])"), "input[0].type");
    EXPECT_EQ(refused(R"("input":[{"id":"msg_1"}])"), "input[0].type");
    EXPECT_EQ(
        refused(R"("input":[{"type":null,"id":"msg_1"}])"), "input[0].type");
}

TEST(ResponsesHub, ItemsOfFunctionsAreChecked)
{
    EXPECT_EQ(refused(R"("input":[{"type":"function_call","name":"f",
        "arguments":"{}"}])"),
        "input[0].call_id");
    EXPECT_EQ(refused(R"("input":[{"type":"function_call","call_id":"c",
        "arguments":"{}"}])"),
        "input[0].name");
    EXPECT_EQ(refused(R"("input":[{"type":"function_call","call_id":"c",
        "name":"f","arguments":{}}])"),
        "input[0].arguments");
    EXPECT_EQ(refused(R"("input":[{"type":"custom_tool_call","call_id":"c",
        "name":"f"}])"),
        "input[0].input");
    EXPECT_EQ(refused(R"("input":[{"type":"function_call_output",
        "output":"x"}])"),
        "input[0].call_id");
    EXPECT_EQ(refused(R"("input":[{"type":"function_call_output",
        "call_id":"c"}])"),
        "input[0].output");
    EXPECT_EQ(refused(R"("input":[{"type":"function_call_output",
        "call_id":"c","output":7}])"),
        "input[0].output");
}

TEST(ResponsesHub, MessagesOfOneTurnStayApart)
{
    EXPECT_EQ(hub(R"("input":[{"role":"assistant","content":[
        {"type":"output_text","text":"Let me"},
        {"type":"output_text","text":" look."}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
        {"role":"assistant","content":"Done."},
        {"role":"user","content":"a"},{"role":"assistant","content":"b"}])"),
        R"("messages":[{"role":"assistant","content":"Let me look.\n\nDone.",)"
        R"("tool_calls":[{"id":"c","type":"function",)"
        R"("function":{"name":"f","arguments":"{}"}}]},)"
        R"({"role":"user","content":"a"},)"
        R"({"role":"assistant","content":"b"}]})");
}

std::string file(std::string_view members)
{
    return hub(R"("input":[{"role":"user","content":[{"type":"input_file",)"
        + std::string(members) + "}]}]");
}

TEST(ResponsesHub, FilesAreOfTheKindThatTheirNameSays)
{
    EXPECT_TRUE(has(file(R"("filename":"a.TXT","file_data":"QUJD")"),
        R"("file_data":"data:text/plain;base64,QUJD","filename":"a.TXT")"));
    EXPECT_TRUE(has(file(R"("filename":"a.pdf","file_data":"QUJD")"),
        R"("file_data":"data:application/pdf;base64,QUJD")"));
    EXPECT_TRUE(has(
        file(
            R"("filename":"a.pdf","file_data":"data:text/csv;x=y;base64,QUJD")"),
        R"("file_data":"data:text/csv;base64,QUJD")"));
    for (const std::string_view data :
        {"data:text/plain,abc", "data:text/plain;base64", "data:"})
    {
        EXPECT_EQ(refused(R"("input":[{"role":"user","content":[)"
                          R"({"type":"input_file","file_data":")"
                      + std::string(data) + R"("}]}])"),
            "input[0].content[0].file_data");
    }
}

TEST(ResponsesHub, WhatChatCanSayIsSaid)
{
    const std::string said = hub(R"("input":[{"role":"user","content":[
        {"type":"input_text","text":"x",
            "prompt_cache_breakpoint":{"mode":"explicit"}}]}],
        "prompt_cache_key":"k","prompt_cache_retention":"24h",
        "safety_identifier":"s","text":{"verbosity":"low"})");
    for (const std::string_view what :
        {R"({"type":"text","text":"x","cache_control":{"type":"ephemeral"}})",
            R"("prompt_cache_key":"k")", R"("prompt_cache_retention":"24h")",
            R"("safety_identifier":"s")", R"("verbosity":"low")"})
    {
        EXPECT_TRUE(has(said, what)) << what << "\n" << said;
    }
}

class ResponsesToChat : public ExchangeFixture {
protected:
    // What a provider of the type is asked, that only has chat.
    Result<std::string> sent(std::string_view type, std::string_view members)
    {
        attempt.reset();
        exchange.reset();
        world.site().routes.clear();
        world.gateway.routes.clear();
        world.gateway.providers.clear();
        world.gateway.keys.clear();
        world.provider("one", type);
        request.path = "/v1/responses";
        request.body =
            R"({"model":"m",)" + std::string(members) + R"(,"store":false})";
        if (auto done = receive(); !done) {
            return done.error();
        }
        auto made = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        if (!made) {
            return made.error();
        }
        return body_text((*made)->outbound);
    }
};

TEST_F(ResponsesToChat, OpenaisOwnMembers)
{
    constexpr std::string_view kMembers =
        R"("input":"x","safety_identifier":"s","prompt_cache_key":"k",)"
        R"("prompt_cache_retention":"24h","text":{"verbosity":"low"})";
    const auto moonshot = sent("moonshot", kMembers);
    ASSERT_TRUE(moonshot) << moonshot.error().message;
    EXPECT_TRUE(has(*moonshot, R"("prompt_cache_key":"k")"));
    EXPECT_TRUE(has(*moonshot, R"("safety_identifier":"s")"));
    EXPECT_FALSE(has(*moonshot, "retention"));
    EXPECT_FALSE(has(*moonshot, "verbosity"));
    const auto mistral = sent("mistral", kMembers);
    ASSERT_TRUE(mistral);
    EXPECT_FALSE(has(*mistral, "prompt_cache_key"));
    EXPECT_TRUE(has(*mistral, R"("user":"s")")) << *mistral;
    world.site().strict = true;
    EXPECT_EQ(sent("mistral", kMembers).error().param, "verbosity");
    EXPECT_EQ(sent("claude", kMembers).error().param, "verbosity");
    EXPECT_TRUE(sent("claude",
        R"("input":"x","prompt_cache_key":"k","prompt_cache_retention":"24h")"));
}

TEST_F(ResponsesToChat, FilesByUrl)
{
    constexpr std::string_view kFile =
        R"("input":[{"role":"user","content":[{"type":"input_file",)"
        R"("file_url":"https://x/a.pdf"}]}])";
    const auto refusal = sent("mistral", kFile);
    ASSERT_FALSE(refusal);
    EXPECT_EQ(refusal.error().http_status(), 400);
    EXPECT_EQ(refusal.error().param, "file_url");
    const auto claude = sent("claude", kFile);
    ASSERT_TRUE(claude);
    EXPECT_TRUE(has(*claude, "https://x/a.pdf"));
}

} // namespace
} // namespace ai_proxy::testing
