#include "core/dialect/chat_relay.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;

// Feeds a stream through the framer and the relay, cut into pieces.
struct Relayed {
    Relayed(std::string_view input, bool show_usage, size_t split = 0)
        : relay(show_usage)
    {
        wire::SseFramer framer;
        json::Parser parser;
        const auto take = [&](const wire::SseEvent& event) {
            result = relay.event(event, parser, out);
            return result.ok();
        };
        while (!input.empty() && result.ok()) {
            const size_t n =
                split == 0 ? input.size() : std::min(split, input.size());
            EXPECT_TRUE(framer.feed(input.substr(0, n), take).ok());
            input.remove_prefix(n);
        }
        if (result.ok()) {
            EXPECT_TRUE(framer.finish(take).ok());
        }
        if (result.ok()) {
            result = relay.end(out);
        }
    }
    dialect::ChatRelay relay;
    std::string out;
    Result<void> result;
};

constexpr std::string_view kRole =
    R"(data: {"id":"i","object":"chat.completion.chunk","created":3,)"
    R"("model":"m","choices":[{"index":0,"delta":{"role":"assistant",)"
    R"("content":""},"finish_reason":null}],"usage":null})"
    "\n\n";
constexpr std::string_view kText =
    R"(data: {"id":"i","choices":[{"index":0,"delta":{"content":"a \"error\")"
    R"( b"},"finish_reason":null}],"usage":null})"
    "\n\n";
constexpr std::string_view kFinish =
    R"(data: {"id":"i","choices":[{"index":0,"delta":{},)"
    R"("finish_reason":"stop"}],"usage":null})"
    "\n\n";
constexpr std::string_view kUsage =
    R"(data: {"id":"i","choices":[],"usage":{"prompt_tokens":3,)"
    R"("completion_tokens":2,"total_tokens":5}})"
    "\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";

std::string join(std::initializer_list<std::string_view> pieces)
{
    std::string out;
    for (const std::string_view piece : pieces) {
        out += piece;
    }
    return out;
}

class RelaySplit : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, RelaySplit, testing::Values(0, 1, 2, 3, 7));

TEST_P(RelaySplit, BytesPassUntouched)
{
    const std::string in = join({kRole, kText, kFinish, kUsage, kDone});
    const Relayed r(in, true, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.out, in);
    EXPECT_EQ(r.relay.usage().total, 5);
    EXPECT_EQ(r.relay.finish(), chat::Finish::stop);
    EXPECT_TRUE(r.relay.spoke());
    EXPECT_TRUE(r.relay.ended());
}

TEST_P(RelaySplit, UsageChunkIsWithheld)
{
    const Relayed r(
        join({kRole, kText, kFinish, kUsage, kDone}), false, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.out, join({kRole, kText, kFinish, kDone}));
    EXPECT_EQ(r.relay.usage().prompt, 3);
}

TEST_P(RelaySplit, UsageBesideChoicesStays)
{
    const std::string last =
        R"(data: {"id":"i","choices":[{"index":0,"delta":{},)"
        R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,)"
        R"("completion_tokens":1}})"
        "\n\n";
    const std::string in = join({kRole, kText, last, kDone});
    EXPECT_EQ(Relayed(in, false, GetParam()).out, in);
    EXPECT_EQ(Relayed(in, true, GetParam()).out, in);
}

TEST_P(RelaySplit, UsageElsewhereBecomesAChunk)
{
    const std::string moonshot =
        R"(data: {"id":"i","choices":[{"index":0,"delta":{},)"
        R"("finish_reason":"stop","usage":{"prompt_tokens":8,)"
        R"("completion_tokens":1,"total_tokens":9}}]})"
        "\n\n";
    const Relayed shown(
        join({kRole, kText, moonshot, kDone}), true, GetParam());
    ASSERT_TRUE(shown.result.ok());
    EXPECT_EQ(shown.out.find(join({kRole, kText, moonshot})), 0u);
    EXPECT_NE(shown.out.find(R"({"id":"i","object":"chat.completion.chunk",)"
                             R"("created":3,"model":"m","choices":[],)"
                             R"("usage":{"prompt_tokens":8,)"),
        std::string::npos)
        << shown.out;
    EXPECT_TRUE(shown.out.ends_with("}}}\n\ndata: [DONE]\n\n"));
    const Relayed hidden(
        join({kRole, kText, moonshot, kDone}), false, GetParam());
    EXPECT_EQ(hidden.out, join({kRole, kText, moonshot, kDone}));
    EXPECT_EQ(hidden.relay.usage().total, 9);
}

