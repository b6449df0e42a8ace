#include "core/prompt/context_limit.h"

#include "core/base/text.h"
#include "core/usage/estimate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace ai_proxy::prompt {

namespace {

using dialect::Api;
using json::Node;

constexpr uint64_t kMostTokens = 1'000'000'000;
constexpr double kMostRatio = 10;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

std::optional<double> parse_ratio(std::string_view text) noexcept
{
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] =
        std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (error != std::errc() || at != end || !(value > 0) || value > kMostRatio)
    {
        return std::nullopt;
    }
    return value;
}

bool is_conversation(Api api) noexcept
{
    switch (api) {
    case Api::chat_completions:
    case Api::messages:
    case Api::responses:
    case Api::responses_compact:
    case Api::gemini_generate:
    case Api::gemini_stream:
        return true;
    default:
        return false;
    }
}

// Is it a part that is no text?  Documents may be.
bool is_medium(Node part) noexcept
{
    constexpr std::array<std::string_view, 7> kMedia{"image_url", "image",
        "input_image", "input_audio", "file", "input_file", "video_url"};
    const std::string_view type = part["type"].string_or();
    if (type == "document") {
        const std::string_view source = part["source"]["type"].string_or();
        return source != "text" && source != "content";
    }
    return std::find(kMedia.begin(), kMedia.end(), type) != kMedia.end()
        || part["inlineData"].exists() || part["inline_data"].exists()
        || part["fileData"].exists() || part["file_data"].exists();
}

bool has_media(Node parts) noexcept
{
    const auto medium = [](Node part) {
        if (is_medium(part)) {
            return true;
        }
        // What a tool answered has parts of its own.
        for (const Node inner : part["content"].items()) {
            if (is_medium(inner)) {
                return true;
            }
        }
        return false;
    };
    for (const Node part : parts.items()) {
        if (medium(part)) {
            return true;
        }
    }
    return false;
}

bool holds_media(Node body) noexcept
{
    for (const std::string_view list : {"messages", "input", "contents"}) {
        for (const Node message : body[list].items()) {
            if (is_medium(message) || has_media(message["content"])
                || has_media(message["parts"]) || has_media(message["output"]))
            {
                return true;
            }
        }
    }
    return false;
}

} // namespace

Result<ContextLimit> read_context_limit(
    const std::vector<std::string_view>& words)
{
    ContextLimit limit;
    if (words.size() == 1 && words[0] == "off") {
        return limit;
    }
    const auto tokens =
        words.empty() ? std::nullopt : parse_uint(words.front());
    if (!tokens || *tokens == 0 || *tokens > kMostTokens) {
        return fault("a number of tokens, or off, is expected");
    }
    limit.tokens = static_cast<int64_t>(*tokens);
    for (size_t i = 1; i < words.size(); i++) {
        constexpr std::string_view kRatio = "ratio=", kStatus = "status=";
        const std::string_view word = words[i];
        const auto ratio = word.starts_with(kRatio)
            ? parse_ratio(word.substr(kRatio.size()))
            : std::nullopt;
        const auto status = word.starts_with(kStatus)
            ? parse_uint(word.substr(kStatus.size()))
            : std::nullopt;
        if (ratio) {
            limit.ratio = *ratio;
        } else if (status && *status >= 400 && *status < 600) {
            limit.status = static_cast<uint16_t>(*status);
        } else {
            return fault("invalid parameter \"" + std::string(word)
                + "\" (ratio=0.1 to 10, status=400 to 599)");
        }
    }
    return limit;
}

Result<void> check_context(const ContextLimit& limit, Api api, Node body)
{
    if (limit.tokens == 0 || !is_conversation(api) || holds_media(body)) {
        return {};
    }
    const double tokens =
        static_cast<double>(usage::estimate_request(body)) * limit.ratio;
    if (tokens <= static_cast<double>(limit.tokens)) {
        return {};
    }
    Error error = make_error(ErrorCode::invalid_request,
        "This model's maximum context length is " + std::to_string(limit.tokens)
            + " tokens. Your request had approximately "
            + std::to_string(static_cast<int64_t>(std::ceil(tokens)))
            + " tokens.",
        api == Api::responses || api == Api::responses_compact ? "input"
                                                               : "messages");
    error.type = "invalid_request_error";
    error.provider_code = "context_length_exceeded";
    error.status = limit.status;
    return error;
}

} // namespace ai_proxy::prompt
