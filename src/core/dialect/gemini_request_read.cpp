#include "core/dialect/gemini_caller.h"
#include "core/chat/allowed_tools.h"
#include "core/dialect/gemini_thoughts.h"
#include "core/dialect/hub_message.h"
#include "core/dialect/request_fault.h"
#include "core/dialect/tool_names.h"
#include "core/dialect/web_search.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace ai_proxy::dialect {

namespace {

constexpr std::array<std::string_view, 11> kKnown{"contents", "tools",
    "toolConfig", "tool_config", "generationConfig", "generation_config",
    "systemInstruction", "system_instruction", "model", "serviceTier",
    "service_tier"};
constexpr std::array<std::string_view, 29> kKnownGeneration{"temperature",
    "responseLogprobs", "response_logprobs", "logprobs", "topP", "top_p",
    "topK", "top_k", "maxOutputTokens", "max_output_tokens", "candidateCount",
    "candidate_count", "stopSequences", "stop_sequences", "presencePenalty",
    "presence_penalty", "frequencyPenalty", "frequency_penalty", "seed",
    "responseMimeType", "response_mime_type", "responseSchema",
    "response_schema", "responseJsonSchema", "response_json_schema",
    "thinkingConfig", "thinking_config", "responseModalities",
    "response_modalities"};

// Google takes a name in either spelling.
json::Node either(
    json::Node object, std::string_view camel, std::string_view snake)
{
    const json::Node found = object[camel];
    return found.has_value() ? found : object[snake];
}

std::string lower_text(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    });
    return out;
}

// OpenAPI's subset as JSON Schema: types in lower case, "nullable" as a type.
void write_schema(json::Writer& w, json::Node schema)
{
    if (!schema.is_object()) {
        w.value(schema);
        return;
    }
    const bool nullable = schema["nullable"].boolean().value_or(false);
    w.begin_object();
    for (const json::Member member : schema.members()) {
        const std::string_view key = member.key;
        if (key == "nullable" || key == "propertyOrdering"
            || key == "property_ordering")
        {
            continue;
        }
        w.key(key == "any_of" ? "anyOf" : key);
        if (key == "type" && member.value.is_string()) {
            const std::string name = lower_text(member.value.string_or());
            if (nullable) {
                w.begin_array().string(name).string("null").end_array();
            } else {
                w.string(name);
            }
        } else if ((key == "properties" || key == "$defs")
            && member.value.is_object()) {
            w.begin_object();
            for (const json::Member one : member.value.members()) {
                w.key(one.key);
                write_schema(w, one.value);
            }
            w.end_object();
        } else if (key == "items") {
            write_schema(w, member.value);
        } else if ((key == "anyOf" || key == "any_of")
            && member.value.is_array()) {
            w.begin_array();
            for (const json::Node one : member.value.items()) {
                write_schema(w, one);
            }
            w.end_array();
        } else {
            w.value(member.value);
        }
    }
    w.end_object();
}

class Request {
public:
    Request(const ClientRequest& request, std::string& out)
        : body_(request.body), request_(request), w_(out),
          generation_(
              either(request.body, "generationConfig", "generation_config"))
    {
    }

    Result<void> write();

private:
    // A call the model made that no result was given to yet.
    struct Open {
        std::string id;
        std::string_view name;
    };

    void drop(std::string_view where) { request_.dropped.add(where); }
    Result<void> contents();
    Result<void> content(json::Node content, const Place& place);
    void model_part(HubMessage& out, GeminiThoughts& thoughts, json::Node part,
        const Place& place);
    void user_part(HubMessage& out, json::Node part, const Place& place);
    void data(HubMessage& out, json::Node part);
    void function_response(json::Node response);
    std::string new_call(json::Node call);
    std::string answered(json::Node response);
    void tools();
    void declare(std::string& list, json::Node declaration);
    void tool_choice();
    void sampling();
    void format();
    void thinking();
    void rest();

    json::Node body_;
    const ClientRequest& request_;
    json::Writer w_;
    json::Node generation_;
    std::vector<Open> open_;
    size_t calls_ = 0;
};

std::string Request::new_call(json::Node call)
{
    std::string id(call["id"].string_or());
    if (id.empty()) {
        id = "call_" + std::to_string(calls_);
    }
    ++calls_;
    open_.push_back({id, call["name"].string_or()});
    return id;
}

