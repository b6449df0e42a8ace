#include "core/json/fault.h"

#include "core/json/reader.h"

#include <bitset>
#include <charconv>

#include <simdjson.h>

namespace ai_proxy::json {
namespace {

// A strict RFC 8259 scanner without recursion that stops at the first fault.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    // The fault, or nullptr when there is none; at() is its offset.
    const char* run() noexcept
    {
        space();
        if (end()) {
            return "empty body";
        }
        while (fault_ == nullptr && !complete_) {
            value();
        }
        if (fault_ == nullptr) {
            space();
            if (!end()) {
                fail("trailing content");
            }
        }
        return fault_;
    }

    [[nodiscard]] size_t at() const noexcept { return at_; }

private:
    [[nodiscard]] bool end() const noexcept { return at_ >= text_.size(); }
    [[nodiscard]] char peek() const noexcept
    {
        return end() ? '\0' : text_[at_];
    }

    void fail(const char* fault) noexcept
    {
        if (fault_ == nullptr) {
            fault_ = fault;
        }
    }

    void space() noexcept
    {
        while (!end()
            && (peek() == ' ' || peek() == '\n' || peek() == '\r'
                || peek() == '\t'))
        {
            at_++;
        }
    }

    // A value or the opening of a container, then what closes after it.
    void value() noexcept
    {
        space();
        if (end()) {
            return fail("cut short");
        }
        switch (peek()) {
        case '{':
        case '[':
            return open(peek() == '{');
        case '"':
            string();
            break;
        case 't':
            literal("true");
            break;
        case 'f':
            literal("false");
            break;
        case 'n':
            literal("null");
            break;
        default:
            number();
        }
        after_value();
    }

    void open(bool is_object) noexcept
    {
        if (depth_ == kMaxDepth) {
            return fail("nested too deeply (more than 128)");
        }
        objects_[depth_++] = is_object;
        at_++;
        space();
        if (peek() == (is_object ? '}' : ']') && !end()) {
            return after_value();
        }
        if (is_object) {
            key();
        }
    }

    void key() noexcept
    {
        space();
        if (end()) {
            return fail("cut short");
        }
        if (peek() != '"') {
            return fail("a key is no string");
        }
        string();
        space();
        if (fault_ == nullptr && peek() != ':') {
            return fail(end() ? "cut short" : "missing colon");
        }
        at_++;
    }

    // Closes containers until a comma asks for the next value.
    void after_value() noexcept
    {
        while (fault_ == nullptr) {
            if (depth_ == 0) {
                complete_ = true;
                return;
            }
            space();
            const bool in_object = objects_[depth_ - 1];
            if (end()) {
                return fail("cut short");
            }
            if (peek() == ',') {
                at_++;
                if (in_object) {
                    key();
                }
                return;
            }
            if (peek() != (in_object ? '}' : ']')) {
                return fail("missing comma or closing bracket");
            }
            at_++;
            depth_--;
        }
    }

    void string() noexcept
    {
        for (at_++;; at_++) {
            if (end()) {
                return fail("cut short inside a string");
            }
            const auto c = static_cast<unsigned char>(peek());
            if (c == '"') {
                at_++;
                return;
            }
            if (c < 0x20) {
                return fail("control character in a string");
            }
            if (c == '\\') {
                escape();
            }
            if (fault_ != nullptr) {
                return;
            }
        }
    }

    // Leaves at_ on the last character of the escape.
    void escape() noexcept
    {
        const size_t begin = at_++;
        if (end()) {
            return fail("cut short inside a string");
        }
        if (peek() != 'u') {
            if (std::string_view("\"\\/bfnrt").find(peek())
                == std::string_view::npos) {
                fail("invalid escape");
            }
            return;
        }
        const int first = unit(begin);
        if (first < 0xD800 || first > 0xDFFF) {
            return;
        }
        const auto rest = text_.substr(at_ + 1, 2);
        if (first < 0xDC00 && rest.size() < 2
            && std::string_view("\\u").starts_with(rest))
        {
            at_ = text_.size();
            return fail("cut short inside a string");
        }
        int second = 0;
        if (first < 0xDC00 && rest == "\\u") {
            at_ += 2;
            second = unit(begin);
        }
        if (fault_ == nullptr && (second < 0xDC00 || second > 0xDFFF)) {
            at_ = begin;
            fail("lone surrogate");
        }
    }

