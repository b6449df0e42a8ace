#include "vendor_probe.h"

#include "core/provider/bedrock.h"
#include "core/wire/event_stream.h"

using namespace ai_proxy;
using chat::Finish;

namespace {

struct Step {
    std::string_view event, data;
    bool error = false;
};

std::unique_ptr<vendor_probe::Answer> stream(const std::vector<Step>& steps,
    const provider::Options& options = {},
    std::string_view model = "anthropic.claude-x")
{
    auto answer = std::make_unique<vendor_probe::Answer>();
    answer->error.code = ErrorCode::none;
    json::Parser parser;
    const auto decoder =
        provider::kBedrock.decoder({options, model, 1700000000, 1});
    for (const Step& step : steps) {
        wire::SseEvent event;
        event.event = step.event;
        event.data = step.data;
        event.has_data = true;
        event.is_error = step.error;
        if (auto done = decoder->event(event, parser, *answer); !done) {
            answer->error = done.error();
            return answer;
        }
    }
    if (auto done = decoder->finish(*answer); !done) {
        answer->error = done.error();
    }
    return answer;
}

TEST(BedrockResponse, PlainWithEverything)
{
    const auto got = vendor_probe::decode_body(provider::kBedrock,
        R"({"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"hm","signature":"S="}}},
        {"reasoningContent":{"redactedContent":"R="}},
        {"text":"Hel"},{"text":"lo"},
        {"citationsContent":{"content":[{"text":"!"}],"citations":[]}},
        {"toolUse":{"toolUseId":"a","name":"f","input":{"x":1}}},
        {"toolUse":{"toolUseId":"s","name":"srv","type":"server_tool_use",
            "input":{}}},
        {"toolUse":{"toolUseId":"b","name":"g","input":{}}}]}},
        "stopReason":"tool_use",
        "usage":{"inputTokens":3,"outputTokens":5,"totalTokens":15,
            "cacheReadInputTokens":5,"cacheWriteInputTokens":2}})");
    ASSERT_EQ(got->error.code, ErrorCode::none);
    const auto& choice = got->first();
    EXPECT_EQ(choice.text, "Hello!");
    EXPECT_EQ(choice.reasoning, "hm");
    EXPECT_EQ(choice.signatures, std::vector<std::string>{"S="});
    EXPECT_EQ(choice.redacted, std::vector<std::string>{"R="});
    ASSERT_EQ(choice.calls.size(), 2U);
    EXPECT_EQ(choice.calls[0].id, "a");
    EXPECT_EQ(choice.calls[0].arguments, R"({"x":1})");
    EXPECT_EQ(choice.calls[1].name, "g");
    EXPECT_EQ(choice.calls[1].arguments, "{}");
    EXPECT_EQ(choice.finish, Finish::tool_calls);
    EXPECT_EQ(got->usage.prompt, 10);
    EXPECT_EQ(got->usage.cache_read, 5);
    EXPECT_EQ(got->usage.cache_write, 2);
    EXPECT_EQ(got->usage.total, 15);
    EXPECT_EQ(got->ends, 1);
}

TEST(BedrockResponse, StopReasons)
{
    const std::pair<std::string_view, Finish> words[] = {
        {"end_turn", Finish::stop}, {"stop_sequence", Finish::stop_sequence},
        {"max_tokens", Finish::length},
        {"model_context_window_exceeded", Finish::context_window},
        {"tool_use", Finish::tool_calls},
        {"guardrail_intervened", Finish::content_filter},
        {"content_filtered", Finish::content_filter},
        {"something_new", Finish::stop}};
    for (const auto& [word, finish] : words) {
        const auto got = vendor_probe::decode_body(provider::kBedrock,
            R"({"output":{"message":{"content":[{"text":"x"}]}},"stopReason":")"
                + std::string(word) + "\"}");
        EXPECT_EQ(got->first().finish, finish) << word;
    }
}

TEST(BedrockResponse, TheStopSequenceOfAStream)
{
    const auto got = stream({{"contentBlockDelta", R"({"delta":{"text":"x"}})"},
        {"messageStop",
            R"({"stopReason":"stop_sequence","additionalModelResponseFields":)"
            R"({"delta":{"stop_sequence":"END"}}})"}});
    EXPECT_EQ(got->first().finish, Finish::stop_sequence);
    EXPECT_EQ(got->first().stop_sequence, "END");
}

