#include "vendor_probe.h"

#include "core/provider/claude.h"

#include <set>

using namespace ai_proxy;
using vendor_probe::compact;

namespace {

auto claude(std::string_view body, std::string_view model = "claude-sonnet-4-5",
    const provider::Options& options = {})
{
    return vendor_probe::encode(provider::kClaude, body, model, options);
}

// A body with the given members beside one user turn.
std::string with(std::string_view members)
{
    return R"({"model":"x","messages":[{"role":"user","content":"hi"}],)"
        + std::string(members) + "}";
}

TEST(ClaudeRequest, Plain)
{
    const auto sent = claude(
        R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->text(),
        R"({"model":"claude-sonnet-4-5","max_tokens":4096,)"
        R"("messages":[{"role":"user","content":"hi"}]})");
    EXPECT_EQ(sent->out.method, "POST");
    EXPECT_EQ(sent->out.path, "/v1/messages");
    EXPECT_EQ(sent->header("anthropic-version"), "2023-06-01");
    EXPECT_EQ(sent->header("content-type"), "application/json");
    EXPECT_EQ(sent->header("anthropic-beta"), "");
}

TEST(ClaudeRequest, SamplingKeepsZeros)
{
    const auto sent = claude(with(
        R"("temperature":0,"top_p":0,"top_k":0,"max_tokens":7,"stream":true,)"
        R"("stop":"END","user":"u-1","seed":4,"n":1,"frequency_penalty":1)"));
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->body["temperature"].number(), 0.0);
    EXPECT_EQ(sent->body["top_k"].integer(), 0);
    EXPECT_EQ(claude(with(R"("top_p":0)"))->body["top_p"].number(), 0.0);
    EXPECT_EQ(sent->body["max_tokens"].integer(), 7);
    EXPECT_EQ(sent->body["stream"].boolean(), true);
    EXPECT_EQ(compact(sent->body["stop_sequences"]), R"(["END"])");
    EXPECT_EQ(compact(sent->body["metadata"]), R"({"user_id":"u-1"})");
    EXPECT_FALSE(sent->body["seed"].exists());
    EXPECT_FALSE(sent->body["n"].exists());
    EXPECT_FALSE(sent->body["frequency_penalty"].exists());
}

TEST(ClaudeRequest, SamplingWithinTheApisLimits)
{
    auto sent = claude(with(R"("temperature":1.8)"));
    EXPECT_EQ(sent->body["temperature"].number(), 1.0);
    // Both together are refused; a top_p of 1 is the default.
    sent = claude(with(R"("temperature":0.5,"top_p":1)"));
    EXPECT_EQ(sent->body["temperature"].number(), 0.5);
    EXPECT_FALSE(sent->body["top_p"].exists());
    for (const std::string_view model :
        {"claude-opus-4-1-20250805", "claude-haiku-4-5", "claude-opus-4-6"})
    {
        sent = claude(with(R"("temperature":0.5,"top_p":0.9)"), model);
        EXPECT_EQ(sent->body["temperature"].number(), 0.5) << model;
        EXPECT_FALSE(sent->body["top_p"].exists()) << model;
    }
    sent =
        claude(with(R"("temperature":0.5,"top_p":0.9)"), "claude-sonnet-4-0");
    EXPECT_EQ(sent->body["temperature"].number(), 0.5);
    EXPECT_EQ(sent->body["top_p"].number(), 0.9);
    sent = claude(with(R"("temperature":null,"top_p":null,"stop":null)"));
    EXPECT_FALSE(sent->body["temperature"].exists());
    EXPECT_FALSE(sent->body["top_p"].exists());
    EXPECT_FALSE(sent->body["stop_sequences"].exists());
    // Sampling is gone from Opus 4.7 on.
    sent = claude(
        with(R"("temperature":0.5,"top_p":0.9,"top_k":3)"), "claude-opus-4-7");
    EXPECT_FALSE(sent->body["temperature"].exists());
    EXPECT_FALSE(sent->body["top_p"].exists());
    EXPECT_FALSE(sent->body["top_k"].exists());
}

