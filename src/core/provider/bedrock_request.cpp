#include "core/provider/bedrock.h"

#include "core/base/text.h"
#include "core/provider/claude.h"
#include "core/provider/vendor.h"

#include <algorithm>
#include <array>
#include <set>

namespace ai_proxy::provider {
namespace {

constexpr std::string_view kClaudeVersionName = "bedrock-2023-05-31";

// Members of Converse that OpenAI's API has not; they pass as sent.
constexpr std::array<std::string_view, 5> kOwnMembers{"guardrailConfig",
    "requestMetadata", "performanceConfig", "promptVariables",
    "additionalModelResponseFieldPaths"};
constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "stop", "service_tier", "reasoning_effort", "tools",
    "tools.strict", "tool_choice.none", "tool_choice.required",
    "tool_choice.named", "response_format.json_schema",
    "prompt_cache_retention", "additionalModelRequestFields", "citations"};
constexpr Vocabulary kVocabulary{kWords, kOwnMembers};

bool is_nova2(std::string_view model) noexcept
{
    return model.find("amazon.nova-2") != std::string_view::npos;
}

// What Anthropic says of Claude holds here too.
struct Plan {
    ClaudeThinking thinking;
    ClaudeSampling sampling;
    std::vector<std::string_view> stops;
    bool is_claude = false;
};

Plan plan_of(const chat::Request& request, const EncodeContext& context)
{
    Plan plan;
    plan.is_claude = bedrock_is_claude(context.model);
    if (plan.is_claude) {
        plan.thinking = plan_claude_thinking(request, context.model);
        plan.sampling =
            plan_claude_sampling(request, context, plan.thinking.on());
        plan.stops = claude_stops(request, context);
        return plan;
    }
    plan.sampling = {request.temperature, request.top_p, request.top_k};
    plan.stops = request.stop;
    if (plan.sampling.temperature > 1.0) {
        context.drop("temperature");
        plan.sampling.temperature = 1.0;
    }
    return plan;
}

void write_inference(
    json::Writer& w, const chat::Request& request, const Plan& plan)
{
    const bool claude_bound = plan.thinking.mode != ClaudeThinking::Mode::unset;
    const auto max_tokens = claude_bound
        ? std::optional(plan.thinking.max_tokens)
        : request.max_tokens;
    const auto& [temperature, top_p, top_k] = plan.sampling;
    if (!max_tokens && !temperature && !top_p && plan.stops.empty()) {
        return;
    }
    w.key("inferenceConfig").begin_object();
    write_optional(w, "maxTokens", max_tokens);
    write_optional(w, "temperature", temperature);
    write_optional(w, "topP", top_p);
    write_strings(w, "stopSequences", plan.stops);
    w.end_object();
}

// Members of additionalModelRequestFields; a later one replaces an earlier.
class AdditionalFields {
public:
    void set(std::string_view name, std::string json)
    {
        for (auto& [known, value] : all_) {
            if (known == name) {
                value = std::move(json);
                return;
            }
        }
        all_.emplace_back(name, std::move(json));
    }
    // JSON text; "" for none.
    [[nodiscard]] std::string_view get(std::string_view name) const noexcept
    {
        const auto one = std::find_if(all_.begin(), all_.end(),
            [name](const auto& known) { return known.first == name; });
        return one == all_.end() ? std::string_view() : one->second;
    }
    [[nodiscard]] bool has(std::string_view name) const noexcept
    {
        return !get(name).empty();
    }
    void write(json::Writer& w) const
    {
        if (all_.empty()) {
            return;
        }
        w.key("additionalModelRequestFields").begin_object();
        for (const auto& [name, value] : all_) {
            w.key(name).raw(value);
        }
        w.end_object();
    }

private:
    std::vector<std::pair<std::string, std::string>> all_;
};

// Thinking in the words of each family of models.
void set_thinking(AdditionalFields& fields, const chat::Request& request,
    std::string_view model, const Plan& plan)
{
    const std::string_view effort = request.reasoning_effort;
    if (bedrock_is_claude(model)) {
        std::string text;
        json::Writer w(text);
        w.begin_object();
        write_claude_thinking(w, plan.thinking);
        w.end_object();
        constexpr std::string_view kHead = R"({"thinking":)";
        if (std::string_view(text).starts_with(kHead)) {
            fields.set("thinking",
                text.substr(kHead.size(), text.size() - kHead.size() - 1));
        }
        if (!plan.thinking.effort.empty()) {
            fields.set("output_config",
                R"({"effort":")" + std::string(plan.thinking.effort) + "\"}");
        }
        if (plan.sampling.top_k) {
            fields.set("top_k", std::to_string(*plan.sampling.top_k));
        }
        return;
    }
    if (is_nova2(model) && !effort.empty()) {
        const bool known =
            effort == "low" || effort == "medium" || effort == "high";
        if (effort == "none") {
            fields.set("reasoningConfig", R"({"type":"disabled"})");
        } else {
            fields.set("reasoningConfig",
                R"({"type":"enabled","maxReasoningEffort":")"
                    + std::string(known           ? effort
                            : effort == "minimal" ? "low"
                                                  : "high")
                    + "\"}");
        }
    } else if (model.find("gpt-oss") != std::string_view::npos
        && (effort == "low" || effort == "medium" || effort == "high"))
    {
        fields.set("reasoning_effort", "\"" + std::string(effort) + "\"");
    }
    if (request.top_k && model.find("amazon.nova") != std::string_view::npos) {
        fields.set("inferenceConfig",
            "{\"topK\":" + std::to_string(*request.top_k) + "}");
    }
}