TEST(BedrockResponse, StreamWithInterleavedCalls)
{
    const auto got = stream({{"messageStart", R"({"role":"assistant"})"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"reasoningContent":)"
            R"({"text":"hm"}}})"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"reasoningContent":)"
            R"({"signature":"S="}}})"},
        {"contentBlockStop", R"({"contentBlockIndex":0})"},
        {"contentBlockStart",
            R"({"contentBlockIndex":1,"start":{"toolUse":)"
            R"({"toolUseId":"a","name":"f"}}})"},
        {"contentBlockStart",
            R"({"contentBlockIndex":2,"start":{"toolUse":)"
            R"({"toolUseId":"b","name":"g"}}})"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"x\""}}})"},
        {"contentBlockStop", R"({"contentBlockIndex":2})"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":":1}"}}})"},
        {"messageStop", R"({"stopReason":"tool_use"})"},
        {"metadata", R"({"usage":{"inputTokens":1,"outputTokens":2}})"}});
    ASSERT_EQ(got->error.code, ErrorCode::none) << got->error.message;
    const auto& choice = got->first();
    EXPECT_EQ(choice.reasoning, "hm");
    EXPECT_EQ(choice.signatures, std::vector<std::string>{"S="});
    ASSERT_EQ(choice.calls.size(), 2U);
    EXPECT_EQ(choice.calls[0].arguments, R"({"x":1})");
    EXPECT_EQ(choice.calls[1].arguments, "{}");
    EXPECT_EQ(choice.finishes, 1);
    EXPECT_EQ(got->usage.total, 3);
    EXPECT_EQ(got->ends, 1);
}

TEST(BedrockResponse, AStreamEndsWithMessageStop)
{
    auto got = stream({{"messageStart", "{}"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"text":"x"}})"},
        {"messageStop", R"({"stopReason":"end_turn"})"}});
    EXPECT_EQ(got->error.code, ErrorCode::none);
    EXPECT_EQ(got->ends, 1);
    got = stream({{"messageStart", "{}"},
        {"contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"text":"x"}})"}});
    EXPECT_EQ(got->error.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(got->ends, 0);
    EXPECT_EQ(stream({})->error.code, ErrorCode::upstream_truncated);
}

TEST(BedrockResponse, ExceptionsHaveTheirStatus)
{
    const std::pair<std::string_view, int> exceptions[] = {
        {"throttlingException", 429}, {"validationException", 400},
        {"internalServerException", 500}, {"modelStreamErrorException", 502},
        {"serviceUnavailableException", 503}, {"modelTimeoutException", 408}};
    for (const auto& [name, status] : exceptions) {
        const auto got = stream({{name, R"({"message":"no"})", true}});
        EXPECT_EQ(got->error.code, ErrorCode::upstream_error);
        EXPECT_EQ(got->error.status, status) << name;
        EXPECT_EQ(got->error.message, "no");
        EXPECT_EQ(got->error.type, name);
    }
    const auto original = stream({{"modelStreamErrorException",
        R"({"message":"no","originalStatusCode":424})", true}});
    EXPECT_EQ(original->error.status, 424);
    const auto unknown = stream({{"code", "in words", true}});
    EXPECT_EQ(unknown->error.message, "in words");
}

TEST(BedrockResponse, TheOpenBlocksHaveABound)
{
    std::vector<std::string> texts;
    for (int i = 0; i < 70; i++) {
        texts.push_back(R"({"contentBlockIndex":)" + std::to_string(i)
            + R"(,"start":{"toolUse":{"toolUseId":"t","name":"f"}}})");
    }
    std::vector<Step> steps;
    for (const std::string& text : texts) {
        steps.push_back({"contentBlockStart", text});
    }
    EXPECT_EQ(stream(steps)->error.code, ErrorCode::upstream_invalid);
}

TEST(BedrockResponse, ErrorBodies)
{
    json::Parser parser;
    auto body = parser.parse(
        R"({"message":"too fast","__type":"com.amazon#ThrottlingException"})");
    ASSERT_TRUE(body);
    Error error = provider::bedrock_error(429, *body, "");
    EXPECT_EQ(error.message, "too fast");
    EXPECT_EQ(error.type, "ThrottlingException");
    EXPECT_EQ(error.status, 429);
    body = parser.parse(R"({"Message":"denied"})");
    EXPECT_EQ(provider::bedrock_error(403, *body, "").message, "denied");
    EXPECT_FALSE(provider::bedrock_error(502, {}, "<html>").message.empty());
}

TEST(BedrockResponse, ClaudesEventsByInvokeModel)
{
    provider::Options options;
    options.bedrock_invoke = true;
    // {"type":"message_start","message":{"id":"m1"}} and so on, in base64.
    const auto got = stream(
        {{"chunk",
             R"({"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsiaW)"
             R"(QiOiJtMSJ9fQ==","p":"ab"})"},
            {"chunk",
                R"({"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV)"
                R"(4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiJo)"
                R"(aSJ9fQ=="})"},
            {"chunk",
                R"({"bytes":"eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsImRlbHRhIjp7InN)"
                R"(0b3BfcmVhc29uIjoiZW5kX3R1cm4ifX0="})"},
            {"chunk", R"({"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="})"}},
        options);
    ASSERT_EQ(got->error.code, ErrorCode::none) << got->error.message;
    EXPECT_EQ(got->id, "m1");
    EXPECT_EQ(got->first().text, "hi");
    EXPECT_EQ(got->first().finish, Finish::stop);
    for (const std::string_view bad :
        {"{}", R"({"bytes":"%%"})", R"({"bytes":""})", "nonsense"})
    {
        EXPECT_EQ(stream({{"chunk", bad}}, options)->error.code,
            ErrorCode::upstream_invalid)
            << bad;
    }
    EXPECT_EQ(
        stream({{"throttlingException", "{}", true}}, options)->error.status,
        429);
}

} // namespace
