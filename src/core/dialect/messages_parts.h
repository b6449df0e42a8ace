#pragma once

#include "core/chat/event.h"
#include "core/json/writer.h"

#include <string>
#include <string_view>

// What the stream and the body writer of Messages share.
namespace ai_proxy::dialect {

// called: the answer holds calls of tools.
[[nodiscard]] std::string_view messages_stop_reason(
    chat::Finish finish, bool refused, bool called) noexcept;
// Anthropic's usage object: input without what the cache read or wrote.
void write_messages_usage(
    json::Writer& w, const chat::Usage& usage, std::string_view tier = {});
// OpenAI's service tier in Anthropic's words; "" when it has none.
[[nodiscard]] std::string_view messages_tier(std::string_view tier) noexcept;
// OpenAI's annotation (provider/citation.h) as a citation of a text block; false: it is none.
[[nodiscard]] bool write_messages_citation(
    json::Writer& w, json::Node annotation);

} // namespace ai_proxy::dialect
