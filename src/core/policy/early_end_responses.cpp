#include "core/policy/early_end.h"

#include "core/json/writer.h"

#include <string_view>
#include <vector>

namespace ai_proxy::policy {

namespace {

// Responses: the last event repeats the whole answer, so it is kept.
class ResponsesEnd final : public EarlyEnd {
public:
    void note(json::Node event) override;
    [[nodiscard]] bool is_possible() const noexcept override
    {
        return begun_ && !ended_ && held_ <= kMostHeld;
    }
    void write(std::string& out, const chat::Usage& usage) override;

private:
    static constexpr size_t kMostHeld = 4 * 1024 * 1024;

    // A piece of an item: a text of a message, a summary, arguments.
    struct Part {
        int64_t index = 0;
        std::string type; // output_text, refusal, summary_text, ...
        std::string text;
        bool done = false;
    };
    struct Item {
        int64_t index = 0;
        std::string id, type;
        std::string fields; // what it began with, a JSON object
        std::vector<Part> parts;
        bool done = false; // then fields is the whole item
    };

    void note_response(json::Node response);
    void note_item(json::Node event, bool done);
    void note_delta(json::Node event, std::string_view type);
    [[nodiscard]] Item* find(int64_t index) noexcept;
    [[nodiscard]] Part& part(Item& item, int64_t index, std::string_view type);
    json::Writer begin(std::string& out, std::string_view type);
    void end(std::string& out, json::Writer& w) const;
    void close(std::string& out, Item& item);
    void close(std::string& out, const Item& item, const Part& part);
    void write_item(json::Writer& w, const Item& item);

