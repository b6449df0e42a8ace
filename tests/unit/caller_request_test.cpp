#include "caller_probe.h"

#include <gtest/gtest.h>

namespace ai_proxy::testing {
namespace {

using dialect::Api;

TEST(MessagesRequest, EverythingThatChatCanSay)
{
    const Hub hub = to_hub(Api::messages, R"({
        "model":"x","max_tokens":9,"stream":true,"temperature":0,"top_k":3,
        "system":[{"type":"text","text":"x-anthropic-billing-header: a=b;"},
            {"type":"text","text":"one"},{"type":"text","text":"two"}],
        "messages":[
            {"role":"user","content":[{"type":"text","text":"see"},
                {"type":"image","source":{"type":"base64",
                    "media_type":"image/png","data":"QUJD"}}]},
            {"role":"assistant","content":[
                {"type":"thinking","thinking":"hm","signature":"S"},
                {"type":"redacted_thinking","data":"R"},
                {"type":"text","text":"ok"},
                {"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},
            {"role":"user","content":[
                {"type":"tool_result","tool_use_id":"t1","is_error":true,
                    "content":[{"type":"text","text":"bad"}]},
                {"type":"text","text":"go on"}]}],
        "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}},
            {"type":"web_search_20250305","name":"web_search","max_uses":2},
            {"type":"bash_20250124","name":"bash"}],
        "tool_choice":{"type":"any","disable_parallel_tool_use":true},
        "stop_sequences":["END"],"metadata":{"user_id":"u"},
        "thinking":{"type":"enabled","budget_tokens":5000}})",
        true);
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"system","content":"one\n\ntwo"},)"
        R"({"role":"user","content":[{"type":"text","text":"see"},)"
        R"({"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]},)"
        R"({"role":"assistant","content":"ok","reasoning_content":"hm",)"
        R"("thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"S"},)"
        R"({"type":"redacted_thinking","data":"R"}],)"
        R"("tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},)"
        R"({"role":"tool","tool_call_id":"t1","content":"bad","is_error":true},)"
        R"({"role":"user","content":"go on"}],)"
        R"("web_search_options":{"max_uses":2},)"
        R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],)"
        R"("tool_choice":"required","parallel_tool_calls":false,)"
        R"("thinking":{"type":"enabled","budget_tokens":5000},)"
        R"("max_tokens":9,"temperature":0,"top_k":3,"stop":["END"],"stream":true,"user":"u"})");
    EXPECT_EQ(hub.dropped.fields(), std::vector<std::string>{"tools.2.type"});
}

// What Anthropic's own tools did in turns before no other vendor has words for;
// what the model said of it stays.
TEST(MessagesRequest, SearchesOfTurnsBefore)
{
    const Hub hub = to_hub(Api::messages, R"({"messages":[
        {"role":"user","content":[{"type":"document","citations":{"enabled":true},
            "source":{"type":"text","media_type":"text/plain","data":"doc"}},
            {"type":"text","text":"who?"}]},
        {"role":"assistant","content":[
            {"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"q"}},
            {"type":"web_search_tool_result","tool_use_id":"s1","content":[
                {"type":"web_search_result","url":"https://x","title":"t",
                    "encrypted_content":"E","page_age":null}]},
            {"type":"text","text":"Ann","citations":[
                {"type":"web_search_result_location","url":"https://x","title":"t",
                    "encrypted_index":"I","cited_text":"Ann"}]}]},
        {"role":"assistant","content":[
            {"type":"mcp_tool_use","id":"m1","name":"f","server_name":"s","input":{}}]},
        {"role":"user","content":[{"type":"container_upload","file_id":"f"},
            {"type":"text","text":"sure?"}]}]})");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"user","content":[)"
        R"({"type":"text","text":"doc","claude_block":{"type":"document",)"
        R"("citations":{"enabled":true},"source":{"type":"text",)"
        R"("media_type":"text/plain","data":"doc"}}},)"
        R"({"type":"text","text":"who?"}]},)"
        R"({"role":"assistant","content":"Ann"},)"
        R"({"role":"user","content":"sure?"}]})");
    EXPECT_EQ(hub.dropped.fields(),
        (std::vector<std::string>{"messages.1.content.0.type",
            "messages.1.content.1.type", "messages.2.content.0.type",
            "messages.3.content.0.type"}));
}

