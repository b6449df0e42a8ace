#include "core/policy/response.h"

#include "core/policy/provider_headers.h"
#include "core/provider/registry.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace ai_proxy;
using policy::Response;
using State = Response::State;

struct Call {
    std::string_view type = "openai";
    dialect::Api api = dialect::Api::chat_completions;
    bool stream = false;
    bool show_usage = false;
};

// One answer of a provider, fed in pieces of one size.
struct Answer {
    explicit Answer(const Call& setup)
    {
        provider.options.type = provider::find_type(setup.type);
        provider.options.api_tokens.emplace_back("sk-very-secret-token");
        policy::ResponseContext context;
        context.provider = &provider;
        context.api = setup.api;
        context.convert = setup.api == dialect::Api::chat_completions
            && !provider::relays(provider.options);
        context.stream = setup.stream;
        context.show_usage = setup.show_usage;
        context.model = "m";
        context.fallback_id = "chatcmpl-x";
        context.now_seconds = 784111777; // Sun, 06 Nov 1994 08:49:37 GMT
        response = std::make_unique<Response>(context);
    }
    void head(
        int status, std::string_view type, std::vector<Header> headers = {})
    {
        if (!type.empty()) {
            headers.push_back({"Content-Type", type});
        }
        response->head(status, headers);
    }
    State feed(std::string_view body, size_t split)
    {
        while (!body.empty() && response->state() == State::more) {
            const size_t n =
                split == 0 ? body.size() : std::min(split, body.size());
            // Its own allocation: a view kept too long is seen by sanitizers.
            const std::string piece(body.substr(0, n));
            response->feed(piece, out, ++now);
            body.remove_prefix(n);
        }
        return response->state();
    }
    State end(bool clean = true) { return response->end(clean, out, ++now); }
    State all(int status, std::string_view type, std::string_view body,
        size_t split = 0)
    {
        head(status, type);
        feed(body, split);
        return end();
    }
    config::Provider provider;
    std::unique_ptr<Response> response;
    std::string out;
    policy::Micros now = 0;
};

constexpr std::string_view kSse = "text/event-stream; charset=utf-8";
constexpr std::string_view kJson = "application/json";

constexpr std::string_view kPlain =
    R"({"id":"a","object":"chat.completion","model":"x","created":1.50e3,)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"hi"},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
    R"("completion_tokens":2,"total_tokens":5},  "extra":[1, 2]})";

constexpr std::string_view kStream =
    R"(data: {"id":"a","created":1,"model":"x","choices":[{"index":0,)"
    R"("delta":{"role":"assistant","content":""},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"a","choices":[{"index":0,"delta":{"content":"hi"},)"
    R"("finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":)"
    R"("stop"}]})"
    "\n\n"
    R"(data: {"id":"a","choices":[],"usage":{"prompt_tokens":3,)"
    R"("completion_tokens":2,"total_tokens":5}})"
    "\n\n"
    "data: [DONE]\n\n";

constexpr std::string_view kClaudeStream =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_1","type":)"
    R"("message","role":"assistant","model":"claude-x","content":[],)"
    R"("stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}})"
    "\n\n"
    "event: content_block_start\n"
    R"(data: {"type":"content_block_start","index":0,"content_block":)"
    R"({"type":"text","text":""}})"
    "\n\n"
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":)"
    R"({"type":"text_delta","text":"hi"}})"
    "\n\n"
    "event: content_block_stop\n"
    R"(data: {"type":"content_block_stop","index":0})"
    "\n\n"
    "event: message_delta\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
    R"("usage":{"output_tokens":4}})"
    "\n\n"
    "event: message_stop\n"
    R"(data: {"type":"message_stop"})"
    "\n\n";

constexpr std::string_view kClaudePlain =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x",)"
    R"("content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn",)"
    R"("usage":{"input_tokens":10,"output_tokens":4}})";

class ResponseSplit : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, ResponseSplit, testing::Values(0, 1, 2, 3, 7));

TEST_P(ResponseSplit, RelayedPlainBodyIsUntouched)
{
    Answer a(Call{});
    EXPECT_EQ(a.all(200, kJson, kPlain, GetParam()), State::whole);
    EXPECT_EQ(a.out, "");
    EXPECT_FALSE(a.response->streaming());
    EXPECT_EQ(a.response->content_type(), kJson);
    EXPECT_EQ(a.response->client_status(), 200);
    EXPECT_EQ(a.response->usage().total, 5);
    EXPECT_EQ(a.response->finish(), chat::Finish::stop);
    EXPECT_EQ(a.response->take_body(), kPlain);
}

