#include "vendor_probe.h"

using namespace ai_proxy;
using vendor_probe::compact;

namespace {

constexpr std::string_view kSonnet =
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

auto bedrock(std::string_view body, std::string_view model = kSonnet,
    const provider::Options& options = {})
{
    return vendor_probe::encode(provider::kBedrock, body, model, options);
}

std::string with(std::string_view members)
{
    return R"({"model":"x","messages":[{"role":"user","content":"hi"}],)"
        + std::string(members) + "}";
}

TEST(BedrockRequest, PlainAndStreamed)
{
    auto sent =
        bedrock(R"({"model":"x","messages":[{"role":"user","content":"hi"}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->text(),
        R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})");
    EXPECT_EQ(sent->out.path,
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    sent = bedrock(with(R"("stream":true)"));
    EXPECT_TRUE(sent->out.path.ends_with("/converse-stream"));
}

TEST(BedrockRequest, AnArnStaysInItsSegment)
{
    auto sent = bedrock(with(R"("n":1)"),
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/abc");
    EXPECT_EQ(sent->out.path,
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
        "inference-profile%2Fabc/converse");
    sent = bedrock(with(R"("n":1)"), "a%3Ab");
    EXPECT_EQ(sent->out.path, "/model/a%3Ab/converse");
    for (const std::string_view model : {"..", "a?b", "a#b", "a b",
             "x%41\tHTTP/1.1\r\nX-Injected:1\r\nY:", "a\tb", "a%/../b", "a%4/b",
             "a%41/../b", "a%", "a%zz", "a%41\x7f"})
    {
        EXPECT_FALSE(bedrock(with(R"("n":1)"), model)->result.ok()) << model;
    }
}

TEST(BedrockRequest, SamplingKeepsZeros)
{
    const auto sent = bedrock(
        with(R"("temperature":0,"top_p":0,"max_tokens":7,"stop":["A","B"],)"
             R"("service_tier":"priority")"),
        "amazon.nova-lite-v1:0");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["inferenceConfig"]),
        R"({"maxTokens":7,"temperature":0,"topP":0,)"
        R"("stopSequences":["A","B"]})");
    EXPECT_EQ(compact(sent->body["serviceTier"]), R"({"type":"priority"})");
}

TEST(BedrockRequest, ClaudeIsAskedForTheStopSequence)
{
    constexpr std::string_view kPaths = "additionalModelResponseFieldPaths";
    const std::string body = with(R"("stop":"END")");
    EXPECT_EQ(compact(bedrock(body)->body[kPaths]),
        R"(["/stop_sequence","/delta/stop_sequence"])");
    EXPECT_FALSE(bedrock(body, "amazon.nova-lite-v1:0")->body[kPaths].exists());
    EXPECT_FALSE(bedrock(with(R"("n":1)"))->body[kPaths].exists());
    const auto own = bedrock(
        with(R"("stop":"END","additionalModelResponseFieldPaths":["/usage"])"));
    EXPECT_EQ(compact(own->body[kPaths]), R"(["/usage"])");
}

TEST(BedrockRequest, SamplingOfClaudeIsAnthropics)
{
    const std::string all = with(R"("temperature":1.5,"top_p":0.9,"top_k":3)");
    auto sent = bedrock(all);
    EXPECT_EQ(compact(sent->body["inferenceConfig"]), R"({"temperature":1})");
    EXPECT_EQ(
        compact(sent->body["additionalModelRequestFields"]), R"({"top_k":3})");
    sent = bedrock(all, "global.anthropic.claude-opus-4-7");
    EXPECT_FALSE(sent->body["inferenceConfig"].exists());
    EXPECT_FALSE(sent->body["additionalModelRequestFields"].exists());
    sent = bedrock(all, "anthropic.claude-3-5-sonnet-20241022-v2:0");
    EXPECT_EQ(compact(sent->body["inferenceConfig"]),
        R"({"temperature":1,"topP":0.9})");
}

