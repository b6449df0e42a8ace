#pragma once

#include "core/base/result.h"
#include "core/chat/event.h"
#include "core/chat/request.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What the vendors with their own protocol have in common when they read the
// canonical request and report errors.
namespace ai_proxy::provider {

// Where a thing stands in the client's body, for Error::param.
[[nodiscard]] std::string message_path(size_t message);
[[nodiscard]] std::string part_path(size_t message, size_t part);

// The arguments of a tool call as the JSON text of an object; "{}" when the
// client sent none.  Error invalid_request naming the call otherwise.
[[nodiscard]] Result<std::string_view> object_arguments(json::Parser& scratch,
    const chat::ToolCall& call, size_t message, size_t index);

// Ids of the calls of a conversation, for an API that takes letters, digits,
// '_', '-' and marks, up to longest of them, and each id for one call.  Another
// id is cleaned, and has a hash behind it; a call whose id an earlier one has is
// numbered.  Both are the same in each turn of a conversation that goes on.
class CallIds {
public:
    explicit CallIds(size_t longest, std::string_view marks = {}) noexcept
        : longest_(longest), marks_(marks)
    {
    }

    // To be asked in the order of the conversation.
    [[nodiscard]] std::string of_call(std::string_view id, size_t message);
    // Of the last message with open calls of that id the first one.
    [[nodiscard]] std::string of_result(std::string_view id);

private:
    struct Open {
        size_t message;
        std::vector<std::string> ids;
        size_t answered;
    };
    struct Calls {
        size_t number = 0;
        std::vector<Open> open;
    };
    [[nodiscard]] std::string plain(std::string_view id) const;

    size_t longest_;
    std::string_view marks_;
    std::map<std::string_view, Calls> calls_;
    std::set<std::string> taken_;
};

// Name of the tool that messages[message] (role tool) answers, from the call
// with its id in an earlier turn; "" when nothing tells.
[[nodiscard]] std::string_view answered_tool(
    const chat::Request& request, size_t message) noexcept;

// "system", "user", "assistant", "tool".
[[nodiscard]] std::string_view plain_role(chat::Role role) noexcept;

// A part that says something to a vendor of text, or that none need see
// (another vendor's thoughts).
[[nodiscard]] inline bool is_text(const chat::Part& part) noexcept
{
    return part.kind == chat::PartKind::text
        || part.kind == chat::PartKind::refusal
        || part.kind == chat::PartKind::thinking
        || part.kind == chat::PartKind::redacted;
}

template <class Value>
void write_optional(
    json::Writer& w, std::string_view name, const std::optional<Value>& value)
{
    if (value) {
        w.field(name, *value);
    }
}

// name: [texts], when there are any.
void write_strings(json::Writer& w, std::string_view name,
    const std::vector<std::string_view>& texts);

// The members of these names that a client's body has, as it has them.
void write_own(
    json::Writer& w, json::Node body, std::span<const std::string_view> names);

// A tool's parameters; an object without properties for none.
void write_schema(json::Writer& w, json::Node schema);

// tools: [{type, function: {name, description, parameters}}]
void write_functions(json::Writer& w, const chat::Request& request);

// messages: [...] in OpenAI's words, text and images only.
[[nodiscard]] Result<void> write_openai_messages(
    json::Writer& w, const chat::Request& request);

// Usage of two counts.
[[nodiscard]] chat::Usage counted(json::Node prompt, json::Node completion);

// The text parts of a message, joined by LF.
[[nodiscard]] std::string joined_text(const chat::Message& message);

// The URL of an image part, a data: URL where the client sent bytes.
[[nodiscard]] std::string image_url(const chat::Part& part);

// Standard or URL-safe base64, padding optional; nullopt on anything else.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

// Tokens of thinking that reasoning_max_tokens or reasoning_effort ask for:
// nullopt when the client did not say, 0 for none.
[[nodiscard]] std::optional<int64_t> thinking_budget(
    const chat::Request& request) noexcept;

// That budget in the words of who takes none.
[[nodiscard]] std::string_view effort_of_budget(int64_t budget) noexcept;

// What to tell of an error body that is not the vendor's JSON: the text itself
// when it is short and no markup, else the bare status.
[[nodiscard]] std::string plain_message(int status, std::string_view text);

// Code points in UTF-8 text.
[[nodiscard]] int64_t code_points(std::string_view text) noexcept;

// Shorthands for the events decoders emit.
[[nodiscard]] inline chat::Event event_of(chat::EventKind kind,
    std::string_view text = {}, uint32_t choice = 0) noexcept
{
    chat::Event event;
    event.kind = kind;
    event.text = text;
    event.choice = choice;
    return event;
}

[[nodiscard]] inline chat::Event tool_event(chat::EventKind kind,
    uint32_t choice, uint32_t index, std::string_view text = {}) noexcept
{
    chat::Event event = event_of(kind, text, choice);
    event.index = index;
    return event;
}

} // namespace ai_proxy::provider
