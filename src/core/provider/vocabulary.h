#pragma once

#include "core/chat/dropped.h"
#include "core/chat/request.h"
#include "core/json/reader.h"

#include <span>
#include <string_view>

// Which of OpenAI's words a protocol has a word for.  Every protocol and every
// translation has such a list; what a request says beyond it is dropped, by
// note_unsaid() and nowhere else, so that no encoder can forget one.  What
// depends on values or models is for the encoder to drop.
namespace ai_proxy::provider {

struct Vocabulary {
    // Members of the request ("temperature").  One name stands for all that
    // mean the same (word_of); some have parts of their own
    // ("tool_choice.none", "response_format.json_schema", "tools.strict",
    // "messages.name", "image_url.detail").
    std::span<const std::string_view> words;
    // The vendor's own members, which clients put beside OpenAI's.
    std::span<const std::string_view> own = {};

    [[nodiscard]] bool has(std::string_view word) const noexcept;
};

// The word that stands for a member: max_tokens for max_completion_tokens,
// reasoning_effort for thinking.
[[nodiscard]] std::string_view word_of(std::string_view member) noexcept;

// Adds to dropped what a chat request says beyond the vocabulary.  Values that
// ask for nothing (n: 1, logit_bias: {}) are no loss.
void note_unsaid(const Vocabulary& vocabulary, const chat::Request& request,
    chat::Dropped& dropped);
// The same of a request of another API: its members alone.
void note_unsaid(
    const Vocabulary& vocabulary, json::Node request, chat::Dropped& dropped);

} // namespace ai_proxy::provider