TEST(BedrockRequest, SystemToolsAndResults)
{
    const auto sent = bedrock(R"({"model":"x","messages":[
        {"role":"system","content":"be brief"},
        {"role":"user","content":"weather?"},
        {"role":"assistant","content":"let me see","tool_calls":[
            {"id":"a","type":"function","function":{"name":"w",
                "arguments":"{\"c\":1}"}},
            {"id":"b","type":"function","function":{"name":"w",
                "arguments":""}}]},
        {"role":"tool","tool_call_id":"a","content":"10"},
        {"role":"tool","tool_call_id":"b","content":"bad","is_error":true},
        {"role":"user","content":"and now?"}],
        "tools":[{"type":"function","function":{"name":"w",
            "description":"d","parameters":{"type":"object"}}}],
        "tool_choice":{"type":"function","function":{"name":"w"}}})");
    ASSERT_TRUE(sent->result.ok()) << sent->result.error().message;
    EXPECT_EQ(compact(sent->body["system"]), R"([{"text":"be brief"}])");
    EXPECT_EQ(compact(sent->body["messages"]),
        R"([{"role":"user","content":[{"text":"weather?"}]},)"
        R"({"role":"assistant","content":[{"text":"let me see"},)"
        R"({"toolUse":{"toolUseId":"a","name":"w","input":{"c":1}}},)"
        R"({"toolUse":{"toolUseId":"b","name":"w","input":{}}}]},)"
        R"({"role":"user","content":[)"
        R"({"toolResult":{"toolUseId":"a","content":[{"text":"10"}]}},)"
        R"({"toolResult":{"toolUseId":"b","content":[{"text":"bad"}],)"
        R"("status":"error"}},{"text":"and now?"}]}])");
    EXPECT_EQ(compact(sent->body["toolConfig"]),
        R"({"tools":[{"toolSpec":{"name":"w","description":"d",)"
        R"("inputSchema":{"json":{"type":"object"}}}}],)"
        R"("toolChoice":{"tool":{"name":"w"}}})");
}

// Sixty-four letters, digits, '_' and '-'; Kimi alone reads its own ids.
TEST(BedrockRequest, CallsHaveIdsThatTheModelTakes)
{
    const std::string longest(64, 'a');
    const auto id_of = [](const std::string& id, std::string_view model) {
        const auto sent =
            bedrock(R"({"messages":[{"role":"user","content":"a"},)"
                    R"({"role":"assistant","tool_calls":[{"id":")"
                    + id
                    + R"(","type":"function","function":{"name":"f",)"
                      R"("arguments":""}}]},{"role":"tool","content":"r",)"
                      R"("tool_call_id":")"
                    + id + "\"}]}",
                model);
        const auto block = [&sent](size_t turn, std::string_view kind) {
            return sent->body["messages"].at(turn)["content"].at(
                0)[kind]["toolUseId"];
        };
        EXPECT_EQ(block(1, "toolUse").string_or("none"),
            block(2, "toolResult").string_or());
        return std::string(block(1, "toolUse").string_or());
    };
    for (const std::string_view model :
        {kSonnet, std::string_view("amazon.nova-lite-v1:0"),
            std::string_view("moonshot.kimi-k2-thinking")})
    {
        EXPECT_EQ(id_of(longest, model), longest);
        const std::string one = id_of(longest + "b", model);
        const std::string other = id_of(longest + "c", model);
        EXPECT_EQ(one.size(), 64U);
        EXPECT_EQ(other.size(), 64U);
        EXPECT_NE(one, other);
    }
    EXPECT_EQ(
        id_of("functions.f:0", kSonnet).find_first_of(".:"), std::string::npos);
    EXPECT_EQ(
        id_of("functions.f:0", "amazon.nova-lite-v1:0").find_first_of(".:"),
        std::string::npos);
    EXPECT_EQ(
        id_of("functions.f:0", "moonshot.kimi-k2-thinking"), "functions.f:0");
}

