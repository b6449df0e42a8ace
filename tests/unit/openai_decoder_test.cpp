#include "core/chat/signer.h"
#include "core/credential/digest.h"
#include "core/dialect/chat_relay.h"
#include "core/provider/protocol.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace ai_proxy;
using chat::EventKind;

// What a decoder emits, one line per event.
class Log final : public chat::Sink {
public:
    void on(const chat::Event& e) override
    {
        std::string line;
        const std::string text(e.text);
        const std::string at =
            std::to_string(e.choice) + "." + std::to_string(e.index);
        switch (e.kind) {
        case EventKind::begin:
            line = "begin " + std::string(e.id) + " " + std::string(e.model);
            break;
        case EventKind::text:
            line = "text " + std::to_string(e.choice) + " " + text;
            break;
        case EventKind::reasoning:
            line = "reasoning " + text;
            break;
        case EventKind::signature:
            line = "signature " + text;
            break;
        case EventKind::redacted:
            line = "redacted " + text;
            break;
        case EventKind::refusal:
            line = "refusal " + text;
            break;
        case EventKind::annotations:
            line = "annotations " + text;
            break;
        case EventKind::logprobs:
            line = "logprobs " + std::to_string(e.choice) + " " + text;
            break;
        case EventKind::audio:
            line = "audio " + text;
            break;
        case EventKind::service_tier:
            line = "tier " + text;
            break;
        case EventKind::tool_begin:
            line = "tool " + at + " " + std::string(e.id) + " "
                + std::string(e.name) + (text.empty() ? "" : " " + text);
            break;
        case EventKind::tool_arguments:
            line = "args " + at + " " + text;
            break;
        case EventKind::finish:
            line = "finish " + std::to_string(e.choice) + " "
                + std::string(chat::to_text(e.finish));
            break;
        case EventKind::usage:
            line = "usage " + std::to_string(e.usage.prompt) + " "
                + std::to_string(e.usage.completion);
            break;
        case EventKind::end:
            line = "end";
            break;
        }
        lines.push_back(line);
    }
    std::vector<std::string> lines;
};

using Lines = std::vector<std::string>;

// As the vendor's object travels in the canonical exchange.
std::string wrapped(std::string_view object)
{
    return std::string(chat::kCompatibleMark)
        + credential::base64(
            R"({"vendor":"","object":)" + std::string(object) + "}");
}

struct Decoding {
    Decoding() { decoder = provider::kOpenai.decoder({options, "m", 0, 0}); }
    Result<void> data(std::string_view text, std::string_view name = {})
    {
        wire::SseEvent event;
        event.data = text;
        event.event = name;
        event.has_data = true;
        return decoder->event(event, parser, log);
    }
    void delta(std::string_view text)
    {
        EXPECT_TRUE(data(R"({"id":"i","model":"m","choices":[{"index":0,)"
                         R"("delta":)"
            + std::string(text) + "}]}")
                        .ok());
    }
    Result<void> body(std::string_view text)
    {
        auto parsed = parser.parse(text);
        EXPECT_TRUE(parsed.ok());
        return decoder->body(*parsed, log);
    }
    provider::Options options;
    std::unique_ptr<provider::Decoder> decoder;
    json::Parser parser;
    Log log;
};

TEST(OpenaiDecoder, TextStream)
{
    Decoding d;
    d.delta(R"({"role":"assistant","content":""})");
    d.delta(R"({"content":"Hi"})");
    ASSERT_TRUE(d.data(R"({"choices":[{"index":0,"delta":{},)"
                       R"("finish_reason":"stop"}]})")
                    .ok());
    ASSERT_TRUE(d.data(R"({"choices":[],"usage":{"prompt_tokens":3,)"
                       R"("completion_tokens":1}})")
                    .ok());
    ASSERT_TRUE(d.data("[DONE]").ok());
    ASSERT_TRUE(d.decoder->finish(d.log).ok());
    EXPECT_EQ(d.log.lines,
        (Lines{"begin i m", "text 0 Hi", "finish 0 stop", "usage 3 1", "end"}));
}

TEST(OpenaiDecoder, AzuresEmptyFirstChunkIsNotTheBeginning)
{
    Decoding d;
    ASSERT_TRUE(d.data(R"({"choices":[],"id":"","model":"",)"
                       R"("prompt_filter_results":[]})")
                    .ok());
    EXPECT_TRUE(d.log.lines.empty());
    d.delta(R"({"content":"x"})");
    EXPECT_EQ(d.log.lines, (Lines{"begin i m", "text 0 x"}));
}

