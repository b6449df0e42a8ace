#include "core/provider/mock.h"

#include "core/base/text.h"
#include "core/dialect/api.h"
#include "core/json/writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace ai_proxy::provider {

namespace {

using dialect::Api;

constexpr uint64_t kMaxTokens = 1'000'000;
constexpr uint64_t kMaxDelay = 600'000;
constexpr uint64_t kMaxRate = 1'000'000;
constexpr size_t kMaxInputs = 2048; // of one embeddings call, as OpenAI's
constexpr int64_t kMaxDimensions = 4096;
constexpr int64_t kDimensions = 8;

constexpr std::array<std::string_view, 12> kFiller = {"lorem", "ipsum",
    "dolor", "sit", "amet", "consetetur", "sadipscing", "elitr", "sed", "diam",
    "nonumy", "eirmod"};

bool is_space(char c) noexcept
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int64_t count_words(std::string_view text) noexcept
{
    int64_t count = 0;
    bool inside = false;
    for (char c : text) {
        count += !is_space(c) && !inside ? 1 : 0;
        inside = !is_space(c);
    }
    return count;
}

// FNV-1a, 64 bits: the same request, the same id and the same vectors.
class Hash {
public:
    Hash& add(std::string_view text) noexcept
    {
        for (char c : text)
            value_ = (value_ ^ static_cast<unsigned char>(c))
                * 0x100000001b3ull;
        return *this;
    }
    [[nodiscard]] uint64_t value() const noexcept { return value_; }
    [[nodiscard]] std::string hex() const
    {
        std::string out;
        for (int shift = 60; shift >= 0; shift -= 4)
            out += "0123456789abcdef"[(value_ >> shift) & 15];
        return out;
    }

private:
    uint64_t value_ = 0xcbf29ce484222325ull;
};

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

void base64(std::string& out, std::string_view bytes)
{
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "abcdefghijklmnopqrstuvwxyz"
                                         "0123456789+/";
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        size_t have = std::min<size_t>(3, bytes.size() - i);
        for (size_t k = 0; k < 3; ++k)
            group = group << 8
                | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (size_t k = 0; k < 4; ++k)
            out += k <= have ? kDigits[(group >> (18 - 6 * k)) & 63] : '=';
    }
}

// A unit vector made of the text's hash.
std::vector<float> vector_of(std::string_view text, int64_t dimensions)
{
    std::vector<float> values;
    double square = 0;
    uint64_t state = Hash().add(text).value();
    for (int64_t i = 0; i < dimensions; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        double v = static_cast<double>(state >> 40) / double(1 << 23) - 1.0;
        square += v * v;
        values.push_back(static_cast<float>(v));
    }
    auto length = static_cast<float>(std::sqrt(square));
    for (float& v : values)
        v = length > 0 ? v / length : 0;
    return values;
}

void write_vector(
    json::Writer& writer, const std::vector<float>& values, bool packed)
{
    if (!packed) {
        writer.begin_array();
        for (float v : values)
            writer.number(static_cast<double>(v));
        writer.end_array();
        return;
    }
    std::string bytes, text;
    for (float v : values) {
        auto bits = std::bit_cast<uint32_t>(v); // little endian
        for (int shift = 0; shift < 32; shift += 8)
            bytes += static_cast<char>((bits >> shift) & 255);
    }
    base64(text, bytes);
    writer.string(text);
}

void wrap_event(std::string& out, std::string_view json)
{
    out.append("data: ").append(json).append("\n\n");
}

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
    ErrorKind kind{status_, status_ < 500 ? "invalid_request_error"
                                          : "server_error", {}};
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
        bool space = is_space(text_[i]);
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
    Hash hash;
    hash.add(model_);
    for (json::Node message : request["messages"].items()) {
        std::string text = content_text(message["content"]);
        hash.add(message["role"].string_or()).add(text);
        prompt_tokens_ += count_words(text);
        if (message["role"].string_or() == "user")
            last_user = std::move(text);
    }
    id_ = "chatcmpl-mock-" + hash.hex();
    stream_ = request["stream"].boolean().value_or(false);
    include_usage_ = request["stream_options"]["include_usage"]
                         .boolean()
                         .value_or(false);
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
    id_ = "cmpl-mock-" + Hash().add(model_).add(text).hex();
    stream_ = request["stream"].boolean().value_or(false);
    include_usage_ = request["stream_options"]["include_usage"]
                         .boolean()
                         .value_or(false);
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