// In functions, the form before tools, names stand for ids.
TEST(BedrockRequest, CallsOfOneIdAreNumbered)
{
    const auto call = [](const std::string& name) {
        return R"(,{"role":"assistant","function_call":{"name":")" + name
            + R"(","arguments":""}})";
    };
    const auto result = [](const std::string& name) {
        return R"(,{"role":"function","content":"r","name":")" + name + "\"}";
    };
    const std::string both = R"({"id":"f","type":"function","function":)"
                             R"({"name":"f","arguments":""}})";
    struct Case {
        std::string messages, ids;
    };
    for (const Case& one :
        {Case{call("f") + result("f") + call("f") + result("f"),
             "f >f f_2 >f_2 "},
            {call("f") + call("g") + call("f") + result("f") + result("g")
                    + result("f"),
                "f g f_2 >f_2 >g >f "},
            {call("f_2") + result("f_2") + call("f") + result("f") + call("f")
                    + result("f"),
                "f_2 >f_2 f >f f_3 >f_3 "},
            {R"(,{"role":"assistant","tool_calls":[)" + both + "," + both + "]}"
                    + result("f") + result("f"),
                "f f_2 >f >f_2 "},
            {result("f"), ">f "}})
    {
        provider::Options options;
        for (const bool invoke : {false, true}) {
            options.bedrock_invoke = invoke;
            const auto sent =
                bedrock(R"({"messages":[{"role":"user","content":"x"})"
                        + one.messages + "]}",
                    kSonnet, options);
            ASSERT_TRUE(sent->result.ok());
            std::string ids;
            for (const json::Node turn : sent->body["messages"].items()) {
                for (const json::Node block : turn["content"].items()) {
                    const json::Node use = invoke ? block : block["toolUse"];
                    const json::Node answer =
                        invoke ? block : block["toolResult"];
                    const auto add = [&ids](
                                         std::string_view mark, json::Node id) {
                        if (id.is_string()) {
                            ids.append(mark).append(id.string_or()) += ' ';
                        }
                    };
                    add("", use[invoke ? "id" : "toolUseId"]);
                    add(">", answer[invoke ? "tool_use_id" : "toolUseId"]);
                }
            }
            EXPECT_EQ(ids, one.ids) << invoke;
        }
    }
}

TEST(BedrockRequest, NoToolsWhereNoneMayBeCalled)
{
    const std::string tools =
        R"("tools":[{"type":"function","function":{"name":"w"}}],)";
    auto sent = bedrock(with(tools + R"("tool_choice":"none")"));
    EXPECT_FALSE(sent->body["toolConfig"].exists());
    sent = bedrock(with(tools + R"("tool_choice":"required")"));
    EXPECT_EQ(compact(sent->body["toolConfig"]["toolChoice"]), R"({"any":{}})");
    sent = bedrock(with(tools + R"("tool_choice":"auto")"));
    EXPECT_EQ(
        compact(sent->body["toolConfig"]["toolChoice"]), R"({"auto":{}})");
}

// The API refuses a conversation with calls whose tools it is not told.
TEST(BedrockRequest, ToolsOfTheConversationWhereNoneAreDeclared)
{
    const auto sent = bedrock(R"({"model":"x","messages":[
        {"role":"user","content":"a"},
        {"role":"assistant","tool_calls":[
            {"id":"1","type":"function","function":{"name":"w",
                "arguments":""}},
            {"id":"2","type":"function","function":{"name":"v",
                "arguments":""}},
            {"id":"3","type":"function","function":{"name":"w",
                "arguments":""}}]},
        {"role":"tool","tool_call_id":"1","content":"10"}]})");
    const std::string schema =
        R"("inputSchema":{"json":{"type":"object","properties":{}}}}})";
    EXPECT_EQ(compact(sent->body["toolConfig"]),
        R"({"tools":[{"toolSpec":{"name":"v",)" + schema
            + R"(,{"toolSpec":{"name":"w",)" + schema + "]}");
}

TEST(BedrockRequest, SystemAloneStillHasATurn)
{
    const auto sent =
        bedrock(R"({"messages":[{"role":"system","content":"s"}]})");
    EXPECT_EQ(compact(sent->body["messages"]),
        R"([{"role":"user","content":[{"text":"."}]}])");
}

TEST(BedrockRequest, BlanksAreLeftOut)
{
    const std::string body = R"({"stop":["\n"],"messages":[
        {"role":"system","content":" "},
        {"role":"user","content":[{"type":"text","text":"hi"},
            {"type":"text","text":"\n"}]},
        {"role":"assistant","content":"\t"}]})";
    const std::string_view messages =
        R"({"messages":[{"role":"user","content":[{"text":"hi"}]}])";
    EXPECT_EQ(bedrock(body)->text(), std::string(messages) + "}");
    // A stop of whitespace is Claude's refusal, not Bedrock's.
    EXPECT_EQ(bedrock(body, "amazon.nova-lite-v1:0")->text(),
        std::string(messages)
            + R"(,"inferenceConfig":{"stopSequences":["\n"]}})");
}