TEST(ClaudeRequest, StopArrayAndMaxCompletionTokens)
{
    const auto sent = claude(
        with(R"("stop":["a","b"],"max_tokens":5,"max_completion_tokens":9)"));
    EXPECT_EQ(compact(sent->body["stop_sequences"]), R"(["a","b"])");
    EXPECT_EQ(sent->body["max_tokens"].integer(), 9);
}

TEST(ClaudeRequest, SystemMessagesAreJoined)
{
    const auto sent = claude(R"({"messages":[
        {"role":"system","content":"one"},
        {"role":"developer","content":[{"type":"text","text":"two"}]},
        {"role":"user","content":"hi"},
        {"role":"system","content":"three"},
        {"role":"user","content":"ho"}]})");
    EXPECT_EQ(sent->body["system"].string(), "one\n\ntwo\n\nthree");
    EXPECT_EQ(compact(sent->body["messages"]),
        R"([{"role":"user","content":[{"type":"text","text":"hi"},)"
        R"({"type":"text","text":"ho"}]}])");
}

TEST(ClaudeRequest, CacheMarkersPass)
{
    const auto sent = claude(R"({"messages":[
        {"role":"system","content":[
            {"type":"text","text":"a"},
            {"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":[{"type":"text","text":"hi",
            "cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"assistant","tool_calls":[{"id":"t","type":"function",
            "function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"t","content":[{"type":"text",
            "text":"r","cache_control":{"type":"ephemeral"}}]}],
        "tools":[{"type":"function","function":{"name":"f"},
            "cache_control":{"type":"ephemeral"}}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["system"]),
        R"([{"type":"text","text":"a"},{"type":"text","text":"b",)"
        R"("cache_control":{"type":"ephemeral"}}])");
    EXPECT_EQ(compact(sent->body["messages"].at(0)["content"]),
        R"([{"type":"text","text":"hi",)"
        R"("cache_control":{"type":"ephemeral","ttl":"1h"}}])");
    EXPECT_EQ(compact(sent->body["messages"].at(2)["content"]),
        R"([{"type":"tool_result","tool_use_id":"t","content":"r",)"
        R"("cache_control":{"type":"ephemeral"}}])");
    EXPECT_EQ(compact(sent->body["tools"].at(0)["cache_control"]),
        R"({"type":"ephemeral"})");
}

TEST(ClaudeRequest, CacheMarkerOnAStringMessage)
{
    const auto sent = claude(R"({"messages":[{"role":"user","content":"hi",
        "cache_control":{"type":"ephemeral"}}]})");
    EXPECT_EQ(compact(sent->body["messages"].at(0)["content"]),
        R"([{"type":"text","text":"hi",)"
        R"("cache_control":{"type":"ephemeral"}}])");
}

TEST(ClaudeRequest, Media)
{
    const auto sent = claude(R"({"messages":[{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"https://e.com/a.png"}},
        {"type":"image_url","image_url":{"url":"data:image/jpg;base64,QUJD"}},
        {"type":"file","file":{"filename":"a.pdf",
            "file_data":"data:application/pdf;base64,QUJD"}},
        {"type":"file","file":{"file_data":"data:text/plain;base64,aGk="}},
        {"type":"file","file":{"file_id":"file_1"}}]}]})");
    ASSERT_TRUE(sent->result.ok());
    const json::Node content = sent->body["messages"].at(0)["content"];
    EXPECT_EQ(compact(content.at(0)),
        R"({"type":"image","source":{"type":"url","url":"https://e.com/a.png"}})");
    EXPECT_EQ(compact(content.at(1)),
        R"({"type":"image","source":{"type":"base64",)"
        R"("media_type":"image/jpeg","data":"QUJD"}})");
    EXPECT_EQ(compact(content.at(2)),
        R"({"type":"document","source":{"type":"base64",)"
        R"("media_type":"application/pdf","data":"QUJD"},"title":"a.pdf"})");
    EXPECT_EQ(compact(content.at(3)),
        R"({"type":"document","source":{"type":"text",)"
        R"("media_type":"text/plain","data":"hi"}})");
    EXPECT_EQ(compact(content.at(4)),
        R"({"type":"document","source":{"type":"file","file_id":"file_1"}})");
    EXPECT_EQ(sent->header("anthropic-beta"), "files-api-2025-04-14");
}

