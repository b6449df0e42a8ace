#include "core/dialect/marked_reasoning.h"

#include "core/chat/signer.h"
#include "core/dialect/gemini_thoughts.h"
#include "core/dialect/responses_request.h"
#include "core/json/elements.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::dialect {

namespace {

constexpr std::string_view kNoElements = "[]";

bool holds(std::string_view text, std::string_view what) noexcept
{
    return text.find(what) != std::string_view::npos;
}

// What becomes of an element: nullopt, as it is; "", nothing.
using Edited = std::optional<std::string>;

// An array's text after an edit of its elements; nullopt: as it was.
template <class Edit>
Edited edit_elements(std::string_view array, const Edit& edit)
{
    std::string kept = "[";
    bool changed = false;
    for (const std::string_view element : json::elements(array)) {
        const Edited edited = edit(element);
        changed = changed || edited;
        const std::string_view text = edited ? *edited : element;
        if (!text.empty()) {
            kept += kept.size() > 1 ? "," : "";
            kept += text;
        }
    }
    return changed ? Edited(kept + ']') : std::nullopt;
}

// The object with another list as this member; nothing, when the list is empty.
std::string with_list(
    std::string_view object, std::string_view member, std::string list)
{
    auto splice = json::Splice::scan(object.data(), object.size());
    if (list == kNoElements || !splice) {
        return {};
    }
    splice->set(member, std::move(list));
    return splice->text();
}

bool has_mark(std::string_view text) noexcept
{
    return holds(text, kSignedMark) || holds(text, kRedactedMark);
}

bool is_marked(std::string_view item, json::Parser& parser)
{
    if (!has_mark(item)) {
        return false;
    }
    const auto parsed = parser.parse(item);
    if (!parsed || (*parsed)["type"].string_or() != "reasoning") {
        return false;
    }
    const auto opaque = (*parsed)["encrypted_content"].string_or();
    return opaque.starts_with(kSignedMark) || opaque.starts_with(kRedactedMark);
}

// Is there a member "signature" that is an empty string?
bool has_empty_signature(std::string_view text) noexcept
{
    constexpr std::string_view name = "\"signature\"";
    for (size_t at = text.find(name); at != std::string_view::npos;
         at = text.find(name, at))
    {
        at += name.size();
        const size_t value = text.find_first_not_of(": \t\r\n", at);
        if (value != std::string_view::npos
            && text.substr(value).starts_with("\"\"")) {
            return true;
        }
    }
    return false;
}

// The thoughts of a Messages request.
class Thinking {
public:
    explicit Thinking(bool signs_all) : signs_all_(signs_all) {}

    [[nodiscard]] bool may_be_foreign(std::string_view text) const noexcept
    {
        return holds(text, chat::kForeignMark)
            || (signs_all_ && has_empty_signature(text));
    }
    Edited message(std::string_view text);
    // Has the last of the assistant's turns calls of tools, and no thoughts any
    // more?
    [[nodiscard]] bool lost() const noexcept { return lost_; }

private:
    [[nodiscard]] bool is_foreign(json::Node block) const;

