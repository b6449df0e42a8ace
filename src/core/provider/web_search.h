#pragma once

#include "core/chat/request.h"
#include "core/json/writer.h"
#include "core/provider/protocol.h"

#include <initializer_list>

// chat's web_search_options for vendors that search in words of their own.
namespace ai_proxy::provider {

// Is a search asked for?
[[nodiscard]] inline json::Node web_search(const chat::Request& request)
{
    const json::Node asked = request.raw["web_search_options"];
    return asked.is_object() ? asked : json::Node();
}

// Drops the options that are not among those the vendor takes.
void drop_search_options(const EncodeContext& context, json::Node asked,
    std::initializer_list<std::string_view> taken);

// Anthropic's tool.
void write_claude_web_search(
    json::Writer& w, json::Node asked, const EncodeContext& context);

} // namespace ai_proxy::provider
