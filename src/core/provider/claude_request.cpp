#include "core/provider/claude.h"

#include "core/provider/registry.h"
#include "core/provider/vendor.h"
#include "core/provider/web_search.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

constexpr std::string_view kDefaultVersion = "2023-06-01";
constexpr std::string_view kFilesBeta = "files-api-2025-04-14";

// Members of the Messages API that OpenAI's has not; they pass as sent.
constexpr std::array<std::string_view, 4> kOwnMembers{
    "container", "context_management", "inference_geo", "mcp_servers"};

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "stop", "user", "service_tier", "reasoning_effort", "tools",
    "tools.strict", "tool_choice.none", "tool_choice.required",
    "tool_choice.named", "parallel_tool_calls", "response_format.json_schema",
    "anthropic_beta", "citations", "web_search_options"};
constexpr Vocabulary kVocabulary{kWords, kOwnMembers};

// json_object has no counterpart: OpenAI itself demands that the prompt asks
// for JSON, which is all there is to it here.
void write_output_config(json::Writer& w, const chat::Request& request,
    const EncodeContext& context, const ClaudeThinking& thinking)
{
    const bool schema = claude_writes_format(request, context);
    if (!schema && thinking.effort.empty()) {
        return;
    }
    w.key("output_config").begin_object();
    if (!thinking.effort.empty()) {
        w.field("effort", thinking.effort);
    }
    if (schema) {
        w.key("format").begin_object().field("type", "json_schema");
        w.key("schema");
        write_claude_schema(w, request.schema);
        w.end_object();
    }
    w.end_object();
}

// Amazon's Claude cannot search.
bool searches(const EncodeContext& context) noexcept
{
    return context.options.type == nullptr
        || context.options.type->name != "bedrock";
}

// Was thinking asked for?
bool wants(const chat::Request& request) noexcept
{
    return thinking_budget(request).value_or(0) > 0;
}

void write_tool(json::Writer& w, const chat::Tool& tool, bool strict)
{
    const std::string_view type = tool.raw["type"].string_or("function");
    if (type != "function" && type != "custom") {
        w.value(tool.raw); // one of the provider's own: web_search_20250305
        return;
    }
    w.begin_object().field("name", tool.name);
    if (!tool.description.empty()) {
        w.field("description", tool.description);
    }
    w.key("input_schema");
    write_claude_input_schema(w, tool.parameters, strict);
    if (strict) {
        w.field("strict", true);
    }
    if (tool.cache_control.is_object()) {
        w.field("cache_control", tool.cache_control);
    }
    w.end_object();
}

void write_tools(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    json::Node search = web_search(request);
    if (!searches(context)) {
        search = {}; // noted by the vocabulary
    }
    if (request.tools.empty() && !search.exists()) {
        return;
    }
    const bool takes_strict = claude_takes_strict(context.model);
    w.key("tools").begin_array();
    for (size_t i = 0; i < request.tools.size(); i++) {
        const chat::Tool& tool = request.tools[i];
        const bool strict = tool.strict == true;
        if (strict && !takes_strict) {
            context.drop("tools[" + std::to_string(i) + "].function.strict");
        }
        write_tool(w, tool, strict && takes_strict);
    }
    if (search.exists()) {
        write_claude_web_search(w, search, context);
    }
    w.end_array();

    const bool serial = request.parallel_tool_calls == false;
    std::string_view type = "auto";
    switch (request.tool_choice) {
    case chat::ToolChoice::unset:
        if (!serial) {
            return;
        }
        break;
    case chat::ToolChoice::automatic:
        break;
    case chat::ToolChoice::none:
        type = "none";
        break;
    case chat::ToolChoice::required:
        type = "any";
        break;
    case chat::ToolChoice::named:
        type = "tool";
        break;
    }
    w.key("tool_choice").begin_object().field("type", type);
    if (request.tool_choice == chat::ToolChoice::named) {
        w.field("name", request.tool_choice_name);
    }
    if (request.parallel_tool_calls
        && request.tool_choice != chat::ToolChoice::none)
    {
        w.field("disable_parallel_tool_use", serial);
    }
    w.end_object();
}

