#include "vendor_probe.h"

#include <simdjson.h>

using namespace ai_proxy;
using chat::Finish;

namespace {

auto body(std::string_view text)
{
    return vendor_probe::decode_body(provider::kGemini, text);
}

auto stream(std::initializer_list<std::string_view> chunks)
{
    std::string all;
    for (const std::string_view chunk : chunks) {
        all += "data: " + std::string(chunk) + "\r\n\r\n";
    }
    return vendor_probe::decode_stream(provider::kGemini, all);
}

TEST(GeminiBody, TextThoughtsAndUsage)
{
    const auto answer = body(R"({"candidates":[{"content":{"parts":[
        {"text":"hm","thought":true},{"text":"Hel"},
        {"text":"lo","thoughtSignature":"S+/="}],"role":"model"},
        "finishReason":"STOP","index":0}],
        "usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,
        "thoughtsTokenCount":7,"cachedContentTokenCount":4,
        "totalTokenCount":22},"modelVersion":"gemini-x","responseId":"r1"})");
    EXPECT_EQ(answer->id, "r1");
    EXPECT_EQ(answer->model, "gemini-x");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().reasoning, "hm");
    EXPECT_EQ(answer->first().signatures, std::vector<std::string>{"S+/="});
    EXPECT_EQ(answer->first().finish, Finish::stop);
    EXPECT_EQ(answer->usage.prompt, 10);
    EXPECT_EQ(answer->usage.completion, 12);
    EXPECT_EQ(answer->usage.reasoning, 7);
    EXPECT_EQ(answer->usage.cache_read, 4);
    EXPECT_EQ(answer->usage.total, 22);
    EXPECT_EQ(answer->ends, 1);
}

TEST(GeminiBody, FunctionCalls)
{
    const auto answer = body(R"({"candidates":[{"content":{"parts":[
        {"functionCall":{"name":"f","args":{"a":[1]},"id":"own"},
         "thoughtSignature":"S+/="},
        {"functionCall":{"name":"g"}},
        {"functionCall":{"name":"g","args":{}}}]},"finishReason":"STOP"}]})");
    const auto& calls = answer->first().calls;
    ASSERT_EQ(calls.size(), 3U);
    EXPECT_EQ(calls[0].id, "own");
    EXPECT_EQ(calls[0].name, "f");
    EXPECT_EQ(calls[0].arguments, R"({"a":[1]})");
    EXPECT_EQ(calls[0].signature, "S+/=");
    EXPECT_EQ(calls[1].arguments, "{}");
    EXPECT_EQ(calls[1].id, "call_0123456789abcdef_0_1");
    EXPECT_NE(calls[1].id, calls[2].id);
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
    EXPECT_EQ(answer->first().finish_word, "STOP");
}

TEST(GeminiBody, OneChoicePerCandidate)
{
    const auto answer = body(R"({"candidates":[
        {"content":{"parts":[{"text":"a"},{"text":"b"}]},
         "finishReason":"STOP"},
        {"content":{"parts":[{"text":"c"}]},"finishReason":"MAX_TOKENS",
         "index":1}]})");
    ASSERT_EQ(answer->choices.size(), 2U);
    EXPECT_EQ(answer->choices[0].text, "ab");
    EXPECT_EQ(answer->choices[1].text, "c");
    EXPECT_EQ(answer->choices[1].finish, Finish::length);
}

TEST(GeminiBody, FinishReasons)
{
    const auto finish = [](std::string_view reason) {
        return body(
            R"({"candidates":[{"finishReason":)" + std::string(reason) + "}]}")
            ->first()
            .finish;
    };
    EXPECT_EQ(finish(R"("STOP")"), Finish::stop);
    EXPECT_EQ(finish(R"("MAX_TOKENS")"), Finish::length);
    for (const char* reason : {"SAFETY", "RECITATION", "BLOCKLIST",
             "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"})
    {
        EXPECT_EQ(
            finish('"' + std::string(reason) + '"'), Finish::content_filter);
    }
    EXPECT_EQ(finish(R"("MALFORMED_FUNCTION_CALL")"), Finish::stop);
    EXPECT_EQ(finish(R"("OTHER")"), Finish::stop);
    EXPECT_EQ(finish("2"), Finish::length);
    EXPECT_EQ(finish("{}"), Finish::stop);
}