// Google's results name the function; the call is the first of that name that
// waits for one.
std::string Request::answered(json::Node response)
{
    const std::string_view id = response["id"].string_or();
    const std::string_view name = response["name"].string_or();
    for (auto it = open_.begin(); it != open_.end(); ++it) {
        if (id.empty() ? it->name == name : it->id == id) {
            std::string found = it->id;
            open_.erase(it);
            return found;
        }
    }
    return id.empty() ? std::string(name) : std::string(id);
}

void Request::data(HubMessage& out, json::Node part)
{
    const json::Node inline_data = either(part, "inlineData", "inline_data");
    const json::Node file = either(part, "fileData", "file_data");
    if (inline_data.is_object()) {
        const std::string_view type =
            either(inline_data, "mimeType", "mime_type").string_or();
        const std::string_view bytes = inline_data["data"].string_or();
        if (type.starts_with("image/")) {
            out.image(type, bytes);
        } else if (type.starts_with("audio/")) {
            const std::string_view format = type.substr(6);
            out.audio(format == "mpeg" ? "mp3" : format, bytes);
        } else {
            out.file(type, bytes,
                either(inline_data, "displayName", "display_name").string_or());
        }
    } else if (file.is_object()) {
        const std::string_view type =
            either(file, "mimeType", "mime_type").string_or();
        const std::string_view uri =
            either(file, "fileUri", "file_uri").string_or();
        if (type.starts_with("image/")) {
            out.image_url(uri);
        } else {
            out.file_url(uri, type, {});
        }
    }
}

void Request::model_part(HubMessage& out, GeminiThoughts& thoughts,
    json::Node part, const Place& place)
{
    const json::Node call = either(part, "functionCall", "function_call");
    const std::string_view given =
        either(part, "thoughtSignature", "thought_signature").string_or();
    if (part["thought"].boolean().value_or(false) && !call.is_object()) {
        const std::string_view text = part["text"].string_or();
        if (given.empty()) {
            thoughts.add(text);
        } else {
            out.thinking(text, std::string(chat::kGoogleMark).append(given));
        }
        return;
    }
    const std::string_view signature = thoughts.end(out, given);
    if (call.is_object()) {
        std::string args = "{}";
        if (call["args"].is_object()) {
            args.clear();
            json::append_value(args, call["args"]);
        }
        out.call(new_call(call), call["name"].string_or(), args, signature);
        return;
    }
    if (!signature.empty()) {
        out.thinking({}, std::string(chat::kGoogleMark).append(signature));
    }
    if (part["text"].is_string()) {
        out.text(part["text"].string_or());
    } else if (part["inlineData"].is_object() || part["fileData"].is_object()
        || part["inline_data"].is_object() || part["file_data"].is_object())
    {
        data(out, part);
    } else {
        drop(place.text());
    }
}

void Request::function_response(json::Node response)
{
    HubMessage out("tool");
    const json::Node value = response["response"];
    out.answers(answered(response), value["error"].has_value());
    // "output" and "result" alone hold the text that other APIs send bare.
    std::string text;
    for (const std::string_view key : {"output", "result"}) {
        if (value.size() == 1 && value[key].is_string()) {
            text = value[key].string_or();
        }
    }
    if (text.empty()) {
        json::append_value(text, value);
    }
    out.text(text);
    for (const json::Node part : response["parts"].items()) {
        data(out, part);
    }
    out.write(w_);
}

void Request::user_part(HubMessage& out, json::Node part, const Place& place)
{
    const json::Node response =
        either(part, "functionResponse", "function_response");
    if (response.is_object()) {
        function_response(response);
    } else if (part["text"].is_string()) {
        out.text(part["text"].string_or());
    } else if (either(part, "inlineData", "inline_data").is_object()
        || either(part, "fileData", "file_data").is_object())
    {
        data(out, part);
    } else {
        drop(place.text());
    }
}

Result<void> Request::content(json::Node content, const Place& place)
{
    if (!content.is_object()) {
        return wrong_type(place.text(), "an object", content);
    }
    const std::string_view role = content["role"].string_or("user");
    if (role != "user" && role != "model" && role != "function") {
        return fault("Please use a valid role: user, model.",
            place.member("role").text(), "invalid_value");
    }
    const bool model = role == "model";
    HubMessage out(model ? "assistant" : "user");
    GeminiThoughts thoughts;
    const Place parts = place.member("parts");
    size_t index = 0;
    for (const json::Node part : content["parts"].items()) {
        const Place at = parts[index++];
        if (model) {
            model_part(out, thoughts, part, at);
        } else {
            user_part(out, part, at);
        }
    }
    thoughts.end(out, {});
    if (!out.empty()) {
        out.write(w_);
    }
    return {};
}

