#pragma once

#include "core/chat/event.h"
#include "core/json/writer.h"

#include <string>
#include <string_view>

// What the stream and the body writer of Messages share.
namespace ai_proxy::dialect {

// Why an answer ended.
struct MessagesStop {
    chat::Finish finish;
    bool refused;
    bool called; // the answer holds calls of tools
    std::string_view sequence;
};
// stop_reason and stop_sequence, members of an object.
void write_messages_stop(json::Writer& w, const MessagesStop& stop);
// Anthropic's usage object: input without what the cache read or wrote.
void write_messages_usage(
    json::Writer& w, const chat::Usage& usage, std::string_view tier = {});
// OpenAI's service tier in Anthropic's words; "" when it has none.
[[nodiscard]] std::string_view messages_tier(std::string_view tier) noexcept;
// OpenAI's annotation (provider/citation.h) as a citation of a text block; false: it is none.
[[nodiscard]] bool write_messages_citation(
    json::Writer& w, json::Node annotation);

} // namespace ai_proxy::dialect
