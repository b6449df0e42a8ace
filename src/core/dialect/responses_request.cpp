#include "core/dialect/responses_request.h"

#include "core/base/text.h"
#include "core/dialect/hub_message.h"
#include "core/dialect/request_fault.h"
#include "core/dialect/responses_tools.h"
#include "core/dialect/tool_names.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace ai_proxy::dialect {

namespace {

// Members that are read somewhere here, or that ask for nothing a chat
// provider could do otherwise.
constexpr std::array<std::string_view, 26> kKnown{"model", "input",
    "instructions", "stream", "stream_options", "tools", "tool_choice",
    "parallel_tool_calls", "text", "reasoning", "max_output_tokens",
    "temperature", "top_p", "metadata", "store", "user", "service_tier",
    "include", "truncation", "top_logprobs", "prompt_cache_key",
    "safety_identifier", "previous_response_id", "conversation",
    "prompt_cache_retention", "prompt_cache_options"};

Error unsupported(std::string_view field, std::string_view why)
{
    std::string text = "'" + std::string(field) + "' ";
    text += why;
    return fault(std::move(text), std::string(field), "unsupported_parameter");
}

class Request {
public:
    Request(const ClientRequest& request, std::string& out)
        : body_(request.body), request_(request), w_(out)
    {
    }

    Result<void> write();

private:
    void drop(std::string_view where) { request_.dropped.add(where); }
    Result<void> check();
    Result<void> input();
    Result<void> item(json::Node item, const Place& place);
    Result<void> message(json::Node item, const Place& place);
    Result<void> part(HubMessage& out, json::Node part, const Place& place);
    json::Node marker(json::Node part);
    void say(HubMessage& out, std::string_view text, json::Node marker);
    Result<void> file(HubMessage& out, json::Node part, const Place& place);
    Result<void> reasoning(json::Node item);
    Result<void> call(json::Node item, const Place& place, bool custom);
    Result<void> call_output(json::Node item, const Place& place);
    HubMessage& assistant();
    void flush();
    void format();
    void rest();

