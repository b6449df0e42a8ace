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

constexpr std::string_view kTextPath =
    "/api/v1/services/aigc/text-generation/generation";
constexpr std::string_view kMultimodalPath =
    "/api/v1/services/aigc/multimodal-generation/generation";

// DashScope's own parameters that clients put beside OpenAI's; they pass as
// sent and win over what is derived.
constexpr std::array<std::string_view, 10> kOwnParameters{"enable_thinking",
    "thinking_budget", "enable_search", "search_options", "repetition_penalty",
    "vl_high_resolution_images", "translation_options", "asr_options",
    "enable_code_interpreter", "preserve_thinking"};

// Parts of model names that only the multimodal interface knows.
constexpr std::array<std::string_view, 5> kMultimodalNames{
    "-vl", "qvq", "qwen-audio", "-omni", "-ocr"};

bool is_media(const Part& part) noexcept
{
    return part.kind == PartKind::image_url || part.kind == PartKind::image_data
        || part.kind == PartKind::audio;
}

bool is_multimodal(const chat::Request& request, std::string_view model)
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

void write_choice(json::Writer& w, const chat::Request& request)
{
    std::string_view named = request.tool_choice_name;
    switch (request.tool_choice) {
    case chat::ToolChoice::unset:
        return;
    case chat::ToolChoice::automatic:
        w.field("tool_choice", "auto");
        return;
    case chat::ToolChoice::none:
        w.field("tool_choice", "none");
        return;
    case chat::ToolChoice::required:
        // DashScope knows "auto", "none" and one named function.
        if (request.tools.size() != 1) {
            w.field("tool_choice", "required");
            return;
        }
        named = request.tools[0].name;
        break;
    case chat::ToolChoice::named:
        break;
    }
    w.key("tool_choice").begin_object().field("type", "function");
    w.key("function").begin_object().field("name", named);
    w.end_object().end_object();
}

void write_tools(json::Writer& w, const chat::Request& request)
{
    if (request.tools.empty()) {
        return;
    }
    w.key("tools").begin_array();
    for (const chat::Tool& tool : request.tools) {
        w.begin_object().field("type", "function");
        w.key("function").begin_object().field("name", tool.name);
        if (!tool.description.empty()) {
            w.field("description", tool.description);
        }
        if (tool.parameters.has_value()) {
            w.field("parameters", tool.parameters);
        }
        w.end_object().end_object();
    }
    w.end_array();
    write_choice(w, request);
    if (request.parallel_tool_calls) {
        w.field("parallel_tool_calls", *request.parallel_tool_calls);
    }
}

void write_format(json::Writer& w, const chat::Request& request)
{
    if (request.format == chat::Format::json_object
        || request.format == chat::Format::json_schema)
    {
        w.field("response_format", request.raw["response_format"]);
    } else if (request.format == chat::Format::text) {
        w.key("response_format").begin_object();
        w.field("type", "text").end_object();
    }
}

void write_thinking(json::Writer& w, const chat::Request& request)
{
    if (request.raw["enable_thinking"].has_value()) {
        return; // among the own parameters
    }
    const auto budget = thinking_budget(request);
    if (!budget) {
        return;
    }
    w.field("enable_thinking", *budget > 0);
    if (*budget > 0 && !request.raw["thinking_budget"].has_value()) {
        w.field("thinking_budget", *budget);
    }
}

void write_sampling(json::Writer& w, const chat::Request& request)
{
    if (request.temperature) { // [0, 2)
        w.field("temperature", std::min(*request.temperature, 1.99));
    }
    if (request.top_p) { // (0, 1)
        w.field("top_p", std::clamp(*request.top_p, 1e-6, 0.999999));
    }
    if (request.top_k) {
        w.field("top_k", *request.top_k);
    }
    if (request.presence_penalty) {
        w.field("presence_penalty", *request.presence_penalty);
    }
    if (request.seed) {
        w.field("seed", *request.seed & INT32_MAX);
    }
    if (request.n) {
        w.field("n", *request.n);
    }
    if (!request.stop.empty()) {
        w.key("stop").begin_array();
        for (const std::string_view stop : request.stop) {
            w.string(stop);
        }
        w.end_array();
    }
    if (request.logprobs) {
        w.field("logprobs", *request.logprobs);
    }
    if (request.top_logprobs) {
        w.field("top_logprobs", *request.top_logprobs);
    }
}

void write_parameters(
    json::Writer& w, const chat::Request& request, const Options& options)
{
    w.key("parameters").begin_object();
    w.field("result_format", "message");
    if (request.max_tokens) {
        w.field("max_tokens", *request.max_tokens);
    }
    write_sampling(w, request);
    if (request.stream) {
        w.field("incremental_output", true);
    }
    write_thinking(w, request);
    if (options.qwen_enable_search && !request.raw["enable_search"].has_value())
    {
        w.field("enable_search", true);
    }
    write_format(w, request);
    write_tools(w, request);
    for (const std::string_view name : kOwnParameters) {
        if (const json::Node value = request.raw[name]; value.has_value()) {
            w.field(name, value);
        }
    }
    w.end_object();
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    const bool multimodal = is_multimodal(request, context.model);
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.key("input").begin_object();
    const std::vector<std::string> none;
    const bool files = context.model == "qwen-long";
    if (auto done = Messages(w, request, multimodal)
                        .write(files ? context.options.qwen_file_ids : none);
        !done)
    {
        return done;
    }
    w.end_object();
    write_parameters(w, request, context.options);
    w.end_object();

    out.method = "POST";
    out.path = multimodal ? kMultimodalPath : kTextPath;
    out.header("Content-Type", "application/json");
    if (request.stream) {
        out.header("Accept", "text/event-stream");
        out.header("X-DashScope-SSE", "enable");
    } else {
        out.header("Accept", "*/*");
    }
    out.own_body(std::move(body));
    return {};
}

} // namespace

const Protocol kQwen{"qwen", encode, make_qwen_decoder, qwen_error};

} // namespace ai_proxy::provider