// What this family of models has no word for.
void drop_unset(const AdditionalFields& fields, const chat::Request& request,
    const EncodeContext& context, const Plan& plan)
{
    drop_if(context, "top_k",
        request.top_k && !fields.has("top_k")
            && !fields.has("inferenceConfig"));
    drop_if(context, "reasoning_effort",
        thinking_budget(request).value_or(0) > 0 && !fields.has("thinking")
            && !fields.has("output_config") && !fields.has("reasoningConfig")
            && !fields.has("reasoning_effort"));
    drop_if(context, "reasoning_effort", plan.thinking.must_think);
}

// Beside the betas that were asked for.
void add_effort_beta(AdditionalFields& fields, std::string_view beta)
{
    constexpr std::string_view kBetas = "anthropic_beta";
    if (beta.empty()) {
        return;
    }
    json::Parser parser;
    const auto given = parser.parse(fields.get(kBetas));
    std::string betas;
    json::Writer w(betas);
    write_claude_betas(w, given ? *given : json::Node(), beta);
    fields.set(kBetas, std::move(betas));
}

void write_additional(json::Writer& w, const chat::Request& request,
    const EncodeContext& context, const Plan& plan)
{
    AdditionalFields fields;
    set_thinking(fields, request, context.model, plan);
    drop_unset(fields, request, context, plan);
    for (const json::Member member :
        request.raw["additionalModelRequestFields"].members())
    {
        std::string text;
        json::append_value(text, member.value);
        fields.set(member.key, std::move(text));
    }
    for (const auto& [name, value] : context.options.bedrock_additional_fields)
    {
        fields.set(name, value);
    }
    add_effort_beta(fields, bedrock_effort_beta(plan.thinking, context.model));
    fields.write(w);
}

// Amazon's own models have no strict tools, and Anthropic's not from the
// beginning.
bool takes_strict(std::string_view model) noexcept
{
    return bedrock_is_claude(model)
        ? claude_takes_strict(model)
        : model.find("amazon.") == std::string_view::npos;
}

void write_tool(json::Writer& w, const chat::Tool& tool, bool strict,
    std::string_view model)
{
    if (tool.name.empty()) {
        w.value(tool.raw); // one of the provider's own: {"systemTool":...}
        return;
    }
    w.begin_object().key("toolSpec").begin_object().field("name", tool.name);
    if (!tool.description.empty()) {
        w.field("description", tool.description);
    }
    w.key("inputSchema").begin_object().key("json");
    const bool any = tool.parameters.size() > 0;
    const json::Node parameters = any ? tool.parameters : json::Node();
    if (strict && bedrock_is_claude(model)) {
        write_claude_input_schema(w, parameters, true);
    } else {
        write_schema(w, parameters);
    }
    w.end_object();
    if (strict) {
        w.field("strict", true);
    }
    w.end_object().end_object();
    // Nova takes cache points in the prompt, none among the tools.
    if (bedrock_is_claude(model)) {
        write_bedrock_marker(w, tool.cache_control, model);
    }
}

