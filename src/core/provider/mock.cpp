#include "core/provider/mock.h"

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/chat/allowed_tools.h"
#include "core/dialect/api.h"
#include "core/json/writer.h"
#include "core/provider/mock_text.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {

namespace {

using dialect::Api;

constexpr uint64_t kMaxTokens = 1'000'000;
constexpr uint64_t kMaxDelay = 600'000;
constexpr uint64_t kMaxRate = 1'000'000;

constexpr std::array<std::string_view, 12> kFiller = {"lorem", "ipsum", "dolor",
    "sit", "amet", "consetetur", "sadipscing", "elitr", "sed", "diam", "nonumy",
    "eirmod"};

// The text of a message: a string, or its text parts one after the other.
std::string content_text(json::Node content)
{
    std::string text(content.string_or());
    for (json::Node part : content.items())
        text += part["text"].string_or();
    return text;
}

bool is_api(std::string_view name, Api api) noexcept
{
    return name == dialect::name(api);
}

// The function a request insists on, or "".
std::string_view forced_tool(json::Node request) noexcept
{
    json::Node choice = request["tool_choice"];
    const auto allowed = chat::allowed_tools(choice);
    if (allowed.given())
        return allowed.mode == "required" ? chat::tool_name(allowed.tools.at(0))
                                          : std::string_view();
    if (choice.is_object())
        return choice["function"]["name"].string_or();
    if (choice.string_or() != "required")
        return {};
    return request["tools"].at(0)["function"]["name"].string_or();
}

struct ErrorKind {
    int status;
    std::string_view type, code;
};
constexpr ErrorKind kErrorKinds[] = {
    {400, "invalid_request_error", "invalid_value"},
    {401, "invalid_request_error", "invalid_api_key"},
    {403, "invalid_request_error", "permission_denied"},
    {404, "invalid_request_error", "not_found"},
    {429, "rate_limit_error", "rate_limit_exceeded"},
};

} // namespace

MockScript::MockScript(const MockOptions& options, std::string_view api_name,
    json::Node request, std::string_view model, std::string_view steer_text,
    int64_t now_seconds)
    : options_(options), status_(options.status), model_(model),
      created_(now_seconds)
{
    steer(steer_text);
    if (model_.empty())
        model_ = "mock";
    if (status_ != 200)
        answer_error();
    else if (is_api(api_name, Api::chat_completions))
        answer_chat(request);
    else if (is_api(api_name, Api::completions))
        answer_completion(request);
    else if (is_api(api_name, Api::embeddings))
        answer_embeddings(request);
    else if (is_api(api_name, Api::models))
        answer_models();
    else {
        status_ = 404;
        answer_error();
    }
}

