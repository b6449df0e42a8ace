#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/json/splice.h"
#include "core/json/writer.h"
#include "core/provider/openai.h"
#include "core/provider/openai_models.h"
#include "core/provider/reasoning_details.h"
#include "core/provider/registry.h"
#include "core/provider/strict_schema.h"
#include "core/provider/vendor.h"
#include "core/provider/web_search.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

// The canonical request as OpenAI chat completions, for callers of other
// dialects.  The request's own text is OpenAI chat already, with members that
// only some vendors know: those go to them alone.
namespace ai_proxy::provider {

namespace {

using Names = std::span<const std::string_view>;

// Who takes what OpenAI does not define, by the vendors' own references.
constexpr std::string_view kTopK[] = {"vllm", "openrouter", "together-ai",
    "qwen", "ollama", "fireworks", "huggingface", "generic", "mock"};
constexpr std::string_view kReasoningText[] = {"deepseek", "moonshot",
    "zhipuai", "doubao", "openrouter", "vllm", "minimax", "generic", "mock"};
constexpr std::string_view kCacheMarkers[] = {"openrouter", "generic", "mock"};
constexpr std::string_view kEffort[] = {
    "zhipuai", "doubao", "openrouter", "vllm", "ollama", "generic", "mock"};
constexpr std::string_view kThinkingSwitch[] = {
    "deepseek", "moonshot", "zhipuai", "doubao"};

// Serves OpenAI's own models, with OpenAI's own refusals.
constexpr std::string_view kOpenaisModels[] = {"openai", "azure", "github"};

// Searches on demand; OpenAI itself by models of that name only.
constexpr std::string_view kSearches[] = {
    "perplexity", "openrouter", "vercel-gateway", "generic", "mock"};

// Who takes what OpenAI defined for itself.
constexpr std::string_view kCacheOptions[] = {
    "openai", "azure", "generic", "mock"};
constexpr std::string_view kCacheKey[] = {
    "openai", "azure", "moonshot", "generic", "mock"};
constexpr std::string_view kSafetyIdentifier[] = {
    "openai", "azure", "moonshot", "generic", "mock"};
constexpr std::string_view kVerbosity[] = {
    "openai", "azure", "openrouter", "generic", "mock"};

// Fetches files by their URL; OpenAI's chat has no member for one.
constexpr std::string_view kFileUrl[] = {"generic", "mock"};

bool holds(Names names, std::string_view name) noexcept
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Who refuses the older name of max_completion_tokens.
bool wants_completion_tokens(const Type& type, std::string_view model) noexcept
{
    return (type.developer_role && takes_effort(model))
        || ((type.developer_role || type.name == "github")
            && is_newer_openai(model));
}

// What the client asks for, in OpenAI's words; "" for nothing.
std::string_view asked_effort(const chat::Request& request)
{
    if (!request.reasoning_effort.empty()) {
        return request.reasoning_effort;
    }
    if (request.raw["thinking"]["type"].string_or() == "disabled") {
        return "none";
    }
    return request.reasoning_max_tokens
        ? effort_of_budget(*request.reasoning_max_tokens)
        : std::string_view();
}

constexpr size_t kLongestUser = 64;

// A shorter name for the same user.
std::string short_name(std::string_view user)
{
    std::string out = "user-";
    append_hex(out, fnv1a(user));
    return out;
}

class Body {
public:
    Body(std::string& out, const chat::Request& request,
        const EncodeContext& context)
        : w_(out), request_(request), context_(context),
          type_(*context.options.type), effort_(asked_effort(request))
    {
    }

    Result<void> write();

private:
    [[nodiscard]] bool takes(Names types) const noexcept
    {
        return holds(types, type_.name);
    }
    void member(json::Member member);
    void messages(json::Node messages);
    void message(json::Node message);
    void content(json::Node parts, std::string_view role);
    void answer(json::Node parts);
    void drop_citations(json::Node part);
    void pictures();
    void part(json::Node part);
    void call(json::Node call);
    void tool(json::Node tool, size_t index);
    void response_format(json::Node format);
    void marker(json::Node value);
    void thinking();
    void no_thinking();
    [[nodiscard]] std::string_view taken_effort() const;
    bool sampling(json::Member member);
    void stream();
    void search(json::Node asked);
    bool openais_own(json::Member member);