TEST_P(ResponseSplit, RelayedStreamIsUntouchedButForUsage)
{
    Answer shown(Call{.stream = true, .show_usage = true});
    EXPECT_EQ(shown.all(200, kSse, kStream, GetParam()), State::whole);
    EXPECT_EQ(shown.out, kStream);
    EXPECT_TRUE(shown.response->streaming());
    EXPECT_EQ(shown.response->content_type(), kSse);
    EXPECT_GT(shown.response->first_token(), 0);
    Answer hidden(Call{.stream = true});
    EXPECT_EQ(hidden.all(200, kSse, kStream, GetParam()), State::whole);
    EXPECT_EQ(hidden.out.find("usage"), std::string::npos);
    EXPECT_EQ(hidden.response->usage().total, 5);
}

TEST_P(ResponseSplit, StreamCalledJsonIsStillAStream)
{
    Answer a(Call{.stream = true, .show_usage = true});
    EXPECT_EQ(a.all(200, kJson, kStream, GetParam()), State::whole);
    EXPECT_EQ(a.out, kStream);
    EXPECT_TRUE(a.response->streaming());
    EXPECT_EQ(a.response->content_type(), "text/event-stream");
}

TEST_P(ResponseSplit, UnaskedStreamIsGathered)
{
    Answer a(Call{});
    EXPECT_EQ(a.all(200, kSse, kStream, GetParam()), State::whole);
    EXPECT_EQ(a.out, "");
    EXPECT_FALSE(a.response->streaming());
    EXPECT_EQ(a.response->content_type(), kJson);
    const std::string body = a.response->take_body();
    json::Parser parser;
    auto node = parser.parse(std::string_view(body));
    ASSERT_TRUE(node.ok()) << body;
    EXPECT_EQ((*node)["choices"].at(0)["message"]["content"].string_or(), "hi");
    EXPECT_EQ((*node)["usage"]["total_tokens"].integer(), 5);
}

TEST_P(ResponseSplit, PlainAnswerToAStreamIsRelayedPlain)
{
    Answer a(Call{.stream = true});
    EXPECT_EQ(a.all(200, kJson, kPlain, GetParam()), State::whole);
    EXPECT_FALSE(a.response->streaming());
    EXPECT_EQ(a.response->take_body(), kPlain);
}

