#include "core/chat/event.h"

#include <array>

namespace ai_proxy::chat {
namespace {

using enum Finish;

constexpr std::array<std::string_view, size_t(context_window) + 1> kNames{"",
    "stop", "length", "tool_calls", "content_filter", "function_call", "error",
    "stop", "stop", "length"};

struct Word {
    std::string_view word;
    Finish finish;
};
// Words that mean stop ("end_turn", "COMPLETE") need no row.
constexpr Word kWords[] = {
    {"", none},
    // OpenAI, and those that speak like it
    {"length", length},
    {"model_length", context_window},
    {"max_tokens", length},
    {"tool_calls", tool_calls},
    {"tool_call", tool_calls},
    {"tool_use", tool_calls},
    {"function_call", function_call},
    {"content_filter", content_filter},
    {"sensitive", content_filter},
    {"error", error},
    {"network_error", error},
    // Anthropic, Bedrock
    {"stop_sequence", stop_sequence},
    {"pause_turn", pause},
    {"model_context_window_exceeded", context_window},
    {"refusal", content_filter},
    {"guardrail_intervened", content_filter},
    {"content_filtered", content_filter},
    // Gemini; OTHER, LANGUAGE, MALFORMED_FUNCTION_CALL and the like are stop
    {"MAX_TOKENS", length},
    {"SAFETY", content_filter},
    {"RECITATION", content_filter},
    {"BLOCKLIST", content_filter},
    {"PROHIBITED_CONTENT", content_filter},
    {"SPII", content_filter},
    {"MODEL_ARMOR", content_filter},
    {"IMAGE_SAFETY", content_filter},
    {"IMAGE_PROHIBITED_CONTENT", content_filter},
    {"IMAGE_RECITATION", content_filter},
    // Cohere
    {"STOP_SEQUENCE", stop_sequence},
    {"ERROR_LIMIT", context_window},
    {"TOOL_CALL", tool_calls},
    {"ERROR_TOXIC", content_filter},
};

} // namespace

std::string_view to_text(Finish finish) noexcept
{
    const auto index = size_t(finish);
    return index < kNames.size() ? kNames[index] : std::string_view{};
}

Finish finish_of(std::string_view word) noexcept
{
    for (const Word& row : kWords) {
        if (word == row.word) {
            return row.finish;
        }
    }
    return stop;
}

} // namespace ai_proxy::chat
