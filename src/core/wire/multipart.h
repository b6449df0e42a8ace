#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// multipart/form-data (RFC 7578, RFC 2046 5.1.1) as far as one text field of a
// form has to be read and replaced.  Any bytes are tolerated.
namespace ai_proxy::wire {

// The boundary parameter of a content type, unquoted; "" when there is none or
// it is no legal boundary.
[[nodiscard]] std::string multipart_boundary(std::string_view content_type);

// Where a field stands in a form.
struct FormField {
    bool closed = false; // the closing delimiter was found
    size_t close = 0;    // offset of the closing delimiter's "--"
    size_t count = 0;    // parts of that name
    size_t begin = 0;    // value of the first one
    size_t end = 0;
};
[[nodiscard]] FormField find_form_field(
    std::string_view body, std::string_view boundary, std::string_view name);

// A part of a form as it was sent.
struct FormPart {
    std::string name;
    std::string_view type; // its Content-Type
    std::string_view value;
};
inline constexpr size_t kMaxFormParts = 256;
// All parts in order; none when the closing delimiter is missing or there are
// too many.
[[nodiscard]] std::vector<FormPart> form_parts(
    std::string_view body, std::string_view boundary);

// A whole part with a text value, to be inserted at FormField::close.
[[nodiscard]] std::string form_part(
    std::string_view boundary, std::string_view name, std::string_view value);

} // namespace ai_proxy::wire
