#include "core/chat/allowed_tools.h"

namespace ai_proxy::chat {

std::string_view tool_name(json::Node tool) noexcept
{
    const json::Node inner = tool[tool["type"].string_or()];
    return inner["name"].string_or(tool["name"].string_or());
}

bool AllowedTools::holds(json::Node tool) const noexcept
{
    const std::string_view name = tool_name(tool);
    const std::string_view type = tool["type"].string_or();
    for (const json::Node one : tools.items()) {
        if (one["type"].string_or() == type && tool_name(one) == name) {
            return true;
        }
    }
    return false;
}

AllowedTools allowed_tools(json::Node tool_choice) noexcept
{
    if (tool_choice["type"].string_or() != "allowed_tools") {
        return {};
    }
    const json::Node inner = tool_choice["allowed_tools"];
    const json::Node place = inner.is_object() ? inner : tool_choice;
    return {place["tools"], place["mode"].string_or("auto")};
}

void write_allowed_tools(json::Writer& w, std::string_view mode,
    std::span<const std::string_view> names)
{
    w.key("tool_choice").begin_object().field("type", "allowed_tools");
    w.key("allowed_tools").begin_object().field("mode", mode);
    w.key("tools").begin_array();
    for (const std::string_view name : names) {
        w.begin_object().field("type", "function");
        w.key("function").begin_object().field("name", name);
        w.end_object().end_object();
    }
    w.end_array().end_object().end_object();
}

} // namespace ai_proxy::chat