TEST_P(ResponseSplit, ConvertedStream)
{
    Answer a(Call{.type = "claude", .stream = true, .show_usage = true});
    EXPECT_EQ(a.all(200, "text/event-stream", kClaudeStream, GetParam()),
        State::whole);
    EXPECT_NE(a.out.find(R"("content":"hi")"), std::string::npos) << a.out;
    EXPECT_NE(a.out.find(R"("finish_reason":"stop")"), std::string::npos);
    EXPECT_TRUE(a.out.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(a.response->usage().prompt, 10);
    EXPECT_EQ(a.response->usage().completion, 4);
    EXPECT_GT(a.response->first_token(), 0);
}

TEST_P(ResponseSplit, ConvertedPlainBodyForEitherClient)
{
    Answer plain(Call{.type = "claude"});
    EXPECT_EQ(plain.all(200, kJson, kClaudePlain, GetParam()), State::whole);
    EXPECT_EQ(plain.out, "");
    EXPECT_NE(plain.response->take_body().find(R"("content":"hi")"),
        std::string::npos);
    Answer stream(Call{.type = "claude", .stream = true});
    EXPECT_EQ(stream.all(200, kJson, kClaudePlain, GetParam()), State::whole);
    EXPECT_TRUE(stream.response->streaming());
    EXPECT_EQ(stream.response->content_type(), "text/event-stream");
    EXPECT_TRUE(stream.out.ends_with("data: [DONE]\n\n")) << stream.out;
    Answer gathered(Call{.type = "claude"});
    EXPECT_EQ(gathered.all(200, kSse, kClaudeStream, GetParam()), State::whole);
    EXPECT_NE(gathered.response->take_body().find(R"("content":"hi")"),
        std::string::npos);
}

TEST_P(ResponseSplit, StreamCutAnywhereIsNeverWhole)
{
    for (const std::string_view type : {"openai", "claude"}) {
        const std::string_view full =
            type == "openai" ? kStream : kClaudeStream;
        // An OpenAI answer is whole once its finish reason is there.
        const size_t enough = type == "openai"
            ? full.find("\"stop\"") + 10
            : full.find("event: message_stop");
        for (size_t n = 0; n < enough; n += 11) {
            Answer a(Call{.type = type, .stream = true});
            a.head(200, kSse);
            a.feed(full.substr(0, n), GetParam());
            EXPECT_EQ(a.end(), State::failed) << type << ' ' << n;
            EXPECT_EQ(a.out.find("[DONE]"), std::string::npos);
        }
    }
}

TEST_P(ResponseSplit, BrokenConnectionIsTruncation)
{
    Answer a(Call{.stream = true});
    a.head(200, kSse);
    a.feed(kStream.substr(0, kStream.find("data: [DONE]")), GetParam());
    EXPECT_EQ(a.end(false), State::failed);
    EXPECT_EQ(a.response->error().code, ErrorCode::upstream_truncated);
    Answer plain(Call{});
    plain.head(200, kJson);
    plain.feed(kPlain, GetParam());
    EXPECT_EQ(plain.end(false), State::failed);
    EXPECT_EQ(plain.out, "");
}

TEST_P(ResponseSplit, ErrorInsideAStream)
{
    const std::string error = "data: {\"error\":{\"message\":\"overloaded\","
                              "\"code\":503}}\n\n";
    Answer early(Call{.stream = true});
    early.head(200, kSse);
    early.feed(": wait\n\n" + error, GetParam());
    EXPECT_EQ(early.response->state(), State::failed);
    EXPECT_EQ(early.out, ""); // another try may follow
    EXPECT_EQ(early.response->error().code, ErrorCode::upstream_error);
    EXPECT_EQ(early.response->error().http_status(), 503);
    Answer late(Call{.stream = true});
    late.head(200, kSse);
    const std::string_view begun = kStream.substr(0, kStream.find("hi") + 40);
    late.feed(std::string(begun.substr(0, begun.rfind("\n\n") + 2)) + error,
        GetParam());
    EXPECT_EQ(late.response->state(), State::failed);
    EXPECT_EQ(late.out.find("overloaded"), std::string::npos);
    EXPECT_NE(late.out, "");
}

TEST_P(ResponseSplit, RelayedErrorEventIsToldAndCounts)
{
    constexpr std::string_view error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
        "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    const auto begun = std::string(kClaudeStream.substr(
        0, kClaudeStream.find("event: content_block_stop")));
    Answer a(
        Call{.type = "claude", .api = dialect::Api::messages, .stream = true});
    a.head(200, kSse);
    a.feed(begun + std::string(error), GetParam());
    EXPECT_TRUE(a.response->answered());
    EXPECT_EQ(a.end(false), State::whole); // nothing is to be added
    EXPECT_EQ(a.out, begun + std::string(error));
    EXPECT_TRUE(a.response->told());
    EXPECT_EQ(a.response->error().code, ErrorCode::upstream_error);
    EXPECT_EQ(a.response->error().message, "Overloaded");
}

