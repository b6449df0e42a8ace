#include "core/dialect/chat_request.h"
#include "core/dialect/request_fault.h"

#include <algorithm>
#include <string>

// What OpenAI checks before it spends money, with its own words: clients and
// their tests know them.
namespace ai_proxy::dialect {

namespace {

struct Field {
    std::string_view name;
    Need need;
};

// Members of the request that have one type or null.
constexpr Field kFields[] = {
    {"stream", Need::boolean},
    {"stream_options", Need::object},
    {"temperature", Need::number},
    {"top_p", Need::number},
    {"presence_penalty", Need::number},
    {"frequency_penalty", Need::number},
    {"max_tokens", Need::integer},
    {"max_completion_tokens", Need::integer},
    {"n", Need::integer},
    {"seed", Need::integer},
    {"logprobs", Need::boolean},
    {"top_logprobs", Need::integer},
    {"logit_bias", Need::object},
    {"parallel_tool_calls", Need::boolean},
    {"response_format", Need::object},
    {"reasoning_effort", Need::string},
    {"user", Need::string},
    {"service_tier", Need::string},
};

// The member of a content part that its type requires.
struct PartField {
    std::string_view type, member;
    bool string_too; // a bare string is widely accepted instead of an object
};

constexpr PartField kObjectParts[] = {
    {"image_url", "image_url", true},
    {"input_audio", "input_audio", false},
    {"file", "file", false},
};

Result<void> check_part(json::Node part, const Place& place)
{
    if (!part.is_object()) {
        return wrong_type(place.text(), "an object", part);
    }
    if (auto r = require(Need::string, part, place, "type"); !r) {
        return r;
    }
    const std::string_view type = part["type"].string_or();
    if (type == "text" || type == "refusal") {
        return require(Need::string, part, place, type);
    }
    for (const PartField& row : kObjectParts) {
        if (type != row.type) {
            continue;
        }
        const json::Node value = part[row.member];
        if (row.string_too && value.is_string()) {
            return {};
        }
        if (auto r = require(Need::object, part, place, row.member); !r) {
            return r;
        }
        if (type == "image_url") {
            const Place inner = place.member(row.member);
            return require(Need::string, value, inner, "url");
        }
    }
    return {};
}

Result<void> check_content(
    json::Node message, std::string_view role, const Place& place)
{
    const json::Node content = message["content"];
    const Place here = place.member("content");
    if (content.is_string()) {
        return {};
    }
    if (content.is_array()) {
        size_t i = 0;
        for (const json::Node part : content.items()) {
            const Place at = here[i++];
            if (auto r = check_part(part, at); !r) {
                return r;
            }
        }
        return {};
    }
    if (!content.has_value() && role == "assistant") {
        return {};
    }
    if (!content.exists()) {
        return missing(here.text());
    }
    return wrong_type(
        here.text(), "one of a string or array of objects", content);
}

Result<void> check_tool_calls(json::Node calls, const Place& place)
{
    if (!calls.has_value()) {
        return {};
    }
    if (!calls.is_array()) {
        return wrong_type(place.text(), "an array of objects", calls);
    }
    size_t i = 0;
    for (const json::Node call : calls.items()) {
        const Place at = place[i++];
        if (auto r = expect(Need::object, call, at); !r) {
            return r;
        }
        if (auto r = allow(Need::string, call, at, "id"); !r) {
            return r;
        }
        const json::Node type = call["type"];
        if (type.exists() && type.string_or() != "function") {
            continue; // custom tools
        }
        if (auto r = require(Need::object, call, at, "function"); !r) {
            return r;
        }
        const json::Node function = call["function"];
        const Place inner = at.member("function");
        if (auto r = require(Need::string, function, inner, "name"); !r) {
            return r;
        }
        if (auto r = allow(Need::string, function, inner, "arguments"); !r) {
            return r;
        }
    }
    return {};
}

bool known_role(std::string_view role)
{
    for (const std::string_view known :
        {"system", "developer", "user", "assistant", "tool", "function"})
    {
        if (role == known) {
            return true;
        }
    }
    return false;
}

// Most messages are {"role":"...","content":"..."}.
bool is_simple(json::Node message)
{
    size_t good = 0, members = 0;
    for (const auto& [key, value] : message.members()) {
        ++members;
        if (key == "content") {
            good += value.is_string() ? 1 : 0;
        } else if (key == "role") {
            good += known_role(value.string_or()) ? 1 : 0;
        }
    }
    return good == 2 && members == 2;
}

Result<void> check_message(json::Node message, const Place& place)
{
    if (is_simple(message)) {
        return {};
    }
    if (!message.is_object()) {
        return wrong_type(place.text(), "an object", message);
    }
    if (auto r = require(Need::string, message, place, "role"); !r) {
        return r;
    }
    const std::string_view role = message["role"].string_or();
    if (!known_role(role)) {
        std::string text = "Invalid value: '";
        text += role.substr(0, 64);
        text += "'. Supported values are: 'system', 'assistant', 'user', "
                "'function', 'tool', and 'developer'.";
        return fault(
            std::move(text), place.member("role").text(), "invalid_value");
    }
    if (auto r = check_content(message, role, place); !r) {
        return r;
    }
    if (auto r = allow(Need::string, message, place, "name"); !r) {
        return r;
    }
    if (auto r = allow(Need::string, message, place, "tool_call_id"); !r) {
        return r;
    }
    return check_tool_calls(message["tool_calls"], place.member("tool_calls"));
}

Result<void> check_messages(json::Node messages)
{
    const Place place{nullptr, "messages", 0};
    if (!messages.exists()) {
        return missing("messages");
    }
    if (!messages.is_array()) {
        return wrong_type("messages", "an array of objects", messages);
    }
    if (messages.size() == 0) {
        return empty_array("messages");
    }
    size_t i = 0;
    for (const json::Node message : messages.items()) {
        const Place at = place[i++];
        if (auto r = check_message(message, at); !r) {
            return r;
        }
    }
    return {};
}

Result<void> check_tools(json::Node tools)
{
    const Place place{nullptr, "tools", 0};
    if (!tools.has_value()) {
        return {};
    }
    if (!tools.is_array()) {
        return wrong_type("tools", "an array of objects", tools);
    }
    size_t i = 0;
    for (const json::Node tool : tools.items()) {
        const Place at = place[i++];
        if (auto r = expect(Need::object, tool, at); !r) {
            return r;
        }
        if (auto r = require(Need::string, tool, at, "type"); !r) {
            return r;
        }
        if (tool["type"].string_or() != "function") {
            continue;
        }
        if (auto r = require(Need::object, tool, at, "function"); !r) {
            return r;
        }
        const json::Node function = tool["function"];
        const Place inner = at.member("function");
        if (auto r = require(Need::string, function, inner, "name"); !r) {
            return r;
        }
        if (auto r = allow(Need::string, function, inner, "description"); !r) {
            return r;
        }
        if (auto r = allow(Need::object, function, inner, "parameters"); !r) {
            return r;
        }
    }
    return {};
}

Result<void> check_stop(json::Node stop)
{
    if (!stop.has_value() || stop.is_string()) {
        return {};
    }
    const Place place{nullptr, "stop", 0};
    if (!stop.is_array()) {
        return wrong_type("stop", "one of a string or array of strings", stop);
    }
    size_t i = 0;
    for (const json::Node item : stop.items()) {
        if (auto r = expect(Need::string, item, place[i++]); !r) {
            return r;
        }
    }
    return {};
}

Result<void> check_allowed_tools(json::Node choice)
{
    const Place place{nullptr, "tool_choice", 0};
    if (auto r = require(Need::object, choice, place, "allowed_tools"); !r) {
        return r;
    }
    const json::Node allowed = choice["allowed_tools"];
    const Place inner = place.member("allowed_tools");
    if (auto r = require(Need::string, allowed, inner, "mode"); !r) {
        return r;
    }
    const std::string_view mode = allowed["mode"].string_or();
    if (mode != "auto" && mode != "required") {
        return fault("Supported values are: 'auto' and 'required'.",
            inner.member("mode").text(), "invalid_value");
    }
    if (auto r = require(Need::array, allowed, inner, "tools"); !r) {
        return r;
    }
    const Place list = inner.member("tools");
    size_t i = 0;
    for (const json::Node tool : allowed["tools"].items()) {
        if (auto r = expect(Need::object, tool, list[i++]); !r) {
            return r;
        }
    }
    return {};
}

Result<void> check_tool_choice(json::Node choice)
{
    if (choice["type"].string_or() == "allowed_tools") {
        return check_allowed_tools(choice);
    }
    if (!choice.has_value() || choice.is_string() || choice.is_object()) {
        return {};
    }
    return wrong_type("tool_choice", "one of a string or object", choice);
}

Result<void> check_field(json::Node body, const Field& field)
{
    const json::Node node = body[field.name];
    if (!node.has_value()) {
        return {};
    }
    return expect(field.need, node, Place{nullptr, field.name, 0});
}

Result<void> check_options(json::Node body)
{
    for (const auto& [key, value] : body.members()) {
        const auto field = std::find_if(std::begin(kFields), std::end(kFields),
            [&key = key](const Field& f) { return f.name == key; });
        if (field == std::end(kFields) || !value.has_value()) {
            continue;
        }
        if (auto r = expect(field->need, value, Place{nullptr, key, 0}); !r) {
            return r;
        }
    }
    const Place options{nullptr, "stream_options", 0};
    if (auto r = allow(
            Need::boolean, body["stream_options"], options, "include_usage");
        !r)
    {
        return r;
    }
    const json::Node format = body["response_format"];
    if (format.has_value()) {
        const Place place{nullptr, "response_format", 0};
        if (auto r = require(Need::string, format, place, "type"); !r) {
            return r;
        }
        if (format["type"].string_or() == "json_schema") {
            return require(Need::object, format, place, "json_schema");
        }
    }
    return {};
}

} // namespace

Result<Envelope> read_envelope(json::Node body)
{
    if (!body.is_object()) {
        return fault(
            "The request body must be a JSON object.", {}, "invalid_type");
    }
    Envelope out;
    const json::Node model = body["model"];
    if (model.exists()) {
        if (!model.is_string()) {
            return wrong_type("model", "a string", model);
        }
        out.has_model = true;
        out.model = model.string_or();
    }
    if (auto r = check_field(body, {"stream", Need::boolean}); !r) {
        return std::move(r).error();
    }
    out.stream = body["stream"].boolean().value_or(false);
    out.include_usage =
        body["stream_options"]["include_usage"].boolean().value_or(false);
    return out;
}

Result<void> check_chat(json::Node body)
{
    if (!body.is_object()) {
        return fault(
            "The request body must be a JSON object.", {}, "invalid_type");
    }
    if (auto r = check_messages(body["messages"]); !r) {
        return r;
    }
    if (auto r = check_options(body); !r) {
        return r;
    }
    if (auto r = check_stop(body["stop"]); !r) {
        return r;
    }
    if (auto r = check_tools(body["tools"]); !r) {
        return r;
    }
    return check_tool_choice(body["tool_choice"]);
}

} // namespace ai_proxy::dialect
