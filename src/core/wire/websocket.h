#pragma once

#include "core/wire/carry.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// Reads the text messages of a WebSocket (RFC 6455) on their way from server
// to client.  Fed any bytes: output does not depend on how they were cut.
// What is not text, is compressed or is too long goes by unread; what is no
// WebSocket ends the reading.
class WebSocketReader {
public:
    // Longest message that is read, in bytes.
    static constexpr size_t kMaxMessage = 1024 * 1024;

    // Calls on_text(std::string_view) for each text message that bytes
    // complete; the view is valid during the call.
    template <class F>
    void feed(std::string_view bytes, F&& on_text);

    [[nodiscard]] bool broken() const noexcept { return broken_; }
    // May a control frame follow what was fed so far?
    [[nodiscard]] bool between_frames() const noexcept
    {
        return !broken_ && !in_frame_ && head_size_ == 0;
    }
    [[nodiscard]] size_t buffered() const noexcept { return text_.size(); }

private:
    enum class Message : uint8_t { none, text, unread };

    // Takes a frame's head from the front of bytes; false when bytes are used
    // up before, or make no head.
    bool take_head(std::string_view& bytes);
    void begin_frame(uint64_t length);
    // A piece of the frame's payload.
    void keep(std::string_view piece);
    void end_message() noexcept;

    std::string text_;  // of a message that is not complete
    uint64_t left_ = 0; // bytes of the frame's payload
    Message message_ = Message::none;
    std::array<unsigned char, 10> head_{}; // of a frame
    uint8_t head_size_ = 0;
    bool in_frame_ = false;
    bool control_ = false; // the frame is none of the message
    bool last_ = false;    // of the message's frames
    bool broken_ = false;
};

template <class F>
void WebSocketReader::feed(std::string_view bytes, F&& on_text)
{
    while (in_frame_ || take_head(bytes)) {
        if (left_ > 0 && bytes.empty()) {
            return;
        }
        const size_t size = left_ < bytes.size() ? size_t(left_) : bytes.size();
        const std::string_view piece = bytes.substr(0, size);
        bytes.remove_prefix(size);
        left_ -= size;
        in_frame_ = left_ > 0;
        if (control_) {
            continue;
        }
        const bool whole = !in_frame_ && last_;
        // A message that lies within bytes is not copied.
        if (message_ == Message::text && whole && text_.empty()
            && piece.size() <= kMaxMessage)
        {
            on_text(piece);
        } else if (message_ == Message::text) {
            keep(piece);
            if (message_ == Message::text && whole) {
                on_text(std::string_view(text_));
            }
        }
        if (whole) {
            end_message();
        }
    }
}

} // namespace ai_proxy::wire
