#include "core/wire/event_stream.h"

#include <algorithm>
#include <array>

namespace ai_proxy::wire {

namespace {

using Header = EventStreamHeader;

constexpr size_t kMaxHeaders = 128 * 1024;

// Eight tables: eight bytes are taken per step.
constexpr auto kCrcTables = [] {
    std::array<std::array<uint32_t, 256>, 8> tables{};
    for (uint32_t i = 0; i < 256; ++i) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
        }
        tables[0][i] = crc;
    }
    for (size_t t = 1; t < tables.size(); ++t) {
        for (size_t i = 0; i < 256; ++i) {
            const uint32_t before = tables[t - 1][i];
            tables[t][i] = (before >> 8) ^ tables[0][before & 0xFF];
        }
    }
    return tables;
}();

uint32_t byte_at(std::string_view bytes, size_t at) noexcept
{
    return static_cast<unsigned char>(bytes[at]);
}

uint64_t read_number(std::string_view bytes) noexcept
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        number = (number << 8) | byte_at(bytes, i);
    }
    return number;
}

uint32_t read_u32(std::string_view bytes, size_t at) noexcept
{
    return static_cast<uint32_t>(read_number(bytes.substr(at, 4)));
}

void append_number(std::string& out, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; --i) {
        out += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
    }
}

// Bytes of a value; -1: a length of two bytes stands before it.
constexpr std::array<int, 10> kValueSizes{0, 0, 1, 2, 4, 8, -1, -1, 8, 16};

Error damaged(std::string_view what)
{
    return make_error(ErrorCode::upstream_invalid,
        "the provider's event stream is damaged: " + std::string(what));
}

} // namespace

uint32_t crc32(std::string_view bytes, uint32_t crc) noexcept
{
    const auto& t = kCrcTables;
    crc = ~crc;
    while (bytes.size() >= 8) {
        const uint32_t low = crc
            ^ (byte_at(bytes, 0) | (byte_at(bytes, 1) << 8)
                | (byte_at(bytes, 2) << 16) | (byte_at(bytes, 3) << 24));
        crc = t[7][low & 0xFF] ^ t[6][(low >> 8) & 0xFF]
            ^ t[5][(low >> 16) & 0xFF] ^ t[4][low >> 24]
            ^ t[3][byte_at(bytes, 4)] ^ t[2][byte_at(bytes, 5)]
            ^ t[1][byte_at(bytes, 6)] ^ t[0][byte_at(bytes, 7)];
        bytes.remove_prefix(8);
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
        crc = (crc >> 8) ^ t[0][(crc ^ byte_at(bytes, i)) & 0xFF];
    }
    return ~crc;
}

int64_t EventStreamHeader::number() const noexcept
{
    if (value.empty() || value.size() > 8) {
        return 0;
    }
    const auto unused = 64 - 8 * static_cast<unsigned>(value.size());
    return static_cast<int64_t>(read_number(value) << unused) >> unused;
}

std::optional<EventStreamHeader> EventStreamHeaders::next() noexcept
{
    if (rest_.empty() || damaged_) {
        return std::nullopt;
    }
    damaged_ = true;
    Header header;
    const size_t name = byte_at(rest_, 0);
    if (name == 0 || rest_.size() < 1 + name + 1) {
        return std::nullopt;
    }
    header.name = rest_.substr(1, name);
    const size_t type = byte_at(rest_, 1 + name);
    rest_.remove_prefix(1 + name + 1);
    if (type >= kValueSizes.size()) {
        return std::nullopt;
    }
    header.type = static_cast<Header::Type>(type);
    size_t size = 0;
    if (kValueSizes[type] >= 0) {
        size = static_cast<size_t>(kValueSizes[type]);
    } else {
        if (rest_.size() < 2) {
            return std::nullopt;
        }
        size = static_cast<size_t>(read_number(rest_.substr(0, 2)));
        rest_.remove_prefix(2);
    }
    if (rest_.size() < size) {
        return std::nullopt;
    }
    header.value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    damaged_ = false;
    return header;
}

Result<size_t> EventStreamFramer::read_length(std::string_view prelude)
{
    if (crc32(prelude.substr(0, 8)) != read_u32(prelude, 8)) {
        return damaged("wrong checksum of a message's lengths");
    }
    const size_t total = read_u32(prelude, 0);
    const size_t headers = read_u32(prelude, 4);
    if (total > kMaxMessage) {
        return make_error(ErrorCode::upstream_too_large,
            "the provider sent a message of more than 16 MB");
    }
    if (total < kOverhead || headers > total - kOverhead
        || headers > kMaxHeaders) {
        return damaged("impossible lengths");
    }
    return total;
}

