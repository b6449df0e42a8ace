#pragma once

#include <cstddef>
#include <string>
#include <string_view>

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

// A whole part with a text value, to be inserted at FormField::close.
[[nodiscard]] std::string form_part(
    std::string_view boundary, std::string_view name, std::string_view value);

} // namespace ai_proxy::wire
