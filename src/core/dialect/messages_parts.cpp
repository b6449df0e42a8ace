#include "core/dialect/messages_parts.h"

#include <algorithm>

namespace ai_proxy::dialect {

std::string_view messages_stop_reason(
    chat::Finish finish, bool refused) noexcept
{
    switch (finish) {
    case chat::Finish::length:
        return "max_tokens";
    case chat::Finish::tool_calls:
    case chat::Finish::function_call:
        return "tool_use";
    case chat::Finish::content_filter:
        return "refusal";
    case chat::Finish::none:
    case chat::Finish::stop:
    case chat::Finish::error:
        break;
    }
    return refused ? "refusal" : "end_turn";
}

std::string_view messages_tier(std::string_view tier) noexcept
{
    if (tier == "default") {
        return "standard";
    }
    return tier == "priority" ? std::string_view("priority")
                              : std::string_view();
}

void write_messages_usage(
    json::Writer& w, const chat::Usage& usage, std::string_view tier)
{
    const int64_t cached = usage.cache_read + usage.cache_write;
    w.begin_object();
    w.field("input_tokens", std::max<int64_t>(usage.prompt - cached, 0));
    w.field("cache_creation_input_tokens", usage.cache_write);
    w.field("cache_read_input_tokens", usage.cache_read);
    w.field("output_tokens", usage.completion);
    if (usage.reasoning > 0) {
        w.key("output_tokens_details").begin_object();
        w.field("thinking_tokens", usage.reasoning).end_object();
    }
    if (!tier.empty()) {
        w.field("service_tier", tier);
    }
    w.end_object();
}

bool write_messages_citation(json::Writer& w, json::Node annotation)
{
    const json::Node citation = annotation["url_citation"].is_object()
        ? annotation["url_citation"]
        : annotation;
    const std::string_view url = citation["url"].string_or();
    if (url.empty()) {
        return false;
    }
    w.begin_object().field("type", "web_search_result_location");
    w.field("url", url).field("title", citation["title"].string_or());
    w.field("encrypted_index", "");
    w.field("cited_text", citation["content"].string_or()).end_object();
    return true;
}

} // namespace ai_proxy::dialect
