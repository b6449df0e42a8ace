#include "core/policy/output_text.h"
#include "core/policy/sign_of_life.h"
#include "exchange_fixture.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

// What the client's side of an exchange needs of the core: estimated usage of
// an answer that was cut, and signs of life between events.
namespace ai_proxy::policy {
namespace {

using config::ClientAbort;
using dialect::Api;
using testing::ExchangeFixture;

// ------------------------------------------------------------- estimates

int64_t tallied(Api api, std::string_view event)
{
    json::Parser parser;
    auto parsed = parser.parse(event);
    EXPECT_TRUE(parsed.ok()) << event;
    usage::TokenCounter tally;
    tally_event(tally, api, *parsed);
    return tally.tokens();
}

TEST(TallyEvent, CountsWhatIsSaidNotTheFrame)
{
    EXPECT_EQ(tallied(Api::chat_completions,
                  R"({"id":"chatcmpl-1","choices":[{"index":0,"delta":)"
                  R"({"role":"assistant","content":"123456"}}]})"),
        2);
    EXPECT_EQ(tallied(Api::chat_completions,
                  R"({"choices":[{"delta":{"reasoning_content":"123"}},)"
                  R"({"delta":{"tool_calls":[{"id":"call_1","type":)"
                  R"("function","function":{"name":"abcd","arguments":)"
                  R"("{\"a\":"}}]}}]})"),
        5);
    EXPECT_EQ(tallied(Api::chat_completions,
                  R"({"choices":[{"delta":{"reasoning":"123456",)"
                  R"("reasoning_details":[{"type":"reasoning.text",)"
                  R"("text":"123456","format":"unknown"}]}}]})"),
        2);
    EXPECT_EQ(tallied(Api::chat_completions,
                  R"({"choices":[],"usage":{"prompt_tokens":5}})"),
        0);
    EXPECT_EQ(
        tallied(Api::completions, R"({"choices":[{"text":"123456"}]})"), 2);
    EXPECT_EQ(tallied(Api::messages,
                  R"({"type":"content_block_delta","delta":)"
                  R"({"type":"text_delta","text":"123456"}})"),
        2);
    EXPECT_EQ(tallied(Api::messages,
                  R"({"type":"content_block_delta","delta":)"
                  R"({"type":"signature_delta","signature":"123456"}})"),
        0);
    EXPECT_EQ(tallied(Api::messages,
                  R"({"type":"message_delta","delta":)"
                  R"({"stop_reason":"end_turn"}})"),
        0);
    EXPECT_EQ(tallied(Api::responses,
                  R"({"type":"response.output_text.delta","item_id":"msg_1",)"
                  R"("delta":"123456"})"),
        2);
    EXPECT_EQ(tallied(Api::gemini_stream,
                  R"({"candidates":[{"content":{"role":"model","parts":)"
                  R"([{"text":"123"},{"functionCall":{"name":"abcd",)"
                  R"("args":{"x":"567"}}}]}}]})"),
        3);
    EXPECT_EQ(tallied(Api::chat_completions, "[1]"), 0);
}

class Estimate : public ExchangeFixture {
protected:
    void feed(std::string_view bytes, size_t split = 0)
    {
        const Header header{"Content-Type", "text/event-stream"};
        attempt->response->head(200, {&header, 1});
        std::string out;
        while (!bytes.empty()) {
            const size_t n =
                split == 0 ? bytes.size() : std::min(split, bytes.size());
            const std::string piece(bytes.substr(0, n));
            attempt->response->feed(piece, out, 15);
            bytes.remove_prefix(n);
        }
        exchange->record(*attempt, ErrorCode::client_closed, 10, 20);
        exchange->estimate_rest(*attempt->response);
    }
    const Books& books() { return exchange->books(); }
};

constexpr std::string_view kHi =
    R"({"model":"gpt-4o","stream":true,"messages":)"
    R"([{"role":"user","content":"123456"}]})";
constexpr std::string_view kTwo =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"123456\"}}]}"
    "\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"abcd\"}}]}"
    "\n\n";
constexpr std::string_view kMessage =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"
    "\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":77,"
    "\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\","
    "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
    "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"123456\"}}"
    "\n\n";

