#include "core/json/wide_numbers.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>

namespace ai_proxy::json {

namespace {

bool is_number_char(char c) noexcept
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.'
        || c == 'e' || c == 'E';
}

bool fits(std::string_view token) noexcept
{
    const char* end = token.data() + token.size();
    if (token.find_first_of(".eE") != std::string_view::npos) {
        double number = 0;
        return std::from_chars(token.data(), end, number).ec == std::errc();
    }
    int64_t number = 0;
    uint64_t natural = 0;
    return std::from_chars(token.data(), end, number).ec == std::errc()
        || std::from_chars(token.data(), end, natural).ec == std::errc();
}

// RFC 8259 section 6; the check that the parser would have made.
bool is_json_number(std::string_view token) noexcept
{
    size_t i = token.starts_with('-') ? 1 : 0;
    const auto digits = [&token, &i] {
        const size_t begin = i;
        while (i < token.size() && token[i] >= '0' && token[i] <= '9') {
            i++;
        }
        return i - begin;
    };
    const bool zero = i < token.size() && token[i] == '0';
    const size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) {
        return false;
    }
    if (i < token.size() && token[i] == '.') {
        i++;
        if (digits() == 0) {
            return false;
        }
    }
    if (i < token.size() && (token[i] == 'e' || token[i] == 'E')) {
        i++;
        if (i < token.size() && (token[i] == '+' || token[i] == '-')) {
            i++;
        }
        if (digits() == 0) {
            return false;
        }
    }
    return i == token.size();
}

void write_nearest(char* place, std::string_view token) noexcept
{
    double number = 0;
    const char* end = token.data() + token.size();
    if (std::from_chars(token.data(), end, number).ec != std::errc()) {
        // A mantissa of zeros or a small exponent is a zero, else too big.
        const size_t e = token.find_first_of("eE");
        const bool tiny =
            e != std::string_view::npos && token.substr(e + 1).starts_with('-');
        number = tiny ? 0 : 1e308;
        number = token.starts_with('-') ? -number : number;
    }
    char shortened[32];
    for (int precision = 16; precision >= 0; precision--) {
        const auto written =
            std::to_chars(shortened, shortened + sizeof(shortened), number,
                std::chars_format::scientific, precision);
        // 1e+308 is longer than 1e308.
        const auto size = static_cast<size_t>(
            std::remove(shortened, written.ptr, '+') - shortened);
        if (size <= token.size()) {
            std::fill_n(
                std::copy_n(shortened, size, place), token.size() - size, ' ');
            return;
        }
    }
    std::fill_n(place, token.size(), ' ');
    *place = '0';
}

} // namespace

bool narrow_numbers(std::string& text)
{
    bool found = false;
    for (size_t i = 0; i < text.size();) {
        if (text[i] == '"') {
            for (i++; i < text.size() && text[i] != '"'; i++) {
                i += text[i] == '\\' ? 1 : 0;
            }
            i++;
            continue;
        }
        if (text[i] != '-' && (text[i] < '0' || text[i] > '9')) {
            i++;
            continue;
        }
        const size_t begin = i;
        while (i < text.size() && is_number_char(text[i])) {
            i++;
        }
        const std::string token = text.substr(begin, i - begin);
        if (is_json_number(token) && !fits(token)) {
            write_nearest(text.data() + begin, token);
            found = true;
        }
    }
    return found;
}

} // namespace ai_proxy::json
