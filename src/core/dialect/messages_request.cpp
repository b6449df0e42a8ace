#include "core/dialect/messages_request.h"

#include "core/dialect/hub_message.h"
#include "core/dialect/request_fault.h"
#include "core/dialect/tool_names.h"
#include "core/dialect/web_search.h"

#include <algorithm>
#include <array>
#include <string>

namespace ai_proxy::dialect {

namespace {

// Where Claude Code says who pays: no part of a prompt.
constexpr std::string_view kBilling = "x-anthropic-billing-header:";

// Anthropic's own words for a fault: "messages.0.content: ...".
Error invalid(const std::string& where, std::string_view what)
{
    std::string text = where + ": ";
    text += what;
    return make_error(ErrorCode::invalid_request, std::move(text), where);
}

std::string at(std::string_view list, size_t index)
{
    return std::string(list) + "." + std::to_string(index);
}

std::string json_text(json::Node node)
{
    std::string out;
    json::append_value(out, node);
    return out;
}

class Request {
public:
    Request(const ClientRequest& request, std::string& out)
        : body_(request.body), request_(request), w_(out)
    {
    }

    Result<void> write();

private:
    void drop(const std::string& where) { request_.dropped.add(where); }
    Result<void> system();
    Result<void> messages();
    Result<void> message(json::Node message, const std::string& where);
    Result<void> user(json::Node blocks, const std::string& where);
    Result<void> assistant(json::Node blocks, const std::string& where);
    Result<void> content_part(
        HubMessage& out, json::Node block, const std::string& where);
    Result<void> tool_result(json::Node block, const std::string& where);
    void image(HubMessage& out, json::Node block, const std::string& where);
    void document(HubMessage& out, json::Node block, const std::string& where);
    static void search_result(HubMessage& out, json::Node block);
    void tools();
    void tool_choice();
    void thinking();
    void format();
    void sampling();
    void rest();

