#include "vendor_probe.h"

#include <algorithm>
#include <simdjson.h>

using namespace ai_proxy;
using chat::Finish;

namespace {

provider::Options mode(std::string_view reasoning)
{
    provider::Options options;
    options.reasoning_content_mode = reasoning;
    return options;
}

auto body(std::string_view text, const provider::Options& options = {})
{
    return vendor_probe::decode_body(provider::kQwen, text, options);
}

struct Step {
    std::string_view message; // members
    std::string_view finish = "null";
    int output = 0; // tokens so far
};

// Events as DashScope frames them.
auto stream(
    std::initializer_list<Step> steps, const provider::Options& options = {})
{
    std::string all;
    int id = 1;
    for (const Step& step : steps) {
        all += "id:" + std::to_string(id++)
            + "\nevent:result\n:HTTP_STATUS/200\ndata:"
              R"({"output":{"choices":[{"message":{"role":"assistant",)"
            + std::string(step.message) + R"(},"finish_reason":")"
            + std::string(step.finish)
            + R"("}]},"usage":{"input_tokens":3,"output_tokens":)"
            + std::to_string(step.output) + R"(},"request_id":"r1"})" + "\n\n";
    }
    return vendor_probe::decode_stream(provider::kQwen, all, options);
}

TEST(QwenBody, Text)
{
    const auto answer = body(R"({"output":{"choices":[{"finish_reason":"stop",
        "message":{"role":"assistant","content":"Hello",
        "reasoning_content":"hm"}}]},"usage":{"input_tokens":5,
        "output_tokens":7,"total_tokens":12,"prompt_tokens_details":
        {"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":2}},
        "request_id":"r1"})");
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->id, "r1");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().reasoning, "hm");
    EXPECT_EQ(answer->first().finish, Finish::stop);
    EXPECT_EQ(answer->usage.prompt, 5);
    EXPECT_EQ(answer->usage.completion, 7);
    EXPECT_EQ(answer->usage.total, 12);
    EXPECT_EQ(answer->usage.cache_read, 4);
    EXPECT_EQ(answer->usage.reasoning, 2);
    EXPECT_EQ(answer->ends, 1);
}

TEST(QwenBody, ReasoningModes)
{
    constexpr std::string_view text = R"({"output":{"choices":[{
        "finish_reason":"stop","message":{"content":"C",
        "reasoning_content":"R"}}]}})";
    auto answer = body(text, mode("ignore"));
    EXPECT_EQ(answer->first().text, "C");
    EXPECT_EQ(answer->first().reasoning, "");
    answer = body(text, mode("concat"));
    EXPECT_EQ(answer->first().text, "<think>R</think>\nC");
    EXPECT_EQ(answer->first().reasoning, "");
}

TEST(QwenBody, MultimodalContentAndTools)
{
    const auto answer = body(R"({"output":{"choices":[{"finish_reason":
        "tool_calls","message":{"content":[{"text":"a"},{"text":"b"}],
        "tool_calls":[{"index":0,"id":"1","function":{"name":"f",
        "arguments":"{\"x\":1}"}},{"function":{"name":"g","arguments":""}}]}}]}})");
    EXPECT_EQ(answer->first().text, "ab");
    ASSERT_EQ(answer->first().calls.size(), 2U);
    EXPECT_EQ(answer->first().calls[0].arguments, R"({"x":1})");
    EXPECT_EQ(answer->first().calls[1].arguments, "{}");
    EXPECT_NE(answer->first().calls[1].id, "");
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
}

TEST(QwenBody, SeveralChoicesAndFinishes)
{
    const auto answer = body(R"({"output":{"choices":[
        {"finish_reason":"length","message":{"content":"a"}},
        {"finish_reason":"stop","message":{"content":"b"},"index":1}]}})");
    ASSERT_EQ(answer->choices.size(), 2U);
    EXPECT_EQ(answer->choices[0].finish, Finish::length);
    EXPECT_EQ(answer->choices[1].text, "b");
}

TEST(QwenBody, TextFormat)
{
    const auto answer = body(R"({"output":{"text":"a","finish_reason":"length",
        "choices":null},"code":"","message":""})");
    EXPECT_EQ(answer->first().text, "a");
    EXPECT_EQ(answer->first().finish, Finish::length);
}