TEST(MessagesRequest, FaultsNameTheirPlace)
{
    EXPECT_EQ(to_hub(Api::messages, R"({"model":"x"})").error.message,
        "messages: Field required");
    EXPECT_EQ(
        to_hub(Api::messages, R"({"messages":[{"role":"user","content":7}]})")
            .error.param,
        "messages.0.content");
    EXPECT_EQ(
        to_hub(Api::messages, R"({"messages":[{"role":"bot","content":"x"}]})")
            .error.param,
        "messages.0.role");
    EXPECT_EQ(to_hub(Api::messages, R"({"messages":[],"system":1})").error.code,
        ErrorCode::invalid_request);
}

TEST(ResponsesRequest, ItemsBecomeTurns)
{
    const Hub hub = to_hub(Api::responses, R"({"model":"x",
        "instructions":"be brief","max_output_tokens":5,"temperature":0,
        "input":[{"role":"user","content":[{"type":"input_text","text":"q"},
                {"type":"input_image","image_url":"https://i/x.png","detail":"low"}]},
            {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"signed_thinking:SIG"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
            {"type":"function_call","call_id":"c2","name":"g","arguments":"{\"k\":0}"},
            {"type":"function_call_output","call_id":"c1","output":"r1"},
            {"type":"function_call_output","call_id":"c2","output":"r2"}],
        "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"web_search"},{"type":"computer"}],
        "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
        "reasoning":{"effort":"low"}})");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"system","content":"be brief"},)"
        R"({"role":"user","content":[{"type":"text","text":"q"},)"
        R"({"type":"image_url","image_url":{"url":"https://i/x.png","detail":"low"}}]},)"
        R"({"role":"assistant","content":"a","reasoning_content":"hm",)"
        R"("thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"SIG"}],)"
        R"("tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},)"
        R"({"id":"c2","type":"function","function":{"name":"g","arguments":"{\"k\":0}"}}]},)"
        R"({"role":"tool","tool_call_id":"c1","content":"r1"},)"
        R"({"role":"tool","tool_call_id":"c2","content":"r2"}],)"
        R"("web_search_options":{},)"
        R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],)"
        R"("tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,)"
        R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},)"
        R"("max_tokens":5,"temperature":0,"reasoning_effort":"low"})");
    EXPECT_EQ(hub.dropped.fields(), std::vector<std::string>{"tools[2].type"});
}

TEST(ResponsesRequest, WhatNeedsKeptResponsesIsRefused)
{
    for (const std::string_view field :
        {"previous_response_id", "conversation"}) {
        const std::string body =
            R"({"input":"x",")" + std::string(field) + R"(":"id"})";
        const Hub hub = to_hub(Api::responses, body);
        EXPECT_FALSE(hub.ok);
        EXPECT_EQ(hub.error.param, field);
        EXPECT_EQ(hub.error.http_status(), 400);
    }
    EXPECT_EQ(to_hub(Api::responses,
                  R"({"input":[{"type":"item_reference","id":"x"}]})")
                  .error.param,
        "input[0].type");
    EXPECT_EQ(to_hub(Api::responses, R"({})").error.param, "input");
}

