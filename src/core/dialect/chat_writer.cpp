#include "core/dialect/chat_writer.h"

#include "core/dialect/call_text.h"
#include "core/json/writer.h"
#include "core/usage/reading.h"

#include <charconv>

namespace ai_proxy::dialect {

namespace {

void append_number(std::string& out, int64_t number)
{
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end.ptr);
}

} // namespace

ChatStreamWriter::ChatStreamWriter(
    std::string& out, const AnswerContext& context)
    : out_(out), show_usage_(context.show_usage), id_(context.id),
      model_(context.model), created_(context.created)
{
}

void ChatStreamWriter::make_head()
{
    head_ = R"(data: {"id":)";
    json::append_string(head_, id_);
    head_ += R"(,"object":"chat.completion.chunk","created":)";
    append_number(head_, created_);
    head_ += R"(,"model":)";
    json::append_string(head_, model_);
    if (!tier_.empty()) {
        head_ += R"(,"service_tier":)";
        json::append_string(head_, tier_);
    }
    head_ += R"(,"choices":[)";
}

void ChatStreamWriter::begin(const chat::Event& event)
{
    if (!head_.empty()) {
        return;
    }
    if (!event.id.empty()) {
        id_ = event.id;
    }
    if (!event.model.empty()) {
        model_ = event.model;
    }
    if (event.created > 0) {
        created_ = event.created;
    }
}

bool ChatStreamWriter::open(uint32_t choice, bool content_null)
{
    if (choice >= kMaxChoices) {
        return false;
    }
    if (head_.empty()) {
        make_head();
    }
    if (begun_.size() <= choice) {
        begun_.resize(choice + 1);
    }
    out_ += head_;
    out_ += R"({"index":)";
    append_number(out_, choice);
    out_ += R"(,"delta":{)";
    if (!begun_[choice]) {
        begun_[choice] = 1;
        out_ += R"("role":"assistant",)";
        if (content_null) {
            out_ += R"("content":null,)";
        }
    }
    return true;
}

void ChatStreamWriter::close_delta()
{
    out_ += R"(},"logprobs":null,"finish_reason":null}]})"
            "\n\n";
}

void ChatStreamWriter::text_delta(
    const chat::Event& event, std::string_view key)
{
    if (event.text.empty() || !open(event.choice, key == "refusal")) {
        return;
    }
    out_ += '"';
    out_ += key;
    out_ += "\":";
    json::append_string(out_, event.text);
    close_delta();
}

void ChatStreamWriter::block_delta(const chat::Event& event)
{
    if (!open(event.choice)) {
        return;
    }
    // The text of a signed block went out before, in reasoning_content.
    out_ += event.kind == chat::EventKind::signature
        ? R"("thinking_blocks":[{"type":"thinking","thinking":"","signature":)"
        : R"("thinking_blocks":[{"type":"redacted_thinking","data":)";
    json::append_string(out_, event.text);
    out_ += "}]";
    close_delta();
}

void ChatStreamWriter::raw_delta(const chat::Event& event, std::string_view key)
{
    if (event.text.empty() || !open(event.choice)) {
        return;
    }
    out_ += '"';
    out_ += key;
    out_ += "\":";
    out_ += event.text;
    close_delta();
}

// A chunk of their own: clients gather them beside the text.
void ChatStreamWriter::logprobs(const chat::Event& event)
{
    if (event.text.empty() || !open(event.choice)) {
        return;
    }
    out_ += R"("content":""},"logprobs":{"content":)";
    out_ += event.text;
    out_ += R"(,"refusal":null},"finish_reason":null}]})"
            "\n\n";
}

void ChatStreamWriter::tool_begin(const chat::Event& event)
{
    if (!open(event.choice, true)) {
        return;
    }
    out_ += R"("tool_calls":[{"index":)";
    append_number(out_, event.index);
    out_ += R"(,"id":)";
    append_call_id(out_, event.id, id_, event.index);
    out_ += R"(,"type":"function","function":{"name":)";
    json::append_string(out_, event.name);
    out_ += R"(,"arguments":""})";
    append_signature(out_, event.text);
    out_ += "}]";
    close_delta();
}

void ChatStreamWriter::tool_arguments(const chat::Event& event)
{
    if (event.text.empty() || !open(event.choice, true)) {
        return;
    }
    out_ += R"("tool_calls":[{"index":)";
    append_number(out_, event.index);
    out_ += R"(,"function":{"arguments":)";
    json::append_string(out_, event.text);
    out_ += "}}]";
    close_delta();
}

void ChatStreamWriter::finish(const chat::Event& event)
{
    if (event.choice >= kMaxChoices) {
        return;
    }
    const bool first = begun_.size() <= event.choice || !begun_[event.choice];
    if (!open(event.choice)) {
        return;
    }
    if (first) {
        out_ += R"("content":"")";
    }
    out_ += R"(},"logprobs":null,"finish_reason":)";
    json::append_string(out_, chat::to_text(event.finish));
    out_ += "}]}\n\n";
}

void ChatStreamWriter::end()
{
    ended_ = true;
    if (show_usage_ && usage_.known) {
        if (head_.empty()) {
            make_head();
        }
        out_ += head_;
        out_ += R"(],"usage":)";
        usage::write_openai(out_, usage_);
        out_ += "}\n\n";
    }
    out_ += "data: [DONE]\n\n";
}

void ChatStreamWriter::on(const chat::Event& event)
{
    if (ended_) {
        return; // nothing may follow the mark of the end
    }
    switch (event.kind) {
    case chat::EventKind::begin:
        begin(event);
        break;
    case chat::EventKind::text:
        text_delta(event, "content");
        break;
    case chat::EventKind::reasoning:
        text_delta(event, "reasoning_content");
        break;
    case chat::EventKind::refusal:
        text_delta(event, "refusal");
        break;
    case chat::EventKind::signature:
    case chat::EventKind::redacted:
        block_delta(event);
        break;
    case chat::EventKind::annotations:
        raw_delta(event, "annotations");
        break;
    case chat::EventKind::logprobs:
        logprobs(event);
        break;
    case chat::EventKind::audio:
        raw_delta(event, "audio");
        break;
    case chat::EventKind::service_tier:
        tier_ = event.text;
        break;
    case chat::EventKind::tool_begin:
        tool_begin(event);
        break;
    case chat::EventKind::tool_arguments:
        tool_arguments(event);
        break;
    case chat::EventKind::finish:
        finish(event);
        break;
    case chat::EventKind::usage:
        usage_ = event.usage;
        break;
    case chat::EventKind::end:
        end();
        break;
    }
}

} // namespace ai_proxy::dialect
