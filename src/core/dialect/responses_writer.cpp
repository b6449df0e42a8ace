#include "core/dialect/responses_writer.h"

#include "core/chat/signer.h"
#include "core/dialect/call_text.h"
#include "core/dialect/responses_request.h"
#include "core/dialect/responses_tools.h"
#include "core/dialect/tool_names.h"
#include "core/dialect/spoken.h"

#include <utility>

namespace ai_proxy::dialect {

using chat::EventKind;

// What an item counts for beside its text: it is looked at with each event.
constexpr size_t kItemCost = 4096;

ResponsesWriter::ResponsesWriter(const AnswerContext& context)
    : id_(context.id), model_(context.model), echo_(context.echo),
      created_(context.created)
{
    read_names();
}

ResponsesWriter::ResponsesWriter(std::string& out, const AnswerContext& context)
    : ResponsesWriter(context)
{
    out_ = &out;
}

void ResponsesWriter::read_names()
{
    if (echo_.find(kToolNames) == std::string::npos) {
        return;
    }
    const auto echo = parser_.parse(std::string_view(echo_));
    if (!echo) {
        return;
    }
    for (const json::Node one : (*echo)[kToolNames].items()) {
        names_.push_back({std::string(one["sent"].string_or()),
            std::string(one["name"].string_or()),
            std::string(one["namespace"].string_or()),
            one["custom"].boolean().value_or(false)});
    }
}

void ResponsesWriter::name_call(Item& item, std::string_view sent) const
{
    item.name = sent;
    for (const ToolName& one : names_) {
        if (one.sent == sent) {
            item.name = one.name;
            item.space = one.space;
            item.custom = one.custom;
        }
    }
}

// The text that a custom tool is called with; what a model said otherwise
// stays as it is.
std::string ResponsesWriter::input_of(const std::string& arguments)
{
    const auto parsed = parser_.parse(std::string_view(arguments));
    const auto input = parsed ? (*parsed)["input"].string()
                              : std::optional<std::string_view>();
    return std::string(input.value_or(arguments));
}

// An event up to its sequence number; the caller adds members and closes it.
json::Writer ResponsesWriter::event(std::string_view type)
{
    *out_ += "event: ";
    *out_ += type;
    *out_ += "\ndata: ";
    json::Writer w(*out_);
    w.begin_object().field("type", type).field("sequence_number", sequence_++);
    return w;
}

json::Writer ResponsesWriter::item_event(
    std::string_view type, const Item& item)
{
    json::Writer w = event(type);
    w.field("item_id", std::string_view(item.id));
    w.field("output_index", int64_t(index_of(item)));
    return w;
}

void ResponsesWriter::close_event(json::Writer& w)
{
    w.end_object();
    *out_ += "\n\n";
}

size_t ResponsesWriter::index_of(const Item& item) const noexcept
{
    return size_t(&item - items_.data());
}

void ResponsesWriter::start()
{
    if (started_ || !streams()) {
        return;
    }
    started_ = true;
    for (const std::string_view type :
        {"response.created", "response.in_progress"}) {
        json::Writer w = event(type);
        w.key("response");
        write_response(w, "in_progress", nullptr);
        close_event(w);
    }
}

ResponsesWriter::Item& ResponsesWriter::add(Kind kind)
{
    start();
    Item& item = items_.emplace_back();
    held_ += kItemCost;
    item.kind = kind;
    item.id = kind == Kind::message ? "msg_"
        : kind == Kind::call        ? "fc_"
                                    : "rs_";
    item.id += std::string_view(id_).substr(id_.find('_') + 1);
    item.id += '_' + std::to_string(items_.size() - 1);
    return item;
}

ResponsesWriter::Item& ResponsesWriter::current(Kind kind)
{
    for (Item& item : items_) {
        if (item.kind == kind && !item.done) {
            return item;
        }
    }
    close_others(nullptr);
    Item& item = add(kind);
    if (streams()) {
        json::Writer w = event("response.output_item.added");
        w.field("output_index", int64_t(index_of(item))).key("item");
        write_item(w, item);
        close_event(w);
    }
    return item;
}

// What is open besides calls ends where the next item begins.
void ResponsesWriter::close_others(const Item* keep)
{
    for (Item& item : items_) {
        if (!item.done && &item != keep
            && (item.kind != Kind::call || item.watch.whole()))
        {
            close(item);
        }
    }
}

void ResponsesWriter::close(Item& item)
{
    if (item.custom) {
        item.text = input_of(item.text);
    } else if (item.kind == Kind::call && item.text.empty()) {
        item.text = "{}";
        if (streams()) {
            json::Writer w =
                item_event("response.function_call_arguments.delta", item);
            w.field("delta", "{}");
            close_event(w);
        }
    }
    item.done = true;
    if (!streams()) {
        return;
    }
    switch (item.kind) {
    case Kind::reasoning:
        close_reasoning(item);
        break;
    case Kind::message:
        close_message(item);
        break;
    case Kind::call:
        close_call(item);
        break;
    }
    json::Writer w = event("response.output_item.done");
    w.field("output_index", int64_t(index_of(item))).key("item");
    write_item(w, item);
    close_event(w);
}

void ResponsesWriter::close_reasoning(Item& item)
{
    if (item.text.empty()) {
        return;
    }
    json::Writer w = item_event("response.reasoning_summary_text.done", item);
    w.field("summary_index", int64_t{0});
    w.field("text", std::string_view(item.text));
    close_event(w);
    json::Writer p = item_event("response.reasoning_summary_part.done", item);
    p.field("summary_index", int64_t{0}).key("part").begin_object();
    p.field("type", "summary_text");
    p.field("text", std::string_view(item.text)).end_object();
    close_event(p);
}

void ResponsesWriter::close_message(Item& item)
{
    for (const bool refusal : {item.refusal_at == 0, item.refusal_at != 0}) {
        const int at = refusal ? item.refusal_at : item.text_at;
        if (at < 0) {
            continue;
        }
        json::Writer w = item_event(
            refusal ? "response.refusal.done" : "response.output_text.done",
            item);
        w.field("content_index", int64_t{at});
        if (refusal) {
            w.field("refusal", std::string_view(item.refusal));
        } else {
            w.field("text", std::string_view(item.text));
            w.key("logprobs").raw("[" + item.logprobs + "]");
        }
        close_event(w);
        json::Writer p = item_event("response.content_part.done", item);
        p.field("content_index", int64_t{at}).key("part");
        write_part(p, item, refusal);
        close_event(p);
    }
}

void ResponsesWriter::close_call(Item& item)
{
    if (item.custom) {
        json::Writer d =
            item_event("response.custom_tool_call_input.delta", item);
        d.field("delta", std::string_view(item.text));
        close_event(d);
        json::Writer w =
            item_event("response.custom_tool_call_input.done", item);
        w.field("input", std::string_view(item.text));
        close_event(w);
        return;
    }
    json::Writer w = item_event("response.function_call_arguments.done", item);
    w.field("name", std::string_view(item.name));
    w.field("arguments", std::string_view(item.text));
    close_event(w);
}

void ResponsesWriter::part_added(Item& item, bool refusal)
{
    int& at = refusal ? item.refusal_at : item.text_at;
    if (at >= 0) {
        return;
    }
    at = (refusal ? item.text_at : item.refusal_at) >= 0 ? 1 : 0;
    if (streams()) {
        json::Writer w = item_event("response.content_part.added", item);
        w.field("content_index", int64_t{at}).key("part");
        write_part(w, item, refusal);
        close_event(w);
    }
}

void ResponsesWriter::text(std::string_view text)
{
    Item& item = current(Kind::message);
    part_added(item, false);
    item.text += text;
    if (streams()) {
        json::Writer w = item_event("response.output_text.delta", item);
        w.field("content_index", int64_t{item.text_at});
        w.field("delta", text).key("logprobs").begin_array().end_array();
        close_event(w);
    }
    for (const std::string& array : std::exchange(early_, {})) {
        annotations(array);
    }
}

void ResponsesWriter::refusal(std::string_view text)
{
    Item& item = current(Kind::message);
    part_added(item, true);
    item.refusal += text;
    if (streams()) {
        json::Writer w = item_event("response.refusal.delta", item);
        w.field("content_index", int64_t{item.refusal_at});
        w.field("delta", text);
        close_event(w);
    }
}

void ResponsesWriter::reasoning(std::string_view text)
{
    Item& item = current(Kind::reasoning);
    if (item.text.empty() && streams()) {
        json::Writer w =
            item_event("response.reasoning_summary_part.added", item);
        w.field("summary_index", int64_t{0}).key("part").begin_object();
        w.field("type", "summary_text").field("text", "").end_object();
        close_event(w);
    }
    item.text += text;
    if (streams()) {
        json::Writer w =
            item_event("response.reasoning_summary_text.delta", item);
        w.field("summary_index", int64_t{0}).field("delta", text);
        close_event(w);
    }
}

// A signature ends the reasoning it signs; a block that is opaque as a whole
// is an item of its own.
void ResponsesWriter::opaque(std::string_view data, bool redacted)
{
    if (redacted) {
        close_others(nullptr);
    }
    Item& item = current(Kind::reasoning);
    item.opaque = redacted ? kRedactedMark : kSignedMark;
    item.opaque += data;
    close(item);
}

ResponsesWriter::Item* ResponsesWriter::newest_text()
{
    for (size_t i = items_.size(); i-- > 0;) {
        if (items_[i].kind == Kind::message && items_[i].text_at >= 0) {
            return &items_[i];
        }
    }
    return nullptr;
}

// They follow the text they are of: a delta without text of its own.  Those of
// thoughts and calls have no place.
void ResponsesWriter::logprobs(std::string_view array)
{
    Item* const text = newest_text();
    if (array.size() <= 2 || text == nullptr || text->done) {
        return;
    }
    Item& item = *text;
    item.logprobs += item.logprobs.empty() ? "" : ",";
    item.logprobs += array.substr(1, array.size() - 2);
    if (streams()) {
        json::Writer w = item_event("response.output_text.delta", item);
        w.field("content_index", int64_t{item.text_at});
        w.field("delta", "").key("logprobs").raw(array);
        close_event(w);
    }
}

void ResponsesWriter::annotations(std::string_view array)
{
    Item* const text = newest_text();
    if (text == nullptr) {
        early_.emplace_back(array);
        return;
    }
    const auto parsed = parser_.parse(array);
    if (!parsed) {
        return;
    }
    for (const json::Node one : parsed->items()) {
        annotate(*text, one);
    }
}

void ResponsesWriter::annotate(Item& item, json::Node one)
{
    const json::Node own = one[one["type"].string_or()];
    const json::Node inner = own.is_object() ? own : one;
    std::string flat;
    json::Writer w(flat);
    w.begin_object();
    w.field("type", one["type"].string_or("url_citation"));
    for (const json::Member member : inner.members()) {
        if (member.key != "type") {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
    item.annotations += item.annotations.empty() ? "" : ",";
    item.annotations += flat;
    // Of an item that is done only the whole response can still tell them.
    if (streams() && !item.done) {
        json::Writer e =
            item_event("response.output_text.annotation.added", item);
        e.field("content_index", int64_t{item.text_at});
        e.field("annotation_index", int64_t(item.annotation_count));
        e.key("annotation").raw(flat);
        close_event(e);
    }
    item.annotation_count++;
}

void ResponsesWriter::tool_begin(const chat::Event& tool)
{
    if (!tool.text.empty()) {
        // The dialect signs reasoning, not calls.
        opaque(std::string(chat::kGoogleCallMark).append(tool.text), false);
    }
    close_others(nullptr);
    Item& item = add(Kind::call);
    item.call = tool.index;
    name_call(item, tool.name);
    if (item.custom) {
        item.id.replace(0, 2, "ctc");
    }
    std::string quoted;
    append_call_id(quoted, tool.id, id_, tool.index);
    item.call_id = tool.id.empty() ? quoted.substr(1, quoted.size() - 2)
                                   : std::string(tool.id);
    if (streams()) {
        json::Writer w = event("response.output_item.added");
        w.field("output_index", int64_t(index_of(item))).key("item");
        write_item(w, item);
        close_event(w);
    }
}

void ResponsesWriter::tool_arguments(const chat::Event& tool)
{
    for (size_t i = items_.size(); i-- > 0;) {
        Item& item = items_[i];
        if (item.kind != Kind::call || item.call != tool.index || item.done) {
            continue;
        }
        item.text += tool.text;
        item.watch.feed(tool.text);
        // A custom tool's text stands in them: it is told when it is whole.
        if (streams() && !item.custom) {
            json::Writer w =
                item_event("response.function_call_arguments.delta", item);
            w.field("delta", tool.text);
            close_event(w);
        }
        return;
    }
}

void ResponsesWriter::end()
{
    ended_ = true;
    start();
    for (Item& item : items_) {
        if (!item.done) {
            close(item);
        }
    }
    if (streams()) {
        const std::string type = "response." + std::string(status());
        json::Writer w = event(type);
        w.key("response");
        write_response(w, status(), nullptr);
        close_event(w);
    }
}

std::string_view ResponsesWriter::status() const noexcept
{
    switch (finish_) {
    case chat::Finish::length:
    case chat::Finish::context_window:
    case chat::Finish::content_filter:
        return "incomplete";
    case chat::Finish::error:
        return "failed";
    default:
        return "completed";
    }
}

void ResponsesWriter::on(const chat::Event& event)
{
    if (ended_ || event.choice != 0) {
        return;
    }
    // All that is said is told again at the end.
    held_ += event.text.size() + event.id.size() + event.name.size();
    switch (event.kind) {
    case EventKind::begin:
        if (!started_ && !event.model.empty()) {
            model_ = event.model;
        }
        break;
    case EventKind::text:
        if (!event.text.empty()) {
            text(event.text);
        }
        break;
    case EventKind::refusal:
        if (!event.text.empty()) {
            refusal(event.text);
        }
        break;
    case EventKind::reasoning:
        if (!event.text.empty()) {
            reasoning(event.text);
        }
        break;
    case EventKind::signature:
        opaque(event.text, false);
        break;
    case EventKind::redacted:
        opaque(event.text, true);
        break;
    case EventKind::annotations:
        annotations(event.text);
        break;
    case EventKind::logprobs:
        logprobs(event.text);
        break;
    case EventKind::audio:
        if (const std::string said = transcript_of(event.text); !said.empty()) {
            text(said);
        }
        break;
    case EventKind::service_tier:
        tier_ = event.text;
        break;
    case EventKind::tool_begin:
        tool_begin(event);
        break;
    case EventKind::tool_arguments:
        tool_arguments(event);
        break;
    case EventKind::finish:
        finish_ = finish_ == chat::Finish::none ? event.finish : finish_;
        break;
    case EventKind::usage:
        usage_ = event.usage;
        break;
    case EventKind::end:
        end();
        break;
    }
}

bool ResponsesWriter::fail(std::string& out, const Error& error)
{
    out_ = &out;
    ended_ = true;
    start();
    json::Writer w = event("response.failed");
    w.key("response");
    write_response(w, "failed", &error);
    close_event(w);
    return true;
}

void ResponsesWriter::write(std::string& out) const
{
    json::Writer w(out);
    write_response(w, status(), nullptr);
}

} // namespace ai_proxy::dialect
