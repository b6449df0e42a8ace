#include "core/wire/multipart.h"

#include "core/base/text.h"

#include <optional>

namespace ai_proxy::wire {

namespace {

constexpr size_t kMaxBoundary = 70; // RFC 2046 5.1.1

// The value of one parameter of a header field: token or quoted string.
std::string parameter(std::string_view field, std::string_view name)
{
    size_t at = field.find(';');
    while (at != std::string_view::npos) {
        size_t i = at + 1;
        const size_t equals = field.find('=', i);
        if (equals == std::string_view::npos) {
            break;
        }
        const bool found = iequals(trim(field.substr(i, equals - i)), name);
        std::string value;
        i = equals + 1;
        while (i < field.size() && (field[i] == ' ' || field[i] == '\t')) {
            ++i;
        }
        if (i < field.size() && field[i] == '"') {
            for (++i; i < field.size() && field[i] != '"'; ++i) {
                if (field[i] == '\\' && i + 1 < field.size()) {
                    ++i;
                }
                value += field[i];
            }
            at = field.find(';', i);
        } else {
            at = field.find(';', i);
            value = trim(field.substr(i, at == field.npos ? at : at - i));
        }
        if (found) {
            return value;
        }
    }
    return {};
}

bool is_boundary_character(char c) noexcept
{
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u < 0x7f;
}

struct Delimiter {
    size_t begin = 0;     // of "--"
    size_t value_end = 0; // of the part before: without the line end
    size_t next = 0;      // after the delimiter's own line end
    bool close = false;
};

// The text after "--boundary" tells whether it is a delimiter at all.
std::optional<Delimiter> delimiter_at(
    std::string_view body, size_t begin, size_t length) noexcept
{
    Delimiter found;
    found.begin = begin;
    found.value_end = begin;
    if (begin > 0) {
        found.value_end = begin - 1;
        if (begin > 1 && body[begin - 2] == '\r') {
            found.value_end = begin - 2;
        }
    }
    size_t i = begin + length;
    if (body.substr(i, 2) == "--") {
        found.close = true;
        found.next = i + 2;
        return found;
    }
    while (i < body.size() && (body[i] == ' ' || body[i] == '\t')) {
        ++i;
    }
    if (i < body.size() && body[i] == '\r') {
        ++i;
    }
    if (i >= body.size() || body[i] != '\n') {
        return std::nullopt;
    }
    found.next = i + 1;
    return found;
}

std::optional<Delimiter> next_delimiter(
    std::string_view body, std::string_view boundary, size_t from) noexcept
{
    // "--boundary" at the beginning of a line.
    while (from < body.size()) {
        const size_t at = body.find(boundary, from);
        if (at == std::string_view::npos) {
            return std::nullopt;
        }
        from = at + 1;
        if (at < 2 || body.substr(at - 2, 2) != "--") {
            continue;
        }
        const size_t begin = at - 2;
        if (begin != 0 && body[begin - 1] != '\n') {
            continue;
        }
        auto found = delimiter_at(body, begin, boundary.size() + 2);
        if (found) {
            return found;
        }
    }
    return std::nullopt;
}

// Takes one header line off the front of part; "" at the blank line.
std::string_view take_line(std::string_view& part) noexcept
{
    const size_t end = part.find('\n');
    std::string_view line = part.substr(0, end);
    part.remove_prefix(end == std::string_view::npos ? part.size() : end + 1);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
}

// A part without the line end before its delimiter.
std::optional<FormPart> read_part(std::string_view part)
{
    FormPart out;
    while (!part.empty()) {
        const std::string_view line = take_line(part);
        if (line.empty()) {
            out.value = part;
            return out;
        }
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const std::string_view name = trim(line.substr(0, colon));
        const std::string_view field = line.substr(colon + 1);
        if (iequals(name, "content-disposition")) {
            out.name = parameter(field, "name");
        } else if (iequals(name, "content-type")) {
            out.type = trim(field);
        }
    }
    return std::nullopt;
}

// Calls on_part(FormPart) for each; where the closing delimiter begins,
// nullopt: there is none.
template <class F>
std::optional<size_t> each_part(
    std::string_view body, std::string_view boundary, F&& on_part)
{
    if (boundary.empty()) {
        return std::nullopt;
    }
    auto at = next_delimiter(body, boundary, 0);
    while (at && !at->close) {
        const auto after = next_delimiter(body, boundary, at->next);
        if (!after) {
            return std::nullopt;
        }
        // An empty part may share its line end with the delimiter.
        const size_t end =
            after->value_end < at->next ? at->next : after->value_end;
        if (auto part = read_part(body.substr(at->next, end - at->next))) {
            on_part(std::move(*part));
        }
        at = after;
    }
    return at ? std::optional(at->begin) : std::nullopt;
}

} // namespace

std::string multipart_boundary(std::string_view content_type)
{
    std::string boundary = parameter(content_type, "boundary");
    if (boundary.size() > kMaxBoundary) {
        return {};
    }
    for (char c : boundary) {
        if (!is_boundary_character(c)) {
            return {};
        }
    }
    return boundary;
}

FormField find_form_field(
    std::string_view body, std::string_view boundary, std::string_view name)
{
    FormField field;
    const auto close = each_part(body, boundary, [&](const FormPart& part) {
        if (part.name == name && ++field.count == 1) {
            field.begin = static_cast<size_t>(part.value.data() - body.data());
            field.end = field.begin + part.value.size();
        }
    });
    if (close) {
        field.closed = true;
        field.close = *close;
    }
    return field;
}

std::vector<FormPart> form_parts(
    std::string_view body, std::string_view boundary)
{
    std::vector<FormPart> parts;
    const auto close = each_part(body, boundary, [&parts](FormPart part) {
        if (parts.size() <= kMaxFormParts) {
            parts.push_back(std::move(part));
        }
    });
    if (!close || parts.size() > kMaxFormParts) {
        parts.clear();
    }
    return parts;
}

std::string form_part(
    std::string_view boundary, std::string_view name, std::string_view value)
{
    std::string part = "--";
    part += boundary;
    part += "\r\nContent-Disposition: form-data; name=\"";
    part += name;
    part += "\"\r\n\r\n";
    part += value;
    part += "\r\n";
    return part;
}

} // namespace ai_proxy::wire
