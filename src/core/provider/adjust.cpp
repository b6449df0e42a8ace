#include "core/provider/adjust.h"

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/chat/allowed_tools.h"
#include "core/json/writer.h"
#include "core/provider/registry.h"

#include <algorithm>
#include <string>

namespace ai_proxy::provider {

namespace {

bool is_developer(json::Node message) noexcept
{
    return message["role"].string_or() == "developer";
}

size_t count_developers(json::Node messages) noexcept
{
    size_t count = 0;
    for (json::Node message : messages.items())
        count += is_developer(message) ? 1 : 0;
    return count;
}

size_t skip_space(std::string_view text, size_t i) noexcept
{
    return std::min(text.find_first_not_of(" \t\r\n", i), text.size());
}

// Offset behind the string that begins at i.
size_t skip_string(std::string_view text, size_t i) noexcept
{
    for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\')
            ++i;
    return std::min(i + 1, text.size());
}

// The text of an array of messages with the roles "developer" of its objects
// made "system"; replaced counts them.  text is valid JSON.
std::string rename_roles(std::string_view text, size_t& replaced)
{
    constexpr std::string_view kRole = "\"role\"", kOld = "\"developer\"";
    std::string out;
    size_t copied = 0, depth = 0;
    for (size_t i = 0; i < text.size();) {
        char c = text[i];
        if (c != '"') {
            depth += c == '[' || c == '{' ? 1 : 0;
            depth -= c == ']' || c == '}' ? 1 : 0;
            ++i;
            continue;
        }
        size_t end = skip_string(text, i);
        bool role = depth == 2 && text.substr(i, end - i) == kRole;
        i = end;
        size_t colon = skip_space(text, end);
        if (!role || colon >= text.size() || text[colon] != ':')
            continue;
        size_t value = skip_space(text, colon + 1);
        if (text.substr(value).starts_with(kOld)) {
            out.append(text.substr(copied, value - copied));
            out.append("\"system\"");
            i = copied = value + kOld.size();
            ++replaced;
        }
    }
    return out.append(text.substr(copied));
}

// For spellings the byte edit does not know ("r\u006fle").
std::string rewrite_messages(json::Node messages)
{
    std::string out;
    json::Writer writer(out);
    writer.begin_array();
    for (json::Node message : messages.items()) {
        if (!is_developer(message)) {
            writer.value(message);
            continue;
        }
        writer.begin_object();
        for (json::Member member : message.members()) {
            if (member.key == "role")
                writer.field("role", "system");
            else
                writer.field(member.key, member.value);
        }
        writer.end_object();
    }
    writer.end_array();
    return out;
}

void rename_developer(json::Splice& body, json::Node parsed)
{
    json::Node messages = parsed["messages"];
    size_t developers = count_developers(messages);
    if (developers == 0)
        return;
    size_t replaced = 0;
    std::string text = rename_roles(body.raw("messages"), replaced);
    if (replaced != developers)
        text = rewrite_messages(messages);
    body.set("messages", std::move(text));
}

// reasoning_effort in the words of vendors that only know on and off.
std::string_view thinking(std::string_view effort) noexcept
{
    return effort == "none" ? R"({"type":"disabled"})"
                            : R"({"type":"enabled"})";
}

// A choice among some of the tools, for vendors that do not know it: they are
// shown these alone.
void narrow_tools(json::Splice& body, json::Node parsed)
{
    const auto allowed = chat::allowed_tools(parsed["tool_choice"]);
    if (!allowed.given())
        return;
    std::string tools;
    json::Writer writer(tools);
    size_t shown = 0;
    writer.begin_array();
    for (json::Node tool : parsed["tools"].items()) {
        if (allowed.holds(tool)) {
            writer.value(tool);
            ++shown;
        }
    }
    writer.end_array();
    if (shown == 0) {
        body.set("tool_choice", "\"none\"");
        return;
    }
    body.set("tools", std::move(tools));
    body.set("tool_choice",
        allowed.mode == "required" ? "\"required\"" : "\"auto\"");
}

// Mistral takes nine letters and digits as the id of a call.
bool is_mistral_id(std::string_view id) noexcept
{
    return id.size() == 9 && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
    });
}

