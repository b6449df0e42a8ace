#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy {

// FNV-1a, 64 bits: spreads names over places.  No defence against those who
// choose what is hashed.
class Fnv1a {
public:
    constexpr Fnv1a& add(std::string_view text) noexcept
    {
        for (const char c : text) {
            add(static_cast<unsigned char>(c));
        }
        return *this;
    }
    constexpr Fnv1a& add(unsigned char byte) noexcept
    {
        value_ = (value_ ^ byte) * 0x100000001b3U;
        return *this;
    }
    [[nodiscard]] constexpr uint64_t value() const noexcept { return value_; }

private:
    uint64_t value_ = 0xcbf29ce484222325U;
};

[[nodiscard]] constexpr uint64_t fnv1a(std::string_view text) noexcept
{
    return Fnv1a().add(text).value();
}

// 16 digits, small letters.
inline void append_hex(std::string& out, uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        out += "0123456789abcdef"[number >> shift & 15U];
    }
}

} // namespace ai_proxy