TEST(OpenaiDecoder, ReasoningSpellings)
{
    Decoding d;
    d.delta(R"({"reasoning_content":"a","content":null})");
    d.delta(R"({"reasoning":"b","reasoning_details":[{"text":"b"}]})");
    d.delta(R"({"content":[{"type":"thinking","thinking":
        [{"type":"text","text":"c"}]}]})");
    d.delta(R"({"content":[{"type":"text","text":"d"},
        {"type":"reference","reference_ids":[1]},
        {"type":"text","text":"e"}]})");
    d.delta(R"({"thinking_blocks":[{"type":"thinking","thinking":"",
        "signature":"S="},{"type":"redacted_thinking","data":"E"}]})");
    d.log.lines.erase(d.log.lines.begin());
    EXPECT_EQ(d.log.lines,
        (Lines{"reasoning a", "reasoning b", "reasoning c", "text 0 de",
            "signature " + wrapped(R"({"type":"thinking","signature":"S="})"),
            "redacted "
                + wrapped(R"({"type":"redacted_thinking","data":"E"})")}));
}

TEST(OpenaiDecoder, InterleavedToolCalls)
{
    Decoding d;
    d.delta(R"({"tool_calls":[{"index":0,"id":"a","type":"function",
        "function":{"name":"f","arguments":""}}]})");
    d.delta(R"({"tool_calls":[{"index":1,"id":"b",
        "function":{"name":"g","arguments":"{"}}]})");
    d.delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}},
        {"index":1,"id":"","function":{"name":null,"arguments":"}"}}]})");
    d.log.lines.erase(d.log.lines.begin());
    EXPECT_EQ(d.log.lines,
        (Lines{"tool 0.0 a f", "tool 0.1 b g", "args 0.1 {", "args 0.0 {}",
            "args 0.1 }"}));
}

TEST(OpenaiDecoder, ToolCallsWithoutIndexOrAllZero)
{
    Decoding none;
    none.delta(R"({"tool_calls":[{"id":"a","function":{"name":"f",
        "arguments":"{}"}},{"id":"b","function":{"name":"g",
        "arguments":"{}"}}]})");
    none.log.lines.erase(none.log.lines.begin());
    EXPECT_EQ(none.log.lines,
        (Lines{"tool 0.0 a f", "args 0.0 {}", "tool 0.1 b g", "args 0.1 {}"}));
    Decoding zero;
    zero.delta(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f",
        "arguments":"{}"}}]})");
    zero.delta(R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"g",
        "arguments":{"x":1}}}]})");
    zero.log.lines.erase(zero.log.lines.begin());
    EXPECT_EQ(zero.log.lines,
        (Lines{"tool 0.0 a f", "args 0.0 {}", "tool 0.1 b g",
            R"(args 0.1 {"x":1})"}));
}

TEST(OpenaiDecoder, CallsWithoutIdAndIndexOfAPlainBody)
{
    Decoding d;
    ASSERT_TRUE(d.body(R"({"id":"i","model":"m","choices":[{"index":0,
        "message":{"tool_calls":[{"id":"","function":{"name":"f",
        "arguments":"{}"}},{"id":"","function":{"name":"f",
        "arguments":"[]"}}]},"finish_reason":"tool_calls"}]})")
                    .ok());
    EXPECT_EQ(d.log.lines,
        (Lines{"begin i m", "tool 0.0  f", "args 0.0 {}", "tool 0.1  f",
            "args 0.1 []", "finish 0 tool_calls", "end"}));
}

TEST(OpenaiDecoder, PlainBody)
{
    Decoding d;
    ASSERT_TRUE(d.body(R"({"id":"i","model":"m","created":5,"choices":[
        {"index":0,"message":{"role":"assistant","content":"x",
            "reasoning_content":"r","annotations":[{"a":1}],
            "thinking_blocks":[{"type":"thinking","thinking":"r",
            "signature":"S"}]},"finish_reason":"length"},
        {"index":1,"message":{"content":null,"refusal":"no"},
            "finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":2}})")
                    .ok());
    EXPECT_EQ(d.log.lines,
        (Lines{"usage 1 2", "begin i m", "reasoning r",
            "signature " + wrapped(R"({"type":"thinking","signature":"S"})"),
            "text 0 x", R"(annotations [{"a":1}])", "finish 0 length",
            "refusal no", "finish 1 stop", "end"}));
}

TEST(OpenaiDecoder, FinishOncePerChoiceInOpenaisWords)
{
    Decoding d;
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(d.data(R"({"choices":[{"index":0,"delta":{},)"
                           R"("finish_reason":"model_length"}]})")
                        .ok());
    }
    ASSERT_TRUE(d.data(R"({"choices":[{"index":1,"delta":{},)"
                       R"("finish_reason":"sensitive"}]})")
                    .ok());
    ASSERT_TRUE(d.decoder->finish(d.log).ok());
    d.log.lines.erase(d.log.lines.begin());
    EXPECT_EQ(d.log.lines,
        (Lines{"finish 0 length", "finish 1 content_filter", "end"}));
}