// Does the conversation hold tool calls or results?  Then the API demands the
// tools, whatever the choice.
bool has_tool_history(const chat::Request& request) noexcept
{
    return std::any_of(request.messages.begin(), request.messages.end(),
        [](const chat::Message& message) {
            return message.role == chat::Role::tool
                || !message.tool_calls.empty();
        });
}

// The tools of the conversation so far, for a client that declares none now.
std::vector<chat::Tool> called_tools(const chat::Request& request)
{
    std::set<std::string_view> names;
    for (const chat::Message& message : request.messages) {
        for (const chat::ToolCall& call : message.tool_calls) {
            names.insert(call.name);
        }
    }
    names.erase("");
    std::vector<chat::Tool> tools;
    for (const std::string_view name : names) {
        tools.emplace_back().name = name;
    }
    return tools;
}

void write_tool_list(json::Writer& w, const std::vector<chat::Tool>& tools,
    const EncodeContext& context)
{
    const bool may_be_strict = takes_strict(context.model);
    w.key("tools").begin_array();
    for (size_t i = 0; i < tools.size(); i++) {
        const bool strict = tools[i].strict == true;
        if (strict && !may_be_strict) {
            context.drop("tools[" + std::to_string(i) + "].function.strict");
        }
        write_tool(w, tools[i], strict && may_be_strict, context.model);
    }
    w.end_array();
}

void write_tools(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    if (request.tools.empty()) {
        const std::vector<chat::Tool> called = called_tools(request);
        if (!called.empty()) {
            w.key("toolConfig").begin_object();
            write_tool_list(w, called, context);
            w.end_object();
        }
        return;
    }
    // There is no choice "none": without tools there is nothing to choose.
    const bool none = request.tool_choice == chat::ToolChoice::none;
    if (none && !has_tool_history(request)) {
        return;
    }
    drop_if(context, "tool_choice", none);
    w.key("toolConfig").begin_object();
    write_tool_list(w, request.tools, context);
    switch (request.tool_choice) {
    case chat::ToolChoice::unset:
    case chat::ToolChoice::none:
        break;
    case chat::ToolChoice::automatic:
        w.key("toolChoice").begin_object().key("auto");
        w.begin_object().end_object().end_object();
        break;
    case chat::ToolChoice::required:
        w.key("toolChoice").begin_object().key("any");
        w.begin_object().end_object().end_object();
        break;
    case chat::ToolChoice::named:
        w.key("toolChoice").begin_object().key("tool").begin_object();
        w.field("name", request.tool_choice_name).end_object().end_object();
        break;
    }
    w.end_object();
}

void write_format(
    json::Writer& w, const chat::Request& request, std::string_view model)
{
    if (request.format != chat::Format::json_schema
        || !request.schema.is_object()) {
        return;
    }
    std::string schema;
    if (bedrock_is_claude(model)) {
        json::Writer inner(schema);
        write_claude_schema(inner, request.schema);
    } else {
        json::append_value(schema, request.schema);
    }
    w.key("outputConfig").begin_object().key("textFormat").begin_object();
    w.field("type", "json_schema").key("structure").begin_object();
    w.key("jsonSchema").begin_object();
    w.field("schema", std::string_view(schema));
    if (!request.schema_name.empty()) {
        w.field("name", request.schema_name);
    }
    const json::Node description =
        request.raw["response_format"]["json_schema"]["description"];
    if (description.is_string()) {
        w.field("description", description);
    }
    w.end_object().end_object().end_object().end_object();
}

// AWS's word for a service tier, "" if it has none.
std::string_view tier_of(
    const chat::Request& request, const EncodeContext& context)
{
    const std::string_view tier = request.service_tier;
    if (tier == "default" || tier == "priority" || tier == "flex"
        || tier == "reserved")
    {
        return tier;
    }
    if (tier == "scale") { // capacity that was bought beforehand
        return "reserved";
    }
    drop_if(context, "service_tier", !tier.empty() && tier != "auto");
    return {};
}