TEST_P(RelaySplit, GroqsUsage)
{
    const std::string groq =
        R"(data: {"id":"i","choices":[{"index":0,"delta":{},)"
        R"("finish_reason":"stop"}],"x_groq":{"id":"r","usage":)"
        R"({"prompt_tokens":4,"completion_tokens":1}}})"
        "\n\n";
    const Relayed r(join({kText, groq}), true, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.relay.usage().total, 5);
    EXPECT_NE(r.out.find(R"("choices":[],"usage":)"), std::string::npos);
}

TEST_P(RelaySplit, DoneIsMadeWhenMissing)
{
    const Relayed r(join({kRole, kText, kFinish}), false, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.out, join({kRole, kText, kFinish, kDone}));
}

TEST_P(RelaySplit, WithoutFinishItIsTruncated)
{
    const Relayed r(join({kRole, kText}), false, GetParam());
    ASSERT_FALSE(r.result.ok());
    EXPECT_EQ(r.result.error().code, ErrorCode::upstream_truncated);
    EXPECT_EQ(r.out, join({kRole, kText}));
    EXPECT_FALSE(r.relay.ended());
}

TEST_P(RelaySplit, EventsAfterDoneAreDropped)
{
    const Relayed r(join({kText, kFinish, kDone, kText, kDone, ": x\n\n"}),
        false, GetParam());
    EXPECT_EQ(r.out, join({kText, kFinish, kDone}));
}

TEST_P(RelaySplit, CommentsWaitForTheAnswer)
{
    const Relayed r(join({": PROCESSING\n\n", ": PROCESSING\n\n", kText,
                        ": ping\n\n", kFinish, kDone}),
        false, GetParam());
    EXPECT_EQ(r.out, join({kText, ": ping\n\n", kFinish, kDone}));
}

TEST_P(RelaySplit, CrlfAndNoSpace)
{
    std::string in = join({kRole, kText, kFinish, kDone});
    for (size_t at = 0; (at = in.find('\n', at)) != std::string::npos; at += 2)
    {
        in.replace(at, 1, "\r\n");
    }
    for (size_t at; (at = in.find("data: {")) != std::string::npos;) {
        in.replace(at, 7, "data:{");
    }
    const Relayed r(in, false, GetParam());
    ASSERT_TRUE(r.result.ok());
    const size_t done = in.find("data: [DONE]");
    EXPECT_EQ(r.out, in.substr(0, done) + std::string(kDone));
}

TEST_P(RelaySplit, LastEventWithoutItsBlankLine)
{
    std::string in = join({kText, kFinish});
    in.pop_back();
    const Relayed r(in, false, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.out, join({kText, kFinish, kDone}));
    in = join({kText, kFinish, kText});
    in.resize(in.size() - 20);
    const Relayed cut(in, false, GetParam());
    EXPECT_FALSE(cut.result.ok());
    EXPECT_EQ(cut.out, join({kText, kFinish}));
}

TEST_P(RelaySplit, ErrorsAreNotPassedOn)
{
    const Relayed first(
        "event: error\ndata: {\"error\":{\"message\":\"bad call\",\"type\":"
        "\"invalid_request_error\",\"code\":\"tool_use_failed\","
        "\"status_code\":400}}\n\n",
        false, GetParam());
    ASSERT_FALSE(first.result.ok());
    EXPECT_EQ(first.out, "");
    EXPECT_EQ(first.result.error().code, ErrorCode::upstream_error);
    EXPECT_EQ(first.result.error().status, 400);
    EXPECT_EQ(first.result.error().message, "bad call");
    EXPECT_EQ(first.result.error().provider_code, "tool_use_failed");

    const Relayed late(
        join({kText,
            R"(data: {"id":"i","error":{"code":502,"message":"gone"},)"
            R"("choices":[{"index":0,"delta":{"content":""},)"
            R"("finish_reason":"error"}],"usage":{"prompt_tokens":7,)"
            R"("completion_tokens":1}})"
            "\n\n"}),
        false, GetParam());
    ASSERT_FALSE(late.result.ok());
    EXPECT_EQ(late.out, kText);
    EXPECT_EQ(late.result.error().message, "gone");
    EXPECT_EQ(late.result.error().status, 502);
    EXPECT_EQ(late.relay.usage().prompt, 7);
}

TEST_P(RelaySplit, ContentPartsBecomeContentAndReasoning)
{
    const std::string think =
        R"(data: {"id":"i","choices":[{"index":0,"delta":{"content":)"
        R"([{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]},)"
        R"("finish_reason":null}],"p":"ab"})"
        "\n\n";
    const Relayed r(join({kText, think, kFinish, kDone}), false, GetParam());
    EXPECT_EQ(r.out,
        join({kText,
            R"(data: {"id":"i","choices":[{"index":0,"delta":)"
            R"({"reasoning_content":"hm"},"finish_reason":null}],"p":"ab"})"
            "\n\n",
            kFinish, kDone}));
}