TEST_F(Estimate, OfARelayedStreamThatWasCut)
{
    for (size_t split : {0, 1, 2, 3, 7}) {
        request.body = kHi;
        world.site().client_abort.policy = ClientAbort::Policy::estimate;
        prepare();
        feed(kTwo, split);
        EXPECT_EQ(books().usage_source, UsageSource::estimated);
        EXPECT_EQ(books().usage.completion, 3);
        EXPECT_GE(books().usage.prompt, 2);
        EXPECT_LE(books().usage.prompt, 20);
        EXPECT_EQ(books().usage.total,
            books().usage.prompt + books().usage.completion);
    }
}

TEST_F(Estimate, KeepsWhatTheProviderTold)
{
    world.provider("c", "claude");
    request.body = kHi;
    world.site().client_abort.policy = ClientAbort::Policy::drain;
    prepare();
    feed(kMessage);
    EXPECT_EQ(books().usage_source, UsageSource::estimated);
    EXPECT_EQ(books().usage.prompt, 77);
    EXPECT_EQ(books().usage.completion, 2);
    EXPECT_EQ(books().usage.total, 79);
}

TEST_F(Estimate, IsNotMadeUnlessAskedFor)
{
    request.body = kHi;
    prepare();
    feed(kTwo);
    EXPECT_EQ(books().usage_source, UsageSource::none);
    EXPECT_FALSE(books().usage.known);
    EXPECT_EQ(attempt->response->said(), 0);
}

TEST_F(Estimate, NotOfAWholeAnswerNorOfAnError)
{
    request.body = kHi;
    world.site().client_abort.policy = ClientAbort::Policy::drain;
    prepare();
    feed(std::string(kTwo)
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
          "\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":"
          "5,\"completion_tokens\":6,\"total_tokens\":11}}\n\n"
          "data: [DONE]\n\n");
    EXPECT_EQ(books().usage_source, UsageSource::provider);
    EXPECT_EQ(books().usage.completion, 6);

    prepare();
    attempt->response->head(500, {});
    exchange->record(*attempt, ErrorCode::client_closed, 10, 20);
    exchange->estimate_rest(*attempt->response);
    EXPECT_EQ(books().usage_source, UsageSource::none);
}

// A whole answer without usage.
struct Uncounted {
    std::string_view type, path, content_type, body;
    int64_t completion;

