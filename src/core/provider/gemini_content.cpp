#include "core/provider/gemini.h"

#include "core/base/text.h"
#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

struct MediaType {
    std::string_view extension;
    std::string_view name;
};
constexpr std::array<MediaType, 15> kMediaTypes{{
    {".png", "image/png"},
    {".webp", "image/webp"},
    {".gif", "image/gif"},
    {".heic", "image/heic"},
    {".heif", "image/heif"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".pdf", "application/pdf"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".mov", "video/quicktime"},
    {".mp3", "audio/mp3"},
    {".wav", "audio/wav"},
    {".txt", "text/plain"},
    {".md", "text/markdown"},
}};

// By the extension of the URL's path; fallback when that tells nothing.
std::string_view media_type_of(
    std::string_view url, std::string_view fallback) noexcept
{
    const std::string_view path = url.substr(0, url.find_first_of("?#"));
    const size_t dot = path.rfind('.');
    if (dot != std::string_view::npos) {
        for (const MediaType& row : kMediaTypes) {
            if (iequals(path.substr(dot), row.extension)) {
                return row.name;
            }
        }
    }
    return fallback;
}

bool is_system(const Message& message) noexcept
{
    return message.role == Role::system || message.role == Role::developer;
}

class Contents {
public:
    Contents(
        json::Writer& w, const chat::Request& request, std::string_view model)
        : w_(w), request_(request), gemini3_(is_gemini3(model))
    {
    }

    void system();
    Result<void> turns();

private:
    Result<void> turn(size_t begin, size_t end);
    Result<void> message(size_t index);
    Result<void> tool_answer(size_t index);
    void part(const Part& part, std::string_view signature);
    void media(const Part& part);
    void file_data(std::string_view uri, std::string_view media_type);
    Result<void> calls(size_t index, std::string_view& signature);

    json::Writer& w_;
    const chat::Request& request_;
    json::Parser scratch_;
    bool gemini3_;
};

void Contents::system()
{
    bool any = false;
    for (const Message& one : request_.messages) {
        if (!is_system(one)) {
            continue;
        }
        for (const Part& part : one.parts) {
            if (part.kind != PartKind::text || part.text.empty()) {
                continue;
            }
            if (!any) {
                any = true;
                w_.key("systemInstruction").begin_object();
                w_.key("parts").begin_array();
            }
            w_.begin_object().field("text", part.text).end_object();
        }
    }
    if (any) {
        w_.end_array().end_object();
    }
}

bool says_nothing(const Message& message) noexcept
{
    return message.role != Role::tool && message.tool_calls.empty()
        && std::all_of(
            message.parts.begin(), message.parts.end(), [](const Part& part) {
                return part.kind == PartKind::redacted
                    || (part.kind == PartKind::thinking
                        && part.signature.empty())
                    || ((part.kind == PartKind::text
                            || part.kind == PartKind::refusal)
                        && part.text.empty());
            });
}

Result<void> Contents::turns()
{
    const std::vector<Message>& messages = request_.messages;
    const auto skip = [&messages](size_t i) {
        return is_system(messages[i]) || says_nothing(messages[i]);
    };
    const auto model_turn = [&messages](size_t i) {
        return messages[i].role == Role::assistant;
    };
    bool any = false;
    w_.key("contents").begin_array();
    for (size_t i = 0; i < messages.size();) {
        if (skip(i)) {
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < messages.size()
            && (skip(end) || model_turn(end) == model_turn(i))) {
            end++;
        }
        any = true;
        if (auto done = turn(i, end); !done) {
            return done;
        }
        i = end;
    }
    if (!any) { // system messages alone: the API wants a turn
        w_.begin_object().field("role", "user").key("parts").begin_array();
        w_.begin_object().field("text", ".").end_object();
        w_.end_array().end_object();
    }
    w_.end_array();
    return {};
}

Result<void> Contents::turn(size_t begin, size_t end)
{
    const std::vector<Message>& messages = request_.messages;
    const bool model = messages[begin].role == Role::assistant;
    w_.begin_object().field("role", model ? "model" : "user");
    w_.key("parts").begin_array();
    for (size_t i = begin; i < end; i++) {
        if (is_system(messages[i]) || says_nothing(messages[i])) {
            continue;
        }
        if (auto done =
                messages[i].role == Role::tool ? tool_answer(i) : message(i);
            !done)
        {
            return done;
        }
    }
    w_.end_array().end_object();
    return {};
}

