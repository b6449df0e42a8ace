#include "core/json/writer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <simdjson.h>

namespace ai_proxy::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The letter of a short escape, 'u' for a long one, 0 for none.
constexpr std::array<char, 256> kEscape = [] {
    std::array<char, 256> table{};
    for (size_t c = 0; c < 0x20; c++) {
        table[c] = 'u';
    }
    table['\b'] = 'b';
    table['\f'] = 'f';
    table['\n'] = 'n';
    table['\r'] = 'r';
    table['\t'] = 't';
    table['"'] = '"';
    table['\\'] = '\\';
    return table;
}();

char escape_of(char c) noexcept
{
    return kEscape[static_cast<unsigned char>(c)];
}

// Whether one of eight bytes needs an escape: exact, byte order is no matter.
bool any_escape(uint64_t word) noexcept
{
    constexpr uint64_t kOnes = 0x0101010101010101U;
    constexpr uint64_t kHigh = 0x8080808080808080U;
    const auto has_zero = [](uint64_t v) { return (v - kOnes) & ~v; };
    const uint64_t control = (word - kOnes * 0x20) & ~word;
    return ((control | has_zero(word ^ kOnes * '"')
                | has_zero(word ^ kOnes * '\\'))
               & kHigh)
        != 0;
}

uint64_t word_at(std::string_view text, size_t at) noexcept
{
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof(word));
    return word;
}

// The length of the run at the front that needs no escape.
size_t plain_run(std::string_view text) noexcept
{
    size_t i = 0;
    while (i + 8 <= text.size() && !any_escape(word_at(text, i))) {
        i += 8;
    }
    while (i < text.size() && escape_of(text[i]) == 0) {
        i++;
    }
    return i;
}

// Whether text is ASCII without escapes, as most short strings are.
bool is_plain(std::string_view text) noexcept
{
    const auto special = [](uint64_t word) {
        return (word & 0x8080808080808080U) != 0 || any_escape(word);
    };
    if (text.size() < 8) {
        for (const char c : text) {
            if (escape_of(c) != 0 || (c & 0x80) != 0) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + 8 < text.size(); i += 8) {
        if (special(word_at(text, i))) {
            return false;
        }
    }
    return !special(word_at(text, text.size() - 8));
}

// At most six bytes.
size_t write_escape(char* to, char c) noexcept
{
    static constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    to[0] = '\\';
    to[1] = escape_of(c);
    if (to[1] != 'u') {
        return 2;
    }
    to[2] = to[3] = '0';
    to[4] = kHex[byte >> 4];
    to[5] = kHex[byte & 15];
    return 6;
}

// Short runs between escapes are gathered; long ones are copied at once.
void append_escaped(std::string& out, std::string_view text)
{
    constexpr size_t kLongRun = 64;
    char gathered[512];
    size_t used = 0;
    const auto flush = [&] {
        out.append(gathered, used);
        used = 0;
    };
    while (!text.empty()) {
        const size_t run = plain_run(text);
        if (used + std::min(run, kLongRun) + 6 > sizeof(gathered)) {
            flush();
        }
        if (run > kLongRun) {
            flush();
            out.append(text, 0, run);
        } else {
            std::memcpy(gathered + used, text.data(), run);
            used += run;
        }
        text.remove_prefix(run);
        if (!text.empty()) {
            used += write_escape(gathered + used, text.front());
            text.remove_prefix(1);
        }
    }
    flush();
}

struct Sequence {
    size_t length; // bytes to take
    bool valid;
};

// The UTF-8 sequence at the front; an invalid one is as long as its "maximal
// subpart" (Unicode 3.9, table 3-7).
Sequence sequence(std::string_view text) noexcept
{
    const auto byte = [&](size_t i) {
        return static_cast<unsigned char>(text[i]);
    };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return {1, true};
    }
    if (first < 0xC2 || first > 0xF4) {
        return {1, false};
    }
    const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first == 0xE0 || first == 0xF0) {
        low = first == 0xE0 ? 0xA0 : 0x90;
    } else if (first == 0xED || first == 0xF4) {
        high = first == 0xED ? 0x9F : 0x8F;
    }
    for (size_t i = 1; i < length; i++) {
        if (i >= text.size() || byte(i) < low || byte(i) > high) {
            return {i, false};
        }
        low = 0x80;
        high = 0xBF;
    }
    return {length, true};
}

void append_repaired(std::string& out, std::string_view text)
{
    size_t run = 0; // valid bytes not yet written
    while (run < text.size()) {
        const Sequence next = sequence(text.substr(run));
        if (next.valid) {
            run += next.length;
            continue;
        }
        append_escaped(out, text.substr(0, run));
        out += kReplacement;
        text.remove_prefix(run + next.length);
        run = 0;
    }
    append_escaped(out, text);
}

} // namespace

void append_string(std::string& out, std::string_view text)
{
    out += '"';
    if (is_plain(text)) {
        out += text;
    } else if (simdjson::validate_utf8(text.data(), text.size())) {
        append_escaped(out, text);
    } else {
        append_repaired(out, text);
    }
    out += '"';
}

} // namespace ai_proxy::json