TEST_P(ResponseSplit, ClaudeErrorBeforeOutput)
{
    Answer a(Call{.type = "claude", .stream = true});
    a.head(200, kSse);
    a.feed(std::string(kClaudeStream.substr(
               0, kClaudeStream.find("event: content_block_start")))
            + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
              "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        GetParam());
    EXPECT_EQ(a.response->state(), State::failed);
    EXPECT_EQ(a.out, "");
    EXPECT_EQ(a.response->error().message, "Overloaded");
}

TEST_P(ResponseSplit, ErrorStatus)
{
    Answer a(Call{.stream = true});
    a.head(429, kJson,
        {{"Retry-After", "7"}, {"X-RateLimit-Remaining", "0"},
            {"Set-Cookie", "a=b"}, {"Server", "x"}, {"x-request-id", "r1"}});
    a.feed(R"({"error":{"message":"slow down","type":"requests",)"
           R"("param":null,"code":"rate_limit_exceeded"}})",
        GetParam());
    EXPECT_EQ(a.end(), State::failed);
    const Error& error = a.response->error();
    EXPECT_EQ(error.code, ErrorCode::upstream_status);
    EXPECT_EQ(error.http_status(), 429);
    EXPECT_EQ(error.message, "slow down");
    EXPECT_EQ(error.type, "requests");
    EXPECT_EQ(error.provider_code, "rate_limit_exceeded");
    EXPECT_EQ(a.response->client_status(), 429);
    EXPECT_EQ(a.response->retry_after_ms(), 7000u);
    ASSERT_EQ(a.response->headers().size(), 3u);
    EXPECT_EQ(a.response->headers()[0].name, "Retry-After");
    EXPECT_EQ(a.response->headers()[2].value, "r1");
}

TEST_P(ResponseSplit, ErrorUnder200)
{
    Answer a(Call{});
    EXPECT_EQ(a.all(200, kJson, R"({"error":{"message":"no","code":400}})",
                  GetParam()),
        State::failed);
    EXPECT_EQ(a.response->error().code, ErrorCode::upstream_error);
    EXPECT_EQ(a.response->error().http_status(), 400);
}

TEST_P(ResponseSplit, ContentPartsOfAPlainBody)
{
    Answer a(Call{.type = "mistral"});
    EXPECT_EQ(a.all(200, kJson,
                  R"({"id":"a","choices":[{"index":0,"message":{"role":)"
                  R"("assistant","content":[{"type":"thinking","thinking":)"
                  R"([{"type":"text","text":"t"}]},{"type":"text","text":)"
                  R"("154"}]},"finish_reason":"stop"}]})",
                  GetParam()),
        State::whole);
    EXPECT_EQ(a.response->take_body(),
        R"({"id":"a","choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"154","reasoning_content":"t"},)"
        R"("finish_reason":"stop"}]})");
}

TEST_P(ResponseSplit, ResponsesApiStream)
{
    const std::string in =
        "event: response.created\n"
        "data: {\"type\":\"response.created\",\"response\":{\"error\":null,"
        "\"usage\":null}}\n\n"
        "event: response.output_text.delta\n"
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n";
    const std::string last =
        "event: response.completed\n"
        "data: {\"type\":\"response.completed\",\"response\":{\"usage\":"
        "{\"input_tokens\":4,\"output_tokens\":6,\"total_tokens\":10}}}\n\n";
    Answer a(Call{.api = dialect::Api::responses, .stream = true});
    EXPECT_EQ(a.all(200, kSse, in + last, GetParam()), State::whole);
    EXPECT_EQ(a.out, in + last);
    EXPECT_EQ(a.response->usage().total, 10);
    EXPECT_EQ(a.response->finish(), chat::Finish::stop);
    Answer cut(Call{.api = dialect::Api::responses, .stream = true});
    EXPECT_EQ(cut.all(200, kSse, in, GetParam()), State::failed);
    EXPECT_EQ(cut.response->error().code, ErrorCode::upstream_truncated);
}

TEST(Response, OtherBodiesPassAtOnce)
{
    Answer a(Call{.api = dialect::Api::audio_speech});
    a.head(200, "audio/mpeg",
        {{"Content-Disposition", "attachment"}, {"Set-Cookie", "x"}});
    a.response->expect(6);
    EXPECT_TRUE(a.response->streaming());
    EXPECT_EQ(a.response->content_length(), 6u);
    EXPECT_EQ(a.response->content_type(), "audio/mpeg");
    ASSERT_EQ(a.response->headers().size(), 1u);
    a.feed("abc", 0);
    EXPECT_EQ(a.out, "abc");
    a.feed("def", 0);
    EXPECT_EQ(a.end(), State::whole);
    Answer cut(Call{.api = dialect::Api::file_content});
    cut.head(200, "application/octet-stream");
    cut.feed("abc", 0);
    EXPECT_EQ(cut.end(false), State::failed);
    EXPECT_EQ(cut.response->error().code, ErrorCode::upstream_truncated);
    Answer short_one(Call{.api = dialect::Api::unknown});
    short_one.head(200, kJson);
    short_one.response->expect(10);
    short_one.feed("{}", 0);
    EXPECT_EQ(short_one.end(), State::failed);
}

