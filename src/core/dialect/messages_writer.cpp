#include "core/dialect/messages_writer.h"

#include "core/chat/signer.h"
#include "core/dialect/call_text.h"
#include "core/dialect/messages_parts.h"
#include "core/dialect/spoken.h"

#include <charconv>
#include <utility>

namespace ai_proxy::dialect {

namespace {

using chat::EventKind;

void append_number(std::string& out, int64_t number)
{
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end.ptr);
}

} // namespace

MessagesStreamWriter::MessagesStreamWriter(
    std::string& out, const AnswerContext& context)
    : out_(out), id_(context.id), model_(context.model), names_(context.echo)
{
}

// "event: T" and the data up to the end of its type.
void MessagesStreamWriter::begin_event(std::string_view type)
{
    out_ += "event: ";
    out_ += type;
    out_ += "\ndata: {\"type\":\"";
    out_ += type;
    out_ += '"';
}

void MessagesStreamWriter::start()
{
    if (started_) {
        return;
    }
    started_ = true;
    begin_event("message_start");
    out_ += R"(,"message":{"id":)";
    json::append_string(out_, id_);
    out_ += R"(,"type":"message","role":"assistant","model":)";
    json::append_string(out_, model_);
    out_ += R"(,"content":[],"stop_reason":null,"stop_sequence":null,"usage":)";
    json::Writer w(out_);
    write_messages_usage(w, usage_, tier_);
    out_ += "}}\n\n";
    begin_event("ping");
    out_ += "}\n\n";
}

void MessagesStreamWriter::close()
{
    if (block_ != Block::none) {
        begin_event("content_block_stop");
        out_ += R"(,"index":)";
        append_number(out_, index_);
        out_ += "}\n\n";
        block_ = Block::none;
    }
}

void MessagesStreamWriter::open(Block block)
{
    start();
    if (block_ == block) {
        return;
    }
    flush_calls();
    close();
    block_ = block;
    ++index_;
    begin_event("content_block_start");
    out_ += R"(,"index":)";
    append_number(out_, index_);
    out_ += block == Block::text
        ? R"(,"content_block":{"type":"text","text":""}})"
        : R"(,"content_block":{"type":"thinking","thinking":"","signature":""}})";
    out_ += "\n\n";
}

void MessagesStreamWriter::delta(
    std::string_view type, std::string_view key, std::string_view text)
{
    begin_event("content_block_delta");
    out_ += R"(,"index":)";
    append_number(out_, index_);
    out_ += R"(,"delta":{"type":")";
    out_ += type;
    out_ += R"(",")";
    out_ += key;
    out_ += "\":";
    json::append_string(out_, text);
    out_ += "}}\n\n";
}

// A signature ends the block it signs.
void MessagesStreamWriter::signature(std::string_view text)
{
    open(Block::thinking);
    delta("signature_delta", "signature", text);
    close();
}

void MessagesStreamWriter::redacted(std::string_view data)
{
    start();
    flush_calls();
    close();
    ++index_;
    begin_event("content_block_start");
    out_ += R"(,"index":)";
    append_number(out_, index_);
    out_ += R"(,"content_block":{"type":"redacted_thinking","data":)";
    json::append_string(out_, data);
    out_ += "}}\n\n";
    block_ = Block::thinking;
    close();
}

void MessagesStreamWriter::text(std::string_view text)
{
    open(Block::text);
    spoke_ = true;
    delta("text_delta", "text", text);
    for (const std::string& array : std::exchange(early_, {})) {
        citations(array);
    }
}

// Once its block is closed nothing more can be told of a text.
void MessagesStreamWriter::citations(std::string_view array)
{
    if (!spoke_) {
        early_.emplace_back(array);
        return;
    }
    if (block_ != Block::text) {
        return;
    }
    const auto parsed = parser_.parse(array);
    if (!parsed) {
        return;
    }
    for (const json::Node one : parsed->items()) {
        std::string citation;
        json::Writer w(citation);
        if (!write_messages_citation(w, one)) {
            continue;
        }
        begin_event("content_block_delta");
        out_ += R"(,"index":)";
        append_number(out_, index_);
        out_ += R"(,"delta":{"type":"citations_delta","citation":)";
        out_ += citation;
        out_ += "}}\n\n";
    }
}

MessagesStreamWriter::Call* MessagesStreamWriter::active() noexcept
{
    return block_ == Block::tool ? &calls_[next_call_] : nullptr;
}