void MockScript::steer(std::string_view text)
{
    while (!text.empty()) {
        text = trim(text);
        if (istarts_with(text, "reply=")) {
            options_.reply = text.substr(6);
            options_.tokens = 0;
            return;
        }
        size_t comma = std::min(text.find(','), text.size());
        std::string_view word = trim(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        size_t equals = word.find('=');
        if (equals == std::string_view::npos)
            continue;
        auto n = parse_uint(word.substr(equals + 1));
        word = word.substr(0, equals);
        if (!n)
            continue;
        if (word == "status" && (*n == 200 || (*n >= 400 && *n <= 599)))
            status_ = static_cast<int>(*n);
        else if (word == "retry_after")
            retry_after_ = std::min<uint64_t>(*n, 86'400);
        else if (word == "delay")
            options_.delay_ms = std::min(*n, kMaxDelay);
        else if (word == "tokens")
            options_.tokens = std::min(*n, kMaxTokens);
        else if (word == "rate")
            options_.rate = std::min(*n, kMaxRate);
        else if (word == "cut")
            options_.cut_after = *n;
    }
}

void MockScript::answer_error()
{
    ErrorKind kind{
        status_, status_ < 500 ? "invalid_request_error" : "server_error", {}};
    for (const ErrorKind& known : kErrorKinds)
        if (known.status == status_)
            kind = known;
    json::Writer writer(body_);
    writer.begin_object().key("error").begin_object();
    writer.field("message",
        std::string_view("mock provider answers " + std::to_string(status_)));
    writer.field("type", kind.type).key("param").null().key("code");
    if (kind.code.empty())
        writer.null();
    else
        writer.string(kind.code);
    writer.end_object().end_object();
}

void MockScript::choose_text(std::string_view echo)
{
    if (options_.tokens > 0) {
        for (uint64_t i = 0; i < options_.tokens; ++i)
            text_.append(i == 0 ? "" : " ").append(kFiller[i % kFiller.size()]);
    } else if (!options_.reply.empty()) {
        text_ = options_.reply;
    } else {
        text_ = echo.empty() ? std::string_view("ok") : echo;
    }
    // "Hello", " world": a word takes the space before it, the last one also
    // what follows it.
    bool inside = false;
    for (uint32_t i = 0; i < text_.size(); ++i) {
        bool space = is_blank(text_[i]);
        if (space && inside)
            ends_.push_back(i);
        inside = !space;
    }
    if (inside || ends_.empty())
        ends_.push_back(static_cast<uint32_t>(text_.size()));
    ends_.back() = static_cast<uint32_t>(text_.size());
    completion_tokens_ = count_words(text_);
}

void MockScript::answer_chat(json::Node request)
{
    std::string last_user;
    Fnv1a hash;
    hash.add(model_);
    for (json::Node message : request["messages"].items()) {
        std::string text = content_text(message["content"]);
        hash.add(message["role"].string_or()).add(text);
        prompt_tokens_ += count_words(text);
        if (message["role"].string_or() == "user")
            last_user = std::move(text);
    }
    id_ = "chatcmpl-mock-";
    append_hex(id_, hash.value());
    stream_ = request["stream"].boolean().value_or(false);
    include_usage_ =
        request["stream_options"]["include_usage"].boolean().value_or(false);
    tool_ = forced_tool(request);
    if (tool_.empty())
        choose_text(last_user);
    else
        completion_tokens_ = 1;
    if (stream_)
        shape_ = Shape::chat;
    else
        chat_body();
}

void MockScript::answer_completion(json::Node request)
{
    json::Node prompt = request["prompt"];
    std::string text(prompt.string_or());
    if (text.empty())
        text = prompt.at(0).string_or();
    prompt_tokens_ = count_words(text);
    id_ = "cmpl-mock-";
    append_hex(id_, Fnv1a().add(model_).add(text).value());
    stream_ = request["stream"].boolean().value_or(false);
    include_usage_ =
        request["stream_options"]["include_usage"].boolean().value_or(false);
    choose_text(text);
    if (stream_)
        shape_ = Shape::completion;
    else
        completion_body();
}

void MockScript::usage_field(std::string& out) const
{
    json::Writer writer(out);
    writer.begin_object()
        .field("prompt_tokens", prompt_tokens_)
        .field("completion_tokens", completion_tokens_)
        .field("total_tokens", prompt_tokens_ + completion_tokens_)
        .end_object();
}

void MockScript::chat_body()
{
    std::string usage;
    usage_field(usage);
    json::Writer writer(body_);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "chat.completion").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array().begin_object().field("index", int64_t(0));
    writer.key("message").begin_object().field("role", "assistant");
    if (tool_.empty()) {
        writer.field("content", std::string_view(text_));
    } else {
        writer.key("content").null().key("tool_calls").begin_array();
        writer.begin_object().field("id", "call_mock_1");
        writer.field("type", "function").key("function").begin_object();
        writer.field("name", std::string_view(tool_)).field("arguments", "{}");
        writer.end_object().end_object().end_array();
    }
    writer.key("refusal").null().end_object().key("logprobs").null();
    writer.field("finish_reason", tool_.empty() ? "stop" : "tool_calls");
    writer.end_object().end_array().key("usage").raw(usage).end_object();
}

void MockScript::completion_body()
{
    std::string usage;
    usage_field(usage);
    json::Writer writer(body_);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "text_completion").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array().begin_object().field("index", int64_t(0));
    writer.field("text", std::string_view(text_)).key("logprobs").null();
    writer.field("finish_reason", "stop").end_object().end_array();
    writer.key("usage").raw(usage).end_object();
}

void MockScript::answer_models()
{
    json::Writer writer(body_);
    writer.begin_object().field("object", "list").key("data").begin_array();
    writer.begin_object().field("id", std::string_view(model_));
    writer.field("object", "model").field("created", created_);
    writer.field("owned_by", "mock").end_object().end_array().end_object();
}

} // namespace ai_proxy::provider