TEST(GeminiBody, BlockedPrompt)
{
    const auto answer = body(R"({"promptFeedback":{"blockReason":"OTHER",
        "blockReasonMessage":"not this"},
        "usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}})");
    EXPECT_EQ(answer->first().finish, Finish::content_filter);
    EXPECT_EQ(answer->first().refusal, "not this");
    EXPECT_EQ(answer->usage.prompt, 3);
    EXPECT_EQ(answer->ends, 1);
}

TEST(GeminiBody, Errors)
{
    auto answer = body(R"({"error":{"code":429,"message":"slow",
        "status":"RESOURCE_EXHAUSTED"}})");
    EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
    EXPECT_EQ(answer->error.http_status(), 429);
    EXPECT_EQ(answer->error.provider_code, "RESOURCE_EXHAUSTED");
    EXPECT_EQ(answer->error.message, "slow");
    answer = body(R"([{"error":{"message":"m","status":"UNAVAILABLE"}}])");
    EXPECT_EQ(answer->error.http_status(), 503);
    for (const char* text : {"{}", "7", "null", R"({"candidates":{}})", "[]"}) {
        EXPECT_NE(body(text)->error.code, ErrorCode::none) << text;
        EXPECT_EQ(body(text)->ends, 0) << text;
    }
}

TEST(GeminiBody, WrongTypesEverywhere)
{
    const auto answer = body(R"({"responseId":1,"candidates":[{"content":{
        "parts":[1,null,{"text":5},{"functionCall":"x"},
        {"functionCall":{"name":7,"args":[1]}},{"inlineData":[]},{}]},
        "finishReason":[],"groundingMetadata":{"groundingSupports":[5,
        {"groundingChunkIndices":["x",-1,99]}]}},5,null],
        "usageMetadata":{"promptTokenCount":-1},"promptFeedback":7})");
    EXPECT_EQ(answer->ends, 1);
    ASSERT_EQ(answer->first().calls.size(), 1U);
    EXPECT_EQ(answer->first().calls[0].arguments, "{}");
    EXPECT_EQ(body(R"({"candidates":[{"index":1000000000}]})")->error.code,
        ErrorCode::upstream_invalid);
    EXPECT_EQ(body(R"({"candidates":[{"index":-1}]})")->error.code,
        ErrorCode::upstream_invalid);
}

TEST(GeminiBody, GroundingBecomesCitations)
{
    const auto answer = body(R"({"candidates":[{"content":{"parts":[
        {"text":"Ruby is 4."}]},"finishReason":"STOP","groundingMetadata":{
        "groundingChunks":[{"web":{"uri":"https://e.com","title":"E"}},
            {"retrievedContext":{"text":"t"}}],
        "groundingSupports":[{"segment":{"endIndex":4},
            "groundingChunkIndices":[0,1]}]}}]})");
    EXPECT_EQ(answer->first().annotations,
        std::vector<std::string>{
            R"([{"type":"url_citation","url_citation":{"url":"https://e.com",)"
            R"("title":"E","start_index":0,"end_index":4}},)"
            R"({"type":"file_citation","file_citation":{"file_id":"",)"
            R"("filename":"","index":1,"content":"t","start_index":0,)"
            R"("end_index":4}}])"});
}

TEST(GeminiBody, Pictures)
{
    const auto answer = body(R"({"candidates":[{"content":{"parts":[
        {"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},
        "finishReason":"STOP"}]})");
    EXPECT_EQ(answer->first().text, "![image](data:image/png;base64,QUJD)");
}

TEST(GeminiStream, ChunksAfterTheFinishReason)
{
    const auto answer = stream(
        {R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}],)"
         R"("usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}})",
            R"({"candidates":[{"content":{"parts":[{"text":"b"}]},)"
            R"("finishReason":"STOP"}]})",
            R"({"candidates":[{"content":{"parts":[{"text":""}]}}]})",
            R"({"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,)"
            R"("totalTokenCount":7}})"});
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->first().text, "ab");
    EXPECT_EQ(answer->first().finishes, 1);
    EXPECT_EQ(answer->usage.completion, 2);
    EXPECT_EQ(answer->usage.total, 7);
    EXPECT_EQ(answer->ends, 1);
}

TEST(GeminiStream, CallsOfSeveralChunksCountOn)
{
    const auto answer =
        stream({R"({"candidates":[{"content":{"parts":[{"functionCall":)"
                R"({"name":"f","args":{}}}]}}]})",
            R"({"candidates":[{"content":{"parts":[{"functionCall":)"
            R"({"name":"g","args":{}}}]},"finishReason":"STOP"}]})"});
    ASSERT_EQ(answer->first().calls.size(), 2U);
    EXPECT_EQ(answer->first().calls[1].name, "g");
    EXPECT_NE(answer->first().calls[0].id, answer->first().calls[1].id);
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
}

