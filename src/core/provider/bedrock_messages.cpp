#include "core/provider/bedrock.h"

#include "core/base/text.h"
#include "core/provider/bedrock_documents.h"
#include "core/provider/vendor.h"

#include <algorithm>

namespace ai_proxy::provider {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

// The API wants a first turn of the user's, and text beside documents; stands
// in where there is none.
constexpr std::string_view kNoUserText = ".";

bool is_system(const Message& message) noexcept
{
    return message.role == Role::system || message.role == Role::developer;
}

constexpr size_t kLongestCallId = 64;

// The API takes "functions.f:0", by which Kimi finds the function; other models
// need not.
std::string_view call_id_marks(std::string_view model) noexcept
{
    return model.find("kimi") == std::string_view::npos ? "" : ".:";
}

void write_text(json::Writer& w, std::string_view text)
{
    w.begin_object().field("text", text).end_object();
}

// Writes the messages of one request; where it stands is known for errors.
class Turns {
public:
    Turns(json::Writer& w, const chat::Request& request,
        const EncodeContext& context)
        : w_(w), request_(request), context_(context),
          retention_(
              bedrock_retention(request.raw["prompt_cache_retention"].string_or(
                  context.options.prompt_cache_retention))),
          ids_(kLongestCallId, call_id_marks(context.model)),
          is_claude_(bedrock_is_claude(context.model))
    {
        if (!bedrock_caches(context.model)) {
            retention_ = {};
        }
    }

    Result<void> messages();
    Result<void> system();

private:
    bool says_nothing(const Message& message) const noexcept;
    size_t end_of_turn(size_t begin) const noexcept;
    bool is_assistant(size_t index) const noexcept
    {
        return request_.messages[index].role == Role::assistant;
    }
    bool is_cached(size_t begin, size_t end) const noexcept;
    bool is_document(const Part& part) const;
    bool lacks_text(size_t begin, size_t end) const;
    void stand_in();
    Result<void> turn(size_t begin, size_t end);
    Result<void> message(size_t index);
    Result<void> tool_result(size_t index);
    Result<void> tool_uses(size_t index);
    Result<void> part(size_t index, size_t place);
    Result<void> image(const Part& part, size_t index, size_t place);
    Result<void> document(const Part& part, size_t index, size_t place);
    void marker(json::Node cache_control);
    void reasoning(const Part& part);

