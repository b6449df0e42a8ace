#include "core/policy/response.h"

#include "core/provider/registry.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <memory>
#include <string>

// What of an answer counts as progress and what as its first token: the
// deadlines of a try ask.
namespace {

using namespace ai_proxy;
using dialect::Api;
using policy::Response;

struct Case {
    std::string_view type;
    Api api;
    std::string_view bytes;
    bool progress, spoke;
};

class Probe {
public:
    Probe(std::string_view type, Api api)
    {
        provider_.options.type = provider::find_type(type);
        policy::ResponseContext context;
        context.provider = &provider_;
        context.api = api;
        context.convert = api == Api::chat_completions
            && !provider::relays(provider_.options);
        context.stream = true;
        context.model = "m";
        context.fallback_id = "chatcmpl-x";
        response_ = std::make_unique<Response>(context);
        const Header header{"Content-Type", "text/event-stream"};
        response_->head(200, {&header, 1});
    }
    // Was any piece of it progress?
    bool feed(std::string_view bytes, size_t split = 0)
    {
        bool progress = false;
        while (!bytes.empty()) {
            const size_t n =
                split == 0 ? bytes.size() : std::min(split, bytes.size());
            const std::string piece(bytes.substr(0, n));
            response_->feed(piece, out_, ++now_);
            progress = response_->take_progress() || progress;
            bytes.remove_prefix(n);
        }
        return progress;
    }
    [[nodiscard]] Response& response() { return *response_; }

private:
    config::Provider provider_;
    std::unique_ptr<Response> response_;
    std::string out_;
    policy::Micros now_ = 0;
};

constexpr Case kCases[] = {
    {"openai", Api::chat_completions, ": still here\n\n", false, false},
    {"openai", Api::chat_completions, ":\n\n:\n\n", false, false},
    {"openai", Api::chat_completions, "event: ping\ndata: {}\n\n", false,
        false},
    {"openai", Api::chat_completions, "retry: 10\n\n", false, false},
    {"openai", Api::chat_completions,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
        "\"content\":\"\"}}]}\n\n",
        true, false},
    {"openai", Api::chat_completions,
        "data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\n", true, false},
    {"openai", Api::chat_completions,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n",
        true, true},
    {"openai", Api::completions,
        "data: {\"choices\":[{\"index\":0,\"text\":\"x\"}]}\n\n", true, true},
    {"claude", Api::chat_completions,
        "event: ping\ndata: {\"type\": \"ping\"}\n\n", false, false},
    {"claude", Api::chat_completions,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"
        "{\"id\":\"a\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\n",
        true, false},
    {"claude", Api::messages, "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        false, false},
    {"claude", Api::messages, "data: {\"type\":\"ping\"}\n\n", false, false},
    {"claude", Api::messages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"
        "{\"id\":\"a\",\"model\":\"m\"}}\n\n",
        true, false},
    {"claude", Api::messages,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
        "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        true, true},
    {"openai", Api::responses,
        "event: response.created\ndata: {\"type\":\"response.created\","
        "\"response\":{}}\n\n",
        true, false},
    {"openai", Api::responses,
        "event: response.output_text.delta\ndata: "
        "{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n",
        true, true},
    {"gemini", Api::gemini_stream,
        "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n", true, false},
    {"gemini", Api::gemini_stream,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}"
        "\n\n",
        true, true},
};

class Progress : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Progress, testing::Values(0, 1, 2, 3, 7));

TEST_P(Progress, SignsOfLifeAreNone)
{
    for (const Case& c : kCases) {
        Probe probe(c.type, c.api);
        EXPECT_TRUE(probe.response().has_events());
        EXPECT_EQ(probe.feed(c.bytes, GetParam()), c.progress) << c.bytes;
        EXPECT_EQ(probe.response().spoke(), c.spoke) << c.bytes;
    }
}

TEST(Progress, IsAskedForOnce)
{
    Probe probe("openai", Api::chat_completions);
    std::string out;
    probe.response().feed(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n",
        out, 1);
    EXPECT_TRUE(probe.response().take_progress());
    EXPECT_FALSE(probe.response().take_progress());
    EXPECT_FALSE(probe.feed(": x\n\n"));
    EXPECT_TRUE(probe.response().spoke()) << "it stays so";
}

// A long event shows in pieces that it gets on; half of a comment does not.
TEST(Progress, PiecesOfALongEvent)
{
    Probe probe("openai", Api::chat_completions);
    EXPECT_FALSE(probe.feed(": half of a comment"));
    EXPECT_FALSE(probe.feed(" and more\n\n"));
    EXPECT_FALSE(probe.feed("data: {\"choices\":[{\"delta\":{\"content\":\""));
    EXPECT_TRUE(probe.feed(std::string(2000, 'x')));
    EXPECT_TRUE(probe.feed("x"));
    EXPECT_FALSE(probe.response().spoke());
}

TEST(Progress, UntouchedBodiesSpeakWithTheirFirstByte)
{
    policy::ResponseContext context;
    context.api = Api::audio_speech;
    context.stream = true;
    Response response(context);
    const Header header{"Content-Type", "audio/mpeg"};
    response.head(200, {&header, 1});
    EXPECT_FALSE(response.has_events());
    EXPECT_FALSE(response.spoke());
    std::string out;
    response.feed("x", out, 1);
    EXPECT_TRUE(response.spoke());
}

} // namespace
