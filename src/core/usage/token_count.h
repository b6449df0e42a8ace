#pragma once

#include <cstdint>
#include <string_view>

// Tokens of a text without a provider and without a vocabulary: text is cut
// into the pieces that the o200k tokenizer cuts it into (words, numbers,
// punctuation, white space), and each piece costs what pieces of its kind and
// length cost on average.  Of texts of some KB the count is within 10 % for
// English, Chinese, source code and JSON, and within 20 % for other languages
// of Latin, Cyrillic and Japanese script; tests hold it to that.
namespace ai_proxy::usage {

// Counts text that passes in parts; where it is cut does not matter, not even
// within a character.  Bytes that are not UTF-8 count as unknown characters.
class TokenCounter {
public:
    void add(std::string_view text) noexcept;
    // Of all that was added, as if the text ended here.
    [[nodiscard]] int64_t tokens() const noexcept;

private:
    enum class Piece : uint8_t { none, space, newline, word, number, marks };
    enum class Lead : uint8_t { none, space, mark };
    enum class Script : uint8_t {
        latin,
        cyrillic,
        kana,
        han,
        other,
    };

    void ascii(unsigned char c) noexcept;
    void byte(unsigned char c) noexcept;
    void letter(unsigned char c) noexcept;
    const char* words_go_on(const char* at, const char* end) noexcept;
    void mark(unsigned char c) noexcept;
    void wide(uint32_t code) noexcept;
    void wide_letter(Script script, int64_t cost) noexcept;
    void wide_mark(int64_t cost) noexcept;
    void begin_word() noexcept;
    void leave() noexcept;
    [[nodiscard]] int64_t piece_cost() const noexcept;
    [[nodiscard]] int64_t word_cost() const noexcept;
    [[nodiscard]] int64_t marks_cost() const noexcept;

    int64_t cost_ = 0;     // of the pieces that are over; 16 are one token
    int64_t wide_ = 0;     // of the characters of this piece beyond ASCII
    uint32_t length_ = 0;  // of the piece: its ASCII characters
    uint32_t code_ = 0;    // of a character that has begun
    uint32_t rare_ = 0;    // pairs of letters of the word
    uint8_t missing_ = 0;  // bytes of that character
    uint8_t previous_ = 0; // ASCII character of the piece
    Piece piece_ = Piece::none;
    Lead lead_ = Lead::none;
    Script script_ = Script::latin;
    bool lower_ = false; // the word has a lower-case letter
    bool upper_ = false; // and an upper-case one after its first
    bool mixed_ = false; // marks that are not all the same
};

[[nodiscard]] int64_t count_tokens(std::string_view text) noexcept;

} // namespace ai_proxy::usage