TEST(GeminiRequest, EverythingThatChatCanSay)
{
    const Hub hub = to_hub(Api::gemini_generate, R"({
        "system_instruction":{"parts":[{"text":"sys"}]},
        "contents":[{"role":"user","parts":[{"text":"q"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},
            {"role":"model","parts":[{"text":"hm","thought":true},
                {"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"SIG"}]},
            {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"42"}}}]}],
        "tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"INTEGER","nullable":true}}}}]},{"googleSearch":{}},{"codeExecution":{}}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
        "generationConfig":{"temperature":0,"topK":5,"maxOutputTokens":7,"candidateCount":2,"stopSequences":["E"],
            "responseMimeType":"application/json","responseSchema":{"type":"STRING"},"thinkingConfig":{"thinkingBudget":2048}},
        "safetySettings":[{"category":"X","threshold":"Y"}]})");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"system","content":"sys"},)"
        R"({"role":"user","content":[{"type":"text","text":"q"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]},)"
        R"({"role":"assistant","content":null,"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":""}],)"
        R"("tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"SIG"}}}]},)"
        R"({"role":"tool","tool_call_id":"call_0","content":"42"}],)"
        R"("web_search_options":{},)"
        R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":["integer","null"]}}}}}],)"
        R"("tool_choice":{"type":"function","function":{"name":"f"}},)"
        R"("temperature":0,"top_k":5,"max_tokens":7,"n":2,"stop":["E"],)"
        R"("response_format":{"type":"json_schema","json_schema":{"name":"output","schema":{"type":"string"}}},)"
        R"("reasoning_max_tokens":2048})");
    EXPECT_EQ(hub.dropped.fields(),
        (std::vector<std::string>{"tools[2].codeExecution", "safetySettings"}));
}

// A signature of another vendor is that of the thoughts before it, whatever
// the alphabet it comes back in; one of Google's stays where it was.
TEST(GeminiRequest, SignaturesOfOtherVendors)
{
    const Hub hub = to_hub(Api::gemini_generate, R"({"contents":[
        {"role":"model","parts":[{"text":"so ","thought":true},
            {"text":"it is","thought":true},
            {"functionCall":{"id":"1","name":"f"},"thoughtSignature":"cHJveHk6a-_b"},
            {"text":"","thought":true},{"text":"","thoughtSignature":"cHJveHk6YQ=="},
            {"text":"then","thought":true},
            {"text":"x","thoughtSignature":"a-_b"}]}]})");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"so it isthen",)"
        R"("thinking_blocks":[{"type":"thinking","thinking":"so it is","signature":"a+/b"},)"
        R"({"type":"thinking","thinking":"","signature":"YQ=="},)"
        R"({"type":"thinking","thinking":"then","signature":""},)"
        R"({"type":"thinking","thinking":"","signature":"cHJveHk6Z29vZ2xla-_b"}],)"
        R"("tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]})");
}

TEST(CompletionsRequest, OnePrompt)
{
    const Hub hub = to_hub(Api::completions,
        R"({"prompt":["hi"],"max_tokens":3,"echo":true,"suffix":"z"})");
    ASSERT_TRUE(hub.ok);
    EXPECT_EQ(hub.text,
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":3})");
    EXPECT_EQ(
        hub.dropped.fields(), (std::vector<std::string>{"suffix", "echo"}));
    EXPECT_EQ(to_hub(Api::completions, R"({"prompt":["a","b"]})").error.param,
        "prompt");
}

// ---- through the exchange, to providers

class CallerExchange : public ExchangeFixture {};

TEST_F(CallerExchange, MessagesGoToOpenaiAsChat)
{
    request.path = "/v1/messages";
    request.headers = {{"x-api-key", "client"}, {"anthropic-version", "1"}};
    request.body =
        R"({"model":"claude-x","max_tokens":5,"stream":true,"top_k":1,
        "messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url","url":"https://i"}}]}]}]})";
    const Try& made = prepare();
    EXPECT_EQ(made.outbound.path, "/v1/chat/completions");
    EXPECT_EQ(header_text(made.outbound, "x-api-key"), "");
    EXPECT_EQ(body_text(made.outbound),
        R"({"model":"claude-x","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},)"
        R"({"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
        R"({"role":"tool","tool_call_id":"t","content":[{"type":"text","text":"The result follows."}]},)"
        R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"https://i"}}]}],)"
        R"("max_tokens":5,"stream":true,"stream_options":{"include_usage":true}})");
}

TEST_F(CallerExchange, StrictRefusesWhatWouldBeLeftOut)
{
    request.path = "/v1/messages";
    request.body = R"({"model":"x","max_tokens":5,"top_k":1,
        "messages":[{"role":"user","content":"hi"}]})";
    ASSERT_TRUE(receive());
    world.site().strict = true;
    auto made = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().http_status(), 400);
    EXPECT_EQ(made.error().param, "top_k");
}