TEST(ClaudeRequest, AudioIsRefusedByName)
{
    const auto sent = claude(R"({"messages":[{"role":"user","content":[
        {"type":"text","text":"x"},
        {"type":"input_audio","input_audio":{"data":"QQ","format":"wav"}}]}]})");
    ASSERT_FALSE(sent->result.ok());
    EXPECT_EQ(sent->result.error().code, ErrorCode::invalid_request);
    EXPECT_EQ(sent->result.error().param, "messages[0].content[1]");
}

TEST(ClaudeRequest, ToolRound)
{
    const auto sent = claude(R"({"messages":[
        {"role":"user","content":"weather?"},
        {"role":"assistant","content":"Looking.","tool_calls":[
            {"id":"a","type":"function","function":{"name":"w",
                "arguments":"{\"city\":\"Oslo\",\"n\":1e2}"}},
            {"id":"b","type":"function","function":{"name":"now",
                "arguments":""}}]},
        {"role":"tool","tool_call_id":"a","content":"rain"},
        {"role":"tool","tool_call_id":"b","content":[
            {"type":"text","text":"12:00"},{"type":"image_url",
             "image_url":{"url":"https://e.com/c.png"}}]},
        {"role":"user","content":"and?"}],
        "tools":[{"type":"function","function":{"name":"w",
            "description":"d","strict":true,"parameters":{"type":"object",
            "properties":{"city":{"type":"string"}}}}},
            {"type":"function","function":{"name":"now"}}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["messages"].at(1)),
        R"({"role":"assistant","content":[{"type":"text","text":"Looking."},)"
        R"({"type":"tool_use","id":"a","name":"w",)"
        R"("input":{"city":"Oslo","n":100.0}},)"
        R"({"type":"tool_use","id":"b","name":"now","input":{}}]})");
    // The arguments themselves go on as they were spelled.
    EXPECT_NE(sent->text().find(R"("n":1e2})"), std::string::npos);
    // Both results and what the user says then are one turn.
    EXPECT_EQ(compact(sent->body["messages"].at(2)),
        R"({"role":"user","content":[)"
        R"({"type":"tool_result","tool_use_id":"a","content":"rain"},)"
        R"({"type":"tool_result","tool_use_id":"b","content":[)"
        R"({"type":"text","text":"12:00"},)"
        R"({"type":"image","source":{"type":"url",)"
        R"("url":"https://e.com/c.png"}}]},)"
        R"({"type":"text","text":"and?"}]})");
    EXPECT_EQ(sent->body["messages"].size(), 3U);
    EXPECT_EQ(compact(sent->body["tools"]),
        R"([{"name":"w","description":"d","input_schema":{"type":"object",)"
        R"("properties":{"city":{"type":"string"}},)"
        R"("additionalProperties":false},"strict":true},)"
        R"({"name":"now","input_schema":{"type":"object","properties":{}}}])");
    EXPECT_FALSE(sent->body["tool_choice"].exists());
}

// The API takes letters, digits, '_' and '-' in ids.
TEST(ClaudeRequest, CallsOfOtherVendorsHaveIdsItTakes)
{
    constexpr std::string_view kIds[] = {"functions.f:0", "functions.f.0",
        "functions_f_0", "call_|fc_", "toolu_01-A"};
    std::string calls, results;
    for (const std::string_view id : kIds) {
        calls += (calls.empty() ? "" : ",") + (R"({"id":")" + std::string(id))
            + R"(","type":"function","function":{"name":"f","arguments":""}})";
        results += R"(,{"role":"tool","tool_call_id":")" + std::string(id)
            + R"(","content":"r"})";
    }
    const auto sent = claude(R"({"messages":[{"role":"user","content":"a"},)"
                             R"({"role":"assistant","tool_calls":[)"
        + calls + "]}" + results + "]}");
    ASSERT_TRUE(sent->result.ok()) << sent->result.error().message;
    std::set<std::string_view> distinct;
    for (size_t i = 0; i < std::size(kIds); i++) {
        const std::string_view id =
            sent->body["messages"].at(1)["content"].at(i)["id"].string_or();
        EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-"),
            std::string_view::npos)
            << id;
        EXPECT_EQ(sent->body["messages"]
                      .at(2)["content"]
                      .at(i)["tool_use_id"]
                      .string_or(),
            id);
        distinct.insert(id);
    }
    EXPECT_EQ(distinct.size(), std::size(kIds));
    EXPECT_TRUE(distinct.contains("functions_f_0"));
    EXPECT_TRUE(distinct.contains("toolu_01-A"));
}