    bool begun_ = false, ended_ = false;
    size_t held_ = 0;
    int64_t sequence_ = 0;
    std::string response_; // as it began, a JSON object
    std::vector<Item> items_;
    json::Parser parser_;
};

bool is_one_of(
    std::string_view key, std::initializer_list<std::string_view> keys) noexcept
{
    for (const std::string_view one : keys) {
        if (key == one) {
            return true;
        }
    }
    return false;
}

// The kind of text that an event tells a piece of; "": none.
std::string_view kind_of(std::string_view type) noexcept
{
    return type == "response.output_text.delta"           ? "output_text"
        : type == "response.refusal.delta"                ? "refusal"
        : type == "response.reasoning_summary_text.delta" ? "summary_text"
        : type == "response.reasoning_text.delta"         ? "reasoning_text"
        : type == "response.function_call_arguments.delta"
        ? "function_call_arguments"
        : type == "response.custom_tool_call_input.delta"
        ? "custom_tool_call_input"
        : "";
}

bool is_call(std::string_view kind) noexcept
{
    return kind == "function_call_arguments"
        || kind == "custom_tool_call_input";
}

std::string_view index_key(std::string_view kind) noexcept
{
    return kind == "summary_text" ? "summary_index" : "content_index";
}

std::string_view text_key(std::string_view kind) noexcept
{
    return kind == "refusal"                ? "refusal"
        : kind == "function_call_arguments" ? "arguments"
        : kind == "custom_tool_call_input"  ? "input"
                                            : "text";
}

void ResponsesEnd::note(json::Node event)
{
    sequence_ = event["sequence_number"].integer().value_or(sequence_);
    const std::string_view type = event["type"].string_or();
    if (type == "response.created" || type == "response.in_progress") {
        note_response(event["response"]);
    } else if (type == "response.output_item.added") {
        note_item(event, false);
    } else if (type == "response.output_item.done") {
        note_item(event, true);
    } else if (type == "response.completed" || type == "response.incomplete"
        || type == "response.failed")
    {
        ended_ = true;
    } else {
        note_delta(event, type);
    }
}

void ResponsesEnd::note_response(json::Node response)
{
    begun_ = begun_ || response.is_object();
    held_ -= response_.size();
    response_.clear();
    json::append_value(response_, response);
    held_ += response_.size();
}

ResponsesEnd::Item* ResponsesEnd::find(int64_t index) noexcept
{
    for (Item& item : items_) {
        if (item.index == index) {
            return &item;
        }
    }
    return nullptr;
}

void ResponsesEnd::note_item(json::Node event, bool done)
{
    const int64_t index = event["output_index"].integer().value_or(0);
    Item* item = find(index);
    if (held_ > kMostHeld) {
        return;
    }
    if (item == nullptr) {
        held_ += sizeof(Item);
        item = &items_.emplace_back();
        item->index = index;
        item->id = event["item"]["id"].string_or();
        item->type = event["item"]["type"].string_or();
    }
    item->fields.clear();
    json::append_value(item->fields, event["item"]);
    held_ += item->fields.size();
    item->done = done;
    if (done) {
        item->parts = {};
    }
}

ResponsesEnd::Part& ResponsesEnd::part(
    Item& item, int64_t index, std::string_view type)
{
    for (Part& one : item.parts) {
        if (one.index == index && one.type == type) {
            return one;
        }
    }
    held_ += sizeof(Part);
    Part& made = item.parts.emplace_back();
    made.index = index;
    made.type = type;
    return made;
}

void ResponsesEnd::note_delta(json::Node event, std::string_view type)
{
    Item* item = find(event["output_index"].integer().value_or(0));
    if (item == nullptr || held_ > kMostHeld) {
        return;
    }
    if (const std::string_view kind = kind_of(type); !kind.empty()) {
        const std::string_view text = event["delta"].string_or();
        part(*item, event[index_key(kind)].integer().value_or(0), kind).text +=
            text;
        held_ += text.size();
        return;
    }
    const bool summary = type == "response.reasoning_summary_part.done";
    if (type == "response.content_part.done" || summary) {
        const std::string_view kind = event["part"]["type"].string_or();
        part(*item,
            event[summary ? "summary_index" : "content_index"]
                .integer()
                .value_or(0),
            kind)
            .done = true;
    }
}

json::Writer ResponsesEnd::begin(std::string& out, std::string_view type)
{
    out += "event: ";
    out += type;
    out += "\ndata: ";
    json::Writer w(out);
    w.begin_object().field("type", type);
    w.field("sequence_number", ++sequence_);
    return w;
}

void ResponsesEnd::end(std::string& out, json::Writer& w) const
{
    w.end_object();
    out += "\n\n";
}

void write_part(json::Writer& w, std::string_view type, const std::string& text)
{
    w.begin_object().field("type", type);
    w.field(text_key(type), std::string_view(text));
    if (type == "output_text") {
        w.key("annotations").begin_array().end_array();
        w.key("logprobs").begin_array().end_array();
    }
    w.end_object();
}

void ResponsesEnd::close(std::string& out, const Item& item, const Part& part)
{
    const auto place = [&](json::Writer& w) {
        w.field("item_id", std::string_view(item.id));
        w.field("output_index", item.index);
        if (!is_call(part.type)) {
            w.field(index_key(part.type), part.index);
        }
    };
    const bool summary = part.type == "summary_text";
    const std::string name =
        (summary ? "response.reasoning_" : "response.") + part.type + ".done";
    json::Writer w = begin(out, name);
    place(w);
    w.field(text_key(part.type), std::string_view(part.text));
    if (part.type == "output_text") {
        w.key("logprobs").begin_array().end_array();
    }
    end(out, w);
    if (is_call(part.type)) {
        return;
    }
    json::Writer p = begin(out,
        summary ? "response.reasoning_summary_part.done"
                : "response.content_part.done");
    place(p);
    p.key("part");
    write_part(p, part.type, part.text);
    end(out, p);
}

// What stays of an item is what has been said of it.
void ResponsesEnd::write_item(json::Writer& w, const Item& item)
{
    if (item.done) {
        w.raw(item.fields);
        return;
    }
    const auto began = parser_.parse(std::string_view(item.fields));
    w.begin_object();
    for (const json::Member member : (began ? *began : json::Node()).members())
    {
        if (!is_one_of(member.key,
                {"status", "content", "summary", "arguments", "input"}))
        {
            w.field(member.key, member.value);
        }
    }
    w.field("status", "incomplete");
    const bool reasoning = item.type == "reasoning";
    if (item.type == "message" || reasoning) {
        w.key(reasoning ? "summary" : "content").begin_array();
        for (const Part& one : item.parts) {
            if (reasoning == (one.type == "summary_text")) {
                write_part(w, one.type, one.text);
            }
        }
        w.end_array();
    }
    for (const Part& one : item.parts) {
        if (is_call(one.type)) {
            w.field(text_key(one.type), std::string_view(one.text));
        }
    }
    w.end_object();
}

void ResponsesEnd::close(std::string& out, Item& item)
{
    for (const Part& one : item.parts) {
        if (!one.done) {
            close(out, item, one);
        }
    }
    json::Writer w = begin(out, "response.output_item.done");
    w.field("output_index", item.index).key("item");
    write_item(w, item);
    end(out, w);
}

void ResponsesEnd::write(std::string& out, const chat::Usage& usage)
{
    for (Item& item : items_) {
        if (!item.done) {
            close(out, item);
        }
    }
    json::Writer w = begin(out, "response.incomplete");
    w.key("response").begin_object();
    {
        json::Parser parser;
        const auto began = parser.parse(std::string_view(response_));
        for (const json::Member member :
            (began ? *began : json::Node()).members()) {
            if (!is_one_of(member.key,
                    {"status", "incomplete_details", "output", "usage"})) {
                w.field(member.key, member.value);
            }
        }
    }
    w.field("status", "incomplete");
    w.key("incomplete_details").begin_object();
    w.field("reason", "max_output_tokens").end_object();
    w.key("output").begin_array();
    for (const Item& item : items_) {
        write_item(w, item);
    }
    w.end_array().key("usage").begin_object();
    w.field("input_tokens", usage.prompt);
    w.key("input_tokens_details").begin_object();
    w.field("cached_tokens", usage.cache_read).end_object();
    w.field("output_tokens", usage.completion);
    w.key("output_tokens_details").begin_object();
    w.field("reasoning_tokens", usage.reasoning).end_object();
    w.field("total_tokens", usage.total).end_object().end_object();
    end(out, w);
}

} // namespace

std::unique_ptr<EarlyEnd> make_responses_end()
{
    return std::make_unique<ResponsesEnd>();
}

} // namespace ai_proxy::policy