TEST_F(CallerExchange, MessagesAreRelayedWhereTheyAreNative)
{
    world.provider("one", "deepseek");
    request.path = "/v1/messages";
    request.body =
        R"({ "model":"x" , "odd": 1.50,"messages":[{"role":"user","content":"hi"}]})";
    const Try& made = prepare();
    EXPECT_EQ(made.outbound.path, "/anthropic/v1/messages");
    EXPECT_EQ(body_text(made.outbound), request.body);
    EXPECT_EQ(header_text(made.outbound, "anthropic-version"), "2023-06-01");
}

TEST_F(CallerExchange, ResponsesAreRelayedToOpenaiAndConvertedForClaude)
{
    world.provider("one", "openai");
    world.provider("two", "claude");
    world.route("main", {0, 1});
    request.path = "/v1/responses";
    request.body = R"({"model":"x","input":"hi","store":false})";
    EXPECT_EQ(prepare(0).outbound.path, "/v1/responses");
    EXPECT_EQ(body_text(attempt->outbound), request.body);
    EXPECT_EQ(again(1).outbound.path, "/v1/messages");
    EXPECT_TRUE(has(body_text(attempt->outbound),
        R"("messages":[{"role":"user","content":"hi"}])"));
}

TEST_F(CallerExchange, GeminisModelIsInThePath)
{
    auto& map = world.provider("one", "gemini").model_map;
    ASSERT_TRUE(map.add("gem", "gemini-2.5-pro"));
    world.provider("two", "openai");
    world.route("main", {0, 1});
    request.path = "/v1beta/models/gem:streamGenerateContent";
    request.query = "key=secret&alt=sse";
    request.body = R"({"contents":[{"parts":[{"text":"hi"}]}]})";
    EXPECT_EQ(prepare(0).outbound.path,
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    EXPECT_EQ(body_text(attempt->outbound), request.body);
    EXPECT_EQ(again(1).outbound.path, "/v1/chat/completions");
    EXPECT_TRUE(has(body_text(attempt->outbound), R"("model":"gem")"));
    EXPECT_TRUE(has(body_text(attempt->outbound), R"("stream":true)"));
}

TEST_F(CallerExchange, TokensAreEstimatedWhereNobodyCounts)
{
    request.path = "/v1/messages/count_tokens";
    request.body =
        R"({"model":"x","messages":[{"role":"user","content":"four letters a token"}]})";
    const Try& made = prepare();
    ASSERT_TRUE(made.reply);
    EXPECT_EQ(made.reply->status, 200);
    json::Parser parser;
    const auto said = parser.parse(std::string_view(made.reply->body));
    const int64_t tokens = (*said)["input_tokens"].integer().value_or(0);
    EXPECT_GE(tokens, 5);
    EXPECT_LE(tokens, 15);
}

TEST_F(CallerExchange, TokensOfResponses)
{
    config::Provider& vendor = world.provider("one", "openai");
    ASSERT_TRUE(vendor.model_map.add("x", "gpt-5"));
    world.provider("two", "claude");
    world.route("main", {0, 1});
    request.path = "/v1/responses/input_tokens";
    request.body = R"({"model":"x","input":"four letters a token"})";
    EXPECT_EQ(prepare(0).outbound.path, "/v1/responses/input_tokens");
    EXPECT_TRUE(has(body_text(attempt->outbound), R"("model":"gpt-5")"));
    again(1);
    ASSERT_TRUE(attempt->reply);
    json::Parser parser;
    const auto said = parser.parse(std::string_view(attempt->reply->body));
    EXPECT_EQ((*said)["object"].string(), "response.input_tokens");
    const int64_t tokens = (*said)["input_tokens"].integer().value_or(0);
    EXPECT_GE(tokens, 4);
    EXPECT_LE(tokens, 10);
}

// It uses a model, and what comes of it only its maker can read.
TEST_F(CallerExchange, ACompaction)
{
    config::Provider& vendor = world.provider("one", "openai");
    ASSERT_TRUE(vendor.model_map.add("x", "gpt-5"));
    world.provider("two", "claude");
    world.route("other", {1}, {"y"});
    world.route("main", {0, 1}, {"x"});
    request.path = "/v1/responses/compact";
    request.body = R"({"model":"x","input":"hi"})";
    EXPECT_EQ(prepare(0).outbound.path, "/v1/responses/compact");
    EXPECT_EQ(exchange->route().name, "main");
    EXPECT_EQ(exchange->affinity(), route::Affinity::first);
    EXPECT_TRUE(has(body_text(attempt->outbound), R"("model":"gpt-5")"));
    const auto refused =
        exchange->make_try(exchange->route().targets[1], 0, 1, 2);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unsupported_api);
    EXPECT_TRUE(dialect::uses_tokens(Api::responses_compact));
    EXPECT_FALSE(dialect::uses_tokens(Api::responses_count));
    request.body = R"({"model":"x","input":"hi","previous_response_id":"r"})";
    prepare(0);
    EXPECT_EQ(exchange->affinity(), route::Affinity::only);
}