    json::Writer w_;
    bool has_file_url_ = false; // that cannot be said
    // Parts of tools' results that only a user's message may hold.
    std::vector<json::Node> pictures_;
    const chat::Request& request_;
    const EncodeContext& context_;
    const Type& type_;
    std::string_view effort_; // asked for; "": none was named
};

void Body::marker(json::Node value)
{
    // A marker changes the price, not the answer: no loss to be refused.
    if (takes(kCacheMarkers)) {
        w_.field("cache_control", value);
    }
}

void Body::part(json::Node part)
{
    if (const json::Node url = part["file"]["file_url"]; url.has_value()) {
        if (type_.name == "openrouter") {
            w_.begin_object().field("type", "file");
            w_.key("file").begin_object();
            w_.field("filename", part["file"]["filename"].string_or("file"));
            w_.field("file_data", url).end_object().end_object();
            return;
        }
        has_file_url_ = has_file_url_ || !takes(kFileUrl);
    }
    if (!part.is_object()
        || (!part["cache_control"].exists() && !part["claude_block"].exists()))
    {
        w_.value(part);
        return;
    }
    w_.begin_object();
    for (const json::Member member : part.members()) {
        if (member.key == "cache_control") {
            marker(member.value);
        } else if (member.key != "claude_block") {
            w_.field(member.key, member.value);
        }
    }
    drop_citations(part);
    w_.end_object();
}

void Body::drop_citations(json::Node part)
{
    drop_if(context_, "citations", part["claude_block"]["citations"].exists());
}

void Body::call(json::Node call)
{
    w_.begin_object();
    for (const json::Member member : call.members()) {
        if (member.key != "extra_content" || takes(kCacheMarkers)) {
            w_.field(member.key, member.value);
        }
    }
    w_.end_object();
}

bool is_text(json::Node part)
{
    return part["type"].string_or() == "text";
}

bool is_text_alone(json::Node parts)
{
    bool alone = true;
    for (const json::Node one : parts.items()) {
        alone = alone && is_text(one);
    }
    return alone;
}

// The pictures of results, behind the last result of the turn.
void Body::pictures()
{
    if (pictures_.empty()) {
        return;
    }
    w_.begin_object().field("role", "user").key("content").begin_array();
    for (const json::Node one : pictures_) {
        part(one);
    }
    w_.end_array().end_object();
    pictures_.clear();
}

void Body::messages(json::Node messages)
{
    w_.begin_array();
    for (const json::Node one : messages.items()) {
        if (one["role"].string_or() != "tool") {
            pictures();
        }
        message(one);
    }
    pictures();
    w_.end_array();
}

// Whoever takes an answer in parts takes it in one, and not the other way.
void Body::answer(json::Node parts)
{
    std::string text;
    for (const json::Node one : parts.items()) {
        text += one["text"].string_or();
        drop_citations(one);
    }
    w_.string(text);
}

void Body::content(json::Node parts, std::string_view role)
{
    if (role == "assistant" && is_text_alone(parts) && !takes(kCacheMarkers)) {
        answer(parts);
        return;
    }
    const bool result = role == "tool";
    bool any = false;
    w_.begin_array();
    for (const json::Node one : parts.items()) {
        if (result && !is_text(one)) {
            pictures_.push_back(one);
        } else {
            any = true;
            part(one);
        }
    }
    if (!any) {
        w_.begin_object().field("type", "text");
        w_.field("text", "The result follows.").end_object();
    }
    w_.end_array();
}

void Body::message(json::Node message)
{
    if (message["is_error"].boolean().value_or(false)) {
        context_.drop("is_error");
    }
    w_.begin_object();
    const bool has_details =
        write_own_reasoning(w_, type_.name, message["thinking_blocks"]);
    for (const json::Member member : message.members()) {
        const std::string_view key = member.key;
        if (key == "thinking_blocks" || key == "is_error") {
            continue; // the text of both is there as well
        }
        // What a model thought is no part of what it said.
        if (key == "reasoning_content"
            && (!takes(kReasoningText) || has_details)) {
            continue;
        }
        if (key == "cache_control") {
            marker(member.value);
            continue;
        }
        w_.key(key);
        if (key == "content" && member.value.is_array()) {
            content(member.value, message["role"].string_or());
        } else if (key == "tool_calls" && member.value.is_array()) {
            w_.begin_array();
            for (const json::Node one : member.value.items()) {
                call(one);
            }
            w_.end_array();
        } else {
            w_.value(member.value);
        }
    }
    w_.end_object();
}

void Body::response_format(json::Node format)
{
    w_.begin_object();
    for (const json::Member member : format.members()) {
        w_.key(member.key);
        if (member.key == "json_schema") {
            write_schema_holder(w_, member.value, "schema", context_,
                "response_format.json_schema");
        } else {
            w_.value(member.value);
        }
    }
    w_.end_object();
}

void Body::tool(json::Node tool, size_t index)
{
    w_.begin_object();
    for (const json::Member member : tool.members()) {
        if (member.key == "cache_control") {
            marker(member.value);
        } else if (member.key == "function") {
            w_.key(member.key);
            write_schema_holder(w_, member.value, "parameters", context_,
                "tools[" + std::to_string(index) + "].function");
        } else {
            w_.field(member.key, member.value);
        }
    }
    w_.end_object();
}

// What is asked for, as the model or the vendor takes it; "" where neither does.
std::string_view Body::taken_effort() const
{
    if (!takes(kEffort) && !takes_effort(context_.model)) {
        return {};
    }
    // It finds the model's nearest level itself.
    if (type_.name == "openrouter") {
        return effort_ == "max" ? "xhigh" : effort_;
    }
    return effort_ == "minimal" && type_.name == "doubao"
        ? effort_
        : fit_effort(context_.model, effort_);
}

// How much to think: by effort where the model or the vendor takes it, else by
// the vendor's switch.
void Body::thinking()
{
    const json::Node given = request_.raw["thinking"];
    if (effort_ == "none") {
        no_thinking();
    } else if (const auto effort = taken_effort(); !effort.empty()) {
        w_.field("reasoning_effort", effort);
    } else if (takes(kThinkingSwitch)
        && (!effort_.empty() || given["type"].is_string()))
    {
        w_.key("thinking").begin_object();
        w_.field("type", "enabled").end_object();
    } else if (!effort_.empty()) {
        context_.drop(given.exists() ? "thinking" : "reasoning_effort");
    }
}

void Body::no_thinking()
{
    if (takes(kThinkingSwitch)) {
        w_.key("thinking").begin_object();
        w_.field("type", "disabled").end_object();
    } else if (type_.name == "vllm") {
        // The efforts that it takes are those of its model.
        w_.key("chat_template_kwargs").begin_object();
        w_.field("enable_thinking", false).end_object();
    } else if (takes(kEffort) || takes_effort_none(context_.model)) {
        w_.field("reasoning_effort", effort_);
    }
}

void Body::search(json::Node asked)
{
    const std::string_view name = type_.name;
    const bool model = context_.model.find("-search") != std::string_view::npos;
    if (takes(kSearches)
        || ((name == "openai" || name == "azure" || name == "github") && model))
    {
        constexpr std::string_view kTaken[] = {
            "user_location", "search_context_size"};
        drop_search_options(
            context_, asked, {"user_location", "search_context_size"});
        w_.key("web_search_options").begin_object();
        for (const std::string_view one : kTaken) {
            if (asked[one].has_value()) {
                w_.field(one, asked[one]);
            }
        }
        w_.end_object();
    } else if (name == "qwen") {
        drop_search_options(context_, asked, {});
        w_.field("enable_search", true);
    } else {
        context_.drop("web_search_options");
    }
}

// Members that only OpenAI itself is sure to take.  True: it is one.
bool Body::openais_own(json::Member member)
{
    const std::string_view key = member.key;
    if (key == "verbosity") {
        if (takes(kVerbosity)) {
            w_.field(key, member.value);
        } else {
            context_.drop(key);
        }
        return true;
    }
    // How a cache is kept changes the price, not the answer.
    if (key == "prompt_cache_key" || key == "prompt_cache_retention"
        || key == "prompt_cache_options")
    {
        const Names takers =
            key == "prompt_cache_key" ? Names(kCacheKey) : Names(kCacheOptions);
        if (takes(takers)) {
            w_.field(key, member.value);
        }
        return true;
    }
    return false;
}

// OpenAI's models that think refuse all but the default.  True: done with it.
bool Body::sampling(json::Member member)
{
    const std::string_view key = member.key;
    if (!takes(kOpenaisModels)) {
        return false;
    }
    if (key == "stop" && !takes_stop(context_.model)) {
        drop_if(context_, key, !request_.stop.empty());
        return true;
    }
    if ((key != "temperature" && key != "top_p")
        || takes_sampling(context_.model, effort_))
    {
        return false;
    }
    drop_if(context_, key, member.value.number().value_or(1.0) != 1.0);
    return true;
}

void Body::member(json::Member member)
{
    std::string_view key = member.key;
    if (openais_own(member) || sampling(member)) {
        return;
    }
    // Of old it was the user who was named.
    if (key == "safety_identifier" && !takes(kSafetyIdentifier)) {
        if (request_.raw["user"].has_value()) {
            return;
        }
        key = "user";
    }
    if (key == "web_search_options") {
        search(member.value);
        return;
    }
    if (key == "model" || key == "thinking" || key == "reasoning_effort"
        || key == "reasoning_max_tokens" || key == "output_config"
        || key == "stream_options" || key == "stream")
    {
        return; // written apart
    }
    if (key == "top_k" && !takes(kTopK)) {
        context_.drop(key);
        return;
    }
    // OpenAI's newer models refuse the older name.
    if (key == "max_tokens" && wants_completion_tokens(type_, context_.model)) {
        w_.field("max_completion_tokens", member.value);
        return;
    }
    w_.key(key);
    const bool list = member.value.is_array();
    if (list && key == "messages") {
        messages(member.value);
        return;
    }
    if (list && key == "tools") {
        size_t index = 0;
        w_.begin_array();
        for (const json::Node one : member.value.items()) {
            tool(one, index++);
        }
        w_.end_array();
        return;
    }
    if (key == "response_format" && member.value.is_object()) {
        response_format(member.value);
        return;
    }
    // OpenAI takes 64 characters; the clients of others send more.
    if (key == "user" && member.value.string_or().size() > kLongestUser) {
        w_.field(key, std::string_view(short_name(member.value.string_or())));
        return;
    }
    w_.value(member.value);
}

void Body::stream()
{
    if (!request_.stream) {
        return;
    }
    w_.field("stream", true);
    if (type_.stream_options && context_.options.stream_options) {
        w_.key("stream_options").begin_object();
        w_.field("include_usage", true).end_object();
    }
}

Result<void> Body::write()
{
    w_.begin_object().field("model", context_.model);
    for (const json::Member one : request_.raw.members()) {
        member(one);
    }
    thinking();
    stream();
    w_.end_object();
    if (has_file_url_) {
        return make_error(ErrorCode::invalid_request,
            "provider type \"" + std::string(type_.name)
                + "\" takes files as data or by their id, not by a URL",
            "file_url");
    }
    return {};
}

// What the vendor's row changes in every body.
Result<std::string> adjusted(std::string text, const EncodeContext& context)
{
    const Type& type = *context.options.type;
    if (type.adjust == nullptr) {
        return text;
    }
    const size_t length = text.size();
    text.resize(length + json::kPadding, ' ');
    json::Parser parser;
    auto parsed = parser.parse(text.data(), length);
    if (!parsed) {
        return std::move(parsed).error();
    }
    auto splice = json::Splice::scan(text.data(), length);
    if (!splice) {
        return std::move(splice).error();
    }
    if (auto done = type.adjust(*splice, *parsed, context); !done) {
        return std::move(done).error();
    }
    return splice->text();
}

} // namespace

Result<void> encode_openai(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string text;
    if (auto said = Body(text, request, context).write(); !said) {
        return said;
    }
    auto body = adjusted(std::move(text), context);
    if (!body) {
        return std::move(body).error();
    }
    out.method = "POST";
    out.path = "/v1/chat/completions";
    out.header("Content-Type", "application/json");
    out.header(
        "Accept", request.stream ? "text/event-stream" : "application/json");
    out.own_body(std::move(*body));
    return {};
}

} // namespace ai_proxy::provider
