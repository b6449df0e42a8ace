#pragma once

#include "core/json/reader.h"
#include "core/json/writer.h"

#include <span>
#include <string_view>

// tool_choice {"type":"allowed_tools"}: of all tools that a request declares,
// those that may be called now.  Few vendors know it: the others are shown no
// other tools.
namespace ai_proxy::chat {

struct AllowedTools {
    json::Node tools; // an array that names them; missing: no such choice
    std::string_view mode;

    [[nodiscard]] bool given() const noexcept { return tools.is_array(); }
    // tool: as a chat request declares it.
    [[nodiscard]] bool holds(json::Node tool) const noexcept;
};

// In the form of chat completions, or in that of Responses.
[[nodiscard]] AllowedTools allowed_tools(json::Node tool_choice) noexcept;

// The choice of chat completions among functions of these names.
void write_allowed_tools(json::Writer& w, std::string_view mode,
    std::span<const std::string_view> names);

// What a tool is called, wherever it is named.
[[nodiscard]] std::string_view tool_name(json::Node tool) noexcept;

} // namespace ai_proxy::chat
