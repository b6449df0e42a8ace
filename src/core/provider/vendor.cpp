#include "core/provider/vendor.h"

#include "core/base/hash.h"
#include "core/base/text.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ai_proxy::provider {
namespace {

// Larger texts are pages of some middle box, not messages.
constexpr size_t kLongestMessage = 500;

// Of either alphabet.
int base64_digit(char c) noexcept
{
    return base64url_digit(c == '+' ? '-' : c == '/' ? '_' : c);
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

std::string CallIds::plain(std::string_view id) const
{
    const auto is_taken = [this](char c) {
        return base64url_digit(c) >= 0
            || marks_.find(c) != std::string_view::npos;
    };
    if (!id.empty() && id.size() <= longest_
        && std::all_of(id.begin(), id.end(), is_taken))
    {
        return std::string(id);
    }
    constexpr size_t kHash = 17;
    std::string out(id.substr(0, longest_ - kHash));
    std::replace_if(
        out.begin(), out.end(), [&](char c) { return !is_taken(c); }, '_');
    out += '_';
    append_hex(out, fnv1a(id));
    return out;
}

std::string CallIds::of_call(std::string_view id, size_t message)
{
    Calls& calls = calls_[id];
    std::string made;
    do {
        std::string numbered(id);
        if (++calls.number > 1) {
            numbered += "_" + std::to_string(calls.number);
        }
        made = plain(numbered);
    } while (!taken_.insert(made).second);
    if (calls.open.empty() || calls.open.back().message != message) {
        calls.open.push_back({message, {}, 0});
    }
    calls.open.back().ids.push_back(made);
    return made;
}

std::string CallIds::of_result(std::string_view id)
{
    const auto known = calls_.find(id);
    if (known == calls_.end() || known->second.open.empty()) {
        return plain(id);
    }
    std::vector<Open>& open = known->second.open;
    Open& last = open.back();
    std::string made = last.ids[last.answered];
    if (++last.answered == last.ids.size()) {
        open.pop_back();
    }
    return made;
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

std::string_view plain_role(chat::Role role) noexcept
{
    switch (role) {
    case chat::Role::system:
    case chat::Role::developer:
        return "system";
    case chat::Role::assistant:
        return "assistant";
    case chat::Role::tool:
        return "tool";
    case chat::Role::user:
        break;
    }
    return "user";
}

void write_strings(json::Writer& w, std::string_view name,
    const std::vector<std::string_view>& texts)
{
    if (texts.empty()) {
        return;
    }
    w.key(name).begin_array();
    for (const std::string_view text : texts) {
        w.string(text);
    }
    w.end_array();
}

void write_own(
    json::Writer& w, json::Node body, std::span<const std::string_view> names)
{
    for (const std::string_view name : names) {
        if (body[name].has_value()) {
            w.field(name, body[name]);
        }
    }
}

void write_schema(json::Writer& w, json::Node schema)
{
    if (schema.is_object()) {
        w.value(schema);
        return;
    }
    w.begin_object().field("type", "object");
    w.key("properties").begin_object().end_object().end_object();
}

void write_functions(json::Writer& w, const chat::Request& request)
{
    w.key("tools").begin_array();
    for (const chat::Tool& tool : request.tools) {
        w.begin_object().field("type", "function");
        w.key("function").begin_object().field("name", tool.name);
        if (!tool.description.empty()) {
            w.field("description", tool.description);
        }
        w.key("parameters");
        write_schema(w, tool.parameters);
        w.end_object().end_object();
    }
    w.end_array();
}

namespace {

Result<void> write_openai_content(
    json::Writer& w, const chat::Message& message, size_t index)
{
    const bool text_only =
        std::all_of(message.parts.begin(), message.parts.end(), is_text);
    w.key("content");
    if (text_only) {
        w.string(joined_text(message));
        return {};
    }
    w.begin_array();
    for (size_t i = 0; i < message.parts.size(); i++) {
        const chat::Part& part = message.parts[i];
        if (part.kind == chat::PartKind::image_url
            || part.kind == chat::PartKind::image_data)
        {
            w.begin_object().field("type", "image_url").key("image_url");
            w.begin_object().field("url", image_url(part));
            w.end_object().end_object();
        } else if (part.kind == chat::PartKind::text) {
            w.begin_object().field("type", "text");
            w.field("text", part.text).end_object();
        } else if (!is_text(part)) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes text and images only", part_path(index, i));
        }
    }
    w.end_array();
    return {};
}

} // namespace

Result<void> write_openai_messages(
    json::Writer& w, const chat::Request& request)
{
    json::Parser scratch;
    w.key("messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        const chat::Message& message = request.messages[i];
        w.begin_object().field("role", plain_role(message.role));
        if (auto done = write_openai_content(w, message, i); !done) {
            return done;
        }
        if (message.role == chat::Role::tool) {
            w.field("tool_call_id", message.tool_call_id);
        }
        if (!message.tool_calls.empty()) {
            w.key("tool_calls").begin_array();
            for (size_t k = 0; k < message.tool_calls.size(); k++) {
                const chat::ToolCall& call = message.tool_calls[k];
                const auto arguments = object_arguments(scratch, call, i, k);
                if (!arguments) {
                    return arguments.error();
                }
                w.begin_object().field("id", call.id);
                w.field("type", "function").key("function").begin_object();
                w.field("name", call.name).field("arguments", *arguments);
                w.end_object().end_object();
            }
            w.end_array();
        }
        w.end_object();
    }
    w.end_array();
    return {};
}

chat::Usage counted(json::Node prompt, json::Node completion)
{
    constexpr int64_t kMost = 1'000'000'000'000;
    const auto read = [](json::Node node) -> std::optional<int64_t> {
        const auto n = node.integer();
        return n && *n >= 0 && *n <= kMost ? n : std::nullopt;
    };
    const auto in = read(prompt), made = read(completion);
    chat::Usage usage;
    usage.known = in || made;
    usage.prompt = in.value_or(0);
    usage.completion = made.value_or(0);
    usage.total = usage.prompt + usage.completion;
    return usage;
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

std::string_view effort_of_budget(int64_t budget) noexcept
{
    if (budget < 4096) {
        return "low";
    }
    return budget < 16384 ? "medium" : "high";
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
    // All bytes but those that continue a sequence (10xxxxxx), eight at once.
    constexpr uint64_t kOnes = 0x0101010101010101U;
    size_t continued = 0, i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        uint64_t word = 0;
        std::memcpy(&word, text.data() + i, sizeof(word));
        continued += size_t(std::popcount((word >> 7) & ~(word >> 6) & kOnes));
    }
    for (; i < text.size(); ++i) {
        continued += (uint8_t(text[i]) & 0xc0U) == 0x80U ? 1 : 0;
    }
    return int64_t(text.size() - continued);
}

} // namespace ai_proxy::provider