TEST(GeminiStream, TruncatedUntilEveryCandidateFinished)
{
    constexpr std::string_view one =
        R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0,)"
        R"("finishReason":"STOP"},)"
        R"({"content":{"parts":[{"text":"b"}]},"index":1}]})";
    EXPECT_EQ(stream({one})->error.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(stream({one})->ends, 0);
    EXPECT_EQ(
        stream({one, R"({"candidates":[{"index":1,"finishReason":"STOP"}]})"})
            ->error.code,
        ErrorCode::none);
    EXPECT_EQ(stream({})->error.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(stream({"{}"})->error.code, ErrorCode::upstream_truncated);
}

TEST(GeminiStream, BlockedAndErrors)
{
    auto answer = stream({R"({"promptFeedback":{"blockReason":"SAFETY"}})"});
    EXPECT_EQ(answer->first().finish, Finish::content_filter);
    EXPECT_EQ(answer->ends, 1);
    answer = stream({R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})",
        R"({"error":{"code":503,"message":"m","status":"UNAVAILABLE"}})"});
    EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
    EXPECT_EQ(answer->error.http_status(), 503);
    EXPECT_EQ(answer->ends, 0);
    EXPECT_EQ(stream({"{"})->error.code, ErrorCode::upstream_invalid);
}

TEST(GeminiStream, GroundingIsToldOnce)
{
    constexpr std::string_view head =
        R"({"candidates":[{"content":{"parts":[{"text":"abcd"}]},)"
        R"("groundingMetadata":{"groundingChunks":[{"web":{"uri":"u1"}},)"
        R"({"web":{"uri":"u2"}}],"groundingSupports":[)"
        R"({"segment":{"endIndex":1},"groundingChunkIndices":[0]})";
    const auto answer = stream({std::string(head) + "]}}]}",
        std::string(head)
            + R"(,{"segment":{"startIndex":1,"endIndex":2},)"
              R"("groundingChunkIndices":[1]}]},"finishReason":"STOP"}]})"});
    ASSERT_EQ(answer->first().annotations.size(), 2U);
    EXPECT_EQ(answer->first().annotations[1],
        R"([{"type":"url_citation","url_citation":{"url":"u2","title":"",)"
        R"("start_index":1,"end_index":2}}])");
}

TEST(GeminiError, Bodies)
{
    json::Parser parser;
    const auto node = parser.parse(std::string_view(
        R"([{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}])"));
    Error error = provider::kGemini.error(400, *node, "");
    EXPECT_EQ(error.code, ErrorCode::upstream_status);
    EXPECT_EQ(error.http_status(), 400);
    EXPECT_EQ(error.message, "m");
    EXPECT_EQ(error.provider_code, "INVALID_ARGUMENT");
    error = provider::kGemini.error(500, {}, "");
    EXPECT_EQ(error.message, "the provider answered with status 500");
}

struct Expected {
    std::string text, reasoning, finish;
    std::vector<vendor_probe::Call> calls;
    int64_t prompt = 0, output = 0, thoughts = 0, cached = 0;
};

void note(Expected& e, json::Node chunk)
{
    const json::Node one = chunk["candidates"].at(0);
    for (const json::Node part : one["content"]["parts"].items()) {
        const bool thought = part["thought"].boolean().value_or(false);
        (thought ? e.reasoning : e.text) += part["text"].string_or();
        const json::Node call = part["functionCall"];
        if (call.exists()) {
            e.calls.push_back({std::string(call["id"].string_or()),
                std::string(call["name"].string_or()),
                simdjson::minify(call["args"].element()),
                std::string(part["thoughtSignature"].string_or())});
        }
    }
    if (one["finishReason"].is_string()) {
        e.finish = one["finishReason"].string_or();
    }
    const json::Node usage = chunk["usageMetadata"];
    const auto number = [&usage](const char* name) {
        return usage[name].integer().value_or(0);
    };
    if (usage["promptTokenCount"].exists()) {
        e.prompt =
            number("promptTokenCount") + number("toolUsePromptTokenCount");
        e.output = number("candidatesTokenCount");
        e.thoughts = number("thoughtsTokenCount");
        e.cached = number("cachedContentTokenCount");
    }
}