TEST(QwenBody, Errors)
{
    auto answer = body(R"({"code":"Throttling.RateQuota","message":"slow",
        "request_id":"r"})");
    EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
    EXPECT_EQ(answer->error.http_status(), 429);
    EXPECT_EQ(answer->error.provider_code, "Throttling.RateQuota");
    EXPECT_EQ(answer->error.message, "slow");
    EXPECT_EQ(body(R"({"code":"InvalidParameter","message":"m"})")
                  ->error.http_status(),
        400);
    EXPECT_EQ(body(R"({"code":"InternalError.Algo","message":"m"})")
                  ->error.http_status(),
        500);
    for (const char* text : {"{}", "[]", "5", R"({"output":[]})",
             R"({"output":{}})", R"({"output":{"choices":[]}})"})
    {
        EXPECT_EQ(body(text)->error.code, ErrorCode::upstream_invalid) << text;
        EXPECT_EQ(body(text)->ends, 0);
    }
}

TEST(QwenBody, WrongTypesEverywhere)
{
    const auto answer = body(R"({"request_id":5,"output":{"choices":[
        {"message":{"content":{"a":1},"reasoning_content":[],"tool_calls":
        [5,{"function":7},null]},"finish_reason":9},"x"]},"usage":[1]})");
    EXPECT_EQ(answer->ends, 1);
    EXPECT_EQ(body(R"({"output":{"choices":[{"index":1e9}]}})")->error.code,
        ErrorCode::upstream_invalid);
    EXPECT_EQ(body(R"({"output":{"choices":[{"message":{"tool_calls":[
        {"index":999999}]}}]}})")
                  ->error.code,
        ErrorCode::upstream_invalid);
}

TEST(QwenStream, Pieces)
{
    const auto answer = stream({{R"("content":"","reasoning_content":"h")"},
        {R"("content":"","reasoning_content":"m")"}, {R"("content":"Hel")"},
        {R"("content":"lo")", "null", 4}, {R"("content":"")", "stop", 5}});
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->id, "r1");
    EXPECT_EQ(answer->first().reasoning, "hm");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().finish, Finish::stop);
    EXPECT_EQ(answer->usage.prompt, 3);
    EXPECT_EQ(answer->usage.completion, 5);
    EXPECT_EQ(answer->ends, 1);
}

// Pieces that happen to begin like what was before.
TEST(QwenStream, PiecesThatRepeat)
{
    EXPECT_EQ(stream({{R"("content":"1")", "null", 1},
                         {R"("content":"10")", "null", 3},
                         {R"("content":" m")", "stop", 4}})
                  ->first()
                  .text,
        "110 m");
    EXPECT_EQ(stream({{R"("content":"ha")", "null", 1},
                         {R"("content":"ha")", "stop", 2}})
                  ->first()
                  .text,
        "haha");
    EXPECT_EQ(stream({{R"("content":"bye ")", "null", 1},
                         {R"("content":"bye ")", "null", 2},
                         {R"("content":"now")", "stop", 3}})
                  ->first()
                  .text,
        "bye bye now");
    EXPECT_EQ(stream({{R"("content":"hello there")", "null", 1},
                         {R"("content":"x")", "null", 2},
                         {R"("content":"hello there")", "stop", 3}})
                  ->first()
                  .text,
        "hello therexhello there");
}

TEST(QwenStream, WholeMessagesAgainAndAgain)
{
    auto answer = stream(
        {{R"("content":"I")", "null", 1}, {R"("content":"I am")", "null", 2},
            {R"("content":"I am here")", "null", 3},
            {R"("content":"I am here")", "stop", 3}});
    EXPECT_EQ(answer->first().text, "I am here");
    answer = stream({{R"("content":"Hello","reasoning_content":"Think")"},
        {R"("content":"Hello world","reasoning_content":"Thinking")"},
        {R"("content":"Hello world!","reasoning_content":"Thinking")",
            "stop"}});
    EXPECT_EQ(answer->first().text, "Hello world!");
    EXPECT_EQ(answer->first().reasoning, "Thinking");
}

