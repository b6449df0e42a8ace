#pragma once

#include <cstdint>
#include <string_view>

namespace ai_proxy::dialect {

// Follows the text of a JSON object that comes in pieces: tells when it is
// whole, so that what waits behind a tool call need not wait for the finish.
class ObjectWatch {
public:
    void feed(std::string_view piece) noexcept
    {
        for (const char c : piece) {
            if (in_string_) {
                in_string_ = escaped_ || c != '"';
                escaped_ = !escaped_ && c == '\\';
            } else if (c == '"') {
                in_string_ = true;
                escaped_ = false;
            } else if (c == '{' || c == '[') {
                begun_ = true;
                ++depth_;
            } else if (c == '}' || c == ']') {
                --depth_;
            }
        }
    }
    [[nodiscard]] bool whole() const noexcept
    {
        return begun_ && depth_ <= 0 && !in_string_;
    }

private:
    int64_t depth_ = 0;
    bool begun_ = false, in_string_ = false, escaped_ = false;
};

} // namespace ai_proxy::dialect
