#pragma once

#include "core/chat/event.h"

#include <cstdint>
#include <string>
#include <string_view>

// A spoken answer: OpenAI's message.audio, which comes in pieces.
namespace ai_proxy::dialect {

class Spoken {
public:
    // piece: a JSON object; its data and transcript go on where the ones
    // before ended.
    void add(std::string_view piece);
    [[nodiscard]] bool empty() const noexcept { return !any_; }
    [[nodiscard]] size_t size() const noexcept
    {
        return data_.size() + transcript_.size();
    }
    void write(std::string& out) const;

private:
    bool any_ = false;
    std::string id_, data_, transcript_;
    int64_t expires_ = 0;
};

// What is said in a piece, for dialects that have no audio.
[[nodiscard]] std::string transcript_of(std::string_view piece);

} // namespace ai_proxy::dialect