// The same for the same id: a result still finds its call.
std::string mistral_id(std::string_view id)
{
    if (is_mistral_id(id))
        return std::string(id);
    constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv"
                                         "wxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::string out;
    for (uint64_t rest = fnv1a(id); out.size() < 9; rest /= kDigits.size())
        out += kDigits[rest % kDigits.size()];
    return out;
}

bool has_other_ids(json::Node messages) noexcept
{
    for (json::Node message : messages.items()) {
        json::Node answered = message["tool_call_id"];
        if (answered.is_string() && !is_mistral_id(answered.string_or()))
            return true;
        for (json::Node call : message["tool_calls"].items())
            if (call["id"].is_string()
                && !is_mistral_id(call["id"].string_or()))
                return true;
    }
    return false;
}

void write_call(json::Writer& w, json::Node call)
{
    w.begin_object();
    for (json::Member member : call.members()) {
        if (member.key == "id" && member.value.is_string())
            w.field("id", mistral_id(member.value.string_or()));
        else
            w.field(member.key, member.value);
    }
    w.end_object();
}

void rename_calls(json::Splice& body, json::Node messages)
{
    std::string out;
    json::Writer w(out);
    w.begin_array();
    for (json::Node message : messages.items()) {
        w.begin_object();
        for (json::Member member : message.members()) {
            w.key(member.key);
            if (member.key == "tool_call_id" && member.value.is_string()) {
                w.string(mistral_id(member.value.string_or()));
            } else if (member.key == "tool_calls" && member.value.is_array()) {
                w.begin_array();
                for (json::Node call : member.value.items())
                    write_call(w, call);
                w.end_array();
            } else if (member.key == "role" && is_developer(message)) {
                w.string("system");
            } else {
                w.value(member.value);
            }
        }
        w.end_object();
    }
    w.end_array();
    body.set("messages", std::move(out));
}

} // namespace

Result<void> adjust_relayed(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    const Options& options = context.options;
    if (!options.developer_role.value_or(options.type->developer_role))
        rename_developer(body, parsed);
    if (!options.type->developer_role)
        narrow_tools(body, parsed);
    if (!options.type->stream_options || !options.stream_options)
        body.remove("stream_options");
    return {};
}

Result<void> adjust_doubao(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    bool chat = parsed["messages"].exists();
    if (!chat && parsed["prompt"].exists() && !parsed["watermark"].exists())
        body.set("watermark", "false");
    if (!chat && parsed["input"].exists()) {
        body.remove("parallel_tool_calls");
        body.remove("tool_choice");
    }
    return adjust_relayed(body, parsed, context);
}

Result<void> adjust_zhipuai(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    std::string_view effort = parsed["reasoning_effort"].string_or();
    if (!effort.empty()) {
        if (!parsed["thinking"].has_value())
            body.set("thinking", std::string(thinking(effort)));
        body.remove("reasoning_effort");
    }
    return adjust_relayed(body, parsed, context);
}

Result<void> adjust_openrouter(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    int64_t budget = parsed["reasoning_max_tokens"].integer().value_or(0);
    if (budget > 0) {
        std::string reasoning;
        json::Writer writer(reasoning);
        writer.begin_object();
        for (json::Member member : parsed["reasoning"].members())
            if (member.key != "max_tokens" && member.key != "effort")
                writer.field(member.key, member.value);
        writer.field("max_tokens", budget).end_object();
        body.set("reasoning", std::move(reasoning));
        body.remove("reasoning_effort");
    }
    body.remove("reasoning_max_tokens");
    return adjust_relayed(body, parsed, context);
}

Result<void> adjust_mistral(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    if (parsed["random_seed"].exists())
        body.remove("seed");
    else
        body.rename("seed", "random_seed");
    // As everywhere: max_completion_tokens wins over the older name.
    if (parsed["max_completion_tokens"].has_value()) {
        body.remove("max_tokens");
        body.rename("max_completion_tokens", "max_tokens");
    } else {
        body.remove("max_completion_tokens");
    }
    auto done = adjust_relayed(body, parsed, context);
    if (has_other_ids(parsed["messages"]))
        rename_calls(body, parsed["messages"]);
    return done;
}

} // namespace ai_proxy::provider