TEST(BedrockRequest, ImagesAndDocuments)
{
    const auto sent = bedrock(R"({"model":"x","messages":[{"role":"user",
        "content":[
        {"type":"image_url","image_url":{"url":"data:image/jpg;base64,AAAA"}},
        {"type":"image_url","image_url":{"url":"s3://b/k.png"}},
        {"type":"file","file":{"filename":"my_report: 1.pdf",
            "file_data":"data:application/pdf;base64,BBBB"}}]}]})");
    ASSERT_TRUE(sent->result.ok()) << sent->result.error().message;
    EXPECT_EQ(compact(sent->body["messages"].at(0)["content"]),
        R"([{"image":{"format":"jpeg","source":{"bytes":"AAAA"}}},)"
        R"({"image":{"format":"png","source":{"s3Location":)"
        R"({"uri":"s3://b/k.png"}}}},)"
        R"({"document":{"format":"pdf","name":"my report 1",)"
        R"("source":{"bytes":"BBBB"}}},{"text":"."}])");
}

TEST(BedrockRequest, WhatCannotBeSaidIsRefused)
{
    const auto image = bedrock(R"({"model":"x","messages":[{"role":"user",
        "content":[{"type":"image_url",
            "image_url":{"url":"https://x.example/a.png"}}]}]})");
    ASSERT_FALSE(image->result.ok());
    EXPECT_EQ(image->result.error().code, ErrorCode::invalid_request);
    EXPECT_EQ(image->result.error().param, "messages[0].content[0]");
    const auto audio = bedrock(R"({"model":"x","messages":[{"role":"user",
        "content":[{"type":"input_audio","input_audio":{"data":"AAAA",
            "format":"wav"}}]}]})");
    EXPECT_FALSE(audio->result.ok());
    const auto call = bedrock(R"({"model":"x","messages":[
        {"role":"user","content":"a"},
        {"role":"assistant","tool_calls":[{"id":"a","type":"function",
            "function":{"name":"w","arguments":"[1]"}}]}]})");
    EXPECT_FALSE(call->result.ok());
}

TEST(BedrockRequest, ThinkingByFamily)
{
    auto sent = bedrock(
        with(R"("reasoning_effort":"low","max_tokens":4000,"temperature":1)"));
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"thinking":{"type":"enabled","budget_tokens":1024}})");
    EXPECT_EQ(compact(sent->body["inferenceConfig"]), R"({"maxTokens":4000})");
    sent = bedrock(
        with(R"("reasoning_effort":"low")"), "us.amazon.nova-2-lite-v1:0");
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"reasoningConfig":{"type":"enabled",)"
        R"("maxReasoningEffort":"low"}})");
    sent = bedrock(
        with(R"("reasoning_effort":"high")"), "openai.gpt-oss-120b-1:0");
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"reasoning_effort":"high"})");
}

TEST(BedrockRequest, EffortBesideAdaptiveThinking)
{
    const auto sent = bedrock(
        with(R"("reasoning_effort":"medium","thinking":{"type":"adaptive"})"),
        "us.anthropic.claude-opus-4-6-v1");
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"thinking":{"type":"adaptive"},)"
        R"("output_config":{"effort":"medium"}})");
}

TEST(BedrockRequest, EffortOfOpus45IsABeta)
{
    constexpr std::string_view kOpus = "us.anthropic.claude-opus-4-5-v1:0";
    const std::string effort =
        R"("reasoning_effort":"max","output_config":{"effort":"max"})";
    auto sent = bedrock(with(effort), kOpus);
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"output_config":{"effort":"high"},)"
        R"("anthropic_beta":["effort-2025-11-24"]})");
    sent = bedrock(with(effort
                       + R"(,"additionalModelRequestFields":)"
                         R"({"anthropic_beta":["context-1m-2025-08-07"]})"),
        kOpus);
    EXPECT_EQ(
        compact(sent->body["additionalModelRequestFields"]["anthropic_beta"]),
        R"(["context-1m-2025-08-07","effort-2025-11-24"])");
    provider::Options options;
    options.bedrock_invoke = true;
    const std::string own =
        effort + R"(,"anthropic_beta":["context-1m-2025-08-07"])";
    sent = bedrock(with(effort), kOpus, options);
    EXPECT_EQ(
        compact(sent->body["anthropic_beta"]), R"(["effort-2025-11-24"])");
    sent = bedrock(with(own), kOpus, options);
    EXPECT_EQ(compact(sent->body["anthropic_beta"]),
        R"(["context-1m-2025-08-07","effort-2025-11-24"])");
    sent = bedrock(with(own), "anthropic.claude-opus-4-6-v1", options);
    EXPECT_EQ(
        compact(sent->body["anthropic_beta"]), R"(["context-1m-2025-08-07"])");
    sent = bedrock(with(effort), "anthropic.claude-opus-4-6-v1");
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"output_config":{"effort":"max"}})");
}

