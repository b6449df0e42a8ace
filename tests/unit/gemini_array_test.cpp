#include "caller_probe.h"

#include <gtest/gtest.h>

// Gemini's stream without alt=sse, relayed to a client that asked for it so.
namespace ai_proxy::testing {
namespace {

using State = policy::Response::State;

constexpr std::string_view kFirst =
    R"([{"candidates":[{"content":{"parts":[{"text":"a]}"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}})";
constexpr std::string_view kLast =
    "\r\n,\r\n"
    R"({"candidates":[{"content":{"parts":[{"text":"b"}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],)"
    R"("usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":4,"cachedContentTokenCount":1,"totalTokenCount":9}})";

struct Relayed {
    std::string out, tail;
    State state = State::more;
    ErrorCode code = ErrorCode::none;
    chat::Usage usage;
    chat::Finish finish = chat::Finish::none;
};

Relayed relay(std::string_view body, size_t split)
{
    GatewayFixture world;
    policy::ResponseContext context;
    context.provider = &world.provider("one", "gemini");
    context.api = dialect::Api::gemini_stream;
    context.stream = true;
    policy::Response response(context);
    const std::vector<Header> headers{
        {"content-type", "application/json; charset=UTF-8"}};
    response.head(200, headers);
    EXPECT_TRUE(response.streaming());
    Relayed done;
    for (std::string_view rest = body; !rest.empty();) {
        const std::string_view piece =
            rest.substr(0, split == 0 ? rest.size() : split);
        response.feed(piece, done.out, 1);
        rest.remove_prefix(piece.size());
    }
    response.end(true, done.out, 2);
    done.state = response.state();
    done.usage = response.usage();
    done.finish = response.finish();
    EXPECT_EQ(response.content_type(), "application/json; charset=UTF-8");
    if (done.state == State::failed) {
        done.code = response.error().code;
        done.tail = response.error_event(response.error());
    }
    return done;
}

class GeminiArray : public ::testing::TestWithParam<size_t> {};

INSTANTIATE_TEST_SUITE_P(Splits, GeminiArray, ::testing::Values(0, 1, 2, 3, 7));

TEST_P(GeminiArray, PassesAsItIsAndIsCounted)
{
    const std::string body = std::string(kFirst) + std::string(kLast) + "\n]\n";
    const Relayed done = relay(body, GetParam());
    EXPECT_EQ(done.state, State::whole);
    EXPECT_EQ(done.out, body);
    EXPECT_EQ(done.finish, chat::Finish::length);
    EXPECT_TRUE(done.usage.known);
    EXPECT_EQ(done.usage.prompt, 3);
    EXPECT_EQ(done.usage.completion, 6);
    EXPECT_EQ(done.usage.reasoning, 4);
    EXPECT_EQ(done.usage.cache_read, 1);
    EXPECT_EQ(done.usage.total, 9);
}

TEST_P(GeminiArray, AnErrorBeforeAllElseLeavesNothing)
{
    const Relayed done = relay(
        R"([{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}])",
        GetParam());
    EXPECT_EQ(done.state, State::failed);
    EXPECT_EQ(done.code, ErrorCode::upstream_error);
    EXPECT_EQ(done.out, "");
}

// What the client gets is one document all the same.
TEST_P(GeminiArray, ACutArrayEndsWithAnError)
{
    const std::string part(kFirst);
    const Relayed done = relay(part + ",{\"candidates\"", GetParam());
    EXPECT_EQ(done.state, State::failed);
    EXPECT_EQ(done.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(done.out, part);
    json::Parser parser;
    const std::string text = done.out + done.tail;
    const auto whole = parser.parse(std::string_view(text));
    ASSERT_TRUE(whole) << text;
    EXPECT_EQ(whole->size(), 2U);
    EXPECT_TRUE(whole->at(1)["error"]["message"].is_string());
}

TEST_P(GeminiArray, AnArrayWithoutItsEndIsNotWhole)
{
    const Relayed done =
        relay(std::string(kFirst) + std::string(kLast), GetParam());
    EXPECT_EQ(done.state, State::failed);
    EXPECT_EQ(done.code, ErrorCode::upstream_truncated);
}

TEST_P(GeminiArray, AnArrayWithoutAnAnswerIsNotWhole)
{
    EXPECT_EQ(relay("[]", GetParam()).state, State::failed);
    const Relayed done = relay(std::string(kFirst) + "]", GetParam());
    EXPECT_EQ(done.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(done.out, kFirst);
    EXPECT_TRUE(done.tail.ends_with("}]")) << done.tail;
}

} // namespace
} // namespace ai_proxy::testing