    // The four hex digits after the 'u' at at_.
    int unit(size_t begin) noexcept
    {
        if (text_.size() - at_ < 5) {
            at_ = text_.size();
            fail("cut short inside a string");
            return 0;
        }
        const char* digits = text_.data() + at_ + 1;
        unsigned code = 0;
        const auto read = std::from_chars(digits, digits + 4, code, 16);
        if (read.ptr != digits + 4) {
            at_ = begin;
            fail("invalid escape");
            return 0;
        }
        at_ += 4;
        return int(code);
    }

    void literal(std::string_view word) noexcept
    {
        const auto rest = text_.substr(at_);
        if (rest.starts_with(word)) {
            at_ += word.size();
        } else {
            fail(word.starts_with(rest) ? "cut short" : "invalid literal");
        }
    }

    bool digits() noexcept
    {
        const size_t begin = at_;
        while (!end() && peek() >= '0' && peek() <= '9') {
            at_++;
        }
        return at_ > begin;
    }

    void number() noexcept
    {
        const size_t begin = at_;
        if (peek() != '-' && (peek() < '0' || peek() > '9')) {
            return fail("no value where one is expected");
        }
        at_ += peek() == '-' ? 1 : 0;
        bool good = true;
        if (peek() == '0') {
            at_++;
            good = peek() < '0' || peek() > '9';
        } else {
            good = digits();
        }
        if (good && peek() == '.') {
            at_++;
            good = digits();
        }
        if (good && (peek() == 'e' || peek() == 'E')) {
            at_++;
            at_ += peek() == '-' || peek() == '+' ? 1 : 0;
            good = digits();
        }
        if (!good) {
            fail(end() ? "cut short" : "invalid number");
            return;
        }
        check_range(begin);
    }

    // Integers beyond 64 bits and doubles beyond 1.8e308 are legal JSON, but
    // no reader of them agrees with the next one.
    void check_range(size_t begin) noexcept
    {
        const auto spelled = text_.substr(begin, at_ - begin);
        const char* last = spelled.data() + spelled.size();
        bool fits = true;
        if (spelled.find_first_of(".eE") != std::string_view::npos) {
            double real = 0;
            const auto read = std::from_chars(spelled.data(), last, real);
            // An underflow reads as zero.
            fits = read.ec == std::errc()
                || spelled.find("e-") != std::string_view::npos
                || spelled.find("E-") != std::string_view::npos;
        } else if (spelled.front() == '-') {
            int64_t whole = 0;
            fits =
                std::from_chars(spelled.data(), last, whole).ec == std::errc();
        } else {
            uint64_t whole = 0;
            fits =
                std::from_chars(spelled.data(), last, whole).ec == std::errc();
        }
        if (!fits) {
            at_ = begin;
            fail("invalid number (out of range)");
        }
    }

    std::string_view text_;
    size_t at_ = 0;
    const char* fault_ = nullptr;
    bool complete_ = false;
    size_t depth_ = 0;
    std::bitset<kMaxDepth> objects_; // per level: object, else array
};

} // namespace

std::string describe_fault(std::string_view text)
{
    Scanner scanner(text);
    const char* fault = scanner.run();
    if (fault == nullptr) {
        return simdjson::validate_utf8(text.data(), text.size())
            ? "not acceptable"
            : "invalid UTF-8";
    }
    std::string message = fault;
    if (text.find_first_not_of(" \t\r\n") != std::string_view::npos) {
        message += " at byte ";
        message += std::to_string(scanner.at());
    }
    return message;
}

bool nests_deeper(std::string_view text, size_t limit) noexcept
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > limit) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

} // namespace ai_proxy::json