TEST(QwenStream, WholeToolCallsAgainAndAgain)
{
    const auto answer = stream({{R"("content":"Look it up")", "null", 3},
        {R"("content":"Look it up","tool_calls":[{"index":0,"id":"1",)"
         R"("function":{"name":"f","arguments":"{\"a\":"}}])",
            "null", 6},
        {R"("content":"Look it up","tool_calls":[{"index":0,"id":"1",)"
         R"("function":{"name":"f","arguments":"{\"a\": \"b"}}])",
            "null", 8},
        {R"("content":"Look it up","tool_calls":[{"index":0,"id":"1",)"
         R"("function":{"name":"f","arguments":"{\"a\": \"b\"}"}},)"
         R"({"index":1,"id":"2","function":{"name":"g","arguments":"{}"}}])",
            "tool_calls", 9}});
    EXPECT_EQ(answer->first().text, "Look it up");
    ASSERT_EQ(answer->first().calls.size(), 2U);
    EXPECT_EQ(answer->first().calls[0].arguments, R"({"a": "b"})");
    EXPECT_EQ(answer->first().calls[1].id, "2");
    EXPECT_EQ(answer->first().calls[1].arguments, "{}");
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
}

TEST(QwenStream, ConcatClosesTheThought)
{
    auto answer =
        stream({{R"("content":"","reasoning_content":"R1 ")"},
                   {R"("content":"","reasoning_content":"R2")"},
                   {R"("content":"C1 ")"}, {R"("content":"C2")", "stop"}},
            mode("concat"));
    EXPECT_EQ(answer->first().text, "<think>R1 R2</think>\nC1 C2");
    answer = stream({{R"("content":"","reasoning_content":"R")"},
                        {R"("content":"","tool_calls":[{"index":0,"id":"1",)"
                         R"("function":{"name":"f","arguments":"{}"}}])",
                            "tool_calls"}},
        mode("concat"));
    EXPECT_EQ(answer->first().text, "<think>R</think>\n");
    answer = stream({{R"("content":"","reasoning_content":"R")", "length"}},
        mode("concat"));
    EXPECT_EQ(answer->first().text, "<think>R</think>\n");
    answer = stream({{R"("content":"","reasoning_content":"R")"},
                        {R"("content":"C")", "stop"}},
        mode("ignore"));
    EXPECT_EQ(answer->first().text, "C");
    EXPECT_EQ(answer->first().reasoning, "");
}

TEST(QwenStream, Truncated)
{
    EXPECT_EQ(stream({{R"("content":"a")"}})->error.code,
        ErrorCode::upstream_truncated);
    EXPECT_EQ(stream({{R"("content":"a")"}})->ends, 0);
    EXPECT_EQ(stream({})->error.code, ErrorCode::upstream_truncated);
}

TEST(QwenStream, ErrorEvent)
{
    const auto answer = vendor_probe::decode_stream(provider::kQwen,
        "id:1\nevent:error\n:HTTP_STATUS/429\n"
        "data:{\"code\":\"Throttling\",\"message\":\"slow\","
        "\"request_id\":\"r\"}\n\n");
    EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
    EXPECT_EQ(answer->error.http_status(), 429);
    EXPECT_EQ(answer->error.provider_code, "Throttling");
    EXPECT_EQ(answer->error.message, "slow");
    EXPECT_EQ(answer->log, "");
    EXPECT_EQ(
        vendor_probe::decode_stream(provider::kQwen, "data:{\n\n")->error.code,
        ErrorCode::upstream_invalid);
}

TEST(QwenError, Bodies)
{
    json::Parser parser;
    auto node = parser.parse(
        std::string_view(R"({"code":"InvalidApiKey","message":"m"})"));
    Error error = provider::kQwen.error(401, *node, "");
    EXPECT_EQ(error.code, ErrorCode::upstream_status);
    EXPECT_EQ(error.http_status(), 401);
    EXPECT_EQ(error.provider_code, "InvalidApiKey");
    EXPECT_EQ(error.message, "m");
    node = parser.parse(
        std::string_view(R"({"error":{"message":"e","type":"t","code":"c"}})"));
    error = provider::kQwen.error(400, *node, "");
    EXPECT_EQ(error.message, "e");
    EXPECT_EQ(error.type, "t");
    EXPECT_EQ(error.provider_code, "c");
}

