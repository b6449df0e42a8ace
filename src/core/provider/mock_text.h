#pragma once

#include <cstdint>
#include <string_view>

// What the answers of the built-in provider are made of.
namespace ai_proxy::provider {

inline bool is_blank(char c) noexcept
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

inline int64_t count_words(std::string_view text) noexcept
{
    int64_t count = 0;
    bool inside = false;
    for (char c : text) {
        count += !is_blank(c) && !inside ? 1 : 0;
        inside = !is_blank(c);
    }
    return count;
}

} // namespace ai_proxy::provider