    json::Node body_;
    const ClientRequest& request_;
    json::Writer w_;
    // What the model said since the user's last word is one message in chat.
    HubMessage turn_{"assistant"};
    bool in_turn_ = false;
    // Has it a text already, of a message that is over?
    bool said_ = false, apart_ = false;
    std::optional<json::Parser> marker_; // {"type":"ephemeral"}
};

Result<void> Request::check()
{
    for (const std::string_view name : {"previous_response_id", "conversation"})
    {
        if (body_[name].has_value()) {
            return unsupported(name,
                "needs a provider that keeps responses; this one answers "
                "chat completions. Send the whole conversation in 'input'.");
        }
    }
    if (body_["background"].boolean().value_or(false)) {
        return unsupported(
            "background", "needs a provider that has the Responses API.");
    }
    if (body_["prompt"].has_value()) {
        return unsupported(
            "prompt", "needs a provider that keeps prompt templates.");
    }
    return {};
}

HubMessage& Request::assistant()
{
    in_turn_ = true;
    return turn_;
}

void Request::flush()
{
    if (in_turn_ && !turn_.empty()) {
        turn_.write(w_);
    }
    turn_ = HubMessage("assistant");
    in_turn_ = said_ = apart_ = false;
}

// What a client marks as the end of a prefix to be kept.
json::Node Request::marker(json::Node part)
{
    if (!part["prompt_cache_breakpoint"].is_object()) {
        return {};
    }
    if (!marker_) {
        marker_.emplace();
    }
    const auto parsed =
        marker_->parse(std::string_view(R"({"type":"ephemeral"})"));
    return parsed ? *parsed : json::Node();
}

// Two messages of a turn are two, though chat has one.
void Request::say(HubMessage& out, std::string_view text, json::Node marker)
{
    if (text.empty()) {
        return;
    }
    if (std::exchange(apart_, false)) {
        out.text("\n\n" + std::string(text), marker);
    } else {
        out.text(text, marker);
    }
    said_ = said_ || &out == &turn_;
}

std::string_view type_of_name(std::string_view name)
{
    struct Row {
        std::string_view end, type;
    };
    constexpr Row kTypes[] = {{".txt", "text/plain"}, {".md", "text/markdown"},
        {".csv", "text/csv"}, {".html", "text/html"},
        {".json", "application/json"}, {".xml", "application/xml"},
        {".docx",
            "application/vnd.openxmlformats-officedocument."
            "wordprocessingml.document"},
        {".xlsx",
            "application/vnd.openxmlformats-officedocument."
            "spreadsheetml.sheet"},
        {".pptx",
            "application/vnd.openxmlformats-officedocument."
            "presentationml.presentation"}};
    for (const Row& row : kTypes) {
        if (name.size() > row.end.size()
            && iequals(name.substr(name.size() - row.end.size()), row.end))
        {
            return row.type;
        }
    }
    return "application/pdf";
}

Result<void> Request::file(HubMessage& out, json::Node part, const Place& place)
{
    const std::string_view name = part["filename"].string_or();
    if (const auto id = part["file_id"].string(); id) {
        out.file_id(*id, marker(part));
        return {};
    }
    if (const auto url = part["file_url"].string(); url) {
        out.file_url(*url, {}, name, marker(part));
        return {};
    }
    if (auto done = require(Need::string, part, place, "file_data"); !done) {
        return done;
    }
    std::string_view data = part["file_data"].string_or(), type;
    if (data.starts_with("data:")) {
        constexpr size_t begin = 5;
        const size_t comma = std::min(data.find(','), data.size());
        const std::string_view head = data.substr(begin, comma - begin);
        if (comma == data.size() || !head.ends_with(";base64")) {
            return fault("Invalid file data URL: expected "
                         "'data:<media type>;base64,<data>'.",
                place.member("file_data").text(), "invalid_value");
        }
        type = head.substr(0, head.find(';'));
        data.remove_prefix(comma + 1);
    }
    out.file(
        type.empty() ? type_of_name(name) : type, data, name, marker(part));
    return {};
}

Result<void> Request::part(HubMessage& out, json::Node part, const Place& place)
{
    if (auto done = require(Need::string, part, place, "type"); !done) {
        return done;
    }
    const std::string_view type = part["type"].string_or();
    if (type == "input_text" || type == "output_text" || type == "text"
        || type == "summary_text" || type == "reasoning_text")
    {
        if (auto done = require(Need::string, part, place, "text"); !done) {
            return done;
        }
        say(out, part["text"].string_or(), marker(part));
    } else if (type == "refusal") {
        out.refusal(part["refusal"].string_or());
    } else if (type == "input_image") {
        if (const auto id = part["file_id"].string(); id) {
            out.file_id(*id, marker(part));
        } else {
            out.image_url(part["image_url"].string_or(),
                part["detail"].string_or(), marker(part));
        }
    } else if (type == "input_file") {
        return file(out, part, place);
    } else if (type == "input_audio") {
        const json::Node audio = part["input_audio"];
        out.audio(audio["format"].string_or(), audio["data"].string_or());
    } else {
        drop(place.member("type").text());
    }
    return {};
}

Result<void> Request::message(json::Node item, const Place& place)
{
    const std::string_view role = item["role"].string_or();
    if (role != "user" && role != "assistant" && role != "system"
        && role != "developer")
    {
        return fault("Invalid value for 'role'. Supported values are: "
                     "'assistant', 'system', 'developer', and 'user'.",
            place.member("role").text(), "invalid_value");
    }
    const bool own = role == "assistant";
    if (!own) {
        flush();
    }
    HubMessage other(role);
    HubMessage& out = own ? assistant() : other;
    apart_ = own && said_;
    const json::Node content = item["content"];
    const Place inner = place.member("content");
    if (content.is_string()) {
        say(out, content.string_or(), {});
    } else if (content.is_array()) {
        size_t index = 0;
        for (const json::Node one : content.items()) {
            const Place at = inner[index++];
            if (auto done = part(out, one, at); !done) {
                return done;
            }
        }
    } else {
        return content.exists() ? wrong_type(
                   inner.text(), "one of a string or array of objects", content)
                                : missing(inner.text());
    }
    if (!own) {
        other.write(w_);
    }
    return {};
}

Result<void> Request::reasoning(json::Node item)
{
    std::string text;
    for (const std::string_view list : {"summary", "content"}) {
        for (const json::Node one : item[list].items()) {
            text += text.empty() ? "" : "\n";
            text += one["text"].string_or();
        }
        if (!text.empty()) {
            break;
        }
    }
    const std::string_view opaque = item["encrypted_content"].string_or();
    if (opaque.starts_with(kRedactedMark)) {
        assistant().redacted(opaque.substr(kRedactedMark.size()));
        return {};
    }
    const std::string_view signature = opaque.starts_with(kSignedMark)
        ? opaque.substr(kSignedMark.size())
        : std::string_view();
    if (!text.empty() || !signature.empty()) {
        assistant().thinking(text, signature);
    }
    return {};
}

Result<void> Request::call(json::Node item, const Place& place, bool custom)
{
    const std::string_view said = custom ? "input" : "arguments";
    for (const std::string_view name :
        {std::string_view("call_id"), std::string_view("name"), said})
    {
        if (auto done = require(Need::string, item, place, name); !done) {
            return done;
        }
    }
    std::string arguments(item[said].string_or());
    if (custom) {
        std::string object;
        json::Writer w(object);
        w.begin_object().field("input", std::string_view(arguments));
        w.end_object();
        arguments = std::move(object);
    }
    assistant().call(item["call_id"].string_or(),
        flat_tool_name(item["namespace"].string_or(), item["name"].string_or()),
        arguments);
    return {};
}

Result<void> Request::call_output(json::Node item, const Place& place)
{
    flush();
    if (auto done = require(Need::string, item, place, "call_id"); !done) {
        return done;
    }
    HubMessage out("tool");
    out.answers(item["call_id"].string_or(), false);
    const json::Node output = item["output"];
    const Place inner = place.member("output");
    if (!output.is_string() && !output.is_array()) {
        return output.exists()
            ? wrong_type(inner.text(), "one of a string or array", output)
            : missing(inner.text());
    }
    out.text(output.string_or());
    size_t index = 0;
    for (const json::Node one : output.items()) {
        const Place at = inner[index++];
        if (auto done = part(out, one, at); !done) {
            return done;
        }
    }
    out.write(w_);
    return {};
}

// Without a type it is a message, or the id of an item that is kept.
std::string_view type_of(json::Node item)
{
    const bool reference = !item["role"].has_value() && item["id"].is_string();
    return item["type"].string_or(reference ? "item_reference" : "message");
}

Result<void> Request::item(json::Node item, const Place& place)
{
    if (!item.is_object()) {
        return wrong_type(place.text(), "an object", item);
    }
    const std::string_view type = type_of(item);
    if (type == "message") {
        return message(item, place);
    }
    if (type == "function_call" || type == "custom_tool_call") {
        return call(item, place, type == "custom_tool_call");
    }
    if (type == "function_call_output" || type == "custom_tool_call_output") {
        return call_output(item, place);
    }
    if (type == "reasoning") {
        return reasoning(item);
    }
    if (type == "additional_tools") {
        return {}; // they are among the tools
    }
    // What they stand for only their maker knows.
    if (type == "item_reference" || type == "compaction"
        || type == "compaction_trigger")
    {
        return fault("Items of type '" + std::string(type)
                + "' need a provider that has the Responses API; this one "
                  "answers chat completions.",
            place.member("type").text(), "unsupported_value");
    }
    // web_search_call and the like: what the vendor's own tools did.
    drop(place.member("type").text());
    return {};
}

Result<void> Request::input()
{
    const json::Node input = body_["input"];
    w_.key("messages").begin_array();
    if (const auto text = body_["instructions"].string(); text) {
        w_.begin_object().field("role", "system");
        w_.field("content", *text).end_object();
    }
    if (input.is_string()) {
        w_.begin_object().field("role", "user");
        w_.field("content", input).end_object();
    } else if (input.is_array()) {
        const Place place{nullptr, "input", 0};
        size_t index = 0;
        for (const json::Node one : input.items()) {
            const Place at = place[index++];
            if (auto done = item(one, at); !done) {
                return done;
            }
        }
        flush();
    } else {
        return input.exists()
            ? wrong_type("input", "one of a string or array of objects", input)
            : missing("input");
    }
    w_.end_array();
    return {};
}

void Request::format()
{
    const json::Node text = body_["text"];
    const json::Node format = text["format"];
    const std::string_view type = format["type"].string_or();
    if (type == "json_object") {
        w_.key("response_format").begin_object();
        w_.field("type", type).end_object();
    } else if (type == "json_schema") {
        w_.key("response_format").begin_object().field("type", type);
        w_.key("json_schema").begin_object();
        for (const std::string_view name :
            {"name", "description", "schema", "strict"}) {
            if (format[name].has_value()) {
                w_.field(name, format[name]);
            }
        }
        w_.end_object().end_object();
    }
    if (text["verbosity"].has_value()
        && text["verbosity"].string_or() != "medium") {
        w_.field("verbosity", text["verbosity"]);
    }
}

void Request::rest()
{
    struct Name {
        std::string_view from, to;
    };
    constexpr Name kSame[] = {{"max_output_tokens", "max_tokens"},
        {"temperature", "temperature"}, {"top_p", "top_p"}, {"user", "user"},
        {"service_tier", "service_tier"},
        {"safety_identifier", "safety_identifier"},
        {"prompt_cache_key", "prompt_cache_key"},
        {"prompt_cache_retention", "prompt_cache_retention"},
        {"prompt_cache_options", "prompt_cache_options"}};
    for (const Name& row : kSame) {
        if (body_[row.from].has_value()) {
            w_.field(row.to, body_[row.from]);
        }
    }
    if (const auto effort = body_["reasoning"]["effort"].string(); effort) {
        w_.field("reasoning_effort", *effort);
    }
    if (request_.stream) {
        w_.field("stream", true);
    }
    const auto tops = body_["top_logprobs"].integer();
    bool logprobs = tops.value_or(0) > 0;
    for (const json::Node one : body_["include"].items()) {
        logprobs =
            logprobs || one.string_or() == "message.output_text.logprobs";
    }
    if (logprobs) {
        w_.field("logprobs", true);
        if (tops.value_or(0) > 0) {
            w_.field("top_logprobs", *tops);
        }
    }
    if (body_["truncation"].string_or() == "auto") {
        drop("truncation");
    }
    for (const json::Member member : body_.members()) {
        if (member.value.has_value()
            && std::find(kKnown.begin(), kKnown.end(), member.key)
                == kKnown.end()
            && member.key != "background" && member.key != "prompt")
        {
            drop(member.key);
        }
    }
}

Result<void> Request::write()
{
    if (auto done = check(); !done) {
        return done;
    }
    w_.begin_object().field("model", request_.model);
    if (auto done = input(); !done) {
        return done;
    }
    ResponsesTools(body_, &request_.dropped).write(w_);
    format();
    rest();
    w_.end_object();
    return {};
}

void echo(json::Writer& w, json::Node body, std::string_view name,
    std::string_view otherwise)
{
    const json::Node value = body[name];
    if (value.has_value()) {
        w.field(name, value);
    } else {
        w.key(name).raw(otherwise);
    }
}

} // namespace

