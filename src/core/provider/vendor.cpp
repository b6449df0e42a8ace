#include "core/provider/vendor.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::provider {
namespace {

// Larger texts are pages of some middle box, not messages.
constexpr size_t kLongestMessage = 500;

int base64_digit(char c) noexcept
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

} // namespace

std::string message_path(size_t message)
{
    return "messages[" + std::to_string(message) + "]";
}

std::string part_path(size_t message, size_t part)
{
    return message_path(message) + ".content[" + std::to_string(part) + "]";
}

Result<std::string_view> object_arguments(json::Parser& scratch,
    const chat::ToolCall& call, size_t message, size_t index)
{
    const std::string_view text = trim(call.arguments);
    if (text.empty() || text == "null") {
        return std::string_view("{}");
    }
    const auto parsed = scratch.parse(text);
    if (parsed && parsed.value().is_object()) {
        return text;
    }
    const std::string path =
        message_path(message) + ".tool_calls[" + std::to_string(index) + "]";
    return make_error(ErrorCode::invalid_request,
        path + ".function.arguments is not a JSON object",
        path + ".function.arguments");
}

std::string_view answered_tool(
    const chat::Request& request, size_t message) noexcept
{
    const chat::Message& answer = request.messages[message];
    if (!answer.tool_call_id.empty()) {
        for (size_t i = message; i-- > 0;) {
            for (const chat::ToolCall& call : request.messages[i].tool_calls) {
                if (call.id == answer.tool_call_id) {
                    return call.name;
                }
            }
        }
    }
    return answer.name;
}

std::string joined_text(const chat::Message& message)
{
    std::string text;
    for (const chat::Part& part : message.parts) {
        if ((part.kind != chat::PartKind::text
                && part.kind != chat::PartKind::refusal)
            || part.text.empty())
        {
            continue;
        }
        if (!text.empty()) {
            text += '\n';
        }
        text += part.text;
    }
    return text;
}

std::string image_url(const chat::Part& part)
{
    if (part.kind != chat::PartKind::image_data) {
        return std::string(part.url);
    }
    std::string url = "data:";
    url += part.media_type.empty() ? "image/jpeg" : part.media_type;
    url += ";base64,";
    return url.append(part.data);
}

std::optional<std::string> decode_base64(std::string_view text)
{
    while (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        if (c == '\n' || c == '\r') {
            continue;
        }
        const int digit = base64_digit(c);
        if (digit < 0) {
            return std::nullopt;
        }
        bits = (bits << 6 | uint32_t(digit)) & 0xffffffU;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += char(bits >> held & 0xffU);
        }
    }
    return out;
}

std::optional<int64_t> thinking_budget(const chat::Request& request) noexcept
{
    if (request.reasoning_max_tokens) {
        return std::max<int64_t>(*request.reasoning_max_tokens, 0);
    }
    if (request.raw["thinking"]["type"].string_or() == "disabled") {
        return 0;
    }
    const std::string_view effort = request.reasoning_effort;
    if (effort.empty()) {
        return std::nullopt;
    }
    if (effort == "none") {
        return 0;
    }
    if (effort == "minimal" || effort == "low") {
        return 1024;
    }
    if (effort == "high") {
        return 16384;
    }
    return effort == "xhigh" || effort == "max" ? 32768 : 8192;
}

std::string plain_message(int status, std::string_view text)
{
    const std::string_view trimmed = trim(text);
    if (trimmed.empty() || trimmed.size() > kLongestMessage
        || trimmed.front() == '<' || trimmed.front() == '{'
        || trimmed.front() == '[')
    {
        return "the provider answered with status " + std::to_string(status);
    }
    return std::string(trimmed);
}

int64_t code_points(std::string_view text) noexcept
{
    return std::count_if(text.begin(), text.end(),
        [](char c) { return (uint8_t(c) & 0xc0U) != 0x80U; });
}

} // namespace ai_proxy::provider
