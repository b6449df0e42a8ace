#include "core/dialect/chat_relay.h"

#include "core/base/text.h"
#include "core/dialect/content_parts.h"
#include "core/dialect/openai_error.h"
#include "core/dialect/responses_finish.h"
#include "core/json/writer.h"
#include "core/usage/reading.h"

#include <cstring>

namespace ai_proxy::dialect {

namespace {

constexpr std::string_view kDone = "[DONE]";

bool is_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum class Tells : uint8_t { nothing, choices, more };

// What a key with this value says besides the next piece of the answer.
// before: all that stands before the colon, trimmed.
Tells tells(std::string_view before, char value) noexcept
{
    if (before.size() < 2 || before.back() != '"') {
        return Tells::nothing;
    }
    bool more = false;
    switch (before[before.size() - 2]) {
    case 's':
        return value == '[' && before.ends_with(R"("choices")")
            ? Tells::choices
            : Tells::nothing;
    case 'n':
        more = value != 'n' && before.ends_with(R"("finish_reason")");
        break;
    case 'e':
        more = value != 'n' && before.ends_with(R"("usage")");
        break;
    case 'r':
        more = value != 'n' && before.ends_with(R"("error")");
        break;
    case 't':
        more = value == '[' && before.ends_with(R"("content")");
        break;
    default:
        break;
    }
    return more ? Tells::more : Tells::nothing;
}

// A cheap look at the text of an event: can it hold anything but the next
// piece of the answer?  May say yes too often: a text can look like a key.
bool matters(std::string_view data) noexcept
{
    const char* const begin = data.data();
    const char* const end = begin + data.size();
    bool choices = false;
    for (const char* at = begin; at < end;) {
        const auto* colon = static_cast<const char*>(
            std::memchr(at, ':', static_cast<size_t>(end - at)));
        if (colon == nullptr) {
            break;
        }
        const char* last = colon;
        while (last > begin && is_space(last[-1])) {
            --last;
        }
        at = colon + 1;
        while (at < end && is_space(*at)) {
            ++at;
        }
        if (at == end) {
            break;
        }
        const Tells said =
            tells({begin, static_cast<size_t>(last - begin)}, *at);
        if (said == Tells::more) {
            return true;
        }
        choices = choices || said == Tells::choices;
    }
    // What has no choices may be an error in a vendor's own shape.
    return !choices;
}

// Does an event as received end in a blank line?  The last one of a stream
// may not.
bool terminated(std::string_view raw)
{
    return raw.ends_with("\n\n") || raw.ends_with("\n\r\n")
        || raw.ends_with("\r\r") || raw.ends_with("\n\r");
}

void append_event(std::string& out, std::string_view raw)
{
    out += raw;
    end_event(out);
}

bool has_text(json::Node node)
{
    return !node.string_or().empty() || (node.is_array() && node.size() > 0);
}

bool speaks(json::Node choice)
{
    if (has_text(choice["text"])) {
        return true;
    }
    const json::Node delta = choice["delta"];
    for (const std::string_view key : {"content", "reasoning_content",
             "reasoning", "reasoning_details", "tool_calls", "refusal"})
    {
        if (has_text(delta[key])) {
            return true;
        }
    }
    return delta["audio"].is_object() || delta["function_call"].is_object();
}

} // namespace

void end_event(std::string& out)
{
    if (!terminated(out)) {
        out += out.ends_with('\n') || out.ends_with('\r') ? "\n" : "\n\n";
    }
}

json::Node find_usage(json::Node body)
{
    if (const json::Node usage = body["usage"]; usage.is_object()) {
        return usage;
    }
    if (const json::Node usage = body["x_groq"]["usage"]; usage.is_object()) {
        return usage;
    }
    for (const json::Node choice : body["choices"].items()) {
        if (choice["usage"].is_object()) {
            return choice["usage"];
        }
    }
    return {};
}

Result<void> ChatRelay::event(
    const wire::SseEvent& event, json::Parser& parser, std::string& out)
{
    if (done_) {
        return {};
    }
    if (!event.has_data || event.data.empty()) {
        // A comment before the answer must not commit the response.
        if (begun_) {
            out += event.raw;
        }
        return {};
    }
    if (!spoke_ || event.event == "error" || !terminated(event.raw)
        || event.data.front() != '{' || matters(event.data))
    {
        return interesting(event, parser, out);
    }
    out += event.raw;
    return {};
}

Result<void> ChatRelay::interesting(
    const wire::SseEvent& event, json::Parser& parser, std::string& out)
{
    if (trim(event.data) == kDone) {
        if (!finished_ && !spoke_) {
            return make_error(ErrorCode::upstream_truncated,
                "The provider's stream ended without an answer.");
        }
        close(out);
        return {};
    }
    auto parsed = parser.parse(event.data);
    const json::Node chunk = parsed ? *parsed : json::Node();
    if (event.event == "error" || reports_error(chunk)) {
        note(chunk);
        return read_openai_error(0, chunk, event.data);
    }
    if (!chunk.is_object()) {
        return make_error(ErrorCode::upstream_invalid,
            "The provider sent a stream event that is not valid JSON.");
    }
    note(chunk);
    const bool bare = chunk["choices"].size() == 0;
    if (bare && !show_usage_ && chunk["usage"].is_object()) {
        return {};
    }
    std::string& to = begun_ ? out : held_;
    if (has_content_parts(chunk)) {
        to += "data: ";
        write_flat(to, chunk);
        to += "\n\n";
    } else {
        append_event(to, event.raw);
    }
    if (may_show()) {
        show(out);
    }
    usage_shown_ = usage_shown_ || chunk["usage"].is_object();
    return {};
}

void ChatRelay::show(std::string& out)
{
    begun_ = true;
    if (!held_.empty()) {
        out += held_;
        held_ = {};
    }
}

void ChatRelay::note(json::Node chunk)
{
    if (id_.empty()) {
        id_ = chunk["id"].string_or();
        model_ = chunk["model"].string_or();
        created_ = chunk["created"].integer().value_or(0);
        legacy_ = chunk["object"].string_or() == "text_completion";
    }
    const chat::Usage usage = usage::read_openai(find_usage(chunk));
    if (usage.known) {
        usage_ = usage;
    }
    note_choices(chunk);
}

void ChatRelay::note_choices(json::Node chunk)
{
    for (const json::Node choice : chunk["choices"].items()) {
        spoke_ = spoke_ || speaks(choice);
        const std::string_view word = choice["finish_reason"].string_or();
        if (word.empty()) {
            continue;
        }
        finished_ = true;
        if (finish_ == chat::Finish::none) {
            finish_ = chat::finish_of(word);
        }
    }
}

Result<void> ChatRelay::end(std::string& out)
{
    if (!done_ && !finished_) {
        return make_error(ErrorCode::upstream_truncated,
            "The provider's stream ended before the answer was complete.");
    }
    close(out);
    return {};
}

// The last events: a usage chunk that the client asked for and the provider
// did not send in that form, and the mark of the end.
void ChatRelay::close(std::string& out)
{
    if (done_) {
        return;
    }
    done_ = true;
    show(out);
    if (show_usage_ && !usage_shown_ && usage_.known) {
        out += "data: ";
        json::Writer w(out);
        w.begin_object().field("id", id_);
        w.field(
            "object", legacy_ ? "text_completion" : "chat.completion.chunk");
        w.field("created", created_).field("model", model_);
        w.key("choices").begin_array().end_array();
        std::string text;
        usage::write_openai(text, usage_);
        w.key("usage").raw(text).end_object();
        out += "\n\n";
    }
    out += "data: [DONE]\n\n";
}

PlainFacts read_plain(json::Node body)
{
    PlainFacts facts;
    facts.usage = usage::read_openai(find_usage(body));
    facts.is_error = reports_error(body);
    const json::Node choice = body["choices"].at(0);
    if (choice.exists()) {
        facts.finish = chat::finish_of(choice["finish_reason"].string_or());
    } else if (body["object"].string_or() == "response") {
        const std::string_view status = body["status"].string_or();
        facts.finish = status == "completed" ? chat::Finish::stop
            : status == "incomplete"         ? incomplete_finish(body)
                                             : chat::Finish::none;
    }
    return facts;
}

} // namespace ai_proxy::dialect