class NewerModels : public ExchangeFixture {
protected:
    // What a provider of the type is asked for by this model.
    std::string sent(std::string_view type, std::string_view model,
        std::string_view members =
            R"("thinking":{"type":"enabled","budget_tokens":5000})")
    {
        request.path = "/v1/messages";
        request.body = R"({"model":")" + std::string(model)
            + R"(","max_tokens":5,"messages":[{"role":"user","content":"x"}],)"
            + std::string(members) + "}";
        return sent_to(type);
    }
    std::string sent_to(std::string_view type)
    {
        attempt.reset();
        exchange.reset();
        world.site().routes.clear();
        world.gateway.routes.clear();
        world.gateway.providers.clear();
        world.gateway.keys.clear();
        world.provider("one", type);
        return body_text(prepare().outbound);
    }
};

TEST_F(NewerModels, AreKnownByTheirNumber)
{
    for (const std::string_view model : {"o3", "o4-mini", "gpt-5",
             "gpt-5.1-codex", "gpt-6-sol", "gpt-6.1-mini", "gpt-10"})
    {
        const std::string body = sent("openai", model);
        EXPECT_TRUE(has(body, R"("max_completion_tokens":5)")) << body;
        EXPECT_TRUE(has(body, R"("reasoning_effort":"medium")")) << body;
        const std::string github =
            sent("github", "openai/" + std::string(model));
        EXPECT_TRUE(has(github, R"("max_completion_tokens":5)")) << github;
    }
    for (const std::string_view model :
        {"gpt-4o", "gpt-4.1", "gpt-35-turbo", "gpt-41", "gpt-", "omni", "o"})
    {
        const std::string body = sent("openai", model);
        EXPECT_TRUE(has(body, R"("max_tokens":5)")) << body;
        EXPECT_FALSE(has(body, "reasoning_effort")) << body;
    }
    EXPECT_TRUE(has(sent("github", "xai/grok-3-mini"), R"("max_tokens":5)"));
    EXPECT_TRUE(has(sent("openrouter", "openai/gpt-6"), R"("max_tokens":5)"));
}

TEST_F(NewerModels, AreSampledWhereTheyDoNotThink)
{
    const std::string both = R"("temperature":0.5,"top_p":0.25)";
    const std::string off = both + R"(,"thinking":{"type":"disabled"})";
    const std::string on =
        both + R"(,"thinking":{"type":"enabled","budget_tokens":1024})";
    for (const std::string_view type : {"openai", "github"}) {
        for (const std::string_view model : {"gpt-4o", "gpt-5.1", "gpt-5.2",
                 "gpt-5-chat-latest", "chatgpt-4o-latest"})
        {
            EXPECT_TRUE(has(sent(type, model, both), both)) << model;
        }
        for (const std::string_view model :
            {"o1", "o3-mini", "gpt-5", "gpt-5-mini", "gpt-5.2-pro", "gpt-6"})
        {
            const std::string body = sent(type, model, both);
            EXPECT_FALSE(has(body, "temperature")) << body;
            EXPECT_FALSE(has(body, "top_p")) << body;
        }
        EXPECT_FALSE(has(sent(type, "gpt-5.2", on), "temperature"));
        EXPECT_TRUE(has(sent(type, "gpt-6", off), both));
        EXPECT_FALSE(has(sent(type, "gpt-5", off), "temperature"));
    }
    EXPECT_TRUE(has(sent("openrouter", "openai/gpt-5", both), both));
}