    bool signs_all_;
    bool lost_ = false;
    json::Parser parser_;
};

bool Thinking::is_foreign(json::Node block) const
{
    const std::string_view type = block["type"].string_or();
    if (type == "redacted_thinking") {
        return block["data"].string_or().starts_with(chat::kForeignMark);
    }
    const std::string_view signature = block["signature"].string_or();
    return type == "thinking"
        && (signature.starts_with(chat::kForeignMark)
            || (signs_all_ && signature.empty()));
}

Edited Thinking::message(std::string_view text)
{
    const bool assistant = holds(text, "\"assistant\"");
    if (!assistant || !may_be_foreign(text)) {
        lost_ = lost_ && !assistant;
        return std::nullopt;
    }
    const auto parsed = parser_.parse(text);
    if (!parsed || (*parsed)["role"].string_or() != "assistant") {
        return std::nullopt;
    }
    auto message = json::Splice::scan(text.data(), text.size());
    if (!message) {
        return std::nullopt;
    }
    bool calls = false, thinks = false;
    std::vector<json::Node> blocks;
    for (const json::Node block : (*parsed)["content"].items()) {
        blocks.push_back(block);
    }
    size_t index = 0;
    const Edited content =
        edit_elements(message->raw("content"), [&](std::string_view) {
            const json::Node block = blocks[index++];
            if (is_foreign(block)) {
                return Edited(std::string());
            }
            const std::string_view type = block["type"].string_or();
            calls = calls || type == "tool_use";
            thinks =
                thinks || type == "thinking" || type == "redacted_thinking";
            return Edited();
        });
    lost_ = content && calls && !thinks;
    return content ? Edited(with_list(text, "content", *content))
                   : std::nullopt;
}

// A part of a content of Google's.
Edited edit_part(
    std::string_view text, std::string_view stand_in, json::Parser& parser)
{
    const auto parsed = parser.parse(text);
    auto part = json::Splice::scan(text.data(), text.size());
    if (!parsed || !part) {
        return std::nullopt;
    }
    for (const std::string_view name :
        {"thoughtSignature", "thought_signature"}) {
        const std::string_view signature = (*parsed)[name].string_or();
        if (!signature.starts_with(kSignedElsewhere)
            && !signature.starts_with(kRedactedElsewhere))
        {
            continue;
        }
        const bool call =
            part->has("functionCall") || part->has("function_call");
        if (call && !stand_in.empty()) {
            std::string quoted;
            json::append_string(quoted, stand_in);
            part->set(name, std::move(quoted));
            return part->text();
        }
        // A part that was made for the signature alone.
        if ((*parsed)["text"].string() == std::string_view()) {
            return std::string();
        }
        part->remove(name);
        return part->text();
    }
    return std::nullopt;
}

bool has_foreign_signature(std::string_view text) noexcept
{
    return holds(text, kSignedElsewhere) || holds(text, kRedactedElsewhere);
}

} // namespace

void drop_marked_reasoning(json::Splice& body)
{
    const std::string_view input = body.raw("input");
    if (!has_mark(input)) {
        return;
    }
    json::Parser parser;
    Edited kept = edit_elements(input, [&parser](std::string_view item) {
        return is_marked(item, parser) ? Edited(std::string()) : Edited();
    });
    if (kept) {
        body.set("input", std::move(*kept));
    }
}

void drop_foreign_thinking(json::Splice& body, bool signs_all)
{
    Thinking thinking(signs_all);
    const std::string_view messages = body.raw("messages");
    if (!thinking.may_be_foreign(messages)) {
        return;
    }
    Edited kept = edit_elements(messages,
        [&thinking](std::string_view text) { return thinking.message(text); });
    if (!kept) {
        return;
    }
    body.set("messages", std::move(*kept));
    // With a budget the API wants such a turn to begin with its thoughts.
    if (thinking.lost() && holds(body.raw("thinking"), "\"enabled\"")) {
        body.remove("thinking");
    }
}

void drop_foreign_signatures(json::Splice& body, std::string_view stand_in)
{
    const std::string_view contents = body.raw("contents");
    if (!has_foreign_signature(contents)) {
        return;
    }
    json::Parser parser;
    Edited kept = edit_elements(contents, [&](std::string_view content) {
        auto members = json::Splice::scan(content.data(), content.size());
        if (!members || !has_foreign_signature(content)) {
            return Edited();
        }
        Edited parts =
            edit_elements(members->raw("parts"), [&](std::string_view part) {
                return edit_part(part, stand_in, parser);
            });
        return parts ? Edited(with_list(content, "parts", std::move(*parts)))
                     : Edited();
    });
    if (kept) {
        body.set("contents", std::move(*kept));
    }
}

} // namespace ai_proxy::dialect
