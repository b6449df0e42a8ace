#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// ASCII text: all functions are locale-free and never allocate unless they
// return std::string.
namespace ai_proxy {

// One HTTP header field; views live as long as the message they came from.
struct Header {
    std::string_view name;
    std::string_view value;
};

[[nodiscard]] constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c;
}
[[nodiscard]] constexpr bool istarts_with(
    std::string_view text, std::string_view prefix) noexcept
{
    if (text.size() < prefix.size()) {
        return false;
    }
    for (size_t i = 0; i < prefix.size(); i++) {
        if (text[i] != prefix[i] && lower(text[i]) != lower(prefix[i])) {
            return false;
        }
    }
    return true;
}
[[nodiscard]] constexpr bool iequals(
    std::string_view a, std::string_view b) noexcept
{
    return a.size() == b.size() && istarts_with(a, b);
}
// The six bits of a character of base64url (RFC 4648 5); -1: it is none.
[[nodiscard]] constexpr int base64url_digit(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? c - 'A'
        : c >= 'a' && c <= 'z'  ? c - 'a' + 26
        : c >= '0' && c <= '9'  ? c - '0' + 52
        : c == '-'              ? 62
        : c == '_'              ? 63
                                : -1;
}
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
// Unsigned decimal, whole string; nullopt on anything else or overflow.
[[nodiscard]] std::optional<uint64_t> parse_uint(
    std::string_view text) noexcept;
// "250ms", "5s", "2m", "1h", "1d", bare number = seconds; result in ms.
[[nodiscard]] std::optional<uint64_t> parse_duration_ms(
    std::string_view text) noexcept;
// Percent-encodes everything but unreserved characters (RFC 3986 2.3) and the
// characters of keep.
[[nodiscard]] std::string percent_encode(
    std::string_view text, std::string_view keep = {});
// What percent-encoding and '+' stand for; what is no encoding stays.
[[nodiscard]] std::string form_decode(std::string_view text);
// Glob with '*' only (any run of characters, also empty); case matters.
[[nodiscard]] bool glob_match(
    std::string_view pattern, std::string_view text) noexcept;
// The value of a parameter of a query string, undecoded; nullopt if absent.
[[nodiscard]] std::optional<std::string_view> query_value(
    std::string_view query, std::string_view name) noexcept;

} // namespace ai_proxy