TEST(BedrockRequest, SignedThinkingGoesBackUnchanged)
{
    const auto sent = bedrock(R"({"model":"x","messages":[
        {"role":"user","content":"a"},
        {"role":"assistant","content":"b","reasoning_content":"why",
         "thinking_blocks":[
            {"type":"thinking","thinking":"why","signature":"Eu0E+/="},
            {"type":"redacted_thinking","data":"c2VjcmV0"}]},
        {"role":"user","content":"c"}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["messages"].at(1)["content"]),
        R"([{"reasoningContent":{"reasoningText":{"text":"why",)"
        R"("signature":"Eu0E+/="}}},)"
        R"({"reasoningContent":{"redactedContent":"c2VjcmV0"}},)"
        R"({"text":"b"}])");
}

// DeepSeek: "User messages cannot contain reasoning content"; Nova and gpt-oss
// refuse it as well.
TEST(BedrockRequest, UnsignedThinkingGoesToNobody)
{
    constexpr std::string_view kThinking =
        R"("thinking_blocks":[{"type":"thinking","thinking":"why",)"
        R"("signature":""}])";
    const auto history = [kThinking](std::string_view content) {
        return R"({"messages":[{"role":"user","content":"a"},)"
               R"({"role":"assistant",)"
            + std::string(kThinking) + std::string(content)
            + R"(},{"role":"user","content":"c"}]})";
    };
    for (const std::string_view model : {"us.deepseek.r1-v1:0",
             "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0",
             "us.anthropic.claude-sonnet-4-5-20250929-v1:0"})
    {
        EXPECT_EQ(compact(bedrock(history(R"(,"content":"b")"), model)
                              ->body["messages"]
                              .at(1)["content"]),
            R"([{"text":"b"}])")
            << model;
        // No turn without content.
        EXPECT_EQ(compact(bedrock(history(""), model)->body["messages"]),
            R"([{"role":"user","content":[{"text":"a"},{"text":"c"}]}])")
            << model;
    }
}

TEST(BedrockRequest, ConfiguredFieldsWin)
{
    provider::Options options;
    options.bedrock_additional_fields = {{"top_k", "5"}, {"x", "{\"y\":0}"}};
    const auto sent = bedrock(
        with(R"("top_k":9,"additionalModelRequestFields":{"x":1,"z":false})"),
        kSonnet, options);
    EXPECT_EQ(compact(sent->body["additionalModelRequestFields"]),
        R"({"top_k":5,"x":{"y":0},"z":false})");
}

