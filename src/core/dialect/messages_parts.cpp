#include "core/dialect/messages_parts.h"

#include <algorithm>

namespace ai_proxy::dialect {

namespace {

std::string_view stop_reason(const MessagesStop& stop) noexcept
{
    switch (stop.finish) {
    case chat::Finish::length:
        return "max_tokens";
    case chat::Finish::tool_calls:
    case chat::Finish::function_call:
        return "tool_use";
    case chat::Finish::content_filter:
        return "refusal";
    case chat::Finish::stop_sequence:
        return "stop_sequence";
    case chat::Finish::pause:
        return "pause_turn";
    case chat::Finish::context_window:
        return "model_context_window_exceeded";
    case chat::Finish::none:
    case chat::Finish::stop:
        // OpenAI says "stop" of a call that it was forced to make.
        return stop.refused ? "refusal" : stop.called ? "tool_use" : "end_turn";
    case chat::Finish::error:
        break;
    }
    return stop.refused ? "refusal" : "end_turn";
}

} // namespace

void write_messages_stop(json::Writer& w, const MessagesStop& stop)
{
    w.field("stop_reason", stop_reason(stop)).key("stop_sequence");
    if (stop.finish == chat::Finish::stop_sequence && !stop.sequence.empty()) {
        w.string(stop.sequence);
    } else {
        w.null();
    }
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
    const json::Node inner = annotation[annotation["type"].string_or()];
    const json::Node citation = inner.is_object() ? inner : annotation;
    const json::Node location = citation["location"];
    const std::string_view url = citation["url"].string_or();
    const std::string_view file = citation["file_id"].string_or();
    const std::string_view title =
        citation["title"].string_or(citation["filename"].string_or());
    if (url.empty() && file.empty() && title.empty()) {
        return false;
    }
    // Of a source that has no place of its own the whole is meant.
    const std::string_view type = location["type"].string_or(
        url.empty() ? "search_result_location" : "web_search_result_location");
    const int64_t index = citation["index"].integer().value_or(0);
    w.begin_object().field("type", type);
    w.field("cited_text", citation["content"].string_or());
    if (type == "web_search_result_location") {
        w.field("url", url).field("title", title);
        if (!location["encrypted_index"].exists()) {
            w.field("encrypted_index", "");
        }
    } else if (type == "search_result_location") {
        w.field("source", url.empty() ? file : url).field("title", title);
        if (!location.is_object()) {
            w.field("search_result_index", index);
            w.field("start_block_index", int64_t{0});
            w.field("end_block_index", int64_t{1});
        } else if (!location["search_result_index"].exists()) {
            w.field("search_result_index", index);
        }
    } else {
        w.field("document_index", index).field("document_title", title);
        if (!file.empty()) {
            w.field("file_id", file);
        }
    }
    for (const json::Member member : location.members()) {
        if (member.key != "type") {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
    return true;
}

} // namespace ai_proxy::dialect
