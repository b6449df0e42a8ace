#include "core/prompt/decorate.h"

#include "core/json/elements.h"
#include "core/json/writer.h"

#include <utility>

namespace ai_proxy::prompt {

namespace {

using dialect::Api;
using json::Node;

// An added message with its variables resolved.
struct Message {
    std::string_view role;
    std::string text;

    [[nodiscard]] bool is_system() const noexcept
    {
        return role == "system" || role == "developer";
    }
};
using Messages = std::vector<Message>;

bool has_text(Node part) noexcept
{
    const std::string_view type = part["type"].string_or();
    return (type == "text" || type == "input_text" || type == "output_text")
        && part["text"].is_string();
}

class Decorator {
public:
    Decorator(const Decorations& rules, Values& values, json::Splice& splice)
        : rules_(rules), splice_(splice)
    {
        take(rules.prepend, values, before_);
        take(rules.append, values, behind_);
    }

    void chat(Node body) { list(body, "messages"); }
    void messages(Node body);
    void responses(Node body);
    void gemini(Node body);
    [[nodiscard]] bool failed() const noexcept { return failed_; }

private:
    using Write = void (Decorator::*)(json::Writer& w, Node element);
    using Add = void (*)(json::Writer& w, const Message& message);

    void take(const std::vector<Added>& added, Values& values, Messages& out);
    void part_systems();
    bool rewrite(std::string_view role, std::string& text);
    void write_text(json::Writer& w, Node text, std::string_view role);
    void write_part(json::Writer& w, Node part, std::string_view role);
    void write_content(json::Writer& w, Node content, std::string_view role);
    void write_message(json::Writer& w, Node message);
    void write_turn(json::Writer& w, Node turn);
    void write_block(json::Writer& w, Node block)
    {
        write_part(w, block, "system");
    }
    void write_instruction(json::Writer& w, Node part);
    std::string edited(std::string_view raw, Node array, Write write);
    std::string around(std::string inside, const Messages& before,
        const Messages& behind, Add add);
    void list(Node body, std::string_view name);
    void turns(Node body);

