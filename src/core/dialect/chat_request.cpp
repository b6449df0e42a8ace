#include "core/dialect/chat_request.h"

#include "core/chat/allowed_tools.h"
#include "core/dialect/content_read.h"
#include "core/dialect/request_fault.h"

#include <algorithm>
#include <string>

namespace ai_proxy::dialect {

namespace {

using chat::Message;
using chat::Part;
using chat::PartKind;

// Replayed reasoning of an assistant turn, before everything else.
void read_reasoning(json::Node node, Message& message)
{
    message.reasoning =
        node["reasoning_content"].string_or(node["reasoning"].string_or());
    for (const json::Node block : node["thinking_blocks"].items()) {
        read_reasoning_block(block, message.parts);
    }
    // A streamed signature comes without the text it signs, which the client
    // gathered in reasoning_content: of several only all of it.
    const auto thinks = [](const Part& part) {
        return part.kind == PartKind::thinking;
    };
    const auto end = message.parts.end();
    const auto one = std::find_if(message.parts.begin(), end, thinks);
    if (one != end && one->text.empty() && std::none_of(one + 1, end, thinks)) {
        one->text = message.reasoning;
    }
}

void read_calls(json::Node node, Message& message)
{
    for (const json::Node call : node["tool_calls"].items()) {
        const json::Node function = call["function"];
        chat::ToolCall out;
        out.id = call["id"].string_or();
        out.name = function["name"].string_or();
        out.arguments = function["arguments"].string_or();
        out.signature =
            call["extra_content"]["google"]["thought_signature"].string_or();
        message.tool_calls.push_back(out);
    }
    const json::Node legacy = node["function_call"];
    if (legacy.is_object() && message.tool_calls.empty()) {
        const std::string_view name = legacy["name"].string_or();
        message.tool_calls.push_back(
            {name, name, legacy["arguments"].string_or(), {}});
    }
}

Result<void> read_content(json::Node node, Message& message, size_t index)
{
    const json::Node content = node["content"];
    if (content.is_string()) {
        message.plain = true;
        Part part;
        part.text = content.string_or();
        part.cache_control = node["cache_control"];
        message.parts.push_back(part);
        return {};
    }
    size_t i = 0;
    for (const json::Node part : content.items()) {
        if (auto r = read_part(part, message.parts, index, i++); !r) {
            return r;
        }
    }
    return {};
}

Result<Message> read_message(json::Node node, size_t index)
{
    Message message;
    message.raw = node;
    message.name = node["name"].string_or();
    message.tool_call_id = node["tool_call_id"].string_or();
    const std::string_view role = node["role"].string_or();
    if (role == "system") {
        message.role = chat::Role::system;
    } else if (role == "developer") {
        message.role = chat::Role::developer;
    } else if (role == "assistant") {
        message.role = chat::Role::assistant;
        read_reasoning(node, message);
    } else if (role == "tool") {
        message.role = chat::Role::tool;
    } else if (role == "function") {
        // The form before tools: the name stands for the call's id.
        message.role = chat::Role::tool;
        message.tool_call_id = message.name;
    }
    if (auto r = read_content(node, message, index); !r) {
        return std::move(r).error();
    }
    if (message.role == chat::Role::assistant) {
        const std::string_view refusal = node["refusal"].string_or();
        if (!refusal.empty()) {
            Part part;
            part.kind = PartKind::refusal;
            part.text = refusal;
            message.parts.push_back(part);
        }
        read_calls(node, message);
    }
    return message;
}

chat::Tool read_function(json::Node function, json::Node raw)
{
    chat::Tool tool;
    tool.name = function["name"].string_or();
    tool.description = function["description"].string_or();
    tool.parameters = function["parameters"];
    tool.strict = function["strict"].boolean();
    tool.cache_control = raw["cache_control"].exists()
        ? raw["cache_control"]
        : function["cache_control"];
    tool.raw = raw;
    return tool;
}

Result<void> read_tools(json::Node body, chat::Request& request)
{
    size_t i = 0;
    for (const json::Node tool : body["tools"].items()) {
        const std::string_view type = tool["type"].string_or();
        if (type != "function") {
            std::string text = "Tool type '";
            text += type.substr(0, 64);
            text += "' cannot be sent to this provider.";
            return fault(std::move(text),
                "tools[" + std::to_string(i) + "].type", "invalid_value");
        }
        request.tools.push_back(read_function(tool["function"], tool));
        ++i;
    }
    for (const json::Node function : body["functions"].items()) {
        request.tools.push_back(read_function(function, function));
    }
    return {};
}

// Every tool that may be called is declared, none other is left in tools.
Result<void> read_allowed(
    const chat::AllowedTools& allowed, chat::Request& request)
{
    const auto withheld =
        std::stable_partition(request.tools.begin(), request.tools.end(),
            [&](const chat::Tool& tool) { return allowed.holds(tool.raw); });
    request.withheld.assign(withheld, request.tools.end());
    request.tools.erase(withheld, request.tools.end());
    size_t i = 0;
    for (const json::Node one : allowed.tools.items()) {
        const std::string_view name = chat::tool_name(one);
        const auto declares = [name](const chat::Tool& tool) {
            return tool.name == name;
        };
        if (std::none_of(request.tools.begin(), request.tools.end(), declares))
        {
            return fault("A tool in 'tool_choice' is not among 'tools'.",
                "tool_choice.allowed_tools.tools[" + std::to_string(i) + "]",
                "invalid_value");
        }
        i++;
    }
    request.tool_choice = allowed.mode == "required"
        ? chat::ToolChoice::required
        : chat::ToolChoice::automatic;
    // Who may call nothing has nothing to choose.
    if (request.tools.empty()) {
        request.tools.swap(request.withheld);
        request.tool_choice = chat::ToolChoice::none;
    }
    return {};
}

void read_tool_choice(json::Node body, chat::Request& request)
{
    json::Node choice = body["tool_choice"];
    if (!choice.has_value()) {
        choice = body["function_call"];
    }
    const std::string_view word =
        choice.is_string() ? choice.string_or() : choice["type"].string_or();
    if (word == "auto") {
        request.tool_choice = chat::ToolChoice::automatic;
    } else if (word == "none") {
        request.tool_choice = chat::ToolChoice::none;
    } else if (word == "required" || word == "any") {
        request.tool_choice = chat::ToolChoice::required;
    } else if (choice.is_object()) {
        request.tool_choice_name =
            choice["function"]["name"].string_or(choice["name"].string_or());
        if (!request.tool_choice_name.empty()) {
            request.tool_choice = chat::ToolChoice::named;
        }
    }
}

void read_format(json::Node format, chat::Request& request)
{
    const std::string_view type = format["type"].string_or();
    if (type == "text") {
        request.format = chat::Format::text;
    } else if (type == "json_object") {
        request.format = chat::Format::json_object;
    } else if (type == "json_schema") {
        const json::Node schema = format["json_schema"];
        request.format = chat::Format::json_schema;
        request.schema_name = schema["name"].string_or();
        request.schema = schema["schema"];
        request.schema_strict = schema["strict"].boolean();
    }
}

void read_sampling(json::Node body, chat::Request& request)
{
    request.max_tokens = body["max_completion_tokens"].integer();
    if (!request.max_tokens) {
        request.max_tokens = body["max_tokens"].integer();
    }
    request.temperature = body["temperature"].number();
    request.top_p = body["top_p"].number();
    request.presence_penalty = body["presence_penalty"].number();
    request.frequency_penalty = body["frequency_penalty"].number();
    request.seed = body["seed"].integer();
    request.n = body["n"].integer();
    request.top_k = body["top_k"].integer();
    request.logprobs = body["logprobs"].boolean();
    request.top_logprobs = body["top_logprobs"].integer();
    const json::Node stop = body["stop"];
    if (stop.is_string()) {
        request.stop.push_back(stop.string_or());
    }
    for (const json::Node item : stop.items()) {
        request.stop.push_back(item.string_or());
    }
}

void read_thinking_options(json::Node body, chat::Request& request)
{
    request.reasoning_effort = body["reasoning_effort"].string_or(
        body["reasoning"]["effort"].string_or());
    for (const json::Node place : {body["reasoning_max_tokens"],
             body["reasoning"]["max_tokens"], body["thinking"]["budget_tokens"],
             body["thinking"]["budget_token"]})
    {
        const auto budget = place.integer();
        if (budget && *budget > 0) {
            request.reasoning_max_tokens = budget;
            return;
        }
    }
}

} // namespace

Result<chat::Request> read_chat(json::Node body)
{
    chat::Request request;
    request.raw = body;
    request.model = body["model"].string_or();
    const json::Node messages = body["messages"];
    request.messages.reserve(messages.size());
    for (const json::Node node : messages.items()) {
        auto message = read_message(node, request.messages.size());
        if (!message) {
            return std::move(message).error();
        }
        request.messages.push_back(std::move(*message));
    }
    if (auto r = read_tools(body, request); !r) {
        return std::move(r).error();
    }
    const auto allowed = chat::allowed_tools(body["tool_choice"]);
    if (!allowed.given()) {
        read_tool_choice(body, request);
    } else if (auto r = read_allowed(allowed, request); !r) {
        return std::move(r).error();
    }
    request.parallel_tool_calls = body["parallel_tool_calls"].boolean();
    request.stream = body["stream"].boolean().value_or(false);
    request.include_usage =
        body["stream_options"]["include_usage"].boolean().value_or(false);
    read_sampling(body, request);
    read_format(body["response_format"], request);
    read_thinking_options(body, request);
    request.user =
        body["user"].string_or(body["safety_identifier"].string_or());
    request.service_tier = body["service_tier"].string_or();
    return request;
}

} // namespace ai_proxy::dialect
