#include "core/usage/token_count.h"

#include <algorithm>
#include <array>

namespace ai_proxy::usage {

namespace {

// All costs are in sixteenths of a token.  They are least-squares fits to the
// o200k vocabulary's counts of English and Chinese manuals, of C, C++, Go,
// Perl, Python and JavaScript sources and of JSON documents.
constexpr int64_t kToken = 16;

enum class Class : uint8_t { mark, space, newline, digit, lower, upper, wide };

constexpr std::array<Class, 256> kClasses = [] {
    std::array<Class, 256> table{};
    for (size_t c = 0; c < table.size(); c++) {
        table[c] = c >= 0x80                  ? Class::wide
            : c == '\n' || c == '\r'          ? Class::newline
            : c == ' ' || (c >= 9 && c <= 12) ? Class::space
            : c >= '0' && c <= '9'            ? Class::digit
            : c >= 'a' && c <= 'z'            ? Class::lower
            : c >= 'A' && c <= 'Z'            ? Class::upper
                                              : Class::mark;
    }
    return table;
}();

// A word by its length; one of several capitals; the rest of a long one.
constexpr std::array<int8_t, 16> kLower{
    16, -12, -11, -11, -11, -10, -9, -7, -7, -5, -5, -2, 0, 6, 12, 20};
constexpr std::array<int8_t, 16> kUpper{
    0, -13, -7, -5, -2, 0, 0, 6, 12, 12, 14, 20, 24, 26, 27, 27};
constexpr int64_t kFurther = 6;
// What stands before it: nothing, a space, a mark.
constexpr std::array<int8_t, 3> kLead{27, 25, 30};
// Rare pairs of letters, in short words and in longer ones.
constexpr std::array<int8_t, 5> kRareShort{0, 5, 16, 23, 27};
constexpr std::array<int8_t, 5> kRareLong{0, 7, 19, 35, 44};
constexpr uint32_t kShort = 6;

// What a word of lower-case letters after a space costs, by length and rare
// pairs.
constexpr size_t kUsualWord = kLower.size();
constexpr auto kUsualWords = [] {
    std::array<std::array<int8_t, kRareShort.size()>, kUsualWord + 1> table{};
    for (size_t n = 1; n <= kUsualWord; ++n) {
        for (size_t rare = 0; rare < kRareShort.size(); ++rare) {
            const int64_t cost = kLower[n - 1]
                + (n <= kShort ? kRareShort : kRareLong)[rare]
                + (n > 1 ? kLead[1] : 0);
            table[n][rare] = static_cast<int8_t>(std::max(kToken, cost));
        }
    }
    return table;
}();

// Bit b of row a: "ab" follows the letter a in less than one of a hundred
// cases.
constexpr std::array<uint32_t, 26> kRarePairs{0x2c146b1, 0x2e1b4ea, 0x2e1a26a,
    0x269a6e6, 0x2104780, 0x2e1b6ce, 0x3e1862a, 0x3e5beee, 0x1d10780, 0x3eb3eee,
    0x3a306a2, 0x2e336c6, 0x2e326e4, 0x3c39282, 0x3810291, 0x2e13666, 0x3a8e7f7,
    0x2c18282, 0x2e3326a, 0x2e1366a, 0x3f14680, 0x3f72eee, 0x3b98e6e, 0x2f346c0,
    0x3b1068a, 0x3ffa6ee};

// Marks by their number, different ones.
constexpr std::array<int8_t, 8> kMarks{16, 17, 20, 26, 27, 30, 44, 60};
constexpr int64_t kFurtherMark = 7;

// Characters beyond ASCII.
constexpr int64_t kHan = 11;
constexpr int64_t kKana = 10;
constexpr int64_t kAccented = 2; // Latin
constexpr int64_t kCyrillic = 3; // and Greek
constexpr int64_t kOtherLetter = 6;
constexpr int64_t kPunctuation = 8;
constexpr int64_t kPictograph = 31;
constexpr int64_t kOtherMark = 16;
// What a word of each script costs besides, and its ASCII letters, in the
// order of Script.
constexpr std::array<int8_t, 5> kWordOf{14, 16, 2, 6, 19};
constexpr std::array<int8_t, 5> kAsciiIn{2, 0, 8, 5, 5};

constexpr uint32_t kInvalid = 0xFFFD;

constexpr bool is_lower(char c) noexcept
{
    return static_cast<unsigned char>(c - 'a') < kRarePairs.size();
}

// A space and a letter.
constexpr bool word_follows(const char* at, const char* end) noexcept
{
    return end - at > 1 && at[0] == ' ' && is_lower(at[1]);
}

} // namespace

int64_t TokenCounter::word_cost() const noexcept
{
    if (wide_ != 0) {
        const auto script = static_cast<size_t>(script_);
        return std::max(kToken,
            kWordOf[script] + wide_ + kAsciiIn[script] * int64_t{length_});
    }
    const uint32_t n = std::min<uint32_t>(length_, kLower.size());
    int64_t cost = (upper_ ? kUpper : kLower)[n - 1] + (length_ - n) * kFurther
        + (length_ <= kShort ? kRareShort
                             : kRareLong)[std::min<uint32_t>(rare_, 4)];
    if (length_ > 1) {
        cost += kLead[static_cast<size_t>(lead_)];
    }
    return std::max(kToken, cost);
}

int64_t TokenCounter::marks_cost() const noexcept
{
    if (!mixed_) {
        return std::max(kToken, kToken + length_ / 2 - 4 + wide_);
    }
    const uint32_t n = std::min<uint32_t>(length_, kMarks.size());
    const int64_t ascii =
        n == 0 ? 0 : kMarks[n - 1] + (length_ - n) * kFurtherMark;
    return std::max(kToken, ascii + wide_);
}

int64_t TokenCounter::piece_cost() const noexcept
{
    switch (piece_) {
    case Piece::none:
        return 0;
    case Piece::word:
        return word_cost();
    case Piece::marks:
        return marks_cost();
    case Piece::number: // three digits are one token
        return kToken * ((length_ + 2) / 3);
    default:
        return kToken;
    }
}

// The piece is over.
void TokenCounter::leave() noexcept
{
    cost_ += piece_cost();
    piece_ = Piece::none;
    lead_ = Lead::none;
    length_ = rare_ = 0;
    wide_ = 0;
    lower_ = upper_ = mixed_ = false;
}

// The last of several spaces, or a single mark, belongs to the word.
void TokenCounter::begin_word() noexcept
{
    Lead lead = Lead::none;
    if (piece_ == Piece::space) {
        lead = Lead::space;
    } else if (piece_ == Piece::marks && lead_ == Lead::none && length_ == 1
        && wide_ == 0 && !mixed_)
    {
        lead = Lead::mark;
    }
    if (lead != Lead::none) {
        if (--length_ == 0) {
            piece_ = Piece::none;
        }
    }
    leave();
    piece_ = Piece::word;
    script_ = Script::latin;
    lead_ = lead;
}

void TokenCounter::letter(unsigned char c) noexcept
{
    const bool lower = kClasses[c] == Class::lower;
    // "camelCase" is two pieces, "HTTPServer" is one.
    if (piece_ != Piece::word || (!lower && lower_)) {
        begin_word();
    }
    const auto index = static_cast<uint8_t>((c | 0x20) - 'a');
    if (length_ > 0) {
        rare_ += (kRarePairs[previous_] >> index) & 1;
        upper_ = upper_ || !lower;
    }
    lower_ = lower_ || lower;
    previous_ = index;
    ++length_;
}

// Most of all texts, as the single steps would count it: the lower-case letters
// that a word goes on with, and further such words after one space each.
// Returns what follows.
const char* TokenCounter::words_go_on(
    const char* at, const char* const end) noexcept
{
    if ((at == end || !is_lower(*at)) && !word_follows(at, end)) {
        return at;
    }
    bool usual = lead_ == Lead::space && !upper_ && wide_ == 0;
    uint32_t length = length_;
    uint32_t rare = rare_;
    uint32_t previous = previous_;
    for (;;) {
        const char* const begin = at;
        for (; at != end && is_lower(*at); ++at) {
            const uint32_t index = static_cast<unsigned char>(*at) - 'a';
            rare += (kRarePairs[previous] >> index) & 1;
            previous = index;
        }
        length += static_cast<uint32_t>(at - begin);
        if (!word_follows(at, end)) {
            break;
        }
        if (usual && length <= kUsualWord) {
            cost_ += kUsualWords[length][std::min<uint32_t>(rare, 4)];
        } else {
            length_ = length;
            rare_ = rare;
            leave();
            piece_ = Piece::word;
            lead_ = Lead::space;
            script_ = Script::latin;
            usual = true;
        }
        previous = static_cast<unsigned char>(at[1]) - 'a';
        length = 1;
        rare = 0;
        at += 2;
    }
    length_ = length;
    rare_ = rare;
    previous_ = static_cast<uint8_t>(previous);
    lower_ = true;
    return at;
}

void TokenCounter::mark(unsigned char c) noexcept
{
    if (piece_ != Piece::marks) {
        Lead lead = Lead::none;
        if (piece_ == Piece::space && previous_ == ' ') {
            lead = Lead::space;
            if (--length_ == 0) {
                piece_ = Piece::none;
            }
        }
        leave();
        piece_ = Piece::marks;
        lead_ = lead;
    } else {
        mixed_ = mixed_ || previous_ != c;
    }
    previous_ = c;
    ++length_;
}

void TokenCounter::ascii(unsigned char c) noexcept
{
    switch (kClasses[c]) {
    case Class::lower:
    case Class::upper:
        letter(c);
        return;
    case Class::space:
        if (piece_ != Piece::space) {
            leave();
            piece_ = Piece::space;
        }
        previous_ = c;
        ++length_;
        return;
    case Class::newline:
        // Marks take the line's end with them, and an end takes the white
        // space before it.
        if (piece_ == Piece::marks || piece_ == Piece::newline) {
            if (piece_ == Piece::newline) {
                return;
            }
            leave();
            return;
        }
        if (piece_ == Piece::space) {
            piece_ = Piece::none;
        }
        leave();
        piece_ = Piece::newline;
        return;
    case Class::digit:
        if (piece_ != Piece::number) {
            if (piece_ == Piece::space && length_ > 1) {
                cost_ += kToken; // the last one is a piece of its own
            }
            leave();
            piece_ = Piece::number;
        }
        ++length_;
        return;
    default:
        mark(c);
    }
}

void TokenCounter::wide_letter(Script script, int64_t cost) noexcept
{
    if (piece_ != Piece::word) {
        begin_word();
    }
    script_ = std::max(script_, script);
    wide_ += cost;
    lower_ = false; // may be either case
}

void TokenCounter::wide_mark(int64_t cost) noexcept
{
    if (piece_ != Piece::marks) {
        mark(' ');
        length_ = 0;
    }
    mixed_ = true;
    wide_ += cost;
}

void TokenCounter::wide(uint32_t code) noexcept
{
    const auto in = [code](uint32_t first, uint32_t last) {
        return code >= first && code <= last;
    };
    if (in(0x4E00, 0x9FFF) || in(0x3400, 0x4DBF)) {
        wide_letter(Script::han, kHan);
    } else if (in(0xC0, 0x24F) || in(0x300, 0x36F)) {
        wide_letter(Script::latin, kAccented);
    } else if (in(0x370, 0x52F)) {
        wide_letter(Script::cyrillic, kCyrillic);
    } else if (in(0x3040, 0x30FF)) {
        wide_letter(Script::kana, kKana);
    } else if (in(0x2010, 0x2027) || in(0x3001, 0x3020) || in(0xFF01, 0xFF0F)
        || in(0xFF1A, 0xFF20))
    {
        wide_mark(kPunctuation);
    } else if (code > 0xFFFF) {
        wide_mark(kPictograph);
    } else if (in(0x80, 0xBF) || in(0x2000, 0x2BFF) || in(0xFE00, 0xFFFF)) {
        wide_mark(kOtherMark);
    } else {
        wide_letter(Script::other, kOtherLetter);
    }
}

void TokenCounter::add(std::string_view text) noexcept
{
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const auto c = static_cast<unsigned char>(*at++);
        if (c >= 0x80 || missing_ != 0) {
            byte(c);
            continue;
        }
        ascii(c);
        if (piece_ == Piece::word && length_ != 0) {
            at = words_go_on(at, end);
        }
    }
}

// Of a character beyond ASCII, or after one that was cut.
void TokenCounter::byte(unsigned char c) noexcept
{
    if (missing_ != 0) {
        if ((c & 0xC0) == 0x80) {
            code_ = (code_ << 6) | (c & 0x3Fu);
            if (--missing_ == 0) {
                wide(code_);
            }
            return;
        }
        missing_ = 0;
        wide(kInvalid);
    }
    if (c < 0x80) {
        ascii(c);
    } else if (c >= 0xF0 && c < 0xF8) {
        missing_ = 3;
        code_ = c & 0x07u;
    } else if (c >= 0xE0 && c < 0xF0) {
        missing_ = 2;
        code_ = c & 0x0Fu;
    } else if (c >= 0xC0 && c < 0xE0) {
        missing_ = 1;
        code_ = c & 0x1Fu;
    } else {
        wide(kInvalid);
    }
}

int64_t TokenCounter::tokens() const noexcept
{
    return (cost_ + piece_cost() + kToken / 2) / kToken;
}

int64_t count_tokens(std::string_view text) noexcept
{
    TokenCounter counter;
    counter.add(text);
    return counter.tokens();
}

} // namespace ai_proxy::usage
