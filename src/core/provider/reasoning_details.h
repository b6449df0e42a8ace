#pragma once

#include "core/json/reader.h"
#include "core/json/writer.h"

#include <string>
#include <string_view>

// Reasoning as vendors hand it out that speak like OpenAI and stand before the
// models of many: a list of objects, which go back as they came and to whom
// they came from.  The canonical exchange has a text, and one opaque string
// behind it that holds the rest.
namespace ai_proxy::provider {

// An object with something signed or hidden in it, without the member that is
// its text.
[[nodiscard]] std::string wrap_reasoning(
    std::string_view vendor, json::Node object, std::string_view text_member);

// Of an assistant's message, to the vendor: the objects that it made, as the
// members reasoning_details and thinking_blocks.  Are there any details?  They
// hold the text, too.
[[nodiscard]] bool write_own_reasoning(
    json::Writer& w, std::string_view vendor, json::Node thinking_blocks);

} // namespace ai_proxy::provider
