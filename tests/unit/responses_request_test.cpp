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

} // namespace
} // namespace ai_proxy::testing
