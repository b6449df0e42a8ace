#pragma once

#include "core/chat/request.h"
#include "core/json/writer.h"

#include <string>
#include <string_view>

// Documents as Bedrock's Converse takes them (AWS's "DocumentBlock" and
// "SearchResultBlock").
namespace ai_proxy::provider {

// By the media type, else by the end of the file's name; "" when neither
// tells.
[[nodiscard]] std::string_view bedrock_format(const chat::Part& part) noexcept;

// The API takes letters, digits, single spaces, hyphens and brackets; number
// makes a name of a document that has none.
[[nodiscard]] std::string bedrock_name(
    std::string_view filename, size_t number);

// Context and citations of chat::Part::claude_block, which Claude takes alone.
void write_bedrock_wishes(json::Writer& w, json::Node block);

// A whole chat::Part::claude_block.
void write_bedrock_block(json::Writer& w, json::Node block, size_t number);

} // namespace ai_proxy::provider
