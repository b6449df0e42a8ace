#include "core/provider/qwen.h"

#include "core/provider/vendor.h"
#include "core/provider/web_search.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

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

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "presence_penalty", "seed", "n", "stop", "logprobs",
    "top_logprobs", "reasoning_effort", "tools", "tool_choice.none",
    "tool_choice.required", "tool_choice.named", "parallel_tool_calls",
    "response_format.json_object", "response_format.json_schema",
    "messages.name", "web_search_options"};
constexpr Vocabulary kVocabulary{kWords, kOwnParameters};

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
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
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
    const json::Node search = web_search(request);
    drop_search_options(context, search, {});
    if ((context.options.qwen_enable_search || search.exists())
        && !request.raw["enable_search"].has_value())
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
    const bool multimodal = qwen_is_multimodal(request, context.model);
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.key("input").begin_object();
    const std::vector<std::string> none;
    const bool files = context.model == "qwen-long";
    if (auto done = write_qwen_messages(w, request, multimodal,
            files ? context.options.qwen_file_ids : none);
        !done)
    {
        return done;
    }
    w.end_object();
    write_parameters(w, request, context);
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

const Protocol kQwen{
    "qwen", vocabulary_of<kVocabulary>, encode, make_qwen_decoder, qwen_error};

} // namespace ai_proxy::provider