Result<EventStreamMessage> read_event_stream_message(std::string_view raw)
{
    constexpr size_t kPrelude = EventStreamFramer::kPrelude;
    constexpr size_t kOverhead = EventStreamFramer::kOverhead;
    if (raw.size() < kOverhead || read_u32(raw, 0) != raw.size()) {
        return damaged("impossible lengths");
    }
    if (crc32(raw.substr(0, 8)) != read_u32(raw, 8)) {
        return damaged("wrong checksum of a message's lengths");
    }
    const std::string_view covered = raw.substr(0, raw.size() - 4);
    if (crc32(covered) != read_u32(raw, covered.size())) {
        return damaged("wrong checksum of a message");
    }
    const size_t headers = read_u32(raw, 4);
    if (headers > raw.size() - kOverhead || headers > kMaxHeaders) {
        return damaged("impossible lengths");
    }
    EventStreamMessage message;
    message.headers = covered.substr(kPrelude, headers);
    message.payload = covered.substr(kPrelude + headers);
    EventStreamHeaders walk(message.headers);
    while (walk.next()) {
    }
    if (walk.damaged()) {
        return damaged("a header cannot be read");
    }
    return message;
}

Result<SseEvent> EventStreamFramer::parse(std::string_view raw)
{
    auto message = read_event_stream_message(raw);
    if (!message) {
        return std::move(message).error();
    }
    SseEvent event;
    event.raw = raw;
    event.data = message->payload;
    std::string_view said;
    EventStreamHeaders walk(message->headers);
    while (const auto header = walk.next()) {
        if (header->type != Header::Type::text) {
            continue;
        }
        if (header->name == ":message-type") {
            event.is_error = header->value != "event";
        } else if (header->name == ":event-type"
            || header->name == ":exception-type"
            || header->name == ":error-code")
        {
            event.event = header->value;
        } else if (header->name == ":error-message") {
            said = header->value;
        }
    }
    if (event.is_error && event.data.empty()) {
        event.data = said;
    }
    event.has_data = event.is_error || !event.data.empty();
    return event;
}

Result<void> EventStreamFramer::take(std::string_view& bytes, size_t wanted)
{
    const size_t missing = wanted - std::min(wanted, carry_.size());
    const std::string_view piece = bytes.substr(0, missing);
    bytes.remove_prefix(piece.size());
    return carry_.keep(piece);
}

Result<bool> EventStreamFramer::fill(std::string_view& bytes)
{
    if (length_ == 0) {
        if (auto taken = take(bytes, kPrelude); !taken) {
            return std::move(taken).error();
        }
        if (carry_.size() < kPrelude) {
            return false;
        }
        auto length = read_length(carry_.text());
        if (!length) {
            return std::move(length).error();
        }
        length_ = *length;
    }
    if (auto taken = take(bytes, length_); !taken) {
        return std::move(taken).error();
    }
    return carry_.size() == length_;
}

void EventStreamFramer::release() noexcept
{
    length_ = 0;
    carry_.release();
}

void append_event_stream_message(std::string& out,
    std::span<const EventStreamHeader> headers, std::string_view payload)
{
    std::string block;
    for (const Header& header : headers) {
        const std::string_view name = header.name.substr(0, 255);
        const auto type = static_cast<size_t>(header.type);
        append_number(block, name.size(), 1);
        block += name;
        append_number(block, type, 1);
        if (kValueSizes[type] < 0) {
            const std::string_view value = header.value.substr(0, 65535);
            append_number(block, value.size(), 2);
            block += value;
        } else {
            std::string value(header.value);
            value.resize(static_cast<size_t>(kValueSizes[type]));
            block += value;
        }
    }
    const size_t begin = out.size();
    append_number(
        out, EventStreamFramer::kOverhead + block.size() + payload.size(), 4);
    append_number(out, block.size(), 4);
    append_number(out, crc32(std::string_view(out).substr(begin)), 4);
    out += block;
    out += payload;
    append_number(out, crc32(std::string_view(out).substr(begin)), 4);
}

void append_event_stream_event(
    std::string& out, std::string_view event_type, std::string_view payload)
{
    const Header headers[] = {{":event-type", Header::Type::text, event_type},
        {":content-type", Header::Type::text, "application/json"},
        {":message-type", Header::Type::text, "event"}};
    append_event_stream_message(out, headers, payload);
}

} // namespace ai_proxy::wire
