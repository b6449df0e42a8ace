#pragma once

#include <cstddef>

namespace ai_proxy::json {

// Walks a text that Parser has accepted; keeps its bounds in any other too.
class Cursor {
public:
    Cursor(const char* text, size_t length) noexcept
        : text_(text), length_(length)
    {
    }

    [[nodiscard]] size_t at() const noexcept { return at_; }
    [[nodiscard]] char peek() const noexcept
    {
        return at_ < length_ ? text_[at_] : '\0';
    }
    void step() noexcept { at_++; }
    // Passes white space; the byte behind it.
    char space() noexcept;
    // From the opening quote to behind the closing one.
    void string() noexcept;
    // From the first byte of a value to behind its last one.
    void value() noexcept;

private:
    [[nodiscard]] bool escaped(size_t begin, size_t quote) const noexcept;
    void rest_of_string() noexcept;
    void container() noexcept;
    bool blocks(size_t& depth) noexcept;

    const char* text_;
    size_t length_;
    size_t at_ = 0;
};

} // namespace ai_proxy::json