struct Expected {
    std::string text, finish;
    std::vector<vendor_probe::Call> calls;
    int64_t input = 0, output = 0, cached = 0;
};

void note(Expected& e, json::Node chunk)
{
    const json::Node one = chunk["output"]["choices"].at(0);
    const json::Node content = one["message"]["content"];
    e.text += content.string_or();
    for (const json::Node part : content.items()) {
        e.text += part["text"].string_or();
    }
    for (const json::Node call : one["message"]["tool_calls"].items()) {
        const auto index = size_t(call["index"].integer().value_or(0));
        e.calls.resize(std::max(e.calls.size(), index + 1));
        e.calls[index].id += call["id"].string_or();
        e.calls[index].name += call["function"]["name"].string_or();
        e.calls[index].arguments += call["function"]["arguments"].string_or();
    }
    e.finish = one["finish_reason"].string_or();
    const json::Node usage = chunk["usage"];
    e.input = usage["input_tokens"].integer().value_or(0);
    e.output = usage["output_tokens"].integer().value_or(0);
    e.cached =
        usage["prompt_tokens_details"]["cached_tokens"].integer().value_or(0);
}

void compare(vendor_probe::Answer& answer, const Expected& e)
{
    EXPECT_EQ(answer.error.code, ErrorCode::none) << answer.error.message;
    const auto& choice = answer.first();
    EXPECT_EQ(choice.text, e.text);
    ASSERT_EQ(choice.calls.size(), e.calls.size());
    for (size_t i = 0; i < e.calls.size(); i++) {
        EXPECT_EQ(choice.calls[i].id, e.calls[i].id);
        EXPECT_EQ(choice.calls[i].name, e.calls[i].name);
        EXPECT_EQ(choice.calls[i].arguments, e.calls[i].arguments);
    }
    EXPECT_EQ(choice.finish_word, e.finish);
    EXPECT_EQ(answer.usage.prompt, e.input);
    EXPECT_EQ(answer.usage.completion, e.output);
    EXPECT_EQ(answer.usage.cache_read, e.cached);
    EXPECT_EQ(answer.ends, 1);
}

void check_stream(std::string_view sse)
{
    const auto answer = vendor_probe::decode_stream(provider::kQwen, sse);
    for (const size_t piece : {1, 7}) {
        EXPECT_EQ(
            vendor_probe::decode_stream(provider::kQwen, sse, {}, piece)->log,
            answer->log);
    }
    Expected e;
    json::Parser parser;
    std::istringstream lines{std::string(sse)};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("data:")) {
            note(e, *parser.parse(std::string_view(line).substr(5)));
        }
    }
    compare(*answer, e);
}

TEST(QwenRecorded, Decodes)
{
    const auto all = vendor_probe::fixtures("dashscope");
    if (all.empty()) {
        GTEST_SKIP() << "no recorded exchanges";
    }
    size_t checked = 0;
    for (const auto& fixture : all) {
        SCOPED_TRACE(fixture->name);
        if (fixture->root["api"].string_or() != "chat") {
            continue; // embeddings, images, rerank
        }
        checked++;
        const json::Node response = fixture->root["response"];
        const json::Node recorded = response["body"];
        const int64_t status = response["status"].integer().value_or(0);
        if (fixture->root["wire"].string_or() == "sse") {
            check_stream(response["body_text"].string_or());
        } else if (status >= 300) {
            const Error error =
                provider::kQwen.error(int(status), recorded, "");
            EXPECT_EQ(error.http_status(), status);
            EXPECT_EQ(error.message, recorded["message"].string_or("-"));
            EXPECT_EQ(error.provider_code, recorded["code"].string_or("-"));
        } else {
            Expected e;
            note(e, recorded);
            compare(*body(simdjson::minify(recorded.element())), e);
        }
    }
    EXPECT_GE(checked, 9U);
}

} // namespace