TEST(OpenaiDecoder, Errors)
{
    Decoding plain;
    auto r = plain.body(R"({"error":{"message":"no","code":429}})");
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().code, ErrorCode::upstream_error);
    EXPECT_EQ(r.error().status, 429);
    EXPECT_TRUE(plain.log.lines.empty());

    Decoding stream;
    r = stream.data(R"({"error":{"message":"bad","type":"t","code":"c",)"
                    R"("status_code":400}})",
        "error");
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().message, "bad");
    EXPECT_EQ(r.error().type, "t");
    EXPECT_EQ(r.error().provider_code, "c");
    EXPECT_EQ(r.error().status, 400);

    Decoding router;
    r = router.data(R"({"choices":[{"index":0,"delta":{},)"
                    R"("finish_reason":"error"}],"error":{"code":502,)"
                    R"("message":"gone"}})");
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().message, "gone");

    Decoding junk;
    EXPECT_EQ(
        junk.data("{\"choices\":[").error().code, ErrorCode::upstream_invalid);
    EXPECT_EQ(junk.body("{}").error().code, ErrorCode::upstream_invalid);
}

TEST(OpenaiDecoder, TruncatedWithoutFinish)
{
    Decoding d;
    d.delta(R"({"content":"half"})");
    const auto r = d.decoder->finish(d.log);
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().code, ErrorCode::upstream_truncated);
    Decoding empty;
    EXPECT_EQ(empty.data("[DONE]").error().code, ErrorCode::upstream_truncated);
}

struct Shape {
    int status;
    std::string_view body, message, type, code, param;
};

class OpenaiError : public testing::TestWithParam<Shape> {};

TEST_P(OpenaiError, IsRead)
{
    const Shape& shape = GetParam();
    json::Parser parser;
    auto parsed = parser.parse(shape.body);
    const Error error = dialect::read_openai_error(
        shape.status, parsed ? *parsed : json::Node(), shape.body);
    EXPECT_EQ(error.code, ErrorCode::upstream_status);
    EXPECT_EQ(error.status, shape.status);
    EXPECT_EQ(error.message, shape.message);
    EXPECT_EQ(error.type, shape.type);
    EXPECT_EQ(error.provider_code, shape.code);
    EXPECT_EQ(error.param, shape.param);
}

constexpr Shape kShapes[] = {
    {401, R"({"error":{"message":"Incorrect API key","type":
        "invalid_request_error","param":null,"code":"invalid_api_key"}})",
        "Incorrect API key", "invalid_request_error", "invalid_api_key", ""},
    {400, R"({"error":{"message":"m","type":"t","param":"images[0]",
        "code":null}})",
        "m", "t", "", "images[0]"},
    {503, R"({"error":"Model is loading","estimated_time":80.4})",
        "Model is loading", "", "", ""},
    {429, R"({"code":"Some resource has been exhausted","error":"Too many"})",
        "Too many", "", "Some resource has been exhausted", ""},
    {400, R"({"object":"error","message":"Invalid model","type":
        "invalid_model","param":null,"code":"1500","raw_status_code":400})",
        "Invalid model", "invalid_model", "1500", ""},
    {422, R"({"object":"error","message":{"detail":[{"type":"extra_forbidden",
        "loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}})",
        "body.seed: Extra inputs are not permitted", "", "", ""},
    {422, R"({"detail":[{"loc":["body","messages",0],"msg":"bad"},
        {"loc":[],"msg":"worse"}]})",
        "body.messages.0: bad; worse", "", "", ""},
    {400, R"({"detail":"Model nonexistent"})", "Model nonexistent", "", "", ""},
    {401, R"({"error":{"message":"Missing Authentication header",
        "code":401}})",
        "Missing Authentication header", "", "401", ""},
    {429, R"({"result":null,"success":false,"errors":[{"code":3040,
        "message":"Capacity"}]})",
        "Capacity", "", "3040", ""},
    {400, R"({"error":{"message":"filtered","type":null,"param":"prompt",
        "code":"content_filter","status":400,"innererror":{"code":"R"}}})",
        "filtered", "", "content_filter", "prompt"},
    {503, R"([{"error":{"code":503,"message":"overloaded",
        "status":"UNAVAILABLE"}}])",
        "overloaded", "UNAVAILABLE", "503", ""},
    {404, "Not Found\n", "Not Found", "", "", ""},
    {502, "<html><head><title>502 Bad Gateway</title></head></html>",
        "The provider answered with status 502: 502 Bad Gateway.", "", "", ""},
    {500, "", "The provider answered with status 500.", "", "", ""},
    {500, "{}", "The provider answered with status 500.", "", "", ""},
    {500, "{\"error\":{\"mess", "The provider answered with status 500.", "",
        "", ""},
};

INSTANTIATE_TEST_SUITE_P(All, OpenaiError, testing::ValuesIn(kShapes));

TEST(OpenaiError, LongMessagesAreCutAtACharacter)
{
    std::string text = "x";
    for (int i = 0; i < 3000; ++i) {
        text += "\xC3\xA9";
    }
    const Error error = dialect::read_openai_error(500, {}, text);
    EXPECT_LE(error.message.size(), 512u);
    EXPECT_EQ(error.message.size() % 2, 1u);
}

} // namespace
