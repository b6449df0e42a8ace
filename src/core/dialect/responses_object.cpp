#include "core/dialect/responses_tools.h"
#include "core/dialect/responses_writer.h"
#include "core/dialect/tool_names.h"

// The objects of the Responses API: items, parts, the response itself.
namespace ai_proxy::dialect {

void ResponsesWriter::write_part(
    json::Writer& w, const Item& item, bool refusal) const
{
    w.begin_object();
    if (refusal) {
        w.field("type", "refusal");
        w.field("refusal", std::string_view(item.refusal));
    } else {
        w.field("type", "output_text");
        w.field("text", std::string_view(item.text));
        w.key("annotations").raw("[" + item.annotations + "]");
        w.key("logprobs").raw("[" + item.logprobs + "]");
    }
    w.end_object();
}

void ResponsesWriter::write_call(
    json::Writer& w, const Item& item, std::string_view status) const
{
    w.field("type", item.custom ? "custom_tool_call" : "function_call");
    w.field("status", status);
    w.field("call_id", std::string_view(item.call_id));
    if (!item.space.empty()) {
        w.field("namespace", std::string_view(item.space));
    }
    w.field("name", std::string_view(item.name));
    if (!item.custom) {
        w.field("arguments", std::string_view(item.text));
    } else {
        w.field("input",
            item.done ? std::string_view(item.text) : std::string_view());
    }
}

void ResponsesWriter::write_item(json::Writer& w, const Item& item) const
{
    const std::string_view status = !item.done ? "in_progress"
        : this->status() == "incomplete" && &item == &items_.back()
        ? "incomplete"
        : "completed";
    w.begin_object().field("id", std::string_view(item.id));
    switch (item.kind) {
    case Kind::reasoning:
        w.field("type", "reasoning").key("summary").begin_array();
        if (item.done && !item.text.empty()) {
            w.begin_object().field("type", "summary_text");
            w.field("text", std::string_view(item.text)).end_object();
        }
        w.end_array();
        if (!item.opaque.empty()) {
            w.field("encrypted_content", std::string_view(item.opaque));
        }
        break;
    case Kind::message:
        w.field("type", "message").field("status", status);
        w.field("role", "assistant").key("content").begin_array();
        for (const bool refusal : {item.refusal_at == 0, item.refusal_at != 0})
        {
            if ((refusal ? item.refusal_at : item.text_at) >= 0) {
                write_part(w, item, refusal);
            }
        }
        w.end_array();
        break;
    case Kind::call:
        write_call(w, item, status);
        break;
    }
    w.end_object();
}

void ResponsesWriter::write_response(
    json::Writer& w, std::string_view status, const Error* error) const
{
    w.begin_object().field("id", std::string_view(id_));
    w.field("object", "response").field("created_at", created_);
    w.field("status", status).field("background", false).key("error");
    if (status == "failed") {
        const std::string_view code =
            error != nullptr ? error->provider_code : std::string_view();
        w.begin_object();
        w.field("code", code.empty() ? "server_error" : code);
        w.field("message",
            error != nullptr ? std::string_view(error->message)
                             : "the provider reported an error");
        w.end_object();
    } else {
        w.null();
    }
    w.key("incomplete_details");
    if (status == "incomplete") {
        w.begin_object();
        w.field("reason",
            finish_ == chat::Finish::content_filter ? "content_filter"
                                                    : "max_output_tokens");
        w.end_object();
    } else {
        w.null();
    }
    w.field("model", std::string_view(model_)).key("output").begin_array();
    if (status != "in_progress") {
        for (const Item& item : items_) {
            write_item(w, item);
        }
    }
    w.end_array();
    w.key("usage");
    if (usage_.known && status != "in_progress") {
        w.begin_object().field("input_tokens", usage_.prompt);
        w.key("input_tokens_details").begin_object();
        w.field("cached_tokens", usage_.cache_read);
        w.field("cache_write_tokens", usage_.cache_write);
        w.end_object().field("output_tokens", usage_.completion);
        w.key("output_tokens_details").begin_object();
        w.field("reasoning_tokens", usage_.reasoning).end_object();
        w.field("total_tokens", usage_.total).end_object();
    } else {
        w.null();
    }
    json::Parser parser;
    if (const auto echo = parser.parse(std::string_view(echo_)); echo) {
        for (const json::Member member : echo->members()) {
            if (member.key == "service_tier" && !tier_.empty()) {
                w.field("service_tier", std::string_view(tier_));
            } else if (member.key != kToolNames) {
                w.field(member.key, member.value);
            }
        }
    }
    w.end_object();
}

} // namespace ai_proxy::dialect