Result<void> responses_to_chat(const ClientRequest& request, std::string& out)
{
    return Request(request, out).write();
}

std::string responses_echo(json::Node body)
{
    std::string out;
    json::Writer w(out);
    w.begin_object();
    const std::string names = ResponsesTools(body, nullptr).names();
    if (!names.empty()) {
        w.key(kToolNames).raw(names);
    }
    echo(w, body, "instructions", "null");
    echo(w, body, "max_output_tokens", "null");
    echo(w, body, "max_tool_calls", "null");
    echo(w, body, "metadata", "{}");
    echo(w, body, "parallel_tool_calls", "true");
    w.key("previous_response_id").null();
    echo(w, body, "prompt_cache_key", "null");
    echo(w, body, "reasoning", R"({"effort":null,"summary":null})");
    echo(w, body, "service_tier", R"("default")");
    echo(w, body, "safety_identifier", "null");
    // Nothing is kept here, whatever was asked for.
    w.field("store", false);
    echo(w, body, "temperature", "1");
    echo(w, body, "text", R"({"format":{"type":"text"}})");
    echo(w, body, "tool_choice", R"("auto")");
    echo(w, body, "tools", "[]");
    echo(w, body, "top_logprobs", "0");
    echo(w, body, "top_p", "1");
    w.field("truncation", "disabled");
    echo(w, body, "user", "null");
    w.end_object();
    return out;
}

} // namespace ai_proxy::dialect