void compare(vendor_probe::Answer& answer, const Expected& e)
{
    EXPECT_EQ(answer.error.code, ErrorCode::none) << answer.error.message;
    const auto& choice = answer.first();
    EXPECT_EQ(choice.text, e.text);
    EXPECT_EQ(choice.reasoning, e.reasoning);
    ASSERT_EQ(choice.calls.size(), e.calls.size());
    for (size_t i = 0; i < e.calls.size(); i++) {
        EXPECT_EQ(choice.calls[i].name, e.calls[i].name);
        EXPECT_EQ(choice.calls[i].arguments, e.calls[i].arguments);
        EXPECT_EQ(choice.calls[i].signature, e.calls[i].signature);
    }
    if (!e.finish.empty()) {
        EXPECT_EQ(choice.finish_word, e.finish);
    }
    EXPECT_EQ(answer.usage.prompt, e.prompt);
    // A total above the parts, as some models send, counts as output.
    EXPECT_GE(answer.usage.completion, e.output + e.thoughts);
    EXPECT_EQ(answer.usage.reasoning, e.thoughts);
    EXPECT_EQ(answer.usage.cache_read, e.cached);
    EXPECT_EQ(answer.ends, 1);
}

void check_stream(const vendor_probe::Fixture& fixture)
{
    const std::string_view sse =
        fixture.root["response"]["body_text"].string_or();
    const auto answer = vendor_probe::decode_stream(provider::kGemini, sse);
    for (const size_t piece : {1, 7}) {
        EXPECT_EQ(
            vendor_probe::decode_stream(provider::kGemini, sse, {}, piece)->log,
            answer->log);
    }
    Expected e;
    json::Parser parser;
    std::istringstream lines{std::string(sse)};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("data: ")) {
            note(e, *parser.parse(std::string_view(line).substr(6)));
        }
    }
    compare(*answer, e);
}

void check_body(const vendor_probe::Fixture& fixture)
{
    const json::Node response = fixture.root["response"];
    json::Parser parser;
    json::Node recorded = response["body"];
    if (!recorded.exists()) {
        recorded = *parser.parse(response["body_text"].string_or());
    }
    const int64_t status = response["status"].integer().value_or(0);
    if (status >= 300) {
        const Error error = provider::kGemini.error(int(status), recorded, "");
        EXPECT_EQ(error.http_status(), status);
        const json::Node one = recorded.is_array() ? recorded.at(0) : recorded;
        EXPECT_EQ(error.message, one["error"]["message"].string_or("-"));
        return;
    }
    const auto answer = body(simdjson::minify(recorded.element()));
    Expected e;
    if (recorded.is_array()) {
        for (const json::Node chunk : recorded.items()) {
            note(e, chunk);
        }
    } else {
        note(e, recorded);
    }
    compare(*answer, e);
}

class GeminiRecorded : public testing::TestWithParam<const char*> {};

TEST_P(GeminiRecorded, Decodes)
{
    const auto all = vendor_probe::fixtures(GetParam());
    if (all.empty()) {
        GTEST_SKIP() << "no recorded exchanges";
    }
    size_t checked = 0;
    for (const auto& fixture : all) {
        SCOPED_TRACE(fixture->name);
        if (fixture->root["api"].string_or() != "chat") {
            continue; // embeddings, caches, token counts, interactions
        }
        checked++;
        if (fixture->root["wire"].string_or() == "sse") {
            check_stream(*fixture);
        } else {
            check_body(*fixture);
        }
    }
    EXPECT_GE(checked, 10U);
}

INSTANTIATE_TEST_SUITE_P(Folders, GeminiRecorded,
    testing::Values("gemini", "vertex"),
    [](const auto& one) { return std::string(one.param); });

// What Google's search did beside functions, and the signature of that.
TEST(GeminiResponse, ASearchAtWorkIsNoAnswer)
{
    const auto answer = vendor_probe::decode_body(provider::kGemini, R"({
        "candidates":[{"content":{"parts":[
            {"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"s"},
             "thoughtSignature":"AAAA"},
            {"toolResponse":{"toolType":"GOOGLE_SEARCH_WEB","id":"s"}},
            {"text":"hi"},
            {"functionCall":{"name":"f","args":{}},
             "thoughtSignature":"BBBB"}]},
        "finishReason":"STOP"}]})");
    EXPECT_EQ(answer->first().text, "hi");
    EXPECT_TRUE(answer->first().signatures.empty());
    ASSERT_EQ(answer->first().calls.size(), 1U);
    EXPECT_EQ(answer->first().calls[0].signature, "BBBB");
}

} // namespace