    const Decorations& rules_;
    json::Splice& splice_;
    bool failed_ = false;
    bool changed_ = false; // by a rewrite()
    Messages before_, behind_;
    // Those of them that are no messages in this dialect.
    Messages systems_before_, systems_behind_;
};

// What is added is subject to the replacements, too; a text that turns out to
// be empty, or of which a part is not known, is no message.
void Decorator::take(
    const std::vector<Added>& added, Values& values, Messages& out)
{
    for (const Added& one : added) {
        auto text = resolve(one.content, values);
        if (!text) {
            continue;
        }
        Message message{one.role, std::move(*text)};
        (void)rewrite(message.role, message.text);
        if (!message.text.empty()) {
            out.push_back(std::move(message));
        }
    }
}

void Decorator::part_systems()
{
    const auto part = [](Messages& from, Messages& to) {
        for (Message& message : from) {
            if (message.is_system()) {
                to.push_back(std::move(message));
            }
        }
        std::erase_if(from, [](const Message& m) { return m.is_system(); });
    };
    part(before_, systems_before_);
    part(behind_, systems_behind_);
}

bool Decorator::rewrite(std::string_view role, std::string& text)
{
    bool any = false;
    std::string out;
    for (const Replacement& rule : rules_.replace) {
        if (!rule.role.empty() && rule.role != role) {
            continue;
        }
        if (rule.regex) {
            const Regex::Outcome outcome = rule.regex->replace(text, out);
            failed_ = failed_ || outcome == Regex::Outcome::limit;
            if (outcome == Regex::Outcome::replaced) {
                std::swap(text, out);
                any = true;
            }
            continue;
        }
        for (size_t at = 0;
             (at = text.find(rule.pattern, at)) != std::string::npos;
             at += rule.with.size())
        {
            text.replace(at, rule.pattern.size(), rule.with);
            any = true;
        }
    }
    changed_ = changed_ || any;
    return any;
}

void Decorator::write_text(json::Writer& w, Node text, std::string_view role)
{
    std::string words(text.string_or());
    (void)rewrite(role, words);
    w.string(words);
}

// What a tool answered is its own, wherever it stands.
void Decorator::write_part(json::Writer& w, Node part, std::string_view role)
{
    const bool result = part["type"].string_or() == "tool_result";
    if (!result && !has_text(part)) {
        w.value(part);
        return;
    }
    w.begin_object();
    for (const json::Member member : part.members()) {
        w.key(member.key);
        if (result && member.key == "content") {
            write_content(w, member.value, "tool");
        } else if (!result && member.key == "text") {
            write_text(w, member.value, role);
        } else {
            w.value(member.value);
        }
    }
    w.end_object();
}

void Decorator::write_content(
    json::Writer& w, Node content, std::string_view role)
{
    if (content.is_string()) {
        write_text(w, content, role);
    } else if (content.is_array()) {
        w.begin_array();
        for (const Node part : content.items()) {
            write_part(w, part, role);
        }
        w.end_array();
    } else {
        w.value(content);
    }
}

// Of chat, Messages and Responses.
void Decorator::write_message(json::Writer& w, Node message)
{
    const bool output = message["type"].string_or().ends_with("_call_output");
    const std::string_view role = output ? "tool" : message["role"].string_or();
    w.begin_object();
    for (const json::Member member : message.members()) {
        w.key(member.key);
        if (member.key == (output ? "output" : "content")) {
            write_content(w, member.value, role);
        } else {
            w.value(member.value);
        }
    }
    w.end_object();
}

// A part of Gemini's: text without a type.
void Decorator::write_instruction(json::Writer& w, Node part)
{
    w.begin_object();
    for (const json::Member member : part.members()) {
        w.key(member.key);
        if (member.key == "text" && member.value.is_string()) {
            write_text(w, member.value, "system");
        } else {
            w.value(member.value);
        }
    }
    w.end_object();
}

void Decorator::write_turn(json::Writer& w, Node turn)
{
    const std::string_view role =
        turn["role"].string_or() == "model" ? "assistant" : "user";
    w.begin_object();
    for (const json::Member member : turn.members()) {
        w.key(member.key);
        if (member.key != "parts" || !member.value.is_array()) {
            w.value(member.value);
            continue;
        }
        w.begin_array();
        for (const Node part : member.value.items()) {
            const bool thought = part["thought"].boolean().value_or(false);
            if (thought || !part["text"].is_string()) {
                w.value(part);
                continue;
            }
            w.begin_object();
            for (const json::Member inner : part.members()) {
                w.key(inner.key);
                if (inner.key == "text") {
                    write_text(w, inner.value, role);
                } else {
                    w.value(inner.value);
                }
            }
            w.end_object();
        }
        w.end_array();
    }
    w.end_object();
}

// The inside of an array, those of its elements replaced that change.
std::string Decorator::edited(std::string_view raw, Node array, Write write)
{
    std::string out;
    size_t copied = 1; // the bracket
    if (!rules_.replace.empty()) {
        const auto texts = json::elements(raw);
        size_t index = 0;
        for (const Node element : array.items()) {
            if (index == texts.size()) {
                break;
            }
            const std::string_view text = texts[index++];
            std::string made;
            json::Writer w(made);
            changed_ = false;
            if (element.is_object()) {
                (this->*write)(w, element);
            }
            if (!changed_) {
                continue;
            }
            const auto begin = static_cast<size_t>(text.data() - raw.data());
            out += raw.substr(copied, begin - copied);
            out += made;
            copied = begin + text.size();
        }
    }
    out += raw.substr(copied, raw.rfind(']') - copied);
    return out;
}

// An array of what is added before and behind the inside of another one.
std::string Decorator::around(
    std::string inside, const Messages& before, const Messages& behind, Add add)
{
    const bool blank = inside.find_first_not_of(" \t\r\n") == std::string::npos;
    std::string out = "[";
    const auto put = [&](const Messages& messages) {
        for (const Message& message : messages) {
            out += out.size() > 1 ? "," : "";
            json::Writer w(out);
            add(w, message);
        }
    };
    put(before);
    if (!blank || (before.empty() && behind.empty())) {
        out += out.size() > 1 ? "," : "";
        out += inside;
    }
    put(behind);
    return out + "]";
}

void add_message(json::Writer& w, const Message& message)
{
    w.begin_object().field("role", message.role);
    w.field("content", std::string_view(message.text)).end_object();
}

void add_block(json::Writer& w, const Message& message)
{
    w.begin_object().field("type", "text");
    w.field("text", std::string_view(message.text)).end_object();
}

void add_part(json::Writer& w, const Message& message)
{
    w.begin_object();
    w.field("text", std::string_view(message.text)).end_object();
}

void add_turn(json::Writer& w, const Message& message)
{
    w.begin_object();
    w.field("role", message.role == "assistant" ? "model" : "user");
    w.key("parts").begin_array();
    add_part(w, message);
    w.end_array().end_object();
}

// Paragraphs of one text.
std::string joined(
    const Messages& before, std::string_view text, const Messages& behind)
{
    std::string out;
    const auto put = [&out](std::string_view one) {
        out += out.empty() || one.empty() ? "" : "\n\n";
        out += one;
    };
    for (const Message& message : before) {
        put(message.text);
    }
    put(text);
    for (const Message& message : behind) {
        put(message.text);
    }
    return out;
}

std::string quoted(std::string_view text)
{
    std::string out;
    json::append_string(out, text);
    return out;
}

void Decorator::list(Node body, std::string_view name)
{
    if (body[name].is_array()) {
        splice_.set(name,
            around(edited(splice_.raw(name), body[name],
                       &Decorator::write_message),
                before_, behind_, add_message));
    }
}

// Anthropic's system prompt stands apart.
void Decorator::messages(Node body)
{
    if (!body["messages"].is_array()) {
        return;
    }
    part_systems();
    list(body, "messages");
    const Node system = body["system"];
    if (system.is_array()) {
        splice_.set("system",
            around(
                edited(splice_.raw("system"), system, &Decorator::write_block),
                systems_before_, systems_behind_, add_block));
        return;
    }
    std::string text(system.string_or());
    const bool changed = rewrite("system", text);
    if (changed || !systems_before_.empty() || !systems_behind_.empty()) {
        splice_.set(
            "system", quoted(joined(systems_before_, text, systems_behind_)));
    }
}

// Items may be one text, the user's.
void Decorator::responses(Node body)
{
    const Node input = body["input"];
    if (std::string text(body["instructions"].string_or());
        rewrite("system", text)) {
        splice_.set("instructions", quoted(text));
    }
    if (!input.is_string()) {
        list(body, "input");
        return;
    }
    std::string text(input.string_or());
    const bool changed = rewrite("user", text);
    if (before_.empty() && behind_.empty()) {
        if (changed) {
            splice_.set("input", quoted(text));
        }
        return;
    }
    std::string inside;
    json::Writer w(inside);
    add_message(w, {"user", std::move(text)});
    splice_.set(
        "input", around(std::move(inside), before_, behind_, add_message));
}

void Decorator::turns(Node body)
{
    splice_.set("contents",
        around(edited(splice_.raw("contents"), body["contents"],
                   &Decorator::write_turn),
            before_, behind_, add_turn));
}

void Decorator::gemini(Node body)
{
    if (!body["contents"].is_array()) {
        return;
    }
    part_systems();
    turns(body);
    const bool snake = body["system_instruction"].exists();
    const std::string_view name =
        snake ? "system_instruction" : "systemInstruction";
    const Node given = body[name];
    const bool adds = !systems_before_.empty() || !systems_behind_.empty();
    if (!adds && !given["parts"].is_array()) {
        return;
    }
    std::string parts, inside;
    changed_ = false;
    for (const Node part : given["parts"].items()) {
        inside += inside.empty() ? "" : ",";
        json::Writer w(inside);
        write_instruction(w, part);
    }
    if (!adds && !changed_) {
        return;
    }
    std::string made;
    json::Writer w(made);
    w.begin_object();
    for (const json::Member member : given.members()) {
        if (member.key != "parts") {
            w.field(member.key, member.value);
        }
    }
    w.key("parts").raw(
        around(std::move(inside), systems_before_, systems_behind_, add_part));
    w.end_object();
    splice_.set(name, std::move(made));
}

} // namespace

Result<void> decorate(const Decorations& rules, Values& values,
    dialect::Api api, json::Node body, json::Splice& splice)
{
    Decorator decorator(rules, values, splice);
    switch (api) {
    case Api::chat_completions:
        decorator.chat(body);
        break;
    case Api::messages:
    case Api::messages_count:
        decorator.messages(body);
        break;
    case Api::responses:
    case Api::responses_count:
        decorator.responses(body);
        break;
    case Api::gemini_generate:
    case Api::gemini_stream:
    case Api::gemini_count:
        decorator.gemini(body);
        break;
    default:
        return {};
    }
    if (decorator.failed()) {
        return make_error(ErrorCode::internal,
            "a pattern for prompts takes too long on this request");
    }
    return {};
}

} // namespace ai_proxy::prompt
