#include "core/limit/form.h"

#include "core/base/text.h"

namespace ai_proxy::limit {

namespace {

int hex_value(char c) noexcept
{
    return c >= '0' && c <= '9'              ? c - '0'
        : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10
                                             : -1;
}

std::string decoded(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0
            && hex_value(text[i + 2]) >= 0)
        {
            out += static_cast<char>(
                hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

} // namespace

std::optional<std::string> form_value(
    std::string_view form, std::string_view name)
{
    const auto raw = query_value(form, name);
    return raw ? std::optional(decoded(*raw)) : std::nullopt;
}

} // namespace ai_proxy::limit
