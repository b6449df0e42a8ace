#include "core/provider/claude.h"

#include "core/base/text.h"
#include "core/provider/vendor.h"

#include <algorithm>

namespace ai_proxy::provider {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

constexpr std::string_view kClaudeCode =
    "You are Claude Code, Anthropic's official CLI for Claude.";
// The API wants a first turn of the user's; stands in when there is none.
constexpr std::string_view kNoUserTurn = ".";

bool is_system(const Message& message) noexcept
{
    return message.role == Role::system || message.role == Role::developer;
}

// The provider's own roles: what a tool says is the user's turn.
bool is_assistant(const Message& message) noexcept
{
    return message.role == Role::assistant;
}

void write_cache_control(json::Writer& w, json::Node marker)
{
    if (marker.is_object()) {
        w.field("cache_control", marker);
    }
}

void write_text(json::Writer& w, std::string_view text, json::Node marker,
    json::Node citations = {})
{
    w.begin_object().field("type", "text").field("text", text);
    if (citations.is_array()) {
        w.field("citations", citations);
    }
    write_cache_control(w, marker);
    w.end_object();
}

// Writes the messages of one request; where it stands is known for errors.
class Turns {
public:
    Turns(json::Writer& w, const chat::Request& request)
        : w_(w), request_(request)
    {
    }

    Result<ClaudeNeeds> write();

private:
    bool says_nothing(const Message& message) const noexcept;
    bool is_plain(size_t begin, size_t end) const noexcept;
    Result<void> turn(size_t begin, size_t end);
    Result<void> message(size_t index);
    Result<void> tool_result(size_t index);
    Result<void> parts(size_t index, json::Node marker);
    Result<void> part(size_t index, size_t place, json::Node marker);
    void image(const Part& part, json::Node marker);
    Result<void> document(
        const Part& part, size_t index, size_t place, json::Node marker);
    Result<void> tool_uses(size_t index);