TEST_P(RelaySplit, LegacyCompletions)
{
    const std::string piece =
        R"(data: {"id":"c","object":"text_completion","created":1,"choices":)"
        R"([{"text":" +","index":0,"finish_reason":null}],"model":"b"})"
        "\n\n";
    const std::string last =
        R"(data: {"id":"c","object":"text_completion","created":1,"choices":)"
        R"([{"text":"","index":0,"finish_reason":"length"}],"model":"b"})"
        "\n\n";
    const Relayed r(join({piece, last, kDone}), true, GetParam());
    ASSERT_TRUE(r.result.ok());
    EXPECT_EQ(r.out, join({piece, last, kDone}));
    EXPECT_EQ(r.relay.finish(), chat::Finish::length);
    EXPECT_TRUE(r.relay.spoke());
}

TEST(ChatRelay, RoleAloneIsNoToken)
{
    dialect::ChatRelay relay(false);
    wire::SseEvent event;
    event.raw = kRole;
    event.data = kRole.substr(6, kRole.size() - 8);
    event.has_data = true;
    json::Parser parser;
    std::string out;
    ASSERT_TRUE(relay.event(event, parser, out).ok());
    EXPECT_FALSE(relay.spoke());
    EXPECT_EQ(out, "") << "another provider may still stand in";
}

TEST(ChatRelay, DetailsOfReasoningAreSaid)
{
    const Relayed r(
        R"(data: {"id":"i","choices":[{"index":0,"delta":{"content":"",)"
        R"("reasoning_details":[{"type":"reasoning.text","text":"hm"}]}}]})"
        "\n\n",
        false);
    EXPECT_TRUE(r.relay.spoke());
}

TEST_P(RelaySplit, NothingIsShownBeforeTheAnswerSaysSomething)
{
    const std::string filters =
        R"(data: {"id":"","choices":[],"prompt_filter_results":[]})"
        "\n\n";
    const std::string error =
        R"(data: {"error":{"message":"overloaded","code":503}})"
        "\n\n";
    const Relayed failed(join({filters, kRole, error}), false, GetParam());
    EXPECT_EQ(failed.result.error().message, "overloaded");
    EXPECT_EQ(failed.out, "");
    const Relayed cut(join({filters, kRole}), true, GetParam());
    EXPECT_EQ(cut.result.error().code, ErrorCode::upstream_truncated);
    EXPECT_EQ(cut.out, "");
    // All of it comes with the first word, in its order.
    const std::string whole =
        join({filters, kRole, ": ping\n\n", kText, kFinish, kDone});
    EXPECT_EQ(Relayed(whole, false, GetParam()).out,
        join({filters, kRole, kText, kFinish, kDone}));
    // An answer without a word is one, too.
    const std::string silent = join({kRole, kFinish, kUsage, kDone});
    EXPECT_EQ(Relayed(silent, true, GetParam()).out, silent);
}

TEST(ChatRelay, WhatIsKeptBackIsBounded)
{
    std::string many;
    while (many.size() <= dialect::ChatRelay::kMaxHeld) {
        many += kRole;
    }
    EXPECT_EQ(Relayed(many, false).out, many);
    EXPECT_EQ(Relayed(many.substr(kRole.size()), false).out, "");
}

TEST(ChatRelay, DoneWithoutAnAnswerIsTruncated)
{
    EXPECT_EQ(Relayed(kDone, false).result.error().code,
        ErrorCode::upstream_truncated);
    EXPECT_EQ(Relayed(join({kRole, kDone}), false).result.error().code,
        ErrorCode::upstream_truncated);
    EXPECT_EQ(
        Relayed("", false).result.error().code, ErrorCode::upstream_truncated);
}

TEST(ReadPlain, UsageFinishAndErrors)
{
    json::Parser parser;
    auto facts = dialect::read_plain(
        *parser.parse(std::string_view(R"({"choices":[{"finish_reason":
            "sensitive"}],"usage":{"prompt_tokens":1}})")));
    EXPECT_EQ(facts.finish, chat::Finish::content_filter);
    EXPECT_EQ(facts.usage.prompt, 1);
    EXPECT_FALSE(facts.is_error);
    for (const std::string_view bad : {R"({"error":{"message":"x"}})",
             R"({"error":"x"})", R"({"choices":[{"error":{"code":1}}]})",
             R"({"base_resp":{"status_code":1004,"status_msg":"login"}})",
             R"({"error_code":17,"error_msg":"limit"})"})
    {
        EXPECT_TRUE(dialect::read_plain(*parser.parse(bad)).is_error) << bad;
    }
    for (const std::string_view good : {R"({"error":null,"choices":[]})",
             R"({"error":{}})", R"({"base_resp":{"status_code":0}})"})
    {
        EXPECT_FALSE(dialect::read_plain(*parser.parse(good)).is_error) << good;
    }
}

} // namespace