    json::Node body_;
    const ClientRequest& request_;
    json::Writer w_;
};

// Which members are read somewhere here.
constexpr std::array<std::string_view, 18> kKnown{"model", "messages",
    "max_tokens", "system", "stream", "temperature", "top_p", "top_k",
    "stop_sequences", "tools", "tool_choice", "thinking", "metadata",
    "service_tier", "output_config", "output_format", "betas",
    "anthropic_version"};

Result<void> Request::system()
{
    const json::Node system = body_["system"];
    if (!system.has_value()) {
        return {};
    }
    HubMessage out("system");
    if (system.is_string()) {
        out.text(system.string_or());
    } else if (system.is_array()) {
        for (const json::Node block : system.items()) {
            const std::string_view text = block["text"].string_or();
            if (!text.starts_with(kBilling)) {
                out.text(text, block["cache_control"]);
            }
        }
    } else {
        return invalid("system", "Input should be a valid string or list");
    }
    if (!out.empty()) {
        out.write(w_);
    }
    return {};
}

void Request::image(HubMessage& out, json::Node block, const std::string& where)
{
    const json::Node source = block["source"];
    const std::string_view type = source["type"].string_or();
    const json::Node marker = block["cache_control"];
    if (type == "base64") {
        out.image(source["media_type"].string_or(), source["data"].string_or(),
            {}, marker);
    } else if (type == "url") {
        out.image_url(source["url"].string_or(), {}, marker);
    } else if (type == "file") {
        out.file_id(source["file_id"].string_or(), marker);
    } else {
        drop(where + ".source.type");
    }
}

bool wants_citations(json::Node block)
{
    return block["citations"]["enabled"].boolean().value_or(false);
}

void Request::document(
    HubMessage& out, json::Node block, const std::string& where)
{
    const json::Node source = block["source"];
    const std::string_view type = source["type"].string_or();
    const std::string_view title = block["title"].string_or();
    const json::Node marker = block["cache_control"];
    const bool cites = wants_citations(block);
    if (type != "text" && type != "content"
        && (cites || block["context"].has_value()
            || (type != "base64" && !title.empty())))
    {
        out.claude_block(block, "source");
    }
    if (type == "base64") {
        out.file(source["media_type"].string_or("application/pdf"),
            source["data"].string_or(), title, marker);
    } else if (type == "url") {
        out.file_url(source["url"].string_or(), {}, title, marker);
    } else if (type == "file") {
        out.file_id(source["file_id"].string_or(), marker);
    } else if (type == "text" || type == "content") {
        // Plain text is text everywhere.
        std::string text;
        for (const std::string_view head :
            {title, block["context"].string_or()}) {
            if (!head.empty()) {
                text.append(head).append("\n\n");
            }
        }
        text += source["data"].string_or(source["content"].string_or());
        bool is_text = true;
        for (const json::Node part : source["content"].items()) {
            if (part["type"].string_or() == "text") {
                text += part["text"].string_or();
            } else if (part["type"].string_or() == "image") {
                image(out, part, where);
                is_text = false;
            }
        }
        if (cites && is_text && !text.empty()) {
            out.claude_block(block);
        } else if (cites) {
            drop(where + ".citations");
        }
        out.text(text, marker);
    } else {
        drop(where + ".source.type");
    }
}

void Request::search_result(HubMessage& out, json::Node block)
{
    std::string text;
    for (const std::string_view head :
        {block["title"].string_or(), block["source"].string_or()})
    {
        if (!head.empty()) {
            text.append(head).append("\n");
        }
    }
    for (const json::Node part : block["content"].items()) {
        text.append("\n").append(part["text"].string_or());
    }
    if (wants_citations(block) && !text.empty()) {
        out.claude_block(block);
    }
    out.text(text, block["cache_control"]);
}

// What the user's side may say outside and inside of a tool's result.
Result<void> Request::content_part(
    HubMessage& out, json::Node block, const std::string& where)
{
    const std::string_view type = block["type"].string_or();
    if (!block.is_object() || type.empty()) {
        return invalid(where, "Input should be an object with a type");
    }
    if (type == "text") {
        if (!block["text"].is_string()) {
            return invalid(where + ".text", "Input should be a valid string");
        }
        out.text(block["text"].string_or(), block["cache_control"]);
    } else if (type == "image") {
        image(out, block, where);
    } else if (type == "document") {
        document(out, block, where);
    } else if (type == "search_result") {
        search_result(out, block);
    } else {
        drop(where + ".type");
    }
    return {};
}

Result<void> Request::tool_result(json::Node block, const std::string& where)
{
    const json::Node content = block["content"];
    HubMessage out("tool");
    out.answers(block["tool_use_id"].string_or(),
        block["is_error"].boolean().value_or(false));
    if (content.is_string()) {
        out.text(content.string_or(), block["cache_control"]);
    }
    size_t index = 0;
    for (const json::Node part : content.items()) {
        if (auto done =
                content_part(out, part, at(where + ".content", index++));
            !done) {
            return done;
        }
    }
    out.write(w_);
    return {};
}

// The results of tools come first, each a message of its own.
Result<void> Request::user(json::Node blocks, const std::string& where)
{
    HubMessage out("user");
    size_t index = 0;
    for (const json::Node block : blocks.items()) {
        const std::string here = at(where, index++);
        auto done = block["type"].string_or() == "tool_result"
            ? tool_result(block, here)
            : content_part(out, block, here);
        if (!done) {
            return done;
        }
    }
    if (!out.empty()) {
        out.write(w_);
    }
    return {};
}

// Do the citations of an answer speak of documents alone?  What Anthropic's
// search found is not said to others, so that nobody can cite it.
bool cites_documents(json::Node text)
{
    const json::Node citations = text["citations"];
    for (const json::Node one : citations.items()) {
        if (one["type"].string_or() == "web_search_result_location") {
            return false;
        }
    }
    return citations.is_array() && citations.size() > 0
        && !text["text"].string_or().empty();
}

Result<void> Request::assistant(json::Node blocks, const std::string& where)
{
    HubMessage out("assistant");
    size_t index = 0;
    for (const json::Node block : blocks.items()) {
        const std::string here = at(where, index++);
        const std::string_view type = block["type"].string_or();
        if (type == "thinking") {
            out.thinking(
                block["thinking"].string_or(), block["signature"].string_or());
        } else if (type == "redacted_thinking") {
            out.redacted(block["data"].string_or());
        } else if (type == "tool_use") {
            const json::Node input = block["input"];
            out.call(block["id"].string_or(), block["name"].string_or(),
                input.is_object() ? json_text(input) : "{}");
        } else {
            if (type == "text" && cites_documents(block)) {
                out.claude_block(block, "text");
            }
            if (auto done = content_part(out, block, here); !done) {
                return done;
            }
        }
    }
    if (!out.empty()) {
        out.write(w_);
    }
    return {};
}

Result<void> Request::message(json::Node message, const std::string& where)
{
    if (!message.is_object()) {
        return invalid(where, "Input should be an object");
    }
    const std::string_view role = message["role"].string_or();
    if (role != "user" && role != "assistant" && role != "system") {
        return invalid(
            where + ".role", "Input should be 'user' or 'assistant'");
    }
    const json::Node content = message["content"];
    if (content.is_string()) {
        HubMessage out(role);
        out.text(content.string_or());
        if (!out.empty() || role == "user") {
            out.write(w_);
        }
        return {};
    }
    if (!content.is_array()) {
        return invalid(where + ".content",
            content.exists() ? "Input should be a valid string or list"
                             : "Field required");
    }
    return role == "assistant" ? assistant(content, where + ".content")
                               : user(content, where + ".content");
}

Result<void> Request::messages()
{
    const json::Node messages = body_["messages"];
    if (!messages.exists()) {
        return invalid("messages", "Field required");
    }
    if (!messages.is_array()) {
        return invalid("messages", "Input should be a valid list");
    }
    if (messages.size() == 0) {
        return invalid("messages", "at least one message is required");
    }
    w_.key("messages").begin_array();
    if (auto done = system(); !done) {
        return done;
    }
    size_t index = 0;
    for (const json::Node one : messages.items()) {
        if (auto done = message(one, at("messages", index++)); !done) {
            return done;
        }
    }
    w_.end_array();
    return {};
}

void Request::tools()
{
    size_t index = 0;
    std::string list;
    json::Node search;
    for (const json::Node tool : body_["tools"].items()) {
        const std::string_view type = tool["type"].string_or("custom");
        const size_t here = index++;
        // The vendor's own tools run there, or have schemas only its models
        // know.
        if (type.starts_with("web_search_")) {
            search = tool;
            continue;
        }
        if (type != "custom") {
            drop(at("tools", here) + ".type");
            continue;
        }
        list += list.empty() ? "" : ",";
        json::Writer w(list);
        w.begin_object().field("type", "function");
        w.key("function").begin_object();
        w.field("name",
            std::string_view(fitting_tool_name(tool["name"].string_or())));
        if (tool["description"].is_string()) {
            w.field("description", tool["description"]);
        }
        if (tool["input_schema"].is_object()) {
            w.field("parameters", tool["input_schema"]);
        }
        if (tool["strict"].is_bool()) {
            w.field("strict", tool["strict"]);
        }
        w.end_object();
        if (tool["cache_control"].is_object()) {
            w.field("cache_control", tool["cache_control"]);
        }
        w.end_object();
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
    const json::Node choice = body_["tool_choice"];
    const std::string_view type = choice["type"].string_or();
    if (type == "auto" || type == "none") {
        w_.field("tool_choice", type);
    } else if (type == "any") {
        w_.field("tool_choice", "required");
    } else if (type == "tool") {
        w_.key("tool_choice").begin_object().field("type", "function");
        w_.key("function").begin_object();
        w_.field("name",
            std::string_view(fitting_tool_name(choice["name"].string_or())));
        w_.end_object().end_object();
    }
    const auto serial = choice["disable_parallel_tool_use"].boolean();
    if (serial) {
        w_.field("parallel_tool_calls", !*serial);
    }
}

void Request::thinking()
{
    const json::Node thinking = body_["thinking"];
    const json::Node effort = body_["output_config"]["effort"];
    if (thinking.is_object()) {
        w_.field("thinking", thinking);
    }
    if (effort.is_string() && thinking["type"].string_or() != "disabled") {
        w_.field("reasoning_effort", effort);
        // Claude alone tells this from a wish to think.
        if (!thinking.is_object()) {
            w_.key("output_config").begin_object();
            w_.field("effort", effort).end_object();
        }
    }
}

void Request::format()
{
    json::Node format = body_["output_config"]["format"];
    if (!format.is_object()) {
        format = body_["output_format"];
    }
    if (!format["schema"].is_object()) {
        return;
    }
    w_.key("response_format").begin_object().field("type", "json_schema");
    w_.key("json_schema").begin_object().field("name", "output");
    w_.field("schema", format["schema"]).field("strict", true);
    w_.end_object().end_object();
}

void Request::sampling()
{
    for (const std::string_view name :
        {"max_tokens", "temperature", "top_p", "top_k"})
    {
        if (const json::Node value = body_[name]; value.is_number()) {
            w_.field(name, value);
        }
    }
    if (body_["stop_sequences"].size() > 0) {
        w_.field("stop", body_["stop_sequences"]);
    }
    if (request_.stream) {
        w_.field("stream", true);
    }
}

void Request::rest()
{
    const std::string_view user = body_["metadata"]["user_id"].string_or();
    if (!user.empty()) {
        w_.field("user", user);
    }
    const std::string_view tier = body_["service_tier"].string_or();
    if (tier == "auto") {
        w_.field("service_tier", "auto");
    } else if (tier == "standard_only") {
        w_.field("service_tier", "default");
    }
    for (const json::Member member : body_.members()) {
        if (member.value.has_value()
            && std::find(kKnown.begin(), kKnown.end(), member.key)
                == kKnown.end())
        {
            drop(std::string(member.key));
        }
    }
}

Result<void> Request::write()
{
    w_.begin_object().field("model", request_.model);
    if (auto done = messages(); !done) {
        return done;
    }
    tools();
    thinking();
    format();
    sampling();
    rest();
    w_.end_object();
    return {};
}

} // namespace

Result<void> messages_to_chat(const ClientRequest& request, std::string& out)
{
    return Request(request, out).write();
}

} // namespace ai_proxy::dialect
