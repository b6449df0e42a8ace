#include "core/provider/cohere.h"

#include "core/dialect/chat_relay.h"
#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;

constexpr std::string_view kPath = "/v2/chat";

// Cohere's own members that clients put beside OpenAI's.
constexpr std::array<std::string_view, 4> kOwn{
    "documents", "citation_options", "safety_mode", "priority"};

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "seed", "frequency_penalty", "presence_penalty", "logprobs",
    "stop", "reasoning_effort", "tools", "tools.strict", "tool_choice.none",
    "tool_choice.required", "tool_choice.named", "response_format.json_object",
    "response_format.json_schema", "image_url.detail"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

Error no_such_part(size_t message, size_t part)
{
    return make_error(ErrorCode::invalid_request,
        "the provider takes text and images only", part_path(message, part));
}

void write_thinking(json::Writer& w, std::string_view text)
{
    w.begin_object().field("type", "thinking");
    w.field("thinking", text).end_object();
}

bool has_thinking(const Message& message)
{
    return std::any_of(message.parts.begin(), message.parts.end(),
        [](const Part& p) { return p.kind == PartKind::thinking; });
}

Result<void> write_part(
    json::Writer& w, const Message& message, size_t place, size_t index)
{
    const Part& part = message.parts[place];
    switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
        w.begin_object().field("type", "text");
        w.field("text", part.text).end_object();
        return {};
    case PartKind::image_url:
    case PartKind::image_data:
        w.begin_object().field("type", "image_url");
        w.key("image_url").begin_object().field("url", image_url(part));
        if (!part.detail.empty()) {
            w.field("detail", part.detail);
        }
        w.end_object().end_object();
        return {};
    case PartKind::thinking:
        write_thinking(w, part.text);
        return {};
    case PartKind::redacted:
        return {}; // another vendor's secret
    case PartKind::audio:
    case PartKind::file:
        break;
    }
    return no_such_part(index, place);
}

Result<void> write_content(
    json::Writer& w, const Message& message, bool thoughts, size_t index)
{
    if (message.parts.empty() && !thoughts) {
        return {};
    }
    w.key("content");
    if (message.plain && !thoughts && message.parts.size() == 1) {
        w.string(message.parts[0].text);
        return {};
    }
    w.begin_array();
    if (thoughts && !has_thinking(message)) {
        write_thinking(w, message.reasoning);
    }
    for (size_t i = 0; i < message.parts.size(); i++) {
        if (auto done = write_part(w, message, i, index); !done) {
            return done;
        }
    }
    w.end_array();
    return {};
}

Result<void> write_calls(json::Writer& w, const Message& message, size_t index,
    json::Parser& scratch)
{
    w.key("tool_calls").begin_array();
    for (size_t i = 0; i < message.tool_calls.size(); i++) {
        const chat::ToolCall& call = message.tool_calls[i];
        const auto arguments = object_arguments(scratch, call, index, i);
        if (!arguments) {
            return arguments.error();
        }
        w.begin_object().field("id", call.id).field("type", "function");
        w.key("function").begin_object().field("name", call.name);
        w.field("arguments", *arguments);
        w.end_object().end_object();
    }
    w.end_array();
    return {};
}

Result<void> write_message(
    json::Writer& w, const chat::Request& request, size_t index)
{
    const Message& message = request.messages[index];
    w.begin_object().field("role", plain_role(message.role));
    if (message.role == Role::tool) {
        w.field("tool_call_id", message.tool_call_id);
    }
    // What was thought before calling tools is Cohere's tool_plan.
    const bool plan = !message.tool_calls.empty() && !message.reasoning.empty()
        && !has_thinking(message);
    const bool thoughts =
        message.role == Role::assistant && !message.reasoning.empty() && !plan;
    if (auto done = write_content(w, message, thoughts, index); !done) {
        return done;
    }
    if (plan) {
        w.field("tool_plan", message.reasoning);
    }
    if (!message.tool_calls.empty()) {
        json::Parser scratch;
        if (auto done = write_calls(w, message, index, scratch); !done) {
            return done;
        }
    }
    w.end_object();
    return {};
}

void write_tools(json::Writer& w, const chat::Request& request)
{
    const bool named = request.tool_choice == chat::ToolChoice::named;
    bool strict = false;
    w.key("tools").begin_array();
    for (const chat::Tool& tool : request.tools) {
        // Cohere cannot name the tool to call: it is shown no other.
        if (named && tool.name != request.tool_choice_name) {
            continue;
        }
        strict = strict || tool.strict.value_or(false);
        w.begin_object().field("type", "function");
        w.key("function").begin_object().field("name", tool.name);
        if (!tool.description.empty()) {
            w.field("description", tool.description);
        }
        w.key("parameters");
        if (tool.parameters.is_object()) {
            w.value(tool.parameters);
        } else {
            w.begin_object().field("type", "object").end_object();
        }
        w.end_object().end_object();
    }
    w.end_array();
    if (strict) {
        w.field("strict_tools", true);
    }
    if (named || request.tool_choice == chat::ToolChoice::required) {
        w.field("tool_choice", "REQUIRED");
    } else if (request.tool_choice == chat::ToolChoice::none) {
        w.field("tool_choice", "NONE");
    }
}

void write_format(json::Writer& w, const chat::Request& request)
{
    if (request.format != chat::Format::json_object
        && request.format != chat::Format::json_schema)
    {
        return;
    }
    w.key("response_format").begin_object().field("type", "json_object");
    if (request.schema.is_object()) {
        w.field("json_schema", request.schema);
    }
    w.end_object();
}

void write_thinking_budget(json::Writer& w, const chat::Request& request)
{
    const auto budget = thinking_budget(request);
    if (!budget) {
        return;
    }
    w.key("thinking").begin_object();
    w.field("type", *budget > 0 ? "enabled" : "disabled");
    if (*budget > 0) {
        w.field("token_budget", *budget);
    }
    w.end_object();
}

void write_sampling(json::Writer& w, const chat::Request& request)
{
    write_optional(w, "max_tokens", request.max_tokens);
    write_optional(w, "temperature", request.temperature);
    write_optional(w, "p", request.top_p);
    write_optional(w, "k", request.top_k);
    write_optional(w, "seed", request.seed);
    write_optional(w, "frequency_penalty", request.frequency_penalty);
    write_optional(w, "presence_penalty", request.presence_penalty);
    write_optional(w, "logprobs", request.logprobs);
    write_strings(w, "stop_sequences", request.stop);
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.key("messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        if (auto done = write_message(w, request, i); !done) {
            return done;
        }
    }
    w.end_array();
    w.field("stream", request.stream);
    write_sampling(w, request);
    write_format(w, request);
    write_thinking_budget(w, request);
    if (!request.tools.empty()) {
        write_tools(w, request);
    }
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = kPath;
    out.header("Content-Type", "application/json");
    out.header(
        "Accept", request.stream ? "text/event-stream" : "application/json");
    out.own_body(std::move(body));
    return {};
}

Error error(int status, json::Node body, std::string_view text)
{
    Error out = dialect::read_openai_error(status, body, text);
    if (out.type.empty()) {
        out.type = body["error_type"].string_or();
    }
    return out;
}

} // namespace

const Protocol kCohere{
    "cohere", vocabulary_of<kVocabulary>, encode, make_cohere_decoder, error};

} // namespace ai_proxy::provider