TEST_F(NewerModels, HaveNoStopSequences)
{
    const std::string asks = R"("stop_sequences":["END"])";
    const std::string stop = R"("stop":["END"])";
    for (const std::string_view model :
        {"gpt-4o", "gpt-5-chat-latest", "o1", "o3-mini-2025-01-31"})
    {
        EXPECT_TRUE(has(sent("openai", model, asks), stop)) << model;
    }
    for (const std::string_view model : {"o3", "o3-2025-04-16", "o4-mini",
             "gpt-5", "gpt-5-nano", "gpt-5.1", "gpt-6"})
    {
        EXPECT_FALSE(has(sent("azure", model, asks), "\"stop\"")) << model;
    }
    EXPECT_TRUE(has(sent("mistral", "gpt-5", asks), stop));
}

// OpenAI is strict about closed objects alone that require all they have.
TEST_F(NewerModels, AreStrictWhereTheSchemaIs)
{
    const auto body = [this](std::string_view schema) {
        return sent("openai", "gpt-5",
            R"("output_config":{"format":{"type":"json_schema","schema":)"
                + std::string(schema)
                + R"(}},"tools":[{"name":"f","strict":true,"input_schema":)"
                + std::string(schema) + "}]");
    };
    for (const std::string_view schema :
        {R"({"type":"object","properties":{},"additionalProperties":false})",
            R"({"type":"object","properties":{"a":{"type":"string"},)"
            R"("l":{"type":"array","items":{"$ref":"#/$defs/D"}}},)"
            R"("required":["l","a"],"additionalProperties":false,)"
            R"("$defs":{"D":{"anyOf":[{"type":"null"},{"type":"object",)"
            R"("properties":{"b":{"type":"integer","minimum":1}},)"
            R"("required":["b"],"additionalProperties":false}]}}})"})
    {
        EXPECT_EQ(count(body(schema), R"("strict":true)"), 2U) << schema;
    }
    for (const std::string_view schema :
        {R"({"type":"object","properties":{}})",
            R"({"properties":{"a":{}},"additionalProperties":false})",
            R"({"type":"object","properties":{"a":{"type":"string"}},)"
            R"("required":[],"additionalProperties":false})",
            R"({"type":"object","properties":{"a":{"type":"array",)"
            R"("items":{"type":"object"}}},"required":["a"],)"
            R"("additionalProperties":false})",
            R"({"type":"object","properties":{"a":{"allOf":[]}},)"
            R"("required":["a"],"additionalProperties":false})"})
    {
        const std::string text = body(schema);
        EXPECT_FALSE(has(text, "strict")) << text;
        EXPECT_EQ(count(text, schema), 2U) << text;
    }
}

TEST_F(NewerModels, AreToldNotToThink)
{
    constexpr std::string_view kOff = R"("thinking":{"type":"disabled"})";
    constexpr std::string_view kNone = R"("reasoning_effort":"none")";
    EXPECT_TRUE(has(sent("mock", "m", kOff), kNone));
    EXPECT_TRUE(has(sent("vllm", "m", kOff),
        R"("chat_template_kwargs":{"enable_thinking":false})"));
    EXPECT_TRUE(has(sent("deepseek", "m", kOff), kOff));
    EXPECT_TRUE(has(sent("openai", "gpt-5.2", kOff), kNone));
    for (const std::string_view model : {"gpt-4o", "gpt-5", "o3", "gpt-5-pro"})
    {
        EXPECT_FALSE(has(sent("openai", model, kOff), "reasoning_effort"));
    }
    // Those that speak Anthropic's dialect are told so by others' clients.
    request.path = "/v1beta/models/m:generateContent";
    request.body = R"({"contents":[{"parts":[{"text":"x"}]}],
        "generationConfig":{"thinkingConfig":{"thinkingBudget":0}}})";
    for (const std::string_view type : {"openrouter", "ollama"}) {
        EXPECT_TRUE(has(sent_to(type), kNone)) << type;
    }
}

} // namespace
} // namespace ai_proxy::testing