    friend void PrintTo(const Uncounted& one, std::ostream* out)
    {
        *out << one.type << ' ' << one.path << ' ' << one.content_type;
    }
};
constexpr std::string_view kPlain = "application/json";
constexpr std::string_view kEvents = "text/event-stream";
constexpr Uncounted kUncounted[] = {
    {"openai", "/v1/chat/completions", kPlain,
        R"({"choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"123456","tool_calls":[{"id":"call_123456",)"
        R"("type":"function","function":{"name":"abcd","arguments":"567"}}],)"
        R"("annotations":[{"url":"https://a.test"}]},)"
        R"("finish_reason":"stop"}]})",
        4},
    {"openai", "/v1/completions", kPlain,
        R"({"choices":[{"index":0,"text":"123456","logprobs":{"a":"b"},)"
        R"("finish_reason":"stop"}]})",
        2},
    {"claude", "/v1/messages", kPlain,
        R"({"type":"message","role":"assistant","content":[{"type":"text",)"
        R"("text":"123456"},{"type":"thinking","thinking":"567",)"
        R"("signature":"abcdefghijk"}],"stop_reason":"end_turn"})",
        3},
    {"openai", "/v1/responses", kPlain,
        R"({"status":"completed","output":[{"type":"message","id":"m",)"
        R"("status":"completed","role":"assistant","content":[)"
        R"({"type":"output_text","text":"123456","annotations":[]}]}]})",
        2},
    {"claude", "/v1/chat/completions", kPlain,
        R"({"type":"message","role":"assistant","content":[{"type":"text",)"
        R"("text":"123456"}],"stop_reason":"end_turn"})",
        2},
    {"openai", "/v1/chat/completions", kEvents,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
        "\"123456\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},"
        "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        2},
};

class UncountedAnswer : public ExchangeFixture,
                        public ::testing::WithParamInterface<Uncounted> {
protected:
    const policy::Books& whole(ClientAbort::Policy policy)
    {
        const Uncounted& one = GetParam();
        const bool stream = one.content_type == kEvents;
        world.provider("one", one.type);
        world.site().client_abort.policy = policy;
        request.path = one.path;
        request.body = stream
            ? std::string(kHi)
            : R"({"model":"m","max_tokens":9,"prompt":"123456","input":"123456",)"
              R"("messages":[{"role":"user","content":"123456"}]})";
        prepare();
        const Header header{"Content-Type", one.content_type};
        attempt->response->head(200, {&header, 1});
        std::string out;
        attempt->response->feed(one.body, out, 15);
        attempt->response->end(true, out, 16);
        EXPECT_EQ(attempt->response->state(), Response::State::whole);
        exchange->record(*attempt, ErrorCode::none, 10, 20);
        return exchange->books();
    }
};

TEST_P(UncountedAnswer, IsEstimatedWhereTokensAreCounted)
{
    const auto& books = whole(ClientAbort::Policy::estimate);
    EXPECT_EQ(books.usage_source, UsageSource::estimated);
    EXPECT_TRUE(books.usage.known);
    EXPECT_EQ(books.usage.completion, GetParam().completion);
    EXPECT_GE(books.usage.prompt, 2);
    EXPECT_EQ(books.usage.total, books.usage.prompt + books.usage.completion);
}

TEST_P(UncountedAnswer, IsLeftUncountedElsewhere)
{
    const auto& books = whole(ClientAbort::Policy::cancel);
    EXPECT_EQ(books.usage_source, UsageSource::none);
    EXPECT_FALSE(books.usage.known);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, UncountedAnswer, ::testing::ValuesIn(kUncounted));

// ---------------------------------------------------------- signs of life

TEST(SignOfLife, OfEachDialect)
{
    EXPECT_EQ(sign_of_life(Api::chat_completions), ": keepalive\n\n");
    EXPECT_EQ(sign_of_life(Api::completions), ": keepalive\n\n");
    EXPECT_EQ(sign_of_life(Api::responses), ": keepalive\n\n");
    EXPECT_EQ(sign_of_life(Api::messages),
        "event: ping\ndata: {\"type\": \"ping\"}\n\n");
    for (Api api : {Api::gemini_stream, Api::gemini_generate, Api::unknown,
             Api::audio_speech, Api::embeddings, Api::complete})
    {
        EXPECT_EQ(sign_of_life(api), "") << int(api);
    }
}

class Life : public ExchangeFixture {};

TEST_F(Life, OnlyBetweenEventsOfAStreamThatGoesOn)
{
    request.body = kHi;
    Response& stream = *prepare().response;
    EXPECT_EQ(stream.sign_of_life(), "") << "no header yet";
    const Header sse{"Content-Type", "text/event-stream"};
    stream.head(200, {&sse, 1});
    std::string out;
    for (const char c : kTwo) {
        stream.feed(std::string_view(&c, 1), out, 15);
        // Whatever has come of the next event, what was given on is whole.
        EXPECT_EQ(stream.sign_of_life(), ": keepalive\n\n");
        EXPECT_TRUE(out.empty() || out.ends_with("\n\n")) << out;
    }
    stream.feed("data: {\"choices\":[{\"index\":0,\"delta\":{},"
                "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        out, 16);
    EXPECT_EQ(stream.sign_of_life(), "") << "the end was sent";

    Response& plain = *again(0).response;
    const Header json{"Content-Type", "application/json"};
    plain.head(200, {&json, 1});
    EXPECT_EQ(plain.sign_of_life(), "");
}

TEST_F(Life, ErrorsAfterItAreEvents)
{
    for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
        request.path = path;
        request.body = kHi;
        prepare();
        const Reply reply = exchange->error_reply(
            make_error(ErrorCode::timeout_idle, "too \"late\""));
        const std::string event = exchange->reply_event(reply);
        const bool messages = request.path == "/v1/messages";
        EXPECT_EQ(event.starts_with("event: error\ndata: {"), messages);
        EXPECT_EQ(event.starts_with("data: {\"error\":"), !messages) << event;
        EXPECT_TRUE(event.ends_with("}\n\n")) << event;
        EXPECT_EQ(
            std::count(event.begin(), event.end(), '\n'), messages ? 3 : 2);
        EXPECT_EQ(exchange->books().error, ErrorCode::timeout_idle);
    }
}

} // namespace
} // namespace ai_proxy::policy
