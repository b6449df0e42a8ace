#include "core/provider/gemini.h"

#include "core/base/text.h"
#include "core/provider/registry.h"
#include "core/provider/vendor.h"
#include "core/provider/web_search.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

constexpr std::string_view kDefaultVersion = "v1beta";

// Models that show their thoughts without being asked to.
constexpr std::array<std::string_view, 3> kThinkers{
    "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"};

struct BudgetRange {
    std::string_view model; // prefix
    int64_t least;          // of a budget that is not 0
    int64_t most;
    bool may_be_off;
};
constexpr std::array<BudgetRange, 3> kBudgetRanges{{
    {"gemini-2.5-pro", 128, 32768, false},
    {"gemini-2.5-flash-lite", 512, 24576, true},
    {"gemini-2.5-flash", 1, 24576, true},
}};

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "n", "presence_penalty", "frequency_penalty", "seed", "stop",
    "logprobs", "top_logprobs", "modalities", "reasoning_effort", "tools",
    "tool_choice.none", "tool_choice.required", "tool_choice.named",
    "response_format.json_object", "response_format.json_schema",
    "web_search_options", "audio", "service_tier"};
constexpr std::string_view kOwn[] = {"extra_body"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

bool can_think(std::string_view model) noexcept
{
    return !model.starts_with("gemini-1.") && !model.starts_with("gemini-2.0")
        && !model.starts_with("gemma");
}

int64_t fit_budget(std::string_view model, int64_t budget) noexcept
{
    if (budget < 0) {
        return -1; // the model decides
    }
    for (const BudgetRange& range : kBudgetRanges) {
        if (model.starts_with(range.model)) {
            return budget == 0 && range.may_be_off
                ? 0
                : std::clamp(budget, range.least, range.most);
        }
    }
    return budget;
}

int64_t budget_of_effort(std::string_view effort) noexcept
{
    if (effort == "none") {
        return 0;
    }
    if (effort == "minimal" || effort == "low") {
        return 1024;
    }
    return effort == "medium" ? 8192 : 24576;
}

// Gemini 3 cannot stop thinking; the Pro knows low and high only.
std::string_view level_of_effort(
    std::string_view model, std::string_view effort) noexcept
{
    const bool pro = model.starts_with("gemini-3-pro");
    if (effort == "none" || effort == "minimal") {
        return model.find("flash") != std::string_view::npos ? "minimal"
                                                             : "low";
    }
    if (effort == "low") {
        return "low";
    }
    return effort == "medium" && !pro ? "medium" : "high";
}

void write_budget(json::Writer& w, int64_t budget)
{
    if (budget != 0) {
        w.field("includeThoughts", true);
    }
    w.field("thinkingBudget", budget);
}

void write_thinking(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    const std::string_view model = context.model;
    // As Google's own OpenAI-compatible endpoint takes it.
    const json::Node given =
        request.raw["extra_body"]["google"]["thinking_config"];
    if (given.is_object()) {
        w.field("thinkingConfig", given);
        return;
    }
    std::string_view effort = request.reasoning_effort;
    if (effort.empty() && !request.reasoning_max_tokens
        && request.raw["thinking"]["type"].string_or() == "disabled")
    {
        effort = "none"; // as Claude's clients say it
    }
    if (!can_think(model)) {
        drop_if(context, "reasoning_effort",
            thinking_budget(request).value_or(0) > 0);
        return;
    }
    const auto configured = context.options.gemini_thinking_budget;
    const bool shows =
        std::find(kThinkers.begin(), kThinkers.end(), model) != kThinkers.end();
    if (!request.reasoning_max_tokens && effort.empty() && !configured
        && !shows) {
        return;
    }
    w.key("thinkingConfig").begin_object();
    if (request.reasoning_max_tokens) {
        write_budget(w, fit_budget(model, *request.reasoning_max_tokens));
    } else if (!effort.empty() && is_gemini3(model)) {
        w.field("includeThoughts", effort != "none");
        w.field("thinkingLevel", level_of_effort(model, effort));
    } else if (!effort.empty()) {
        write_budget(w, fit_budget(model, budget_of_effort(effort)));
    } else if (configured) {
        write_budget(w, *configured);
    } else {
        w.field("includeThoughts", true);
    }
    w.end_object();
}

bool is_vertex(const EncodeContext& context) noexcept
{
    return context.options.type != nullptr
        && context.options.type->name == "vertex";
}

void write_schema(json::Writer& w, std::string_view name,
    std::string_view json_schema_name, json::Node schema,
    const EncodeContext& context)
{
    const bool union_alone = is_vertex(context);
    if (fits_gemini_schema(schema, union_alone)) {
        w.key(name);
        write_gemini_schema(w, schema, union_alone);
    } else {
        w.key(json_schema_name);
        write_gemini_json_schema(w, schema);
    }
}

// Google's own tools ({"google_search":{}}) pass as sent.
bool is_function(const chat::Tool& tool)
{
    return !tool.name.empty();
}

bool has_functions(const chat::Request& request)
{
    return std::any_of(request.tools.begin(), request.tools.end(), is_function);
}

void write_format(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    if (request.format != chat::Format::json_object
        && request.format != chat::Format::json_schema)
    {
        return;
    }
    // Those before refuse it with a 400.
    if (has_functions(request) && !is_gemini3(context.model)) {
        context.drop("response_format");
        return;
    }
    w.field("responseMimeType", "application/json");
    if (request.format == chat::Format::json_schema
        && request.schema.is_object()) {
        write_schema(
            w, "responseSchema", "responseJsonSchema", request.schema, context);
    }
}

void write_modalities(json::Writer& w, json::Node modalities)
{
    if (modalities.size() == 0) {
        return;
    }
    w.key("responseModalities").begin_array();
    for (const json::Node one : modalities.items()) {
        std::string name(one.string_or());
        std::transform(name.begin(), name.end(), name.begin(),
            [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
        w.string(name);
    }
    w.end_array();
}

// What is spoken comes as samples, in no other format.
void write_voice(
    json::Writer& w, json::Node audio, const EncodeContext& context)
{
    if (!audio.is_object()) {
        return;
    }
    drop_if(
        context, "audio.format", audio["format"].string_or("pcm16") != "pcm16");
    const std::string_view voice = audio["voice"].string_or();
    if (!voice.empty()) {
        w.key("speechConfig").begin_object().key("voiceConfig").begin_object();
        w.key("prebuiltVoiceConfig").begin_object();
        w.field("voiceName", voice);
        w.end_object().end_object().end_object();
    }
}

template <class T>
void optional_field(
    json::Writer& w, std::string_view name, const std::optional<T>& value)
{
    if (value) {
        w.field(name, *value);
    }
}

void write_generation(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    w.key("generationConfig").begin_object();
    optional_field(w, "temperature", request.temperature);
    optional_field(w, "topP", request.top_p);
    optional_field(w, "topK", request.top_k);
    optional_field(w, "maxOutputTokens", request.max_tokens);
    optional_field(w, "candidateCount", request.n);
    optional_field(w, "presencePenalty", request.presence_penalty);
    optional_field(w, "frequencyPenalty", request.frequency_penalty);
    if (request.seed) {
        // OpenAI's seeds have 64 bits, these 32.
        w.field("seed", *request.seed & INT32_MAX);
    }
    if (!request.stop.empty()) {
        w.key("stopSequences").begin_array();
        for (const std::string_view stop : request.stop) {
            w.string(stop);
        }
        w.end_array();
    }
    if (request.logprobs.value_or(false)) {
        w.field("responseLogprobs", true);
        optional_field(w, "logprobs", request.top_logprobs);
    }
    write_modalities(w, request.raw["modalities"]);
    write_voice(w, request.raw["audio"], context);
    write_format(w, request, context);
    write_thinking(w, request, context);
    w.end_object();
}

void write_function(
    json::Writer& w, const chat::Tool& tool, const EncodeContext& context)
{
    w.begin_object().field("name", tool.name);
    if (!tool.description.empty()) {
        w.field("description", tool.description);
    }
    // A function without parameters has no schema: an object without
    // properties is refused.
    if (tool.parameters["properties"].size() > 0
        || (tool.parameters.is_object()
            && !fits_gemini_schema(tool.parameters, is_vertex(context))))
    {
        write_schema(
            w, "parameters", "parametersJsonSchema", tool.parameters, context);
    }
    w.end_object();
}

// Are the tools that are not to be called now declared with the others?
bool shows_withheld(const chat::Request& request) noexcept
{
    return request.tool_choice == chat::ToolChoice::required
        && !request.withheld.empty();
}

void write_choice(json::Writer& w, const chat::Request& request)
{
    std::string_view mode;
    switch (request.tool_choice) {
    case chat::ToolChoice::unset:
        return;
    case chat::ToolChoice::automatic:
        mode = "AUTO";
        break;
    case chat::ToolChoice::none:
        mode = "NONE";
        break;
    case chat::ToolChoice::required:
    case chat::ToolChoice::named:
        mode = "ANY";
        break;
    }
    w.key("functionCallingConfig").begin_object().field("mode", mode);
    // Known with mode ANY only.
    if (request.tool_choice == chat::ToolChoice::named) {
        w.key("allowedFunctionNames").begin_array();
        w.string(request.tool_choice_name).end_array();
    } else if (shows_withheld(request)) {
        w.key("allowedFunctionNames").begin_array();
        for (const chat::Tool& tool : request.tools) {
            w.string(tool.name);
        }
        w.end_array();
    }
    w.end_object();
}

// own: there are tools beside the functions that Google runs.
void write_tool_config(json::Writer& w, const chat::Request& request,
    const EncodeContext& context, bool own)
{
    // The API answers with 400 where it is not told so; Vertex AI does not
    // know the word.
    const bool tells = own && has_functions(request) && !is_vertex(context)
        && is_gemini3(context.model);
    if (request.tool_choice == chat::ToolChoice::unset && !tells) {
        return;
    }
    w.key("toolConfig").begin_object();
    // Beside a search the default is a mode that has no name in chat.
    if (!tells || request.tool_choice != chat::ToolChoice::automatic) {
        write_choice(w, request);
    }
    if (tells) {
        w.field("includeServerSideToolInvocations", true);
    }
    w.end_object();
}

// The search, unless the model takes none beside functions.
json::Node search_of(const chat::Request& request, const EncodeContext& context)
{
    const json::Node asked = web_search(request);
    if (asked.exists() && has_functions(request) && !is_gemini3(context.model))
    {
        context.drop("web_search_options");
        return {};
    }
    return asked;
}

void write_tools(
    json::Writer& w, const chat::Request& request, const EncodeContext& context)
{
    const json::Node search = search_of(request, context);
    if (request.tools.empty() && !search.exists()) {
        return;
    }
    bool own = search.exists();
    w.key("tools").begin_array();
    if (has_functions(request)) {
        w.begin_object().key("functionDeclarations").begin_array();
        for (const chat::Tool& tool : request.tools) {
            if (is_function(tool)) {
                write_function(w, tool, context);
            }
        }
        for (const chat::Tool& tool : request.withheld) {
            if (is_function(tool) && shows_withheld(request)) {
                write_function(w, tool, context);
            }
        }
        w.end_array().end_object();
    }
    for (const chat::Tool& tool : request.tools) {
        if (!is_function(tool) && tool.raw.is_object()) {
            own = true;
            w.begin_object();
            for (const json::Member member : tool.raw.members()) {
                if (member.key != "type") {
                    w.field(member.key, member.value);
                }
            }
            w.end_object();
        }
    }
    if (search.exists()) {
        drop_search_options(context, search, {});
        w.begin_object().key("googleSearch");
        w.begin_object().end_object().end_object();
    }
    w.end_array();
    write_tool_config(w, request, context, own);
}

void write_safety(json::Writer& w, const Options& options)
{
    if (options.gemini_safety_setting.empty()) {
        return;
    }
    w.key("safetySettings").begin_array();
    for (const auto& [category, threshold] : options.gemini_safety_setting) {
        w.begin_object().field("category", std::string_view(category));
        w.field("threshold", std::string_view(threshold)).end_object();
    }
    w.end_array();
}

} // namespace

std::string gemini_model_path(
    const Options& options, std::string_view model, std::string_view action)
{
    std::string_view collection = "models/";
    for (const std::string_view known : {"models/", "tunedModels/"}) {
        if (model.starts_with(known)) {
            collection = known;
            model.remove_prefix(known.size());
        }
    }
    std::string path = "/";
    path += options.api_version.empty() ? kDefaultVersion
                                        : std::string_view(options.api_version);
    path += '/';
    path += collection;
    path += percent_encode(model);
    return path.append(":").append(action);
}

namespace {

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    const std::string_view tier = gemini_tier(request, context);
    if (auto done = write_gemini_body(body, request, context, tier); !done) {
        return done;
    }
    out.method = "POST";
    out.path = gemini_model_path(context.options, context.model,
        request.stream ? "streamGenerateContent?alt=sse" : "generateContent");
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

} // namespace

Result<void> write_gemini_body(std::string& body, const chat::Request& request,
    const EncodeContext& context, std::string_view tier)
{
    json::Writer w(body);
    w.begin_object();
    if (auto done = write_gemini_contents(w, request, context.model); !done) {
        return done;
    }
    write_generation(w, request, context);
    write_tools(w, request, context);
    write_safety(w, context.options);
    const json::Node cached =
        request.raw["extra_body"]["google"]["cached_content"];
    if (cached.is_string()) {
        w.field("cachedContent", cached);
    }
    if (!tier.empty()) {
        w.field("service_tier", tier);
    }
    w.end_object();
    return {};
}

std::string_view gemini_tier(
    const chat::Request& request, const EncodeContext& context)
{
    const std::string_view tier = request.service_tier;
    if (tier == "flex" || tier == "priority") {
        return tier;
    }
    if (tier == "default") {
        return "standard";
    }
    drop_if(context, "service_tier", !tier.empty() && tier != "auto");
    return {};
}

const Vocabulary& gemini_vocabulary() noexcept
{
    return kVocabulary;
}

bool is_gemini3(std::string_view model) noexcept
{
    if (const size_t slash = model.rfind('/'); slash != std::string_view::npos)
    {
        model.remove_prefix(slash + 1);
    }
    constexpr std::string_view name = "gemini-";
    if (!model.starts_with(name) || model.size() == name.size()) {
        return false;
    }
    const char major = model[name.size()];
    return major >= '3' && major <= '9';
}

const Protocol kGemini{"gemini", vocabulary_of<kVocabulary>, encode,
    make_gemini_decoder, gemini_error};

} // namespace ai_proxy::provider
