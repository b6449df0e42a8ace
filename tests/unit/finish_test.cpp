#include "caller_probe.h"

#include "core/chat/event.h"

#include <gtest/gtest.h>

// Why an answer ended: one neutral word for what the vendors say, and what the
// clients of each dialect hear of it.
namespace ai_proxy::testing {
namespace {

using chat::Finish;
using dialect::Api;

TEST(Finish, SpellsAndReads)
{
    EXPECT_EQ(chat::to_text(Finish::none), "");
    EXPECT_EQ(chat::to_text(Finish::tool_calls), "tool_calls");
    EXPECT_EQ(chat::to_text(Finish::content_filter), "content_filter");
    EXPECT_EQ(chat::to_text(Finish::stop_sequence), "stop");
    EXPECT_EQ(chat::to_text(Finish::pause), "stop");
    EXPECT_EQ(chat::to_text(Finish::context_window), "length");
    for (int i = 0; i <= int(Finish::error); i++) {
        EXPECT_EQ(chat::finish_of(chat::to_text(Finish(i))), Finish(i));
    }
    EXPECT_EQ(chat::finish_of("end_turn"), Finish::stop);
    EXPECT_EQ(chat::finish_of("yet_unknown"), Finish::stop);
    EXPECT_EQ(chat::finish_of("model_length"), Finish::context_window);
    EXPECT_EQ(chat::finish_of("sensitive"), Finish::content_filter);
}

struct Ended {
    std::string_view type; // of the provider
    std::string_view answer;
    std::string_view messages;  // its stop_reason and stop_sequence
    std::string_view chat;      // finish_reason
    std::string_view gemini;    // finishReason
    std::string_view responses; // status
};

constexpr std::string_view kSequence =
    R"("stop_reason":"stop_sequence","stop_sequence":"END")";
constexpr std::string_view kUnnamed =
    R"("stop_reason":"stop_sequence","stop_sequence":null)";
constexpr std::string_view kPause =
    R"("stop_reason":"pause_turn","stop_sequence":null)";
constexpr std::string_view kWindow =
    R"("stop_reason":"model_context_window_exceeded","stop_sequence":null)";
constexpr std::string_view kRefusal =
    R"("stop_reason":"refusal","stop_sequence":null)";
constexpr std::string_view kEndTurn =
    R"("stop_reason":"end_turn","stop_sequence":null)";

constexpr Ended kPlain[] = {
    {"claude",
        R"({"content":[{"type":"text","text":"x"}],"stop_reason":"stop_sequence","stop_sequence":"END"})",
        kSequence, "stop", "STOP", "completed"},
    {"claude",
        R"({"content":[{"type":"text","text":"x"}],"stop_reason":"pause_turn","stop_sequence":null})",
        kPause, "stop", "STOP", "completed"},
    {"claude",
        R"({"content":[{"type":"text","text":"x"}],"stop_reason":"model_context_window_exceeded"})",
        kWindow, "length", "MAX_TOKENS", "incomplete"},
    {"claude",
        R"({"content":[{"type":"text","text":"x"}],"stop_reason":"refusal"})",
        kRefusal, "content_filter", "SAFETY", "incomplete"},
    {"bedrock",
        R"({"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}})",
        kSequence, "stop", "STOP", "completed"},
    {"bedrock",
        R"({"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"stop_sequence","additionalModelResponseFields":{"delta":{"stop_sequence":"END"}}})",
        kSequence, "stop", "STOP", "completed"},
    {"bedrock",
        R"({"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"model_context_window_exceeded"})",
        kWindow, "length", "MAX_TOKENS", "incomplete"},
    {"bedrock", R"({"output":{"message":{"content":[{"text":"x"}]}}})",
        kEndTurn, "stop", "STOP", "completed"},
    {"cohere",
        R"({"message":{"content":[{"type":"text","text":"x"}]},"finish_reason":"STOP_SEQUENCE"})",
        kUnnamed, "stop", "STOP", "completed"},
    {"vllm",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop","stop_reason":"END"}]})",
        kSequence, "stop", "STOP", "completed"},
    {"vllm",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop","stop_reason":128009}]})",
        kEndTurn, "stop", "STOP", "completed"},
    {"generic",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop","matched_stop":"END"}]})",
        kSequence, "stop", "STOP", "completed"},
    {"openrouter",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop","native_finish_reason":"stop_sequence"}]})",
        kUnnamed, "stop", "STOP", "completed"},
    {"openrouter",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"length","native_finish_reason":"model_context_window_exceeded"}]})",
        kWindow, "length", "MAX_TOKENS", "incomplete"},
    {"mistral",
        R"({"choices":[{"message":{"content":"x"},"finish_reason":"model_length"}]})",
        kWindow, "length", "MAX_TOKENS", "incomplete"},
};

std::string quoted(std::string_view key, std::string_view value)
{
    return "\"" + std::string(key) + "\":\"" + std::string(value) + "\"";
}

TEST(Finish, OfPlainAnswersInEveryDialect)
{
    GatewayFixture world;
    for (const Ended& row : kPlain) {
        const auto& provider = world.provider(row.type, row.type);
        const auto says = [&](Api api, std::string_view what) {
            const Fed fed = feed(provider, api, false, row.answer, 0);
            EXPECT_TRUE(has(fed.out, what)) << row.answer << "\n" << fed.out;
        };
        says(Api::messages, row.messages);
        says(Api::chat_completions, quoted("finish_reason", row.chat));
        says(Api::completions, quoted("finish_reason", row.chat));
        says(Api::gemini_generate, quoted("finishReason", row.gemini));
        says(Api::responses, quoted("status", row.responses));
        if (row.chat == "length") {
            says(Api::responses, R"("reason":"max_output_tokens")");
        }
    }
}

TEST(Finish, OfStreamsInEveryDialect)
{
    GatewayFixture world;
    const auto& provider = world.provider("c", "claude");
    const auto says = [&](Api api, std::string_view delta,
                          std::string_view what) {
        const std::string stream =
            R"(data: {"type":"message_start","message":{"id":"m"}})"
            "\n\n"
            R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}})"
            "\n\n"
            R"(data: {"type":"message_delta","delta":)"
            + std::string(delta) + "}\n\ndata: {\"type\":\"message_stop\"}\n\n";
        const Fed fed = feed(provider, api, true, stream, 0);
        EXPECT_TRUE(has(fed.out, what)) << delta << "\n" << fed.out;
    };
    constexpr std::string_view stop =
        R"({"stop_reason":"stop_sequence","stop_sequence":"E\"D"})";
    says(Api::messages, stop,
        R"("delta":{"stop_reason":"stop_sequence","stop_sequence":"E\"D"},"usage":{)");
    says(Api::chat_completions, stop, R"("finish_reason":"stop")");
    says(Api::gemini_stream, stop, R"("finishReason":"STOP")");
    says(Api::responses, stop, "response.completed");
    constexpr std::string_view pause = R"({"stop_reason":"pause_turn"})";
    says(Api::messages, pause, kPause);
    says(Api::responses, pause, "response.completed");
    constexpr std::string_view full =
        R"({"stop_reason":"model_context_window_exceeded"})";
    says(Api::messages, full, kWindow);
    says(Api::chat_completions, full, R"("finish_reason":"length")");
    says(Api::gemini_stream, full, R"("finishReason":"MAX_TOKENS")");
    says(Api::responses, full, R"("reason":"max_output_tokens")");
}

} // namespace
} // namespace ai_proxy::testing
