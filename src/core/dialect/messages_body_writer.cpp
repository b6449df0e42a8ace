#include "core/chat/signer.h"
#include "core/dialect/call_text.h"
#include "core/dialect/messages_parts.h"
#include "core/dialect/spoken.h"
#include "core/dialect/messages_writer.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::dialect {

using chat::EventKind;

MessagesBodyWriter::MessagesBodyWriter(const AnswerContext& context)
    : id_(context.id), model_(context.model), names_(context.echo)
{
}

MessagesBodyWriter::Block& MessagesBodyWriter::block(Kind kind)
{
    if (blocks_.empty() || blocks_.back().kind != kind || blocks_.back().done) {
        blocks_.emplace_back().kind = kind;
    }
    return blocks_.back();
}

void MessagesBodyWriter::text(std::string_view text)
{
    if (!text.empty()) {
        Block& spoken = block(Kind::text);
        spoken.text += text;
        spoken.citations += std::exchange(early_, {});
    }
}

// They are of the newest text, whatever came after it.
void MessagesBodyWriter::citations(std::string_view array)
{
    const auto newest = std::find_if(blocks_.rbegin(), blocks_.rend(),
        [](const Block& block) { return block.kind == Kind::text; });
    std::string& list = newest == blocks_.rend() ? early_ : newest->citations;
    if (array.size() > 2) {
        list += list.empty() ? "" : ",";
        list += array.substr(1, array.size() - 2);
    }
}

void MessagesBodyWriter::on(const chat::Event& event)
{
    if (event.choice != 0) {
        return;
    }
    switch (event.kind) {
    case EventKind::begin:
        id_ = event.id.empty() ? id_ : std::string(event.id);
        model_ = event.model.empty() ? model_ : std::string(event.model);
        break;
    case EventKind::refusal:
        refused_ = true;
        [[fallthrough]];
    case EventKind::text:
        text(event.text);
        break;
    case EventKind::reasoning:
        if (!event.text.empty()) {
            block(Kind::thinking).text += event.text;
        }
        break;
    case EventKind::signature: {
        Block& signed_block = block(Kind::thinking);
        signed_block.signature = event.text;
        signed_block.done = true;
        break;
    }
    case EventKind::redacted: {
        Block& opaque = blocks_.emplace_back();
        opaque.kind = Kind::redacted;
        opaque.text = event.text;
        break;
    }
    case EventKind::annotations:
        citations(event.text);
        break;
    case EventKind::audio:
        text(transcript_of(event.text));
        break;
    case EventKind::service_tier:
        tier_ = messages_tier(event.text);
        break;
    case EventKind::logprobs:
        break; // the dialect has none
    case EventKind::tool_begin: {
        if (event.index >= kMaxCalls) {
            break;
        }
        if (!event.text.empty()) {
            // The dialect signs thinking, not calls.
            Block& signed_block = block(Kind::thinking);
            signed_block.signature = chat::kGoogleCallMark;
            signed_block.signature += event.text;
            signed_block.done = true;
        }
        Block& call = blocks_.emplace_back();
        call.kind = Kind::tool;
        call.call = event.index;
        call.id = event.id;
        call.name = names_.told(event.name);
        call.done = true;
        break;
    }
    case EventKind::tool_arguments:
        for (size_t i = blocks_.size(); i-- > 0;) {
            if (blocks_[i].kind == Kind::tool && blocks_[i].call == event.index)
            {
                blocks_[i].text += event.text;
                break;
            }
        }
        break;
    case EventKind::finish:
        finish_ = event.finish;
        stop_sequence_ = event.name;
        break;
    case EventKind::usage:
        usage_ = event.usage;
        break;
    case EventKind::end:
        break;
    }
}

void MessagesBodyWriter::write_block(std::string& out, const Block& block) const
{
    json::Parser parser;
    json::Writer w(out);
    w.begin_object();
    switch (block.kind) {
    case Kind::text: {
        w.field("type", "text").field("text", std::string_view(block.text));
        const auto parsed = parser.parse("[" + block.citations + "]");
        if (block.citations.empty() || !parsed) {
            break;
        }
        w.key("citations").begin_array();
        for (const json::Node one : parsed->items()) {
            std::string citation;
            json::Writer inner(citation);
            if (write_messages_citation(inner, one)) {
                w.raw(citation);
            }
        }
        w.end_array();
        break;
    }
    case Kind::thinking:
        w.field("type", "thinking");
        w.field("thinking", std::string_view(block.text));
        w.field("signature", std::string_view(block.signature));
        break;
    case Kind::redacted:
        w.field("type", "redacted_thinking");
        w.field("data", std::string_view(block.text));
        break;
    case Kind::tool: {
        std::string id;
        append_call_id(id, block.id, id_, block.call);
        w.field("type", "tool_use").key("id").raw(id);
        w.field("name", std::string_view(block.name));
        // The dialect takes an object only; a cut answer may not have one.
        const auto input = parser.parse(std::string_view(block.text));
        w.key("input");
        if (input && input->is_object()) {
            w.value(*input);
        } else {
            w.begin_object().end_object();
        }
        break;
    }
    }
    w.end_object();
}

void MessagesBodyWriter::write(std::string& out) const
{
    json::Writer w(out);
    w.begin_object().field("id", std::string_view(id_));
    w.field("type", "message").field("role", "assistant");
    w.field("model", std::string_view(model_)).key("content").begin_array();
    for (const Block& block : blocks_) {
        std::string text;
        write_block(text, block);
        w.raw(text);
    }
    w.end_array();
    const bool called = std::any_of(blocks_.begin(), blocks_.end(),
        [](const Block& block) { return block.kind == Kind::tool; });
    write_messages_stop(w, {finish_, refused_, called, stop_sequence_});
    w.key("usage");
    write_messages_usage(w, usage_, tier_);
    w.end_object();
}

} // namespace ai_proxy::dialect