    json::Writer& w_;
    const chat::Request& request_;
    const EncodeContext& context_;
    std::string_view retention_;
    json::Parser scratch_;
    CallIds ids_;
    bool is_claude_;
    // Of the turn that is written.
    bool lacks_text_ = false;
    BedrockNames names_;
};

// Blocks without text or of whitespace alone are refused by the API, and so
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

// What the client marked for Anthropic's cache is marked here too.
void Turns::marker(json::Node cache_control)
{
    write_bedrock_marker(w_, cache_control, context_.model);
}

size_t Turns::end_of_turn(size_t begin) const noexcept
{
    const std::vector<Message>& all = request_.messages;
    size_t end = begin + 1;
    while (end < all.size()
        && (is_system(all[end]) || says_nothing(all[end])
            || is_assistant(end) == is_assistant(begin)))
    {
        ++end;
    }
    return end;
}

Result<void> Turns::messages()
{
    const std::vector<Message>& all = request_.messages;
    w_.key("messages").begin_array();
    bool any = false;
    for (size_t i = 0; i < all.size();) {
        if (is_system(all[i]) || says_nothing(all[i])) {
            ++i;
            continue;
        }
        if (!any && is_assistant(i)) {
            stand_in();
        }
        any = true;
        const size_t end = end_of_turn(i);
        if (auto done = turn(i, end); !done) {
            return done;
        }
        i = end;
    }
    if (!any) {
        stand_in();
    }
    w_.end_array();
    return {};
}

void Turns::stand_in()
{
    w_.begin_object().field("role", "user").key("content").begin_array();
    write_text(w_, kNoUserText);
    w_.end_array().end_object();
}

// Does a configured cache point stand at the end of this turn?
bool Turns::is_cached(size_t begin, size_t end) const noexcept
{
    if (retention_.empty()) {
        return false;
    }
    const auto& points = context_.options.bedrock_cache_points;
    const std::vector<Message>& all = request_.messages;
    const bool last = std::all_of(
        all.begin() + static_cast<std::ptrdiff_t>(end), all.end(),
        [this](const Message& m) { return is_system(m) || says_nothing(m); });
    if (last && points.last_message) {
        return true;
    }
    if (!points.last_user_message || is_assistant(begin)) {
        return false;
    }
    for (size_t i = end; i < all.size(); ++i) {
        if (!is_system(all[i]) && !says_nothing(all[i]) && !is_assistant(i)) {
            return false;
        }
    }
    return true;
}

bool Turns::is_document(const Part& part) const
{
    return part.kind == PartKind::file
        ? !istarts_with(part.media_type, "image/")
        : is_claude_ && is_claude_block(part)
            && part.claude_block["type"].string_or() == "document";
}

// "A text block must be included when using documents": in a turn of the
// user's, where results of tools are blocks of their own.
bool Turns::lacks_text(size_t begin, size_t end) const
{
    bool any = false;
    for (size_t i = begin; i < end; ++i) {
        const Message& one = request_.messages[i];
        if (one.role != Role::user) {
            continue;
        }
        for (const Part& part : one.parts) {
            if (is_document(part)) {
                any = true;
            } else if (part.kind == PartKind::text && !trim(part.text).empty()
                && !(is_claude_ && is_claude_block(part)))
            {
                return false;
            }
        }
    }
    return any;
}

Result<void> Turns::turn(size_t begin, size_t end)
{
    lacks_text_ = lacks_text(begin, end);
    w_.begin_object();
    w_.field("role", is_assistant(begin) ? "assistant" : "user");
    w_.key("content").begin_array();
    for (size_t i = begin; i < end; ++i) {
        const Message& one = request_.messages[i];
        if (is_system(one) || says_nothing(one)) {
            continue;
        }
        if (auto done = one.role == Role::tool ? tool_result(i) : message(i);
            !done) {
            return done;
        }
    }
    if (is_cached(begin, end)) {
        write_bedrock_cache_point(w_, context_.model, retention_ == "24h");
    }
    w_.end_array().end_object();
    return {};
}

Result<void> Turns::message(size_t index)
{
    const Message& one = request_.messages[index];
    for (size_t i = 0; i < one.parts.size(); ++i) {
        if (auto done = part(index, i); !done) {
            return done;
        }
        if (lacks_text_ && is_document(one.parts[i])) {
            write_text(w_, kNoUserText);
            lacks_text_ = false;
        }
        marker(one.parts[i].cache_control);
    }
    if (auto done = tool_uses(index); !done) {
        return done;
    }
    marker(one.raw["cache_control"]);
    return {};
}

Result<void> Turns::tool_result(size_t index)
{
    const Message& one = request_.messages[index];
    w_.begin_object().key("toolResult").begin_object();
    w_.field("toolUseId", std::string_view(ids_.of_result(one.tool_call_id)));
    w_.key("content").begin_array();
    for (size_t i = 0; i < one.parts.size(); ++i) {
        if (auto done = part(index, i); !done) {
            return done;
        }
    }
    w_.end_array();
    if (one.raw["is_error"].boolean().value_or(false)) {
        w_.field("status", "error");
    }
    w_.end_object().end_object();
    json::Node mark = one.raw["cache_control"];
    if (!mark.is_object() && !one.parts.empty()) {
        mark = one.parts.back().cache_control;
    }
    marker(mark);
    return {};
}

Result<void> Turns::tool_uses(size_t index)
{
    const std::vector<chat::ToolCall>& calls =
        request_.messages[index].tool_calls;
    for (size_t i = 0; i < calls.size(); ++i) {
        const auto input = object_arguments(scratch_, calls[i], index, i);
        if (!input) {
            return input.error();
        }
        w_.begin_object().key("toolUse").begin_object();
        w_.field(
            "toolUseId", std::string_view(ids_.of_call(calls[i].id, index)));
        w_.field("name", calls[i].name);
        w_.key("input").raw(*input).end_object().end_object();
    }
    return {};
}

void Turns::reasoning(const Part& part)
{
    w_.begin_object().key("reasoningContent").begin_object();
    if (part.kind == PartKind::redacted) {
        w_.field("redactedContent", part.data);
    } else {
        w_.key("reasoningText").begin_object().field("text", part.text);
        if (!part.signature.empty()) {
            w_.field("signature", part.signature);
        }
        w_.end_object();
    }
    w_.end_object().end_object();
}

Result<void> Turns::part(size_t index, size_t place)
{
    const Part& one = request_.messages[index].parts[place];
    if (!is_claude_ && one.claude_block["citations"].has_value()) {
        context_.drop(part_path(index, place) + ".citations");
    }
    switch (one.kind) {
    case PartKind::text:
    case PartKind::refusal:
        if (is_claude_ && is_claude_block(one)) {
            write_bedrock_block(w_, one.claude_block, names_);
        } else if (const json::Node cited = one.claude_block["citations"];
                   is_claude_ && cited.is_array())
        {
            write_bedrock_citations(w_, one.text, cited);
        } else if (!trim(one.text).empty()) {
            write_text(w_, one.text);
        }
        return {};
    case PartKind::image_url:
    case PartKind::image_data:
        return image(one, index, place);
    case PartKind::file:
        return is_document(one) ? document(one, index, place)
                                : image(one, index, place);
    case PartKind::thinking:
        // Claude takes back only what it has signed, other models nothing
        // without a signature: "User messages cannot contain reasoning content".
        if (!one.signature.empty()) {
            reasoning(one);
        }
        return {};
    case PartKind::redacted:
        reasoning(one);
        return {};
    case PartKind::audio:
        break;
    }
    return make_error(ErrorCode::invalid_request,
        "the provider takes no audio input", part_path(index, place));
}

Result<void> Turns::image(const Part& part, size_t index, size_t place)
{
    const bool stored = part.url.starts_with("s3://");
    if (part.data.empty() && !stored) {
        return make_error(ErrorCode::invalid_request,
            "the provider takes images as data or by an s3:// address only",
            part_path(index, place));
    }
    std::string_view format = part.media_type;
    if (istarts_with(format, "image/")) {
        format.remove_prefix(6);
    } else if (stored) {
        format = part.url.substr(part.url.rfind('.') + 1);
    }
    if (iequals(format, "jpg")) {
        format = "jpeg";
    }
    w_.begin_object().key("image").begin_object();
    w_.field("format", format).key("source").begin_object();
    if (stored) {
        w_.key("s3Location").begin_object();
        w_.field("uri", part.url).end_object();
    } else {
        w_.field("bytes", part.data);
    }
    w_.end_object().end_object().end_object();
    return {};
}

Result<void> Turns::document(const Part& part, size_t index, size_t place)
{
    const bool stored = part.url.starts_with("s3://");
    const std::string_view format = bedrock_format(part);
    if ((part.data.empty() && !stored) || format.empty()) {
        return make_error(ErrorCode::invalid_request,
            format.empty() ? "the provider takes no documents of this type"
                           : "the provider takes documents as data or by an "
                             "s3:// address only",
            part_path(index, place));
    }
    w_.begin_object().key("document").begin_object();
    w_.field("format", format);
    w_.field("name", std::string_view(names_.next(part.filename)));
    w_.key("source").begin_object();
    if (stored) {
        w_.key("s3Location").begin_object();
        w_.field("uri", part.url).end_object();
    } else {
        w_.field("bytes", part.data);
    }
    w_.end_object();
    if (is_claude_) {
        write_bedrock_wishes(w_, part.claude_block);
    }
    w_.end_object().end_object();
    return {};
}

Result<void> Turns::system()
{
    bool any = false;
    for (size_t i = 0; i < request_.messages.size(); ++i) {
        const Message& message = request_.messages[i];
        if (!is_system(message)) {
            continue;
        }
        for (const Part& part : message.parts) {
            if (trim(part.text).empty()) {
                continue;
            }
            if (!any) {
                w_.key("system").begin_array();
                any = true;
            }
            write_text(w_, part.text);
            marker(part.cache_control);
        }
        if (any) {
            marker(message.raw["cache_control"]);
        }
    }
    if (!any) {
        return {};
    }
    if (!retention_.empty()
        && context_.options.bedrock_cache_points.system_prompt) {
        write_bedrock_cache_point(w_, context_.model, retention_ == "24h");
    }
    w_.end_array();
    return {};
}

} // namespace