TEST(BedrockRequest, CachePoints)
{
    const std::string body = R"({"model":"x","messages":[
        {"role":"system","content":"s"},{"role":"user","content":"a"},
        {"role":"assistant","content":"b"},{"role":"user","content":"c"}]})";
    const std::string point = R"({"cachePoint":{"type":"default"}})";
    provider::Options options;
    auto sent = bedrock(body, kSonnet, options);
    EXPECT_EQ(sent->text().find("cachePoint"), std::string::npos);
    options.prompt_cache_retention = "in_memory";
    sent = bedrock(body, kSonnet, options);
    EXPECT_EQ(
        compact(sent->body["system"]), "[{\"text\":\"s\"}," + point + "]");
    EXPECT_EQ(
        compact(sent->body["messages"]).find("cachePoint"), std::string::npos);
    options.prompt_cache_retention = "24h";
    options.bedrock_cache_points = {false, true, true};
    sent = bedrock(body, kSonnet, options);
    EXPECT_EQ(compact(sent->body["system"]), R"([{"text":"s"}])");
    EXPECT_EQ(compact(sent->body["messages"].at(2)["content"]),
        R"([{"text":"c"},{"cachePoint":{"type":"default","ttl":"1h"}}])");
    // Other models have no cache.
    sent = bedrock(body, "meta.llama3-1-8b-instruct-v1:0", options);
    EXPECT_EQ(sent->text().find("cachePoint"), std::string::npos);
    // The client's own wish, and its marks.
    sent = bedrock(R"({"model":"x","prompt_cache_retention":"in-memory",
        "messages":[{"role":"system","content":"s"},{"role":"user","content":[
        {"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]})");
    EXPECT_EQ(compact(sent->body["messages"].at(0)["content"]),
        "[{\"text\":\"a\"}," + point + "]");
    EXPECT_EQ(
        compact(sent->body["system"]), "[{\"text\":\"s\"}," + point + "]");
}

TEST(BedrockRequest, CachePointsOfToolsLiveAsLongAsAsked)
{
    const auto sent = bedrock(with(R"("tools":[{"type":"function",
        "function":{"name":"f"},
        "cache_control":{"type":"ephemeral","ttl":"1h"}}])"));
    EXPECT_EQ(compact(sent->body["toolConfig"]["tools"].at(1)),
        R"({"cachePoint":{"type":"default","ttl":"1h"}})");
}

// Nova's points live five minutes, and none may stand among the tools.
TEST(BedrockRequest, CachePointsOfNovaAreInItsPromptAlone)
{
    constexpr std::string_view kMark =
        R"("cache_control":{"type":"ephemeral","ttl":"1h"})";
    const auto asks = [kMark](std::string_view retention) {
        return R"({"model":"x","prompt_cache_retention":")"
            + std::string(retention)
            + R"(","messages":[{"role":"system","content":"s"},)"
              R"({"role":"user","content":[{"type":"text","text":"a",)"
            + std::string(kMark)
            + R"(}]}],"tools":[{"type":"function","function":{"name":"f"},)"
            + std::string(kMark) + "}]}";
    };
    constexpr std::string_view kPoint = R"({"cachePoint":{"type":"default"}})";
    for (const std::string_view retention : {"24h", "in_memory"}) {
        const auto sent = bedrock(asks(retention), "us.amazon.nova-pro-v1:0");
        ASSERT_TRUE(sent->result.ok());
        EXPECT_EQ(sent->body["toolConfig"]["tools"].size(), 1U);
        EXPECT_EQ(compact(sent->body["system"].at(1)), kPoint);
        EXPECT_EQ(
            compact(sent->body["messages"].at(0)["content"].at(1)), kPoint);
    }
}

TEST(BedrockRequest, StructuredOutput)
{
    const std::string body = with(
        R"("response_format":{"type":"json_schema","json_schema":{"name":"n",)"
        R"("description":"d","schema":{"type":"object","minProperties":1}}})");
    EXPECT_EQ(compact(bedrock(body)->body["outputConfig"]),
        R"({"textFormat":{"type":"json_schema","structure":{"jsonSchema":)"
        R"({"schema":"{\"type\":\"object\",)"
        R"(\"additionalProperties\":false}","name":"n",)"
        R"("description":"d"}}}})");
    const auto sent = bedrock(body, "qwen.qwen3-32b-v1:0");
    EXPECT_EQ(sent->body["outputConfig"]["textFormat"]["structure"]
                        ["jsonSchema"]["schema"]
                            .string(),
        R"({"type":"object","minProperties":1})");
}

TEST(BedrockRequest, StrictToolsOfModelsThatHaveThem)
{
    const std::string tools = with(R"("tools":[{"type":"function","function":
        {"name":"f","strict":true,"parameters":{"type":"object",
            "minProperties":1}}}])");
    const auto spec = [&tools](std::string_view model) {
        return compact(bedrock(tools, model)
                           ->body["toolConfig"]["tools"]
                           .at(0)["toolSpec"]);
    };
    EXPECT_EQ(spec(kSonnet),
        R"({"name":"f","inputSchema":{"json":{"type":"object",)"
        R"("additionalProperties":false}},"strict":true})");
    const std::string raw =
        R"({"name":"f","inputSchema":{"json":{"type":"object",)"
        R"("minProperties":1}})";
    EXPECT_EQ(spec("anthropic.claude-opus-4-1-20250805-v1:0"), raw + "}");
    EXPECT_EQ(spec("us.amazon.nova-pro-v1:0"), raw + "}");
    EXPECT_EQ(spec("qwen.qwen3-32b-v1:0"), raw + R"(,"strict":true})");
}

TEST(BedrockRequest, ClaudeByInvokeModel)
{
    provider::Options options;
    options.bedrock_invoke = true;
    auto sent =
        bedrock(with(R"("stream":true,"max_tokens":5)"), kSonnet, options);
    ASSERT_TRUE(sent->result.ok());
    EXPECT_TRUE(sent->out.path.ends_with("/invoke-with-response-stream"));
    EXPECT_EQ(sent->text(),
        R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":5,)"
        R"("messages":[{"role":"user","content":"hi"}]})");
    // All others go to Converse.
    sent = bedrock(with(R"("n":1)"), "amazon.nova-lite-v1:0", options);
    EXPECT_TRUE(sent->out.path.ends_with("/converse"));
}

} // namespace