    json::Writer& w_;
    const chat::Request& request_;
    json::Parser scratch_;
    CallIds ids_{std::string_view::npos};
    ClaudeNeeds needs_;
};

// Blocks without content or of whitespace alone are refused by the API, and so
// are empty turns.
bool Turns::says_nothing(const Message& message) const noexcept
{
    if (message.role == Role::tool || !message.tool_calls.empty()) {
        return false;
    }
    return std::all_of(
        message.parts.begin(), message.parts.end(), [](const Part& part) {
            if (part.kind == PartKind::thinking) {
                return part.signature.empty();
            }
            return (part.kind == PartKind::text
                       || part.kind == PartKind::refusal)
                && trim(part.text).empty();
        });
}

bool Turns::is_plain(size_t begin, size_t end) const noexcept
{
    const Message& first = request_.messages[begin];
    for (size_t i = begin + 1; i < end; i++) {
        const Message& other = request_.messages[i];
        if (!is_system(other) && !says_nothing(other)) {
            return false;
        }
    }
    return first.plain && first.role != Role::tool && first.tool_calls.empty()
        && first.parts.size() == 1 && !is_claude_block(first.parts[0])
        && !first.raw["cache_control"].is_object();
}

Result<ClaudeNeeds> Turns::write()
{
    const std::vector<Message>& messages = request_.messages;
    w_.key("messages").begin_array();
    bool any = false;
    for (size_t i = 0; i < messages.size();) {
        if (is_system(messages[i]) || says_nothing(messages[i])) {
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < messages.size()
            && (is_system(messages[end]) || says_nothing(messages[end])
                || is_assistant(messages[end]) == is_assistant(messages[i])))
        {
            end++;
        }
        if (!any && is_assistant(messages[i])) {
            w_.begin_object().field("role", "user");
            w_.field("content", kNoUserTurn).end_object();
        }
        any = true;
        if (auto done = turn(i, end); !done) {
            return std::move(done).error();
        }
        i = end;
    }
    if (!any) {
        w_.begin_object().field("role", "user");
        w_.field("content", kNoUserTurn).end_object();
    }
    w_.end_array();
    return needs_;
}

Result<void> Turns::turn(size_t begin, size_t end)
{
    const Message& first = request_.messages[begin];
    w_.begin_object();
    w_.field("role", is_assistant(first) ? "assistant" : "user");
    w_.key("content");
    if (is_plain(begin, end)) {
        w_.string(first.parts[0].text).end_object();
        return {};
    }
    w_.begin_array();
    for (size_t i = begin; i < end; i++) {
        const Message& one = request_.messages[i];
        if (is_system(one) || says_nothing(one)) {
            continue;
        }
        if (auto done = one.role == Role::tool ? tool_result(i) : message(i);
            !done) {
            return done;
        }
    }
    w_.end_array().end_object();
    return {};
}

Result<void> Turns::message(size_t index)
{
    const Message& one = request_.messages[index];
    if (auto done = parts(index, one.raw["cache_control"]); !done) {
        return done;
    }
    return tool_uses(index);
}

Result<void> Turns::tool_result(size_t index)
{
    const Message& one = request_.messages[index];
    // A marker on the only part of a result means the whole result.
    json::Node marker = one.raw["cache_control"];
    if (!marker.is_object() && one.parts.size() == 1) {
        marker = one.parts[0].cache_control;
    }
    w_.begin_object().field("type", "tool_result");
    w_.field("tool_use_id", std::string_view(ids_.of_result(one.tool_call_id)));
    if (one.parts.size() == 1 && one.parts[0].kind == PartKind::text
        && !is_claude_block(one.parts[0]))
    {
        if (!trim(one.parts[0].text).empty()) {
            w_.field("content", one.parts[0].text);
        }
    } else if (!one.parts.empty()) {
        w_.key("content").begin_array();
        if (auto done = parts(index, {}); !done) {
            return done;
        }
        w_.end_array();
    }
    if (one.raw["is_error"].boolean().value_or(false)) {
        w_.field("is_error", true);
    }
    write_cache_control(w_, marker);
    w_.end_object();
    return {};
}

Result<void> Turns::parts(size_t index, json::Node marker)
{
    const std::vector<Part>& all = request_.messages[index].parts;
    for (size_t i = 0; i < all.size(); i++) {
        const bool last = i + 1 == all.size();
        const json::Node own = all[i].cache_control;
        if (auto done = part(index, i, last && !own.is_object() ? marker : own);
            !done) {
            return done;
        }
    }
    return {};
}

Result<void> Turns::part(size_t index, size_t place, json::Node marker)
{
    const Part& one = request_.messages[index].parts[place];
    switch (one.kind) {
    case PartKind::text:
    case PartKind::refusal:
        if (is_claude_block(one)) {
            w_.value(one.claude_block);
        } else if (!trim(one.text).empty()) {
            write_text(w_, one.text, marker, one.claude_block["citations"]);
        }
        return {};
    case PartKind::image_url:
    case PartKind::image_data:
        image(one, marker);
        return {};
    case PartKind::file:
        return document(one, index, place, marker);
    case PartKind::thinking:
        // Only what the API has signed may be replayed.
        if (!one.signature.empty()) {
            w_.begin_object().field("type", "thinking");
            w_.field("thinking", one.text);
            w_.field("signature", one.signature).end_object();
        }
        return {};
    case PartKind::redacted:
        w_.begin_object().field("type", "redacted_thinking");
        w_.field("data", one.data).end_object();
        return {};
    case PartKind::audio:
        break;
    }
    return make_error(ErrorCode::invalid_request,
        "the provider takes no audio input", part_path(index, place));
}

void Turns::image(const Part& part, json::Node marker)
{
    w_.begin_object().field("type", "image").key("source").begin_object();
    if (part.kind == PartKind::image_url) {
        w_.field("type", "url").field("url", part.url);
    } else {
        // image/jpg is no registered type, though often written.
        w_.field("type", "base64");
        w_.field("media_type",
            iequals(part.media_type, "image/jpg") ? "image/jpeg"
                                                  : part.media_type);
        w_.field("data", part.data);
    }
    w_.end_object();
    write_cache_control(w_, marker);
    w_.end_object();
}

Result<void> Turns::document(
    const Part& part, size_t index, size_t place, json::Node marker)
{
    const bool is_image = istarts_with(part.media_type, "image/");
    w_.begin_object().field("type", is_image ? "image" : "document");
    w_.key("source").begin_object();
    if (!part.file_id.empty()) {
        needs_.files_beta = true;
        w_.field("type", "file").field("file_id", part.file_id);
    } else if (!part.url.empty()) {
        w_.field("type", "url").field("url", part.url);
    } else if (istarts_with(part.media_type, "text/")) {
        const auto text = decode_base64(part.data);
        if (!text) {
            return make_error(ErrorCode::invalid_request,
                "file_data is not base64", part_path(index, place));
        }
        w_.field("type", "text").field("media_type", "text/plain");
        w_.field("data", std::string_view(*text));
    } else {
        w_.field("type", "base64");
        w_.field("media_type",
            part.media_type.empty() ? "application/pdf" : part.media_type);
        w_.field("data", part.data);
    }
    w_.end_object();
    const json::Node own = is_image ? json::Node() : part.claude_block;
    if (const json::Node title = own["title"]; title.has_value()) {
        w_.field("title", title);
    } else if (!part.filename.empty() && !is_image) {
        w_.field("title", part.filename);
    }
    for (const std::string_view name : {"context", "citations"}) {
        if (const json::Node value = own[name]; value.has_value()) {
            w_.field(name, value);
        }
    }
    write_cache_control(w_, marker);
    w_.end_object();
    return {};
}

Result<void> Turns::tool_uses(size_t index)
{
    const std::vector<chat::ToolCall>& calls =
        request_.messages[index].tool_calls;
    for (size_t i = 0; i < calls.size(); i++) {
        const auto input = object_arguments(scratch_, calls[i], index, i);
        if (!input) {
            return input.error();
        }
        w_.begin_object().field("type", "tool_use");
        w_.field("id", std::string_view(ids_.of_call(calls[i].id, index)));
        w_.field("name", calls[i].name);
        w_.key("input").raw(*input).end_object();
    }
    return {};
}

struct SystemText {
    std::string_view text;
    json::Node marker;
};

std::vector<SystemText> system_texts(const chat::Request& request)
{
    std::vector<SystemText> texts;
    for (const Message& message : request.messages) {
        if (!is_system(message)) {
            continue;
        }
        for (const Part& part : message.parts) {
            if (part.kind == PartKind::text && !trim(part.text).empty()) {
                const bool own = part.cache_control.is_object();
                const bool last = &part == &message.parts.back();
                texts.push_back({part.text,
                    !own && last ? message.raw["cache_control"]
                                 : part.cache_control});
            }
        }
    }
    return texts;
}

std::string join(const std::vector<SystemText>& texts)
{
    std::string joined;
    for (const SystemText& one : texts) {
        if (!joined.empty()) {
            joined += "\n\n";
        }
        joined += one.text;
    }
    return joined;
}

void write_system(json::Writer& w, const chat::Request& request, bool code_mode)
{
    std::vector<SystemText> texts = system_texts(request);
    if (code_mode
        && (texts.empty() || !texts.front().text.starts_with(kClaudeCode)))
    {
        texts.insert(texts.begin(), SystemText{kClaudeCode, {}});
    }
    const bool marked = std::any_of(texts.begin(), texts.end(),
        [](const SystemText& t) { return t.marker.is_object(); });
    if (marked) {
        w.key("system").begin_array();
        for (const SystemText& one : texts) {
            write_text(w, one.text, one.marker);
        }
        w.end_array();
    } else if (code_mode) {
        // Anthropic wants its own words in a block of their own.
        w.key("system").begin_array();
        for (const SystemText& one : texts) {
            w.begin_object().field("type", "text").field("text", one.text);
            if (&one == &texts.back()) {
                w.key("cache_control").begin_object();
                w.field("type", "ephemeral").end_object();
            }
            w.end_object();
        }
        w.end_array();
    } else if (!texts.empty()) {
        w.field("system", std::string_view(join(texts)));
    }
}

} // namespace

Result<ClaudeNeeds> write_claude_messages(
    json::Writer& w, const chat::Request& request, bool code_mode)
{
    write_system(w, request, code_mode);
    return Turns(w, request).write();
}

} // namespace ai_proxy::provider