TEST(ClaudeRequest, ToolChoiceInEveryForm)
{
    const auto choice = [](std::string_view members) {
        const auto sent = claude(with(std::string(members)
            + R"(,"tools":[{"type":"function","function":{"name":"f"}}])"));
        EXPECT_TRUE(sent->result.ok());
        return compact(sent->body["tool_choice"]);
    };
    EXPECT_EQ(choice(R"("tool_choice":"auto")"), R"({"type":"auto"})");
    EXPECT_EQ(choice(R"("tool_choice":"none")"), R"({"type":"none"})");
    EXPECT_EQ(choice(R"("tool_choice":"required")"), R"({"type":"any"})");
    EXPECT_EQ(choice(R"("tool_choice":{"type":"function",
        "function":{"name":"f"}})"),
        R"({"type":"tool","name":"f"})");
    EXPECT_EQ(choice(R"("parallel_tool_calls":false)"),
        R"({"type":"auto","disable_parallel_tool_use":true})");
    EXPECT_EQ(choice(R"("parallel_tool_calls":true)"), "(missing)");
    EXPECT_EQ(choice(R"("tool_choice":"required",
        "parallel_tool_calls":false)"),
        R"({"type":"any","disable_parallel_tool_use":true})");
}

TEST(ClaudeRequest, BadArgumentsAreNamed)
{
    for (const char* bad : {"{", "[1]", "7", "{}}", "\\\"x\\\""}) {
        const auto sent = claude(R"({"messages":[
            {"role":"user","content":"a"},
            {"role":"assistant","tool_calls":[
                {"id":"1","function":{"name":"f","arguments":"{}"}},
                {"id":"2","function":{"name":"f","arguments":")"
            + std::string(bad) + R"("}}]}]})");
        ASSERT_FALSE(sent->result.ok()) << bad;
        const Error& error = sent->result.error();
        EXPECT_EQ(error.code, ErrorCode::invalid_request);
        EXPECT_EQ(error.param, "messages[1].tool_calls[1].function.arguments");
        EXPECT_NE(
            error.message.find("messages[1].tool_calls[1]"), std::string::npos);
    }
}

TEST(ClaudeRequest, TurnsAlternateAndBeginWithTheUser)
{
    const auto sent = claude(R"({"messages":[
        {"role":"assistant","content":"a"},
        {"role":"assistant","content":"b"},
        {"role":"user","content":""},
        {"role":"user","content":"c"},
        {"role":"assistant","content":null},
        {"role":"user","content":"d"}]})");
    EXPECT_EQ(compact(sent->body["messages"]),
        R"([{"role":"user","content":"."},)"
        R"({"role":"assistant","content":[{"type":"text","text":"a"},)"
        R"({"type":"text","text":"b"}]},)"
        R"({"role":"user","content":[{"type":"text","text":"c"},)"
        R"({"type":"text","text":"d"}]}])");
}

TEST(ClaudeRequest, SystemAloneStillHasATurn)
{
    const auto sent =
        claude(R"({"messages":[{"role":"system","content":"be"}]})");
    EXPECT_EQ(sent->body["system"].string(), "be");
    EXPECT_EQ(sent->body["messages"].size(), 1U);
    EXPECT_EQ(sent->body["messages"].at(0)["role"].string(), "user");
}

struct Thinking {
    std::string_view members;
    int64_t budget;
    int64_t max_tokens;
};