void write_rest(json::Writer& w, const chat::Request& request,
    const EncodeContext& context, const ClaudeHost& host)
{
    write_strings(w, "stop_sequences", claude_stops(request, context));
    if (!request.user.empty()) {
        w.key("metadata").begin_object();
        w.field("user_id", request.user).end_object();
    }
    if (!host.version.empty()) {
        // No member of AWS's or Google's; see their own headers.
    } else if (request.service_tier == "auto"
        || request.service_tier == "standard_only")
    {
        w.field("service_tier", request.service_tier);
    } else if (request.service_tier == "default") {
        w.field("service_tier", "standard_only");
    } else {
        drop_if(context, "service_tier", !request.service_tier.empty());
    }
    for (const std::string_view name : kOwnMembers) {
        if (const json::Node value = request.raw[name]; value.has_value()) {
            w.field(name, value);
        }
    }
}

// A body's list of names elsewhere, a header here.
void add_betas(std::string& beta, json::Node names)
{
    for (const json::Node name : names.items()) {
        const std::string_view text = name.string_or();
        if (!text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
                return c > ' ' && c < 0x7f && c != ',';
            }))
        {
            beta += beta.empty() ? "" : ",";
            beta += text;
        }
    }
}

void write_headers(
    Outbound& out, const Options& options, bool files, json::Node betas)
{
    out.header("Content-Type", "application/json");
    std::string_view version = kDefaultVersion;
    if (!options.claude_version.empty()) {
        version = options.claude_version;
    } else if (!options.api_version.empty()) {
        version = options.api_version;
    }
    out.header("anthropic-version", version);
    std::string beta;
    if (files) {
        beta = kFilesBeta;
    }
    add_betas(beta, betas);
    if (!beta.empty()) {
        out.header("anthropic-beta", beta);
    }
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    const Options& options = context.options;
    std::string body;
    const auto needs = write_claude_body(body, request, context, {});
    if (!needs) {
        return needs.error();
    }
    out.method = "POST";
    out.path = "/v1/messages";
    write_headers(
        out, options, needs->files_beta, request.raw["anthropic_beta"]);
    out.own_body(std::move(body));
    return {};
}

} // namespace

const Vocabulary& claude_vocabulary(const EncodeContext& context) noexcept
{
    // All but the last word.
    static constexpr Vocabulary kWithoutSearch{
        std::span(kWords).first(std::size(kWords) - 1), kOwnMembers};
    return searches(context) ? kVocabulary : kWithoutSearch;
}

void write_claude_betas(
    json::Writer& w, json::Node given, std::string_view needed)
{
    w.begin_array();
    for (const json::Node one : given.items()) {
        w.value(one);
        if (one.string_or() == needed) {
            needed = {};
        }
    }
    if (!needed.empty()) {
        w.string(needed);
    }
    w.end_array();
}

Result<ClaudeNeeds> write_claude_body(std::string& body,
    const chat::Request& request, const EncodeContext& context,
    const ClaudeHost& host)
{
    const ClaudeThinking thinking =
        plan_claude_thinking(request, context.model);
    json::Writer w(body);
    w.begin_object();
    if (host.version.empty()) {
        w.field("model", context.model);
    } else {
        w.field("anthropic_version", host.version);
        // A header elsewhere.
        const json::Node given = request.raw["anthropic_beta"];
        const std::string_view needed = host.is_bedrock
            ? bedrock_effort_beta(thinking, context.model)
            : std::string_view();
        if (given.is_array() || !needed.empty()) {
            write_claude_betas(w.key("anthropic_beta"), given, needed);
        }
    }
    w.field("max_tokens", thinking.max_tokens);
    auto needs =
        write_claude_messages(w, request, context.options.claude_code_mode);
    if (!needs) {
        return needs;
    }
    write_claude_thinking(w, thinking);
    write_output_config(w, request, context, thinking);
    drop_if(context, "reasoning_effort",
        thinking.must_think
            || (!thinking.on() && thinking.effort.empty() && wants(request)));
    const ClaudeSampling sampling =
        plan_claude_sampling(request, context, thinking.on());
    write_optional(w, "temperature", sampling.temperature);
    write_optional(w, "top_p", sampling.top_p);
    write_optional(w, "top_k", sampling.top_k);
    write_tools(w, request, context);
    write_rest(w, request, context, host);
    if (request.stream && host.stream_member) {
        w.field("stream", true);
    }
    w.end_object();
    return needs;
}

const Protocol kClaude{"claude", vocabulary_of<kVocabulary>, encode,
    make_claude_decoder, claude_error};

} // namespace ai_proxy::provider