// Thoughts themselves are not sent back, their signature is: on the part that
// follows, or on an empty text where none does.
Result<void> Contents::message(size_t index)
{
    const Message& one = request_.messages[index];
    std::string_view signature;
    for (const Part& one_part : one.parts) {
        if (one_part.kind == PartKind::thinking) {
            signature = one_part.signature;
        } else if (one_part.kind != PartKind::redacted
            && !(one_part.text.empty()
                && (one_part.kind == PartKind::text
                    || one_part.kind == PartKind::refusal)))
        {
            part(one_part, signature);
            signature = {};
        }
    }
    if (auto done = calls(index, signature); !done) {
        return done;
    }
    if (!signature.empty()) {
        Part empty;
        part(empty, signature);
    }
    return {};
}

void Contents::part(const Part& part, std::string_view signature)
{
    w_.begin_object();
    if (part.kind == PartKind::text || part.kind == PartKind::refusal) {
        w_.field("text", part.text);
    } else {
        media(part);
    }
    if (!signature.empty()) {
        w_.field("thoughtSignature", signature);
    }
    w_.end_object();
}

void Contents::file_data(std::string_view uri, std::string_view media_type)
{
    w_.key("fileData").begin_object();
    if (!media_type.empty()) {
        w_.field("mimeType", media_type);
    }
    w_.field("fileUri", uri).end_object();
}

// URLs go as they are: the provider fetches public ones itself (and files of
// its own by their URI); fetching is not the gateway's business.
void Contents::media(const Part& part)
{
    std::string type(part.media_type);
    switch (part.kind) {
    case PartKind::image_url:
        file_data(part.url, media_type_of(part.url, "image/jpeg"));
        return;
    case PartKind::image_data:
        if (iequals(type, "image/jpg")) {
            type = "image/jpeg";
        }
        break;
    case PartKind::audio:
        // By the name Google documents, which is not the registered one.
        if (type.empty() || part.format == "mp3") {
            type = "audio/" + std::string(part.format);
        }
        break;
    default:
        if (!part.url.empty()) {
            file_data(part.url,
                type.empty() ? media_type_of(part.url, "application/pdf")
                             : std::string_view(type));
            return;
        }
        if (!part.file_id.empty()) {
            file_data(part.file_id, type);
            return;
        }
        if (type.empty()) {
            type = media_type_of(part.filename, "application/pdf");
        }
        break;
    }
    w_.key("inlineData").begin_object();
    w_.field("mimeType", std::string_view(type));
    w_.field("data", part.data).end_object();
}

Result<void> Contents::calls(size_t index, std::string_view& signature)
{
    const std::vector<chat::ToolCall>& all =
        request_.messages[index].tool_calls;
    for (size_t i = 0; i < all.size(); i++) {
        const auto args = object_arguments(scratch_, all[i], index, i);
        if (!args) {
            return args.error();
        }
        w_.begin_object().key("functionCall").begin_object();
        if (gemini3_ && !all[i].id.empty()) {
            w_.field("id", all[i].id);
        }
        w_.field("name", all[i].name).key("args").raw(*args).end_object();
        std::string_view own = all[i].signature;
        if (own.empty()) {
            own = signature;
        }
        signature = {};
        // Of parallel calls only the first is signed.
        if (own.empty() && gemini3_ && i == 0) {
            own = kForeignCall;
        }
        if (!own.empty()) {
            w_.field("thoughtSignature", own);
        }
        w_.end_object();
    }
    return {};
}

Result<void> Contents::tool_answer(size_t index)
{
    const Message& one = request_.messages[index];
    const std::string_view name = answered_tool(request_, index);
    if (name.empty()) {
        return make_error(ErrorCode::invalid_request,
            message_path(index)
                + ".tool_call_id names no tool call of an earlier message",
            message_path(index) + ".tool_call_id");
    }
    const std::string text = joined_text(one);
    w_.begin_object().key("functionResponse").begin_object();
    if (gemini3_ && !one.tool_call_id.empty()) {
        w_.field("id", one.tool_call_id);
    }
    w_.field("name", name).key("response");
    // The API takes an object; "output" and "error" are the names it
    // recommends for anything else.
    const auto parsed = scratch_.parse(std::string_view(text));
    if (parsed && parsed.value().is_object()) {
        w_.raw(trim(text));
    } else {
        const bool failed = one.raw["is_error"].boolean().value_or(false);
        w_.begin_object();
        w_.field(failed ? "error" : "output", std::string_view(text));
        w_.end_object();
    }
    w_.end_object().end_object();
    for (const Part& extra : one.parts) {
        if (extra.kind != PartKind::text && extra.kind != PartKind::refusal
            && extra.kind != PartKind::thinking
            && extra.kind != PartKind::redacted)
        {
            part(extra, {});
        }
    }
    return {};
}

} // namespace

Result<void> write_gemini_contents(
    json::Writer& w, const chat::Request& request, std::string_view model)
{
    Contents contents(w, request, model);
    contents.system();
    return contents.turns();
}

} // namespace ai_proxy::provider