// Blocks and stops of whitespace alone are refused.
TEST(ClaudeRequest, BlanksAreLeftOut)
{
    const auto sent = claude(R"({"stop":["\n\n","END"],"messages":[
        {"role":"system","content":" "},
        {"role":"user","content":[{"type":"text","text":"hi"},
            {"type":"text","text":"\n"}]},
        {"role":"assistant","content":"\n\n","tool_calls":[{"id":"t",
            "type":"function","function":{"name":"f","arguments":""}}]},
        {"role":"tool","tool_call_id":"t","content":" \n"},
        {"role":"assistant","content":"\t"}]})");
    EXPECT_FALSE(sent->body["system"].exists());
    EXPECT_EQ(compact(sent->body["messages"]),
        R"([{"role":"user","content":[{"type":"text","text":"hi"}]},)"
        R"({"role":"assistant","content":[)"
        R"({"type":"tool_use","id":"t","name":"f","input":{}}]},)"
        R"({"role":"user","content":[)"
        R"({"type":"tool_result","tool_use_id":"t"}]}])");
    EXPECT_EQ(compact(sent->body["stop_sequences"]), R"(["END"])");
}

TEST(ClaudeRequest, ThinkingBudgets)
{
    for (const Thinking& row : {
             Thinking{R"("reasoning_effort":"low")", 1024, 5120},
             Thinking{R"("reasoning_effort":"medium")", 8192, 12288},
             Thinking{R"("reasoning_effort":"high")", 16384, 20480},
             Thinking{R"("reasoning_max_tokens":5)", 1024, 5120},
             Thinking{R"("reasoning_max_tokens":2000,"max_tokens":4000)", 2000,
                 4000},
             Thinking{
                 R"("reasoning_effort":"high","max_tokens":4000)", 3999, 4000},
             Thinking{
                 R"("reasoning_effort":"low","max_tokens":1025)", 1024, 1025},
             Thinking{
                 R"("reasoning_effort":"low","max_tokens":500)", 1024, 1524},
             Thinking{
                 R"("reasoning_effort":"low","max_tokens":1024)", 1024, 2048},
             Thinking{R"("thinking":{"type":"enabled","budget_tokens":3000},
                 "max_tokens":3000)",
                 3000, 6000},
         })
    {
        const auto sent = claude(
            with(std::string(row.members) + R"(,"temperature":0,"top_k":5)"));
        ASSERT_TRUE(sent->result.ok());
        const json::Node thinking = sent->body["thinking"];
        EXPECT_EQ(thinking["type"].string(), "enabled") << row.members;
        EXPECT_EQ(thinking["budget_tokens"].integer(), row.budget)
            << row.members;
        EXPECT_EQ(sent->body["max_tokens"].integer(), row.max_tokens)
            << row.members;
        EXPECT_FALSE(sent->body["temperature"].exists());
        EXPECT_FALSE(sent->body["top_k"].exists());
    }
}

TEST(ClaudeRequest, NoThinking)
{
    auto sent = claude(with(R"("reasoning_effort":"none","temperature":0)"));
    EXPECT_FALSE(sent->body["thinking"].exists());
    EXPECT_EQ(sent->body["temperature"].number(), 0.0);
    // The API refuses thinking beside a forced tool.
    sent = claude(with(R"("reasoning_effort":"high","tool_choice":"required",
        "tools":[{"type":"function","function":{"name":"f"}}])"));
    EXPECT_FALSE(sent->body["thinking"].exists());
    EXPECT_EQ(sent->body["tool_choice"]["type"].string(), "any");
}

TEST(ClaudeRequest, AdaptiveThinkingOfTheNewestModels)
{
    auto sent = claude(
        with(R"("reasoning_effort":"medium")"), "claude-opus-4-7-20260416");
    EXPECT_EQ(compact(sent->body["thinking"]),
        R"({"type":"adaptive","display":"summarized"})");
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"medium"})");
    sent = claude(with(R"("reasoning_max_tokens":20000)"), "claude-sonnet-5");
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"high"})");
    sent = claude(with(R"("reasoning_effort":"none")"), "claude-sonnet-5");
    EXPECT_EQ(compact(sent->body["thinking"]), R"({"type":"disabled"})");
    sent = claude(with(R"("user":"u")"), "claude-sonnet-5");
    EXPECT_FALSE(sent->body["thinking"].exists());
}