bool bedrock_caches(std::string_view model) noexcept
{
    std::string name(model);
    std::transform(name.begin(), name.end(), name.begin(), lower);
    return name.find("amazon.nova") != std::string::npos
        || name.find("anthropic.claude") != std::string::npos;
}

void write_bedrock_cache_point(
    json::Writer& w, std::string_view model, bool long_lived)
{
    w.begin_object().key("cachePoint").begin_object();
    w.field("type", "default");
    if (long_lived && bedrock_is_claude(model)) {
        w.field("ttl", "1h");
    }
    w.end_object().end_object();
}

void write_bedrock_marker(
    json::Writer& w, json::Node cache_control, std::string_view model)
{
    if (cache_control.is_object() && bedrock_caches(model)) {
        write_bedrock_cache_point(
            w, model, cache_control["ttl"].string_or() == "1h");
    }
}

std::string_view bedrock_retention(std::string_view text) noexcept
{
    text = trim(text);
    for (const std::string_view word :
        {"in_memory", "in-memory", "in memory", "inmemory"})
    {
        if (iequals(text, word)) {
            return "in_memory";
        }
    }
    return iequals(text, "24h") ? std::string_view("24h") : std::string_view();
}

Result<void> write_bedrock_messages(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    Turns turns(w, request, context);
    if (auto done = turns.messages(); !done) {
        return done;
    }
    return turns.system();
}

} // namespace ai_proxy::provider