Result<void> Request::contents()
{
    const json::Node contents = body_["contents"];
    w_.key("messages").begin_array();
    HubMessage system("system");
    const json::Node instruction =
        either(body_, "systemInstruction", "system_instruction");
    system.text(instruction.string_or());
    for (const json::Node part : instruction["parts"].items()) {
        system.text(part["text"].string_or());
    }
    system.text(instruction["parts"]["text"].string_or());
    if (!system.empty()) {
        system.write(w_);
    }
    const Place place{nullptr, "contents", 0};
    if (contents.is_object()) {
        if (auto done = content(contents, place); !done) {
            return done;
        }
    } else if (!contents.is_array() || contents.size() == 0) {
        return contents.exists() && !contents.is_array()
            ? wrong_type("contents", "an array of objects", contents)
            : fault("* GenerateContentRequest.contents: contents is not "
                    "specified",
                "contents", "missing_required_parameter");
    }
    size_t index = 0;
    for (const json::Node one : contents.items()) {
        const Place at = place[index++];
        if (auto done = content(one, at); !done) {
            return done;
        }
    }
    w_.end_array();
    return {};
}

void Request::declare(std::string& list, json::Node declaration)
{
    list += list.empty() ? "" : ",";
    json::Writer w(list);
    w.begin_object().field("type", "function").key("function").begin_object();
    w.field("name",
        std::string_view(fitting_tool_name(declaration["name"].string_or())));
    if (declaration["description"].is_string()) {
        w.field("description", declaration["description"]);
    }
    const json::Node schema =
        either(declaration, "parametersJsonSchema", "parameters_json_schema");
    if (schema.is_object()) {
        w.field("parameters", schema);
    } else if (declaration["parameters"].is_object()) {
        w.key("parameters");
        write_schema(w, declaration["parameters"]);
    }
    w.end_object().end_object();
}

void Request::tools()
{
    std::string list;
    json::Node search;
    size_t index = 0;
    for (const json::Node tool : body_["tools"].items()) {
        const size_t here = index++;
        for (const json::Member member : tool.members()) {
            if (member.key == "googleSearch" || member.key == "google_search") {
                search = member.value;
                continue;
            }
            if (member.key != "functionDeclarations"
                && member.key != "function_declarations")
            {
                drop("tools[" + std::to_string(here) + "]."
                    + std::string(member.key));
                continue;
            }
            for (const json::Node one : member.value.items()) {
                declare(list, one);
            }
        }
    }
    if (search.is_object()) {
        write_web_search(w_, search);
    }
    if (!list.empty()) {
        w_.key("tools").raw("[" + list + "]");
        tool_choice();
    }
}

void Request::tool_choice()
{
    const json::Node config = either(either(body_, "toolConfig", "tool_config"),
        "functionCallingConfig", "function_calling_config");
    const std::string mode = lower_text(config["mode"].string_or());
    const json::Node names =
        either(config, "allowedFunctionNames", "allowed_function_names");
    const bool validated = mode == "validated";
    if ((mode == "any" || validated) && names.size() > (validated ? 0 : 1)) {
        std::vector<std::string> fitting;
        for (const json::Node name : names.items()) {
            fitting.push_back(fitting_tool_name(name.string_or()));
        }
        const std::vector<std::string_view> allowed(
            fitting.begin(), fitting.end());
        chat::write_allowed_tools(w_, validated ? "auto" : "required", allowed);
    } else if (validated) {
        w_.field("tool_choice", "auto");
    } else if (mode == "none" || mode == "auto") {
        w_.field("tool_choice", std::string_view(mode));
    } else if (mode == "any" && names.size() == 1) {
        w_.key("tool_choice").begin_object().field("type", "function");
        w_.key("function").begin_object();
        w_.field("name",
            std::string_view(fitting_tool_name(names.at(0).string_or())));
        w_.end_object().end_object();
    } else if (mode == "any") {
        w_.field("tool_choice", "required");
    }
}

