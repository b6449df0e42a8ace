#pragma once

#include <cstdint>
#include <string>
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

// FNV-1a, 64 bits: the same request, the same id and the same vectors.
class Hash {
public:
    Hash& add(std::string_view text) noexcept
    {
        for (char c : text)
            value_ =
                (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
        return *this;
    }
    [[nodiscard]] uint64_t value() const noexcept { return value_; }
    [[nodiscard]] std::string hex() const
    {
        std::string out;
        for (int shift = 60; shift >= 0; shift -= 4)
            out += "0123456789abcdef"[(value_ >> shift) & 15];
        return out;
    }

private:
    uint64_t value_ = 0xcbf29ce484222325ull;
};

} // namespace ai_proxy::provider