// Converse has no place for the stop sequence that was met: it is picked out of
// Anthropic's answer, or of the event that ends its stream.  A path that leads
// nowhere is ignored.
void ask_for_stop(
    json::Writer& w, const chat::Request& request, const Plan& plan)
{
    constexpr std::string_view kPaths = "additionalModelResponseFieldPaths";
    if (plan.is_claude && !plan.stops.empty()
        && !request.raw[kPaths].has_value()) {
        w.key(kPaths).begin_array();
        w.string("/stop_sequence").string("/delta/stop_sequence").end_array();
    }
}

void write_rest(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    if (const auto tier = tier_of(request, context); !tier.empty()) {
        w.key("serviceTier").begin_object();
        w.field("type", tier).end_object();
    }
    for (const std::string_view name : kOwnMembers) {
        if (const json::Node value = request.raw[name]; value.has_value()) {
            w.field(name, value);
        }
    }
}

Result<void> encode_invoke(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    if (auto done = write_claude_body(
            body, request, context, {kClaudeVersionName, false, true});
        !done)
    {
        return std::move(done).error();
    }
    out.path = bedrock_model_path(context.model,
        request.stream ? "invoke-with-response-stream" : "invoke");
    out.header("Content-Type", "application/json");
    if (const auto tier = tier_of(request, context); !tier.empty()) {
        out.header("X-Amzn-Bedrock-Service-Tier", tier);
    }
    out.own_body(std::move(body));
    return {};
}

bool invokes(const EncodeContext& context) noexcept
{
    return context.options.bedrock_invoke && bedrock_is_claude(context.model);
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    out.method = "POST";
    if (auto valid = check_bedrock_model(context.model); !valid) {
        return valid;
    }
    if (invokes(context)) {
        return encode_invoke(request, context, out);
    }
    const Plan plan = plan_of(request, context);
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (auto done = write_bedrock_messages(w, request, context); !done) {
        return done;
    }
    write_inference(w, request, plan);
    write_tools(w, request, context);
    write_format(w, request, context.model);
    write_additional(w, request, context, plan);
    ask_for_stop(w, request, plan);
    write_rest(w, request, context);
    w.end_object();

    out.path = bedrock_model_path(
        context.model, request.stream ? "converse-stream" : "converse");
    out.header("Content-Type", "application/json");
    out.header("Accept", "*/*");
    out.own_body(std::move(body));
    return {};
}

const Vocabulary* vocabulary(const EncodeContext& context)
{
    return invokes(context) ? &claude_vocabulary(context) : &kVocabulary;
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return invokes(context) ? make_bedrock_claude_decoder(context)
                            : make_bedrock_decoder(context);
}

} // namespace

bool bedrock_is_claude(std::string_view model) noexcept
{
    return model.find("claude") != std::string_view::npos;
}

std::string bedrock_model_path(std::string_view model, std::string_view action)
{
    std::string path = "/model/";
    path += model.find('%') == std::string_view::npos ? percent_encode(model)
                                                      : std::string(model);
    return path.append("/").append(action);
}

namespace {

bool is_hex(std::string_view digits) noexcept
{
    return digits.size() == 2
        && digits.find_first_not_of("0123456789abcdefABCDEF")
        == std::string_view::npos;
}

// An id that is encoded already goes into the path as it stands.
bool is_encoded(std::string_view model)
{
    for (size_t at = model.find('%'); at != std::string_view::npos;
         at = model.find('%', at + 1))
    {
        if (!is_hex(model.substr(at + 1, 2))) {
            return false;
        }
    }
    return percent_encode(model, "%:") == model;
}

} // namespace

Result<void> check_bedrock_model(std::string_view model)
{
    const bool control = std::any_of(model.begin(), model.end(), [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    });
    const bool encoded = model.find('%') != std::string_view::npos;
    if (control || model.find_first_of("?#") != std::string_view::npos
        || model.empty() || model == "." || model == ".."
        || (encoded && !is_encoded(model)))
    {
        return make_error(ErrorCode::invalid_request, "invalid model", "model");
    }
    return {};
}

const Protocol kBedrock{"bedrock", vocabulary, encode, decoder, bedrock_error,
    Framing::aws_event_stream};

} // namespace ai_proxy::provider
