#pragma once

#include "core/base/result.h"
#include "core/wire/carry.h"
#include "core/wire/sse.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// application/vnd.amazon.eventstream: binary messages with headers and two
// checksums.
//
//   total length u32 | headers length u32 | CRC of these 8 bytes
//   headers: name length u8, name, type u8, value
//   payload
//   CRC of all before
//
// Numbers are big endian; the CRC is that of IEEE 802.3.
namespace ai_proxy::wire {

// CRC-32 of more bytes behind those that gave crc.
[[nodiscard]] uint32_t crc32(std::string_view bytes, uint32_t crc = 0) noexcept;

struct EventStreamHeader {
    enum class Type : uint8_t {
        yes,
        no,
        int8,
        int16,
        int32,
        int64,
        bytes,
        text,
        timestamp, // milliseconds since 1970, int64
        uuid,
    };
    std::string_view name;
    Type type = Type::text;
    std::string_view value; // the bytes as sent, without a length

    // Of the number types and timestamp.
    [[nodiscard]] int64_t number() const noexcept;
};

// Reads the headers of a message one by one.
class EventStreamHeaders {
public:
    explicit EventStreamHeaders(std::string_view bytes) : rest_(bytes) {}
    // The next one; nullopt at the end and where the bytes are no header.
    [[nodiscard]] std::optional<EventStreamHeader> next() noexcept;
    [[nodiscard]] bool damaged() const noexcept { return damaged_; }

private:
    std::string_view rest_;
    bool damaged_ = false;
};

struct EventStreamMessage {
    std::string_view headers; // for EventStreamHeaders; well-formed
    std::string_view payload;
};

// One whole message: lengths, checksums and headers are checked.
[[nodiscard]] Result<EventStreamMessage> read_event_stream_message(
    std::string_view raw);

void append_event_stream_message(std::string& out,
    std::span<const EventStreamHeader> headers, std::string_view payload);
// The message of an event as services send it, with a JSON payload.
void append_event_stream_event(
    std::string& out, std::string_view event_type, std::string_view payload);

// Splits a byte stream into messages.  Fed any bytes: output does not depend
// on how they were cut.  An event is called by :event-type, :exception-type or
// :error-code; data is the payload, or :error-message.
class EventStreamFramer {
public:
    // Largest message, in bytes, before feed() fails with upstream_too_large.
    static constexpr size_t kMaxMessage = Carry::kMax;
    static constexpr size_t kPrelude = 12;
    static constexpr size_t kOverhead = kPrelude + 4;

    // As SseFramer's.  Also fails with upstream_invalid on damaged bytes:
    // there is no way to find the next message.
    template <class F>
    Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: upstream_truncated within a message.
    template <class F>
    Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }

private:
    // Length of the message that begins with these kPrelude bytes.
    [[nodiscard]] static Result<size_t> read_length(std::string_view prelude);
    [[nodiscard]] static Result<SseEvent> parse(std::string_view raw);
    // Completes the message in carry_ from the front of bytes; false when
    // bytes are used up before.
    [[nodiscard]] Result<bool> fill(std::string_view& bytes);
    [[nodiscard]] Result<void> take(std::string_view& bytes, size_t wanted);
    void release() noexcept;

    Carry carry_{"a message"};
    size_t length_ = 0; // of that message, 0 while not known
};

template <class F>
Result<void> EventStreamFramer::feed(std::string_view bytes, F&& on_event)
{
    while (!bytes.empty()) {
        std::string_view raw;
        // A message that lies within bytes is not copied.
        if (carry_.empty() && bytes.size() >= kPrelude) {
            auto length = read_length(bytes.substr(0, kPrelude));
            if (!length) {
                return std::move(length).error();
            }
            if (*length <= bytes.size()) {
                raw = bytes.substr(0, *length);
                bytes.remove_prefix(*length);
            }
        }
        if (raw.empty()) {
            auto full = fill(bytes);
            if (!full) {
                return std::move(full).error();
            }
            if (!*full) {
                return {};
            }
            raw = carry_.text();
        }
        auto event = parse(raw);
        if (!event) {
            return std::move(event).error();
        }
        const bool more = on_event(*event);
        release();
        if (!more) {
            break;
        }
    }
    return {};
}

template <class F>
Result<void> EventStreamFramer::finish(F&&)
{
    if (!carry_.empty()) {
        release();
        return make_error(ErrorCode::upstream_truncated,
            "the provider's event stream ended within a message");
    }
    return {};
}

} // namespace ai_proxy::wire
