#include "core/dialect/call_text.h"
#include "core/dialect/chat_writer.h"
#include "core/json/writer.h"
#include "core/usage/reading.h"

namespace ai_proxy::dialect {

void append_call_id(std::string& out, std::string_view id,
    std::string_view response_id, uint32_t index)
{
    if (!id.empty()) {
        json::append_string(out, id);
        return;
    }
    std::string made = "call_";
    made += response_id;
    made += '_';
    made += std::to_string(index);
    json::append_string(out, made);
}

void append_signature(std::string& out, std::string_view signature)
{
    if (!signature.empty()) {
        out += R"(,"extra_content":{"google":{"thought_signature":)";
        json::append_string(out, signature);
        out += "}}";
    }
}

ChatBodyWriter::ChatBodyWriter(const AnswerContext& context)
    : id_(context.id), model_(context.model), created_(context.created)
{
}

ChatBodyWriter::Choice& ChatBodyWriter::choice(uint32_t index)
{
    if (choices_.size() <= index) {
        choices_.resize(index + 1);
    }
    return choices_[index];
}

void ChatBodyWriter::add_reasoning(Choice& choice, std::string_view text)
{
    choice.reasoning += text;
    // A signature ends a block; what follows belongs to the next one.
    if (choice.blocks.empty() || choice.blocks.back().redacted
        || !choice.blocks.back().signature.empty())
    {
        choice.blocks.emplace_back();
    }
    choice.blocks.back().text += text;
}

void ChatBodyWriter::add_items(std::string& items, std::string_view array)
{
    // Arrays of several events become one.
    if (array.size() < 2 || array == "[]") {
        return;
    }
    if (!items.empty()) {
        items += ',';
    }
    items += array.substr(1, array.size() - 2);
}

void ChatBodyWriter::on(const chat::Event& event)
{
    if (event.kind == chat::EventKind::begin) {
        if (!event.id.empty()) {
            id_ = event.id;
        }
        if (!event.model.empty()) {
            model_ = event.model;
        }
        if (event.created > 0) {
            created_ = event.created;
        }
        return;
    }
    if (event.kind == chat::EventKind::usage) {
        usage_ = event.usage;
        return;
    }
    if (event.kind == chat::EventKind::service_tier) {
        tier_ = event.text;
        return;
    }
    if (event.kind == chat::EventKind::end || event.choice >= kMaxChoices) {
        return;
    }
    Choice& c = choice(event.choice);
    switch (event.kind) {
    case chat::EventKind::text:
        c.text += event.text;
        c.has_text = true;
        break;
    case chat::EventKind::reasoning:
        add_reasoning(c, event.text);
        break;
    case chat::EventKind::signature:
        if (c.blocks.empty() || c.blocks.back().redacted
            || !c.blocks.back().signature.empty())
        {
            c.blocks.emplace_back();
        }
        c.blocks.back().signature = event.text;
        break;
    case chat::EventKind::redacted:
        c.blocks.push_back({std::string(event.text), {}, true});
        break;
    case chat::EventKind::refusal:
        c.refusal += event.text;
        c.has_refusal = true;
        break;
    case chat::EventKind::annotations:
        add_items(c.annotations, event.text);
        break;
    case chat::EventKind::logprobs:
        add_items(c.logprobs, event.text);
        break;
    case chat::EventKind::audio:
        c.audio.add(event.text);
        break;
    case chat::EventKind::tool_begin:
    case chat::EventKind::tool_arguments:
        if (event.index >= kMaxCalls) {
            break;
        }
        if (c.calls.size() <= event.index) {
            c.calls.resize(event.index + 1);
        }
        if (event.kind == chat::EventKind::tool_arguments) {
            c.calls[event.index].arguments += event.text;
        } else {
            c.calls[event.index].id = event.id;
            c.calls[event.index].name = event.name;
            c.calls[event.index].signature = event.text;
        }
        break;
    case chat::EventKind::finish:
        c.finish = event.finish;
        break;
    case chat::EventKind::begin:
    case chat::EventKind::usage:
    case chat::EventKind::service_tier:
    case chat::EventKind::end:
        break;
    }
}

void ChatBodyWriter::write_calls(std::string& out, const Choice& choice) const
{
    out += R"(,"tool_calls":[)";
    for (size_t i = 0; i < choice.calls.size(); ++i) {
        const Call& call = choice.calls[i];
        out += i == 0 ? R"({"id":)" : R"(,{"id":)";
        append_call_id(out, call.id, id_, static_cast<uint32_t>(i));
        out += R"(,"type":"function","function":{"name":)";
        json::append_string(out, call.name);
        out += R"(,"arguments":)";
        json::append_string(out, call.arguments);
        out += '}';
        append_signature(out, call.signature);
        out += '}';
    }
    out += ']';
}

void ChatBodyWriter::write_message(std::string& out, const Choice& choice) const
{
    json::Writer w(out);
    w.begin_object().field("role", "assistant");
    w.key("content");
    if (choice.has_text
        || (choice.calls.empty() && !choice.has_refusal
            && choice.audio.empty()))
    {
        w.string(choice.text);
    } else {
        w.null();
    }
    w.key("refusal");
    if (choice.has_refusal) {
        w.string(choice.refusal);
    } else {
        w.null();
    }
    if (!choice.reasoning.empty()) {
        w.field("reasoning_content", choice.reasoning);
    }
    bool opaque = false;
    for (const Block& block : choice.blocks) {
        opaque = opaque || block.redacted || !block.signature.empty();
    }
    if (opaque) {
        w.key("thinking_blocks").begin_array();
        for (const Block& block : choice.blocks) {
            w.begin_object();
            if (block.redacted) {
                w.field("type", "redacted_thinking").field("data", block.text);
            } else {
                w.field("type", "thinking").field("thinking", block.text);
                w.field("signature", block.signature);
            }
            w.end_object();
        }
        w.end_array();
    }
    if (!choice.annotations.empty()) {
        w.key("annotations").raw("[" + choice.annotations + "]");
    }
    if (!choice.audio.empty()) {
        w.key("audio");
        choice.audio.write(out);
    }
    if (!choice.calls.empty()) {
        write_calls(out, choice);
    }
    out += '}';
}

void ChatBodyWriter::write(std::string& out) const
{
    json::Writer w(out);
    w.begin_object().field("id", id_).field("object", "chat.completion");
    w.field("created", created_).field("model", model_);
    w.key("choices").begin_array();
    for (size_t i = 0; i < choices_.size(); ++i) {
        const Choice& c = choices_[i];
        std::string message;
        write_message(message, c);
        w.begin_object().field("index", static_cast<int64_t>(i));
        w.key("message").raw(message).key("logprobs");
        if (c.logprobs.empty()) {
            w.null();
        } else {
            w.begin_object().key("content").raw("[" + c.logprobs + "]");
            w.key("refusal").null().end_object();
        }
        w.field("finish_reason",
            chat::to_text(c.finish == chat::Finish::none ? chat::Finish::stop
                                                         : c.finish));
        w.end_object();
    }
    w.end_array();
    if (!tier_.empty()) {
        w.field("service_tier", std::string_view(tier_));
    }
    if (usage_.known) {
        std::string text;
        usage::write_openai(text, usage_);
        w.key("usage").raw(text);
    }
    w.end_object();
}

} // namespace ai_proxy::dialect
