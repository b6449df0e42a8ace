#include "core/dialect/content_parts.h"

#include "core/json/writer.h"

namespace ai_proxy::dialect {

namespace {

// The message of a plain choice, the delta of a streamed one.
json::Node message_of(json::Node choice)
{
    const json::Node message = choice["message"];
    return message.is_object() ? message : choice["delta"];
}

bool flattens(json::Node content)
{
    if (!content.is_array()) {
        return false;
    }
    for (const json::Node part : content.items()) {
        const std::string_view type = part["type"].string_or();
        if (type != "text" && type != "thinking" && type != "reference") {
            return false;
        }
    }
    return true;
}

void write_message(json::Writer& w, json::Node message)
{
    const json::Node content = message["content"];
    std::string text;
    std::string reasoning;
    join_text(text, content);
    join_thinking(reasoning, content);
    w.begin_object();
    for (const json::Member member : message.members()) {
        if (member.key != "content") {
            w.field(member.key, member.value);
        } else if (!text.empty() || reasoning.empty()) {
            w.field("content", text);
        }
    }
    if (!reasoning.empty() && !message["reasoning_content"].has_value()) {
        w.field("reasoning_content", reasoning);
    }
    w.end_object();
}

void write_choice(json::Writer& w, json::Node choice)
{
    w.begin_object();
    for (const json::Member member : choice.members()) {
        w.key(member.key);
        const bool message = member.key == "message" || member.key == "delta";
        if (message && flattens(member.value["content"])) {
            write_message(w, member.value);
        } else {
            w.value(member.value);
        }
    }
    w.end_object();
}

} // namespace

void join_text(std::string& out, json::Node parts)
{
    for (const json::Node part : parts.items()) {
        if (part["type"].string_or() == "text") {
            out += part["text"].string_or();
        }
    }
}

void join_thinking(std::string& out, json::Node parts)
{
    for (const json::Node part : parts.items()) {
        if (part["type"].string_or() != "thinking") {
            continue;
        }
        const json::Node thinking = part["thinking"];
        out += thinking.string_or();
        for (const json::Node piece : thinking.items()) {
            out += piece["text"].string_or();
        }
    }
}

bool has_content_parts(json::Node body)
{
    for (const json::Node choice : body["choices"].items()) {
        if (flattens(message_of(choice)["content"])) {
            return true;
        }
    }
    return false;
}

void write_flat(std::string& out, json::Node body)
{
    json::Writer w(out);
    w.begin_object();
    for (const json::Member member : body.members()) {
        w.key(member.key);
        if (member.key != "choices" || !member.value.is_array()) {
            w.value(member.value);
            continue;
        }
        w.begin_array();
        for (const json::Node choice : member.value.items()) {
            write_choice(w, choice);
        }
        w.end_array();
    }
    w.end_object();
}

} // namespace ai_proxy::dialect
