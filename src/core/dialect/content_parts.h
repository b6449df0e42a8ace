#pragma once

#include "core/json/reader.h"

#include <string>

// Mistral answers with content as an array of parts ({"type":"thinking",...},
// {"type":"text",...}); OpenAI's clients know a string and reasoning_content.
namespace ai_proxy::dialect {

// True when some choice of a chat body or chunk has content that is an array
// of text, thinking and reference parts only.
[[nodiscard]] bool has_content_parts(json::Node body);

// Appends body with such content as strings, all else as it is.
void write_flat(std::string& out, json::Node body);

// The texts of the parts of one kind, joined; out is appended to.
void join_text(std::string& out, json::Node parts);
void join_thinking(std::string& out, json::Node parts);

} // namespace ai_proxy::dialect