// Effort in Anthropic's words: beside thinking, or without any.
TEST(ClaudeRequest, EffortOfItsOwn)
{
    constexpr std::string_view kAdaptive =
        R"("reasoning_effort":"max","thinking":{"type":"adaptive"})";
    constexpr std::string_view kAlone =
        R"("reasoning_effort":"low","output_config":{"effort":"low"})";
    auto sent = claude(with(kAdaptive), "claude-opus-4-6");
    EXPECT_EQ(compact(sent->body["thinking"]), R"({"type":"adaptive"})");
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"max"})");
    sent = claude(with(kAlone), "claude-opus-4-6");
    EXPECT_FALSE(sent->body["thinking"].exists());
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"low"})");
    sent = claude(with(kAlone), "claude-sonnet-4-5");
    EXPECT_FALSE(sent->body["thinking"].exists());
    EXPECT_FALSE(sent->body["output_config"].exists());
    sent = claude(with(kAlone), "claude-opus-4-5-20251101");
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"low"})");
    EXPECT_EQ(sent->header("anthropic-beta"), "");
    // The levels above came later.
    sent = claude(with(kAdaptive), "claude-opus-4-5");
    EXPECT_EQ(compact(sent->body["output_config"]), R"({"effort":"high"})");
}

constexpr std::string_view kLoop = R"({"reasoning_effort":"low","messages":[
    {"role":"user","content":"q"},
    {"role":"assistant","content":null,%"tool_calls":[
        {"id":"t","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"t","content":"r"}]})";

std::string loop(std::string_view replayed)
{
    std::string body(kLoop);
    body.replace(body.find('%'), 1, replayed);
    return body;
}

TEST(ClaudeRequest, ReplaysSignedThinkingByteForByte)
{
    const auto sent = claude(loop(R"("thinking_blocks":[
        {"type":"thinking","thinking":"hm \u00e9","signature":"Sig+/=="},
        {"type":"redacted_thinking","data":"Red+/=="}],)"));
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["messages"].at(1)["content"]),
        "[{\"type\":\"thinking\",\"thinking\":\"hm \xC3\xA9\","
        "\"signature\":\"Sig+/==\"},"
        R"({"type":"redacted_thinking","data":"Red+/=="},)"
        R"({"type":"tool_use","id":"t","name":"f","input":{}}])");
    EXPECT_EQ(sent->body["thinking"]["type"].string(), "enabled");
}

// With thinking on, the API insists on the block that began the tool loop.
TEST(ClaudeRequest, AToolLoopWithoutItsThinkingTurnsThinkingOff)
{
    auto sent = claude(loop(R"("reasoning_content":"hm",)"));
    ASSERT_TRUE(sent->result.ok());
    EXPECT_FALSE(sent->body["thinking"].exists());
    EXPECT_EQ(sent->text().find("hm"), std::string::npos);
    std::string more = loop("");
    more.replace(more.rfind("]}"), 2, R"(,{"role":"user","content":"and?"}]})");
    EXPECT_FALSE(claude(more)->body["thinking"].exists());
    sent = claude(loop(""), "claude-opus-4-8");
    EXPECT_EQ(sent->body["thinking"]["type"].string(), "adaptive");
}

// Models of before refuse it; a name without a number is not one of those.
TEST(ClaudeRequest, StructuredOutputByTheModel)
{
    const std::string body = with(R"("response_format":{"type":"json_schema",
        "json_schema":{"name":"n","schema":{"type":"object"}}})");
    for (const std::string_view model :
        {"claude-3-7-sonnet-20250219", "claude-opus-4-20250514"})
    {
        EXPECT_FALSE(claude(body, model)->body["output_config"].exists());
    }
    for (const std::string_view model :
        {"claude-opus-4-1", "claude-haiku-4-5", "claude", "my-deployment"})
    {
        EXPECT_TRUE(claude(body, model)->body["output_config"].exists());
    }
}

