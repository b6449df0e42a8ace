#include "core/json/cursor.h"

#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ai_proxy::json {
namespace {

bool is_space(char c) noexcept
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#ifdef __SSE2__

constexpr size_t kBlock = 64;

// One bit per byte of a block.
struct Marks {
    uint64_t quotes = 0, slashes = 0, opens = 0, closes = 0;
};

Marks mark(const char* block) noexcept
{
    Marks marks;
    for (unsigned lane = 0; lane < kBlock / 16; lane++) {
        const __m128i bytes = _mm_loadu_si128(
            reinterpret_cast<const __m128i*>(block + lane * 16));
        // '[' and '{', ']' and '}' differ in this bit.
        const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        const auto bits = [lane](__m128i text, char c) {
            const int hits =
                _mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8(c)));
            return uint64_t(unsigned(hits)) << (lane * 16);
        };
        marks.quotes |= bits(bytes, '"');
        marks.slashes |= bits(bytes, '\\');
        marks.opens |= bits(folded, '{');
        marks.closes |= bits(folded, '}');
    }
    return marks;
}

// The bytes that a backslash before them escapes; carry: the last backslash
// of a block escapes the first byte of the next.  After simdjson's
// json_escape_scanner: a run of backslashes is told odd from even by a
// subtraction that carries through it.
uint64_t escaped_bytes(uint64_t slashes, uint64_t& carry) noexcept
{
    constexpr uint64_t kOdd = 0xAAAAAAAAAAAAAAAAU;
    const uint64_t potential = slashes & ~carry;
    const uint64_t codes = ((potential << 1 | kOdd) - potential) ^ kOdd;
    const uint64_t escaped = codes ^ (slashes | carry);
    carry = (codes & slashes) >> 63;
    return escaped;
}

// Each bit becomes the parity of itself and those before it.
uint64_t running_parity(uint64_t bits) noexcept
{
    for (unsigned shift = 1; shift < 64; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

#endif

} // namespace

char Cursor::space() noexcept
{
    while (at_ < length_ && is_space(text_[at_])) {
        at_++;
    }
    return peek();
}

void Cursor::string() noexcept
{
    at_++;
    rest_of_string();
}

void Cursor::value() noexcept
{
    const char c = peek();
    if (c == '"') {
        string();
    } else if (c == '{' || c == '[') {
        container();
    } else {
        while (at_ < length_ && !is_space(text_[at_]) && text_[at_] != ','
            && text_[at_] != '}' && text_[at_] != ']')
        {
            at_++;
        }
    }
}

bool Cursor::escaped(size_t begin, size_t quote) const noexcept
{
    size_t i = quote;
    while (i > begin && text_[i - 1] == '\\') {
        i--;
    }
    return ((quote - i) & 1) != 0;
}

// From behind the opening quote, or an escape, to behind the closing one.
void Cursor::rest_of_string() noexcept
{
    const size_t begin = at_;
    while (at_ < length_) {
        const auto* quote = static_cast<const char*>(
            std::memchr(text_ + at_, '"', length_ - at_));
        if (quote == nullptr) {
            break;
        }
        at_ = size_t(quote - text_) + 1;
        if (!escaped(begin, at_ - 1)) {
            return;
        }
    }
    at_ = length_;
}

void Cursor::container() noexcept
{
    size_t depth = 0;
    if (blocks(depth)) {
        return;
    }
    while (at_ < length_) {
        const char c = text_[at_];
        if (c == '"') {
            string();
            continue;
        }
        at_++;
        if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            return;
        }
    }
}

#ifdef __SSE2__

// As container(), for as long as there are whole blocks.
bool Cursor::blocks(size_t& depth) noexcept
{
    uint64_t carry = 0;
    uint64_t inside = 0; // all ones: the last block ended in a string
    for (; length_ - at_ >= kBlock; at_ += kBlock) {
        const Marks marks = mark(text_ + at_);
        const uint64_t quotes =
            marks.quotes & ~escaped_bytes(marks.slashes, carry);
        const uint64_t strings = running_parity(quotes) ^ inside;
        inside = strings >> 63 != 0 ? ~uint64_t(0) : 0;
        const uint64_t opens = marks.opens & ~strings;
        uint64_t left = opens | (marks.closes & ~strings);
        for (; left != 0; left &= left - 1) {
            if ((opens & left & (~left + 1)) != 0) {
                depth++;
            } else if (--depth == 0) {
                at_ += size_t(std::countr_zero(left)) + 1;
                return true;
            }
        }
    }
    if (inside != 0) {
        at_ += size_t(carry);
        rest_of_string();
    }
    return false;
}

#else

bool Cursor::blocks(size_t&) noexcept
{
    return false;
}

#endif

} // namespace ai_proxy::json
