#include "core/provider/qwen.h"

#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

// Parts of model names that only the multimodal interface knows.
constexpr std::array<std::string_view, 5> kMultimodalNames{
    "-vl", "qvq", "qwen-audio", "-omni", "-ocr"};

bool is_media(const Part& part) noexcept
{
    return part.kind == PartKind::image_url || part.kind == PartKind::image_data
        || part.kind == PartKind::audio;
}

bool is_system(const Message& message) noexcept
{
    return message.role == Role::system || message.role == Role::developer;
}

std::string_view role_name(Role role) noexcept
{
    switch (role) {
    case Role::system:
    case Role::developer:
        return "system";
    case Role::assistant:
        return "assistant";
    case Role::tool:
        return "tool";
    case Role::user:
        break;
    }
    return "user";
}

class Messages {
public:
    Messages(json::Writer& w, const chat::Request& request, bool multimodal)
        : w_(w), request_(request), multimodal_(multimodal)
    {
    }

    Result<void> write(const std::vector<std::string>& file_ids);

private:
    size_t systems(const std::vector<std::string>& file_ids);
    void system(std::string_view text);
    Result<void> message(size_t index);
    Result<void> parts(size_t index);
    void media(const Part& part);
    Result<void> calls(size_t index);

    json::Writer& w_;
    const chat::Request& request_;
    json::Parser scratch_;
    bool multimodal_;
};

void Messages::system(std::string_view text)
{
    w_.begin_object().field("role", "system");
    w_.field("content", text).end_object();
}

// The files of qwen-long stand in a system message of their own after the
// leading ones, which become one.  Returns how many messages are done.
size_t Messages::systems(const std::vector<std::string>& file_ids)
{
    if (file_ids.empty()) {
        return 0;
    }
    std::string text;
    size_t count = 0;
    while (count < request_.messages.size()
        && is_system(request_.messages[count])) {
        if (count > 0) {
            text += '\n';
        }
        text += joined_text(request_.messages[count++]);
    }
    system(count > 0 ? std::string_view(text)
                     : std::string_view("You are a helpful assistant."));
    std::string files;
    for (const std::string& id : file_ids) {
        files += files.empty() ? "fileid://" : ",fileid://";
        files += id;
    }
    system(files);
    return count;
}

Result<void> Messages::write(const std::vector<std::string>& file_ids)
{
    w_.key("messages").begin_array();
    for (size_t i = systems(file_ids); i < request_.messages.size(); i++) {
        if (auto done = message(i); !done) {
            return done;
        }
    }
    w_.end_array();
    return {};
}

Result<void> Messages::message(size_t index)
{
    const Message& one = request_.messages[index];
    w_.begin_object().field("role", role_name(one.role));
    w_.key("content");
    const bool marked = std::any_of(one.parts.begin(), one.parts.end(),
        [](const Part& part) { return part.cache_control.is_object(); });
    if (multimodal_ || marked) {
        if (auto done = parts(index); !done) {
            return done;
        }
    } else {
        for (size_t i = 0; i < one.parts.size(); i++) {
            if (one.parts[i].kind == PartKind::file) {
                return make_error(ErrorCode::invalid_request,
                    "the provider takes no files in messages",
                    part_path(index, i));
            }
        }
        w_.string(joined_text(one));
    }
    if (one.role == Role::tool) {
        w_.field("tool_call_id", one.tool_call_id);
    }
    if (!one.name.empty()) {
        w_.field("name", one.name);
    }
    if (auto done = calls(index); !done) {
        return done;
    }
    w_.end_object();
    return {};
}

Result<void> Messages::parts(size_t index)
{
    const std::vector<Part>& all = request_.messages[index].parts;
    w_.begin_array();
    for (size_t i = 0; i < all.size(); i++) {
        const Part& part = all[i];
        if (part.kind == PartKind::thinking || part.kind == PartKind::redacted)
        {
            continue;
        }
        if (part.kind == PartKind::file) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes no files in messages", part_path(index, i));
        }
        w_.begin_object();
        if (is_media(part)) {
            media(part);
        } else {
            w_.field("text", part.text);
        }
        if (part.cache_control.is_object()) {
            w_.field("cache_control", part.cache_control);
        }
        w_.end_object();
    }
    w_.end_array();
    return {};
}

void Messages::media(const Part& part)
{
    if (part.kind == PartKind::image_url) {
        w_.field("image", part.url);
        return;
    }
    const bool image = part.kind == PartKind::image_data;
    std::string url = "data:";
    if (!part.media_type.empty()) {
        url += part.media_type;
    } else {
        url += image ? "image/" : "audio/";
        url += part.format.empty() ? std::string_view("jpeg") : part.format;
    }
    url += ";base64,";
    url += part.data;
    w_.field(image ? "image" : "audio", std::string_view(url));
}

Result<void> Messages::calls(size_t index)
{
    const std::vector<chat::ToolCall>& all =
        request_.messages[index].tool_calls;
    if (all.empty()) {
        return {};
    }
    w_.key("tool_calls").begin_array();
    for (size_t i = 0; i < all.size(); i++) {
        const auto arguments = object_arguments(scratch_, all[i], index, i);
        if (!arguments) {
            return arguments.error();
        }
        w_.begin_object().field("index", int64_t(i));
        w_.field("id", all[i].id).field("type", "function");
        w_.key("function").begin_object().field("name", all[i].name);
        w_.field("arguments", *arguments);
        w_.end_object().end_object();
    }
    w_.end_array();
    return {};
}

} // namespace

bool qwen_is_multimodal(const chat::Request& request, std::string_view model)
{
    for (const std::string_view name : kMultimodalNames) {
        if (model.find(name) != std::string_view::npos) {
            return true;
        }
    }
    return std::any_of(request.messages.begin(), request.messages.end(),
        [](const Message& message) {
            return std::any_of(
                message.parts.begin(), message.parts.end(), is_media);
        });
}

Result<void> write_qwen_messages(json::Writer& w, const chat::Request& request,
    bool multimodal, const std::vector<std::string>& file_ids)
{
    return Messages(w, request, multimodal).write(file_ids);
}

} // namespace ai_proxy::provider
