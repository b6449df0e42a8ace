#include "core/provider/mock.h"

#include "core/json/writer.h"

// The answer piece by piece.
namespace ai_proxy::provider {

namespace {

void wrap_event(std::string& out, std::string_view json)
{
    out.append("data: ").append(json).append("\n\n");
}

} // namespace

uint64_t MockScript::words() const noexcept
{
    return tool_.empty() ? ends_.size() : 1;
}

std::string_view MockScript::word(uint64_t i) const noexcept
{
    uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
}

// Role chunk (chat only), words, finish, usage, [DONE].
uint64_t MockScript::events() const noexcept
{
    uint64_t fixed = shape_ == Shape::chat ? 3 : 2;
    return words() + fixed + (include_usage_ ? 1 : 0);
}

uint64_t MockScript::delay_ms() const noexcept
{
    if (position_ == 0)
        return options_.delay_ms;
    if (!stream_ || options_.rate == 0)
        return 0;
    // Whole milliseconds that add up to the rate.
    return position_ * 1000 / options_.rate
        - (position_ - 1) * 1000 / options_.rate;
}

bool MockScript::next_body(std::string& out)
{
    if (position_++ > 0)
        return false;
    cut_ = status_ == 200 && options_.cut_after.has_value();
    out.append(body_, 0, cut_ ? body_.size() / 2 : body_.size());
    return true;
}

bool MockScript::next(std::string& out)
{
    if (shape_ == Shape::body)
        return next_body(out);
    if (options_.cut_after && position_ >= *options_.cut_after
        && position_ < events())
    {
        cut_ = true;
        return false;
    }
    if (position_ >= events())
        return false;
    if (position_ + 1 == events())
        out.append("data: [DONE]\n\n");
    else if (shape_ == Shape::chat)
        chat_event(out);
    else
        completion_event(out);
    ++position_;
    return true;
}

void MockScript::chat_event(std::string& out)
{
    std::string json, usage;
    json::Writer writer(json);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "chat.completion.chunk").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array();
    if (position_ <= words() + 1) {
        writer.begin_object().field("index", int64_t(0)).key("delta");
        writer.begin_object();
        if (position_ == 0) {
            writer.field("role", "assistant").field("content", "");
        } else if (position_ <= words() && tool_.empty()) {
            writer.field("content", word(position_ - 1));
        } else if (position_ <= words()) {
            writer.key("tool_calls").begin_array().begin_object();
            writer.field("index", int64_t(0)).field("id", "call_mock_1");
            writer.field("type", "function").key("function").begin_object();
            writer.field("name", std::string_view(tool_));
            writer.field("arguments", "{}").end_object();
            writer.end_object().end_array();
        }
        writer.end_object().key("logprobs").null().key("finish_reason");
        if (position_ <= words())
            writer.null();
        else
            writer.string(tool_.empty() ? "stop" : "tool_calls");
        writer.end_object().end_array();
        if (include_usage_)
            writer.key("usage").null();
    } else {
        usage_field(usage);
        writer.end_array().key("usage").raw(usage);
    }
    writer.end_object();
    wrap_event(out, json);
}

void MockScript::completion_event(std::string& out)
{
    std::string json, usage;
    json::Writer writer(json);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "text_completion").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array();
    if (position_ <= words()) {
        bool last = position_ == words();
        writer.begin_object().field("index", int64_t(0));
        writer.field("text", last ? std::string_view() : word(position_));
        writer.key("logprobs").null().key("finish_reason");
        if (last)
            writer.string("stop");
        else
            writer.null();
        writer.end_object().end_array();
    } else {
        usage_field(usage);
        writer.end_array().key("usage").raw(usage);
    }
    writer.end_object();
    wrap_event(out, json);
}

} // namespace ai_proxy::provider