TEST(Response, PlainBodyMustBeWholeJson)
{
    Answer junk(Call{});
    EXPECT_EQ(junk.all(200, "text/html", "<html>login</html>"), State::failed);
    EXPECT_EQ(junk.response->error().code, ErrorCode::upstream_invalid);
    EXPECT_EQ(junk.out, "");
    Answer cut(Call{});
    EXPECT_EQ(cut.all(200, kJson, kPlain.substr(0, 60)), State::failed);
    Answer empty(Call{});
    EXPECT_EQ(empty.all(200, kJson, ""), State::failed);
    EXPECT_EQ(empty.response->error().code, ErrorCode::upstream_truncated);
    Answer coded(Call{});
    coded.head(200, kJson, {{"Content-Encoding", "gzip"}});
    EXPECT_EQ(coded.response->state(), State::failed);
    EXPECT_EQ(coded.response->error().code, ErrorCode::upstream_invalid);
}

TEST(Response, EverySuccessStatusCounts)
{
    Answer a(Call{});
    EXPECT_EQ(
        a.all(201, "Application/JSON; charset=UTF-8", kPlain), State::whole);
    EXPECT_EQ(a.response->client_status(), 201);
    Answer none(Call{.api = dialect::Api::file});
    EXPECT_EQ(none.all(204, "", ""), State::whole);
    // Nothing is no answer to a question.
    Answer chat(Call{});
    EXPECT_EQ(chat.all(204, "", ""), State::failed);
    EXPECT_EQ(chat.response->error().code, ErrorCode::upstream_truncated);
}

TEST(Response, BoundsAreKept)
{
    Answer announced(Call{});
    announced.head(200, kJson);
    announced.response->expect(Response::kMaxPlain + 1);
    EXPECT_EQ(announced.response->error().code, ErrorCode::upstream_too_large);
    Answer page(Call{});
    page.head(500, "text/html");
    const std::string large(Response::kMaxError * 2, 'x');
    EXPECT_EQ(page.feed(large, 0), State::failed);
    EXPECT_LE(page.response->error().message.size(), 512u);
    EXPECT_EQ(page.response->error().http_status(), 500);
}

TEST(Response, NoTokenLeavesInAnError)
{
    Answer a(Call{});
    a.all(
        401, kJson, R"({"error":{"message":"bad key sk-very-secret-token!"}})");
    EXPECT_EQ(a.response->error().message, "bad key ***!");
}

TEST(Response, RedirectIsNoStatusForTheClient)
{
    Answer a(Call{});
    a.all(302, "text/html", "");
    EXPECT_EQ(a.response->error().code, ErrorCode::upstream_status);
    EXPECT_GE(a.response->client_status(), 500);
}

TEST(ProviderHeaders, AllowList)
{
    using policy::passes;
    EXPECT_TRUE(passes({"X-RateLimit-Limit-Requests", "1"}, false));
    EXPECT_TRUE(
        passes({"anthropic-ratelimit-tokens-reset", "2025-01-01"}, false));
    EXPECT_TRUE(passes({"openai-processing-ms", "5"}, false));
    EXPECT_TRUE(passes({"request-id", "r"}, false));
    for (const std::string_view name : {"set-cookie", "server", "connection",
             "transfer-encoding", "content-length", "authorization", "via",
             "content-disposition", "content-encoding"})
    {
        EXPECT_FALSE(passes({name, "x"}, false)) << name;
    }
    EXPECT_TRUE(passes({"content-disposition", "x"}, true));
    EXPECT_FALSE(passes({"x-request-id", "a\r\nset-cookie: b"}, false));
    EXPECT_FALSE(passes({"x-request-id", std::string_view("a\0b", 3)}, false));
    const std::string large(5000, 'x');
    EXPECT_FALSE(passes({"x-request-id", large}, false));
}

TEST(RetryAfter, IsReadOfTheAnswer)
{
    Answer both(Call{});
    both.head(429, kJson, {{"retry-after", "1"}, {"retry-after-ms", "0"}});
    EXPECT_EQ(both.response->retry_after_ms(), 1000u);

    Answer limits(Call{});
    limits.head(429, kJson,
        {{"x-ratelimit-remaining-tokens", "0"},
            {"x-ratelimit-reset-tokens", "250ms"}});
    EXPECT_EQ(limits.response->retry_after_ms(), 250u);
}

} // namespace