void MessagesStreamWriter::open_call(Call& call)
{
    close();
    block_ = Block::tool;
    ++index_;
    begin_event("content_block_start");
    out_ += R"(,"index":)";
    append_number(out_, index_);
    out_ += R"(,"content_block":{"type":"tool_use","id":)";
    append_call_id(out_, call.id, id_, call.index);
    out_ += R"(,"name":)";
    json::append_string(out_, call.name);
    out_ += R"(,"input":{}}})"
            "\n\n";
    if (!call.arguments.empty()) {
        delta("input_json_delta", "partial_json", call.arguments);
        call.arguments.clear();
    }
}

// Blocks stand one after the other here, while calls may come side by side:
// each waits until the one before it is whole.
void MessagesStreamWriter::tool_begin(const chat::Event& event)
{
    start();
    if (calls_.size() >= kMaxCalls) {
        return;
    }
    if (!event.text.empty()) {
        // The dialect signs thinking, not calls.
        flush_calls();
        signature(std::string(chat::kGoogleCallMark).append(event.text));
    }
    Call& call = calls_.emplace_back();
    call.index = event.index;
    call.id = event.id;
    call.name = names_.told(event.name);
    Call* running = active();
    if (running != nullptr && running->watch.whole()) {
        running->closed = true;
        close();
        while (next_call_ < calls_.size() && calls_[next_call_].closed) {
            ++next_call_;
        }
        running = nullptr;
    }
    if (running == nullptr) {
        open_call(calls_[next_call_]);
    }
}

void MessagesStreamWriter::tool_arguments(const chat::Event& event)
{
    for (size_t i = calls_.size(); i-- > next_call_;) {
        Call& call = calls_[i];
        if (call.index != event.index || call.closed || event.text.empty()) {
            continue;
        }
        call.watch.feed(event.text);
        if (&call == active()) {
            delta("input_json_delta", "partial_json", event.text);
        } else {
            call.arguments += event.text;
        }
        return;
    }
}

// Everything that waits; no call goes on after this.
void MessagesStreamWriter::flush_calls()
{
    if (block_ == Block::tool) {
        close();
        calls_[next_call_++].closed = true;
    }
    for (; next_call_ < calls_.size(); ++next_call_) {
        if (!calls_[next_call_].closed) {
            open_call(calls_[next_call_]);
            close();
            calls_[next_call_].closed = true;
        }
    }
}

size_t MessagesStreamWriter::held() const noexcept
{
    size_t sum = 0;
    for (const std::string& array : early_) {
        sum += array.size();
    }
    for (const Call& call : calls_) {
        sum += call.arguments.size() + call.id.size() + call.name.size();
    }
    return sum;
}

void MessagesStreamWriter::end()
{
    ended_ = true;
    start();
    flush_calls();
    close();
    begin_event("message_delta");
    out_ += R"(,"delta":)";
    json::Writer why(out_);
    why.begin_object();
    write_messages_stop(
        why, {finish_, refused_, !calls_.empty(), stop_sequence_});
    why.end_object();
    out_ += R"(,"usage":)";
    json::Writer w(out_);
    write_messages_usage(w, usage_);
    out_ += "}\n\n";
    begin_event("message_stop");
    out_ += "}\n\n";
}

void MessagesStreamWriter::on(const chat::Event& event)
{
    if (ended_ || event.choice != 0) {
        return;
    }
    switch (event.kind) {
    case EventKind::begin:
        if (!started_) {
            id_ = event.id.empty() ? id_ : std::string(event.id);
            model_ = event.model.empty() ? model_ : std::string(event.model);
        }
        break;
    case EventKind::refusal:
        refused_ = true;
        [[fallthrough]];
    case EventKind::text:
        if (!event.text.empty()) {
            text(event.text);
        }
        break;
    case EventKind::reasoning:
        if (!event.text.empty()) {
            open(Block::thinking);
            delta("thinking_delta", "thinking", event.text);
        }
        break;
    case EventKind::signature:
        signature(event.text);
        break;
    case EventKind::redacted:
        redacted(event.text);
        break;
    case EventKind::annotations:
        citations(event.text);
        break;
    case EventKind::audio:
        if (const std::string said = transcript_of(event.text); !said.empty()) {
            text(said);
        }
        break;
    case EventKind::service_tier:
        tier_ = messages_tier(event.text);
        break;
    case EventKind::logprobs:
        break; // the dialect has none
    case EventKind::tool_begin:
        tool_begin(event);
        break;
    case EventKind::tool_arguments:
        tool_arguments(event);
        break;
    case EventKind::finish:
        if (finish_ == chat::Finish::none) {
            finish_ = event.finish;
            stop_sequence_ = event.name;
        }
        break;
    case EventKind::usage:
        usage_ = event.usage;
        break;
    case EventKind::end:
        end();
        break;
    }
}

} // namespace ai_proxy::dialect
