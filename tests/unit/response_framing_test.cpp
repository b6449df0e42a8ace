#include "core/policy/response.h"

#include "core/provider/registry.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using policy::Response;
using provider::Framing;
using State = Response::State;

// A vendor whose events are OpenAI's chunks in another framing.
struct Vendor {
    explicit Vendor(Framing framing) : protocol(provider::kOpenai)
    {
        protocol.framing = framing;
        type.name = "made-up";
        type.protocol = &protocol;
        type.relay = false;
        provider.options.type = &type;
    }
    provider::Protocol protocol;
    provider::Type type{};
    config::Provider provider;
};

struct Outcome {
    State state;
    ErrorCode error;
    std::string out;
};

Outcome answer(const Vendor& vendor, std::string_view media,
    std::string_view bytes, size_t split, bool stream = true)
{
    policy::ResponseContext context;
    context.provider = &vendor.provider;
    context.api = dialect::Api::chat_completions;
    context.convert = true;
    context.stream = stream;
    context.model = "m";
    context.fallback_id = "chatcmpl-x";
    Response response(context);
    std::vector<Header> head;
    if (!media.empty()) {
        head.push_back({"Content-Type", media});
    }
    response.head(200, head);
    Outcome got;
    while (!bytes.empty() && response.state() == State::more) {
        const std::string piece(bytes.substr(0, split));
        response.feed(piece, got.out, 1);
        bytes.remove_prefix(piece.size());
    }
    got.state = response.end(true, got.out, 2);
    got.error = response.error().code;
    if (got.state == State::whole && !response.streaming()) {
        got.out = response.take_body();
    }
    return got;
}

constexpr std::string_view kChunks[] = {
    R"({"id":"a","choices":[{"index":0,"delta":{"content":"Hel"}}]})",
    R"({"id":"a","choices":[{"index":0,"delta":{"content":"lo"}}]})",
    R"({"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"};

std::string framed(Framing framing)
{
    std::string bytes;
    for (const std::string_view chunk : kChunks) {
        switch (framing) {
        case Framing::sse:
            bytes.append("data: ").append(chunk).append("\n\n");
            break;
        case Framing::ndjson:
            wire::append_ndjson(bytes, chunk);
            break;
        case Framing::aws_event_stream:
            wire::append_event_stream_event(bytes, "chunk", chunk);
            break;
        }
    }
    return bytes;
}

TEST(ResponseFraming, TheSameEventsInEveryFraming)
{
    const std::string wanted = answer(
        Vendor(Framing::sse), "text/event-stream", framed(Framing::sse), 1000)
                                   .out;
    EXPECT_NE(wanted.find("Hel"), std::string::npos);
    EXPECT_TRUE(wanted.ends_with("data: [DONE]\n\n"));
    struct Case {
        Framing framing;
        std::string_view media;
    };
    const Case cases[] = {{Framing::ndjson, "application/x-ndjson"},
        {Framing::ndjson, "application/stream+json; charset=utf-8"},
        {Framing::ndjson, "text/plain"}, {Framing::ndjson, ""},
        {Framing::aws_event_stream, "application/vnd.amazon.eventstream"},
        {Framing::aws_event_stream, ""}};
    for (const Case& c : cases) {
        for (const size_t split : {1, 2, 3, 7, 100000}) {
            const Outcome got =
                answer(Vendor(c.framing), c.media, framed(c.framing), split);
            EXPECT_EQ(got.state, State::whole) << c.media << split;
            EXPECT_EQ(got.out, wanted) << c.media << split;
        }
    }
}

TEST(ResponseFraming, AVendorMayAnswerServerSentEventsAllTheSame)
{
    const Outcome got = answer(
        Vendor(Framing::ndjson), "text/event-stream", framed(Framing::sse), 5);
    EXPECT_EQ(got.state, State::whole);
}

TEST(ResponseFraming, AStreamForAPlainCallIsGathered)
{
    const Outcome got = answer(Vendor(Framing::aws_event_stream),
        "application/vnd.amazon.eventstream", framed(Framing::aws_event_stream),
        3, false);
    EXPECT_EQ(got.state, State::whole);
    EXPECT_NE(got.out.find(R"("content":"Hello")"), std::string::npos);
}

TEST(ResponseFraming, ACutOrDamagedMessageFailsTheAnswer)
{
    const Vendor vendor(Framing::aws_event_stream);
    const std::string bytes = framed(Framing::aws_event_stream);
    const std::string_view media = "application/vnd.amazon.eventstream";
    const std::string_view cut(bytes.data(), bytes.size() - 3);
    Outcome got = answer(vendor, media, cut, 7);
    EXPECT_EQ(got.state, State::failed);
    EXPECT_EQ(got.error, ErrorCode::upstream_truncated);
    EXPECT_EQ(got.out.find("[DONE]"), std::string::npos);

    std::string damaged = bytes;
    damaged[damaged.find("Hel")] = 'J';
    got = answer(vendor, media, damaged, 7);
    EXPECT_EQ(got.state, State::failed);
    EXPECT_EQ(got.error, ErrorCode::upstream_invalid);
    EXPECT_TRUE(got.out.empty());
}

} // namespace
