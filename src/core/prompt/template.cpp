#include "core/prompt/template.h"

#include "core/json/writer.h"

#include <algorithm>

namespace ai_proxy::prompt {

namespace {

constexpr size_t kMaxTemplate = 1024 * 1024;
constexpr size_t kMaxName = 256;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

// The name between "{{" at i and the next "}}"; "" when there is none.
std::string_view place_at(std::string_view text, size_t i) noexcept
{
    if (!text.substr(i).starts_with("{{")) {
        return {};
    }
    const size_t end = text.find("}}", i + 2);
    if (end == std::string_view::npos || end - i - 2 > kMaxName) {
        return {};
    }
    const std::string_view name = text.substr(i + 2, end - i - 2);
    const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\\'
            || c == '{' || c == '}';
    });
    return plain ? name : std::string_view();
}

// As a part of a JSON string.
void append_inside(std::string& out, std::string_view text)
{
    std::string quoted;
    json::append_string(quoted, text);
    out.append(quoted, 1, quoted.size() - 2);
}

std::string text_of(json::Node value)
{
    if (value.is_string() || !value.has_value()) {
        return std::string(value.string_or());
    }
    std::string text;
    json::append_value(text, value);
    return text;
}

// A text in the place of a value is what it says, if it says one.
std::string value_of(json::Node value)
{
    std::string text = text_of(value);
    if (!value.is_string()) {
        return value.has_value() ? text : "null";
    }
    json::Parser parser;
    if (parser.parse(std::string_view(text))) {
        return text;
    }
    std::string quoted;
    json::append_string(quoted, text);
    return quoted;
}

} // namespace

Result<Template> Template::compile(std::string_view name, std::string_view text)
{
    if (name.empty() || name.size() > kMaxName) {
        return fault(
            "invalid name \"" + std::string(name) + "\" of a template");
    }
    if (text.size() > kMaxTemplate) {
        return fault("template \"" + std::string(name) + "\" is too big");
    }
    Template made;
    made.name_ = name;
    bool in_string = false;
    std::string literal;
    for (size_t i = 0; i < text.size();) {
        if (const auto place = place_at(text, i); !place.empty()) {
            made.pieces_.push_back({std::move(literal), false, in_string});
            literal.clear();
            made.pieces_.push_back({std::string(place), true, in_string});
            i += place.size() + 4;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < text.size()) {
            literal += text[i++];
        } else if (text[i] == '"') {
            in_string = !in_string;
        }
        literal += text[i++];
    }
    made.pieces_.push_back({std::move(literal), false, in_string});
    json::Parser parser;
    auto parsed = parser.parse(std::string_view(made.sample()));
    if (!parsed) {
        return fault("template \"" + made.name_
            + "\" is no JSON: " + parsed.error().message);
    }
    if (!parsed->is_object()) {
        return fault("template \"" + made.name_ + "\" is no JSON object");
    }
    return made;
}

std::string Template::sample() const
{
    std::string out;
    for (const Piece& piece : pieces_) {
        out += !piece.is_place ? piece.text : piece.in_string ? "x" : "null";
    }
    return out;
}

Result<std::string> Template::fill(json::Node properties) const
{
    std::string out;
    for (const Piece& piece : pieces_) {
        const json::Node value =
            piece.is_place ? properties[piece.text] : json::Node();
        if (!piece.is_place) {
            out += piece.text;
        } else if (value.exists() && piece.in_string) {
            append_inside(out, text_of(value));
        } else if (value.exists()) {
            out += value_of(value);
        } else if (piece.in_string) {
            out.append("{{").append(piece.text).append("}}");
        } else {
            return make_error(ErrorCode::invalid_request,
                "the template \"" + name_ + "\" needs the property \""
                    + piece.text + "\"",
                "properties." + piece.text);
        }
    }
    return out;
}

bool asks_for_template(json::Node body) noexcept
{
    return body["template"].is_string() && body["properties"].is_object();
}

namespace {

Templates::const_iterator find(
    const Templates& templates, std::string_view name) noexcept
{
    return std::find_if(templates.begin(), templates.end(),
        [name](const Template& t) { return t.name() == name; });
}

} // namespace

bool holds_template(const Templates& templates, json::Node body) noexcept
{
    return find(templates, body["template"].string_or()) != templates.end();
}

Result<std::string> fill_template(const Templates& templates, json::Node body)
{
    const std::string_view name = body["template"].string_or();
    const auto found = find(templates, name);
    if (found == templates.end()) {
        return make_error(ErrorCode::invalid_request,
            "there is no template \"" + std::string(name) + "\"", "template");
    }
    return found->fill(body["properties"]);
}

} // namespace ai_proxy::prompt