TEST(ClaudeRequest, StructuredOutput)
{
    const auto sent = claude(with(R"("response_format":{"type":"json_schema",
        "json_schema":{"name":"n","strict":true,"schema":{
        "$schema":"x","type":"object","required":["a"],"properties":{
            "a":{"type":"integer","minimum":1},
            "minimum":{"type":["object","null"],"properties":{}},
            "l":{"type":"array","minItems":1,"maxItems":3,
                "items":{"$ref":"#/$defs/D"}}},
        "$defs":{"D":{"oneOf":[{"type":"string","maxLength":3},
            {"type":"object","additionalProperties":true}]}}}}})"));
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["output_config"]),
        R"({"format":{"type":"json_schema","schema":{"type":"object",)"
        R"("required":["a"],"properties":{"a":{"type":"integer"},)"
        R"("minimum":{"type":["object","null"],"properties":{},)"
        R"("additionalProperties":false},)"
        R"("l":{"type":"array","minItems":1,"items":{"$ref":"#/$defs/D"}}},)"
        R"("$defs":{"D":{"anyOf":[{"type":"string"},)"
        R"({"type":"object","additionalProperties":false}]}},)"
        R"("additionalProperties":false}}})");
    EXPECT_FALSE(claude(with(R"("response_format":{"type":"json_object"})"))
                     ->body["output_config"]
                     .exists());
}

TEST(ClaudeRequest, StrictToolsAreStructuredToo)
{
    const std::string tools = with(R"("tools":[
        {"type":"function","function":{"name":"f","strict":true,
            "parameters":{"properties":{"a":{"type":"integer","minimum":1},
                "o":{"type":"object"}}}}},
        {"type":"function","function":{"name":"g","strict":true}},
        {"type":"function","function":{"name":"h",
            "parameters":{"type":"object","minProperties":1}}}])");
    EXPECT_EQ(compact(claude(tools)->body["tools"]),
        R"([{"name":"f","input_schema":{"type":"object","properties":{)"
        R"("a":{"type":"integer"},)"
        R"("o":{"type":"object","additionalProperties":false}},)"
        R"("additionalProperties":false},"strict":true},)"
        R"({"name":"g","input_schema":{"type":"object","properties":{},)"
        R"("additionalProperties":false},"strict":true},)"
        R"({"name":"h","input_schema":{"type":"object",)"
        R"("minProperties":1}}])");
    // A model without strict tools gets the schema as it is.
    EXPECT_EQ(compact(claude(tools, "claude-3-5-haiku")->body["tools"].at(0)),
        R"({"name":"f","input_schema":{"type":"object","properties":{)"
        R"("a":{"type":"integer","minimum":1},"o":{"type":"object"}}}})");
}

TEST(ClaudeRequest, ServiceTierAndOwnMembers)
{
    auto sent = claude(with(R"("service_tier":"default",
        "mcp_servers":[{"type":"url"}],"logit_bias":{"1":2})"));
    EXPECT_EQ(sent->body["service_tier"].string(), "standard_only");
    EXPECT_EQ(compact(sent->body["mcp_servers"]), R"([{"type":"url"}])");
    EXPECT_FALSE(sent->body["logit_bias"].exists());
    sent = claude(with(R"("service_tier":"flex")"));
    EXPECT_FALSE(sent->body["service_tier"].exists());
}

TEST(ClaudeRequest, VersionAndCodeMode)
{
    provider::Options options;
    options.api_version = "2024-01-01";
    EXPECT_EQ(claude(with(R"("user":"u")"), "m", options)
                  ->header("anthropic-version"),
        "2024-01-01");
    options.claude_version = "2025-01-01";
    options.claude_code_mode = true;
    auto sent = claude(with(R"("user":"u")"), "m", options);
    EXPECT_EQ(sent->header("anthropic-version"), "2025-01-01");
    EXPECT_EQ(compact(sent->body["system"]),
        R"([{"type":"text","text":)"
        R"("You are Claude Code, Anthropic's official CLI for Claude.",)"
        R"("cache_control":{"type":"ephemeral"}}])");
    sent = claude(R"({"messages":[{"role":"system","content":"s"},
        {"role":"user","content":"u"}]})",
        "m", options);
    EXPECT_EQ(compact(sent->body["system"]),
        R"([{"type":"text","text":)"
        R"("You are Claude Code, Anthropic's official CLI for Claude."},)"
        R"({"type":"text","text":"s","cache_control":{"type":"ephemeral"}}])");
}

} // namespace