void Request::sampling()
{
    struct Name {
        std::string_view camel, snake, to;
    };
    constexpr Name kNames[] = {{"temperature", "temperature", "temperature"},
        {"topP", "top_p", "top_p"}, {"topK", "top_k", "top_k"},
        {"maxOutputTokens", "max_output_tokens", "max_tokens"},
        {"candidateCount", "candidate_count", "n"},
        {"stopSequences", "stop_sequences", "stop"},
        {"presencePenalty", "presence_penalty", "presence_penalty"},
        {"frequencyPenalty", "frequency_penalty", "frequency_penalty"},
        {"seed", "seed", "seed"}};
    for (const Name& row : kNames) {
        const json::Node value = either(generation_, row.camel, row.snake);
        if (value.has_value() && (!value.is_array() || value.size() > 0)) {
            w_.field(row.to, value);
        }
    }
    if (either(generation_, "responseLogprobs", "response_logprobs")
            .boolean()
            .value_or(false))
    {
        w_.field("logprobs", true);
        const auto tops = generation_["logprobs"].integer();
        if (tops && *tops > 0) {
            w_.field("top_logprobs", *tops);
        }
    }
    if (request_.stream) {
        w_.field("stream", true);
    }
}

void Request::format()
{
    const std::string_view type =
        either(generation_, "responseMimeType", "response_mime_type")
            .string_or();
    const json::Node plain =
        either(generation_, "responseSchema", "response_schema");
    const json::Node full =
        either(generation_, "responseJsonSchema", "response_json_schema");
    if (plain.is_object() || full.is_object()) {
        w_.key("response_format").begin_object();
        w_.field("type", "json_schema").key("json_schema").begin_object();
        w_.field("name", "output").key("schema");
        if (full.is_object()) {
            w_.value(full);
        } else {
            write_schema(w_, plain);
        }
        w_.end_object().end_object();
    } else if (type == "application/json") {
        w_.key("response_format").begin_object();
        w_.field("type", "json_object").end_object();
    }
}

void Request::thinking()
{
    const json::Node config =
        either(generation_, "thinkingConfig", "thinking_config");
    const auto budget =
        either(config, "thinkingBudget", "thinking_budget").integer();
    const std::string_view level =
        either(config, "thinkingLevel", "thinking_level").string_or();
    if (!level.empty() && level != "THINKING_LEVEL_UNSPECIFIED") {
        w_.field("reasoning_effort", std::string_view(lower_text(level)));
    } else if (budget && *budget > 0) {
        // Not Anthropic's "thinking", which would bind Claude to its form.
        w_.field("reasoning_max_tokens", *budget);
    } else if (budget && *budget == 0) {
        w_.field("reasoning_effort", "none");
    }
}

void Request::rest()
{
    const auto left_out = [this](json::Node object, const auto& known,
                              const std::string& prefix) {
        for (const json::Member member : object.members()) {
            if (member.value.has_value()
                && std::find(known.begin(), known.end(), member.key)
                    == known.end())
            {
                drop(prefix + std::string(member.key));
            }
        }
    };
    left_out(body_, kKnown, "");
    left_out(generation_, kKnownGeneration, "generationConfig.");
    const json::Node modes =
        either(generation_, "responseModalities", "response_modalities");
    for (const json::Node mode : modes.items()) {
        if (lower_text(mode.string_or()) != "text") {
            drop("generationConfig.responseModalities");
        }
    }
}

Result<void> Request::write()
{
    w_.begin_object().field("model", request_.model);
    if (auto done = contents(); !done) {
        return done;
    }
    tools();
    const std::string_view tier =
        either(body_, "serviceTier", "service_tier").string_or();
    if (!tier.empty()) {
        w_.field("service_tier", tier == "standard" ? "default" : tier);
    }
    sampling();
    format();
    thinking();
    rest();
    w_.end_object();
    return {};
}

int hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char small = static_cast<char>(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

} // namespace

std::string gemini_model(std::string_view path)
{
    const size_t begin = path.rfind("/models/");
    const size_t end = path.rfind(':');
    if (begin == std::string_view::npos || end == std::string_view::npos
        || end < begin + 8)
    {
        return {};
    }
    const std::string_view raw = path.substr(begin + 8, end - begin - 8);
    std::string model;
    for (size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '%' && i + 2 < raw.size()) {
            const int high = hex_digit(raw[i + 1]);
            const int low = hex_digit(raw[i + 2]);
            if (high >= 0 && low >= 0) {
                model += static_cast<char>(high * 16 + low);
                i += 2;
                continue;
            }
        }
        model += raw[i];
    }
    return model;
}

Result<void> gemini_to_chat(const ClientRequest& request, std::string& out)
{
    return Request(request, out).write();
}

} // namespace ai_proxy::dialect
