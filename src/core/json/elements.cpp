#include "core/json/elements.h"

#include <algorithm>

namespace ai_proxy::json {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Offset behind the string that begins at i.
size_t behind_string(std::string_view text, size_t i) noexcept
{
    for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') {
            ++i;
        }
    }
    return std::min(i + 1, text.size());
}

// Offset of the comma or bracket that ends the element at i.
size_t behind_element(std::string_view text, size_t i) noexcept
{
    size_t depth = 0;
    while (i < text.size()) {
        const char c = text[i];
        if (c == '"') {
            i = behind_string(text, i);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']')) {
            return i;
        }
        depth += c == '[' || c == '{' ? 1 : 0;
        depth -= c == ']' || c == '}' ? 1 : 0;
        ++i;
    }
    return i;
}

std::string_view trimmed(std::string_view text) noexcept
{
    const size_t last = text.find_last_not_of(kSpace);
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

} // namespace

std::vector<std::string_view> elements(std::string_view array)
{
    std::vector<std::string_view> found;
    if (!array.starts_with('[')) {
        return found;
    }
    size_t i = 1;
    while (true) {
        i = array.find_first_not_of(kSpace, i);
        if (i == std::string_view::npos || array[i] == ']') {
            return found;
        }
        const size_t end = behind_element(array, i);
        found.push_back(trimmed(array.substr(i, end - i)));
        i = end + 1;
        if (end >= array.size() || array[end] == ']') {
            return found;
        }
    }
}

} // namespace ai_proxy::json
