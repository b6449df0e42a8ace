#include "core/base/text.h"

#include <limits>

namespace ai_proxy {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

bool is_space(char c) noexcept
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// RFC 3986 2.3
bool is_unreserved(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
        || c == '~';
}

// Milliseconds of a unit, 0 when it is unknown.
uint64_t unit_ms(std::string_view unit) noexcept
{
    if (unit == "ms") {
        return 1;
    }
    if (unit.empty() || unit == "s") {
        return 1000;
    }
    if (unit == "m") {
        return 60 * 1000;
    }
    if (unit == "h") {
        return 60 * 60 * 1000;
    }
    if (unit == "d") {
        return 24 * 60 * 60 * 1000;
    }
    return 0;
}

int hex(char c) noexcept
{
    const char l = lower(c);
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

} // namespace

std::string_view trim(std::string_view text) noexcept
{
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::optional<uint64_t> parse_uint(std::string_view text) noexcept
{
    if (text.empty()) {
        return std::nullopt;
    }
    uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        const auto digit = uint64_t(c - '0');
        if (value > (kMax - digit) / 10) {
            return std::nullopt;
        }
        value = value * 10 + digit;
    }
    return value;
}

std::optional<uint64_t> parse_duration_ms(std::string_view text) noexcept
{
    size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        digits++;
    }
    const auto amount = parse_uint(text.substr(0, digits));
    const uint64_t unit = unit_ms(text.substr(digits));
    if (!amount || unit == 0 || *amount > kMax / unit) {
        return std::nullopt;
    }
    return *amount * unit;
}

std::string percent_encode(std::string_view text, std::string_view keep)
{
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

// Only the last '*' seen needs to be retried: whatever an earlier one could
// take, the later one can take too.
std::string form_decode(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0
            && hex(text[i + 2]) >= 0)
        {
            out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

bool glob_match(std::string_view pattern, std::string_view text) noexcept
{
    size_t p = 0;
    size_t t = 0;
    size_t star = std::string_view::npos;
    size_t retry = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        p++;
    }
    return p == pattern.size();
}

std::optional<std::string_view> query_value(
    std::string_view query, std::string_view name) noexcept
{
    if (!query.empty() && query.front() == '?') {
        query.remove_prefix(1);
    }
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(
            pair.size() < query.size() ? pair.size() + 1 : pair.size());
        const size_t equals = pair.find('=');
        if (!pair.empty() && pair.substr(0, equals) == name) {
            return equals == std::string_view::npos ? std::string_view{}
                                                    : pair.substr(equals + 1);
        }
    }
    return std::nullopt;
}

} // namespace ai_proxy
