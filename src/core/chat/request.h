#pragma once

#include "core/json/reader.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// The canonical chat request: OpenAI chat completions plus what it cannot
// say.  Views and Nodes point into the client's parsed body.
namespace ai_proxy::chat {

enum class Role : uint8_t { system, developer, user, assistant, tool };

enum class PartKind : uint8_t {
    text,
    image_url,  // url
    image_data, // media_type + data (base64)
    audio,      // media_type ("wav", "mp3" kept in format) + data
    file,       // file_id, or media_type + data, or url
    refusal,    // text
    thinking,   // text + signature (replayed reasoning)
    redacted,   // data (opaque reasoning)
};

struct Part {
    PartKind kind = PartKind::text;
    std::string_view text;
    std::string_view url;
    std::string_view media_type;
    std::string_view data;
    std::string_view format;
    std::string_view detail;
    std::string_view file_id;
    std::string_view filename;
    std::string_view signature;
    json::Node cache_control;
    // What the Messages API says of a document or search result and this has
    // no words for: title, context, citations; of an answer's text, citations;
    // of a text that stands in for a block, the whole block.
    json::Node claude_block;
};

// Is it a text that only stands in for a block of the Messages API?
[[nodiscard]] inline bool is_claude_block(const Part& part)
{
    const std::string_view type = part.claude_block["type"].string_or();
    return part.kind == PartKind::text
        && (type == "document" || type == "search_result");
}

struct ToolCall {
    std::string_view id;
    std::string_view name;
    std::string_view arguments; // JSON text, as the client sent it; may be ""
    // Gemini's opaque reasoning state:
    // tool_calls[].extra_content.google.thought_signature
    std::string_view signature;
};

struct Message {
    Role role = Role::user;
    bool plain = false;      // content was a string (one text part)
    std::vector<Part> parts; // reasoning parts first
    std::vector<ToolCall> tool_calls;
    std::string_view tool_call_id; // role tool
    std::string_view name;
    std::string_view reasoning; // reasoning_content replayed by the client
    json::Node raw;
};

struct Tool {
    std::string_view name;
    std::string_view description;
    json::Node parameters; // JSON schema, may be missing
    std::optional<bool> strict;
    json::Node cache_control;
    json::Node raw;
};

enum class ToolChoice : uint8_t { unset, automatic, none, required, named };

enum class Format : uint8_t { unset, text, json_object, json_schema };

struct Request {
    std::string_view model; // as the client named it
    std::vector<Message> messages;
    std::vector<Tool> tools;
    // Declared as well, but not to be called now (tool_choice allowed_tools).
    std::vector<Tool> withheld;
    ToolChoice tool_choice = ToolChoice::unset;
    std::string_view tool_choice_name;
    std::optional<bool> parallel_tool_calls;

    bool stream = false;
    bool include_usage = false; // the client asked for the usage chunk

    std::optional<int64_t> max_tokens; // max_completion_tokens, else max_tokens
    std::optional<double> temperature, top_p;
    std::optional<double> presence_penalty, frequency_penalty;
    std::optional<int64_t> seed, n, top_k;
    std::optional<bool> logprobs;
    std::optional<int64_t> top_logprobs;
    std::vector<std::string_view> stop;

    Format format = Format::unset;
    std::string_view schema_name;
    json::Node schema;
    std::optional<bool> schema_strict;

    std::string_view reasoning_effort;
    std::optional<int64_t> reasoning_max_tokens;
    std::string_view user;
    std::string_view service_tier;

    json::Node raw; // the whole body
};

} // namespace ai_proxy::chat