void MockScript::answer_embeddings(json::Node request)
{
    int64_t dimensions = std::clamp<int64_t>(
        request["dimensions"].integer().value_or(kDimensions), 1,
        kMaxDimensions);
    bool packed = request["encoding_format"].string_or() == "base64";
    json::Node input = request["input"];
    // An array is many inputs, but an array of numbers is one.
    bool many = input.is_array() && !input.at(0).is_number();
    std::vector<json::Node> inputs;
    if (many)
        for (json::Node one : input.items())
            inputs.push_back(one);
    else
        inputs.push_back(input);
    if (inputs.size() > kMaxInputs) {
        status_ = 400;
        return answer_error();
    }

    json::Writer writer(body_);
    writer.begin_object().field("object", "list").key("data").begin_array();
    int64_t index = 0;
    for (json::Node one : inputs) {
        std::string text(one.string_or());
        prompt_tokens_ += one.is_array() ? static_cast<int64_t>(one.size())
                                         : count_words(text);
        if (one.is_array())
            json::append_value(text, one);
        writer.begin_object().field("object", "embedding");
        writer.field("index", index++).key("embedding");
        write_vector(writer, vector_of(text, dimensions), packed);
        writer.end_object();
    }
    writer.end_array().field("model", std::string_view(model_));
    writer.key("usage").begin_object();
    writer.field("prompt_tokens", prompt_tokens_);
    writer.field("total_tokens", prompt_tokens_).end_object().end_object();
}

void MockScript::answer_models()
{
    json::Writer writer(body_);
    writer.begin_object().field("object", "list").key("data").begin_array();
    writer.begin_object().field("id", std::string_view(model_));
    writer.field("object", "model").field("created", created_);
    writer.field("owned_by", "mock").end_object().end_array().end_object();
}

uint64_t MockScript::words() const noexcept
{
    return tool_.empty() ? ends_.size() : 1;
}

std::string_view MockScript::word(uint64_t i) const noexcept
{
    uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
}

// Role chunk (chat only), words, finish, usage, [DONE].
uint64_t MockScript::events() const noexcept
{
    uint64_t fixed = shape_ == Shape::chat ? 3 : 2;
    return words() + fixed + (include_usage_ ? 1 : 0);
}

uint64_t MockScript::delay_ms() const noexcept
{
    if (position_ == 0)
        return options_.delay_ms;
    if (!stream_ || options_.rate == 0)
        return 0;
    // Whole milliseconds that add up to the rate.
    return position_ * 1000 / options_.rate
        - (position_ - 1) * 1000 / options_.rate;
}

bool MockScript::next_body(std::string& out)
{
    if (position_++ > 0)
        return false;
    cut_ = status_ == 200 && options_.cut_after.has_value();
    out.append(body_, 0, cut_ ? body_.size() / 2 : body_.size());
    return true;
}

bool MockScript::next(std::string& out)
{
    if (shape_ == Shape::body)
        return next_body(out);
    if (options_.cut_after && position_ >= *options_.cut_after
        && position_ < events()) {
        cut_ = true;
        return false;
    }
    if (position_ >= events())
        return false;
    if (position_ + 1 == events())
        out.append("data: [DONE]\n\n");
    else if (shape_ == Shape::chat)
        chat_event(out);
    else
        completion_event(out);
    ++position_;
    return true;
}

void MockScript::chat_event(std::string& out)
{
    std::string json, usage;
    json::Writer writer(json);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "chat.completion.chunk").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array();
    if (position_ <= words() + 1) {
        writer.begin_object().field("index", int64_t(0)).key("delta");
        writer.begin_object();
        if (position_ == 0) {
            writer.field("role", "assistant").field("content", "");
        } else if (position_ <= words() && tool_.empty()) {
            writer.field("content", word(position_ - 1));
        } else if (position_ <= words()) {
            writer.key("tool_calls").begin_array().begin_object();
            writer.field("index", int64_t(0)).field("id", "call_mock_1");
            writer.field("type", "function").key("function").begin_object();
            writer.field("name", std::string_view(tool_));
            writer.field("arguments", "{}").end_object();
            writer.end_object().end_array();
        }
        writer.end_object().key("logprobs").null().key("finish_reason");
        if (position_ <= words())
            writer.null();
        else
            writer.string(tool_.empty() ? "stop" : "tool_calls");
        writer.end_object().end_array();
        if (include_usage_)
            writer.key("usage").null();
    } else {
        usage_field(usage);
        writer.end_array().key("usage").raw(usage);
    }
    writer.end_object();
    wrap_event(out, json);
}

void MockScript::completion_event(std::string& out)
{
    std::string json, usage;
    json::Writer writer(json);
    writer.begin_object().field("id", std::string_view(id_));
    writer.field("object", "text_completion").field("created", created_);
    writer.field("model", std::string_view(model_)).key("choices");
    writer.begin_array();
    if (position_ <= words()) {
        bool last = position_ == words();
        writer.begin_object().field("index", int64_t(0));
        writer.field("text", last ? std::string_view() : word(position_));
        writer.key("logprobs").null().key("finish_reason");
        if (last)
            writer.string("stop");
        else
            writer.null();
        writer.end_object().end_array();
    } else {
        usage_field(usage);
        writer.end_array().key("usage").raw(usage);
    }
    writer.end_object();
    wrap_event(out, json);
}

} // namespace ai_proxy::provider
