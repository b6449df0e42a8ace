#include "core/wire/websocket.h"

namespace ai_proxy::wire {
namespace {

constexpr unsigned kFinal = 0x80, kReserved = 0x70, kMasked = 0x80;
enum : unsigned { kContinuation = 0, kText = 1, kControl = 8 };

// Bytes of a head whose second byte is known.
uint8_t size_of_head(unsigned char second) noexcept
{
    const unsigned length = second & 0x7fU;
    return length == 127 ? 10 : length == 126 ? 4 : 2;
}

} // namespace

bool WebSocketReader::take_head(std::string_view& bytes)
{
    while (!broken_ && !bytes.empty()) {
        head_[head_size_++] = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (head_size_ < 2 || head_size_ < size_of_head(head_[1])) {
            continue;
        }
        uint64_t length = head_[1] & 0x7fU;
        if (head_size_ > 2) {
            length = 0;
            for (uint8_t i = 2; i < head_size_; i++) {
                length = length << 8 | head_[i];
            }
        }
        head_size_ = 0;
        begin_frame(length);
        return !broken_;
    }
    return false;
}

void WebSocketReader::begin_frame(uint64_t length)
{
    const unsigned opcode = head_[0] & 0x0fU;
    const bool compressed = (head_[0] & kReserved) != 0;
    const bool begins = opcode != kContinuation;
    control_ = opcode >= kControl;
    // Servers do not mask, and a message is over before the next one begins.
    broken_ = (head_[1] & kMasked) != 0 || length >> 63 != 0
        || (!control_ && begins != (message_ == Message::none));
    if (broken_) {
        end_message();
        return;
    }
    in_frame_ = true;
    left_ = length;
    if (control_) {
        return;
    }
    last_ = (head_[0] & kFinal) != 0;
    if (begins) {
        message_ =
            opcode == kText && !compressed ? Message::text : Message::unread;
    }
}

void WebSocketReader::keep(std::string_view piece)
{
    if (piece.size() > kMaxMessage - text_.size()) {
        release(text_);
        message_ = Message::unread;
        return;
    }
    text_ += piece;
}

void WebSocketReader::end_message() noexcept
{
    release(text_);
    message_ = Message::none;
}

} // namespace ai_proxy::wire
