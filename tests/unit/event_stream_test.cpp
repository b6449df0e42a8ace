#include "core/wire/event_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ai_proxy;
using namespace std::string_literals;
using wire::EventStreamFramer;
using wire::EventStreamHeader;
using wire::EventStreamHeaders;
using Type = EventStreamHeader::Type;

namespace {

struct Copy {
    std::string event, data, raw;
    bool has_data = false, is_error = false;

    friend bool operator==(const Copy&, const Copy&) = default;
};

struct Framed {
    std::vector<Copy> events;
    ErrorCode error = ErrorCode::none;
};

Framed frame(std::string_view bytes, size_t split = 0)
{
    EventStreamFramer framer;
    Framed all;
    const auto collect = [&](const wire::SseEvent& e) {
        all.events.push_back({std::string(e.event), std::string(e.data),
            std::string(e.raw), e.has_data, e.is_error});
        return true;
    };
    while (!bytes.empty()) {
        const size_t n = split == 0 ? bytes.size() : split;
        const std::string_view cut = bytes.substr(0, n);
        // An exact copy, so that a sanitizer sees a read past its end.
        const std::vector<char> piece(cut.begin(), cut.end());
        auto fed = framer.feed({piece.data(), piece.size()}, collect);
        if (!fed) {
            all.error = fed.error().code;
            return all;
        }
        bytes.remove_prefix(cut.size());
    }
    auto done = framer.finish(collect);
    all.error = done ? ErrorCode::none : done.error().code;
    return all;
}

// The vectors that Amazon publishes with its SDKs.
const std::string kEmpty =
    "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff"s;
const std::string kInt8 = "\x00\x00\x00\x17\x00\x00\x00\x07)\x86\x01X\x04"
                          "byte\x02\xff\xc2\xf8i\xdc"s;
const std::string kInt16 = "\x00\x00\x00\x19\x00\x00\x00\tq\x0e\x92>\x05"
                           "short\x03\xff\xff\xb2|\xb6\xcc"s;
const std::string kInt32 = "\x00\x00\x00\x1d\x00\x00\x00\r\x83\xe3\xf0\xe7\x07"
                           "integer\x04\xff\xff\xff\xff\x8b\x8e\x12\xeb"s;
const std::string kInt64 =
    "\x00\x00\x00\x1e\x00\x00\x00\x0e]J\xdb\x8d\x04"
    "long\x05\xff\xff\xff\xff\xff\xff\xff\xffK\xc2\x32\xda"s;
const std::string kPayload =
    "\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3\x65\x39\x36"s;
const std::string kText = "\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0c"
                          "content-type\x07\x00\x10"
                          "application/json{'foo':'bar'}\x8d\x9c\x08\xb1"s;
const std::string kAllTypes =
    "\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c"
    "\x01\x30\x00\x01\x31\x01\x01\x32\x02\x02\x01\x33\x03\x00\x03"
    "\x01\x34\x04\x00\x00\x00\x04\x01\x35\x05\x00\x00\x00\x00\x00\x00\x00\x05"
    "\x01\x36\x06\x00\x05"
    "bytes\x01\x37\x07\x00\x04utf8"
    "\x01\x38\x08\x00\x00\x00\x00\x00\x00\x00\x08\x01\x39\x09"
    "0123456789abcdef"
    "\x63\x35\x36\x71"s;
const std::string kError = "\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e"
                           "\x0d:message-type\x07\x00\x05"
                           "error\x0b:error-code\x07\x00\x04"
                           "code\x0e:error-message\x07\x00\x07message"
                           "\x6b\x6c\xea\x3d"s;

std::vector<EventStreamHeader> headers_of(const std::string& raw)
{
    auto message = wire::read_event_stream_message(raw);
    if (!message) {
        ADD_FAILURE() << message.error().message;
        return {};
    }
    std::vector<EventStreamHeader> all;
    EventStreamHeaders walk(message->headers);
    while (const auto header = walk.next()) {
        all.push_back(*header);
    }
    EXPECT_FALSE(walk.damaged());
    return all;
}

// A message around headers of any bytes, with right checksums.
std::string message_with(const std::string& headers)
{
    std::string out;
    const auto u32 = [&out](size_t n) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            out += static_cast<char>(n >> shift);
        }
    };
    u32(EventStreamFramer::kOverhead + headers.size());
    u32(headers.size());
    u32(wire::crc32(out));
    out += headers;
    u32(wire::crc32(out));
    return out;
}

TEST(EventStream, ChecksumIsThatOfIeee)
{
    EXPECT_EQ(wire::crc32("123456789"), 0xCBF43926U);
    EXPECT_EQ(wire::crc32(""), 0U);
    EXPECT_EQ(wire::crc32("6789", wire::crc32("12345")), 0xCBF43926U);
    const std::string fox = "The quick brown fox jumps over the lazy dog";
    EXPECT_EQ(wire::crc32(fox), 0x414FA339U);
}

TEST(EventStream, PublishedNumbers)
{
    for (const std::string& raw : {kInt8, kInt16, kInt32, kInt64}) {
        const auto headers = headers_of(raw);
        ASSERT_EQ(headers.size(), 1U);
        EXPECT_EQ(headers[0].number(), -1) << headers[0].name;
    }
}

TEST(EventStream, PublishedHeaderTypes)
{
    const auto headers = headers_of(kAllTypes);
    ASSERT_EQ(headers.size(), 10U);
    for (size_t i = 0; i < headers.size(); ++i) {
        EXPECT_EQ(headers[i].name, std::to_string(i));
        EXPECT_EQ(static_cast<size_t>(headers[i].type), i);
    }
    for (const size_t i : {2U, 3U, 4U, 5U, 8U}) {
        EXPECT_EQ(headers[i].number(), static_cast<int64_t>(i));
    }
    EXPECT_EQ(headers[6].value, "bytes");
    EXPECT_EQ(headers[7].value, "utf8");
    EXPECT_EQ(headers[9].value, "0123456789abcdef");
}

TEST(EventStream, PublishedMessagesAtEverySplit)
{
    const std::string all = kEmpty + kInt8 + kInt16 + kInt32 + kInt64 + kPayload
        + kText + kAllTypes + kError;
    const Framed whole = frame(all);
    ASSERT_EQ(whole.error, ErrorCode::none);
    ASSERT_EQ(whole.events.size(), 9U);
    EXPECT_FALSE(whole.events[0].has_data);
    EXPECT_EQ(whole.events[5].data, "{'foo':'bar'}");
    EXPECT_EQ(whole.events[6].data, "{'foo':'bar'}");
    EXPECT_EQ(whole.events[6].raw, kText);
    EXPECT_EQ(whole.events[8].event, "code");
    EXPECT_EQ(whole.events[8].data, "message");
    EXPECT_TRUE(whole.events[8].is_error);
    for (size_t split = 1; split < 40; ++split) {
        const Framed cut = frame(all, split);
        EXPECT_EQ(cut.error, ErrorCode::none) << split;
        EXPECT_EQ(cut.events, whole.events) << split;
    }
}

TEST(EventStream, PublishedDamage)
{
    const std::string corrupted_length =
        "\x01\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3\x65\x39\x36"s;
    const std::string corrupted_payload =
        "\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'\x8d\xc3\x65\x39\x36"s;
    std::string corrupted_headers = kText;
    corrupted_headers[kText.find('-')] = '+';
    std::string corrupted_header_length = kText;
    corrupted_header_length.replace(4, 4, "\xff\x00\x01\x02"s);
    for (const std::string& raw : {corrupted_length, corrupted_payload,
             corrupted_headers, corrupted_header_length})
    {
        for (const size_t split : {0, 1, 2, 3, 7}) {
            const Framed got = frame(raw, split);
            EXPECT_EQ(got.error, ErrorCode::upstream_invalid);
            EXPECT_TRUE(got.events.empty());
        }
    }
}

TEST(EventStream, EveryFlippedBitIsSeen)
{
    for (size_t bit = 0; bit < kText.size() * 8; ++bit) {
        std::string raw = kText;
        raw[bit / 8] = static_cast<char>(raw[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_EQ(frame(raw, 5).error, ErrorCode::upstream_invalid) << bit;
    }
}

TEST(EventStream, EveryCutWithinAMessageIsSeen)
{
    for (size_t n = 1; n < kText.size(); ++n) {
        const Framed got = frame(kEmpty + kText.substr(0, n), 3);
        EXPECT_EQ(got.error, ErrorCode::upstream_truncated) << n;
        EXPECT_EQ(got.events.size(), 1U);
    }
    EXPECT_EQ(frame("").error, ErrorCode::none);
}

TEST(EventStream, LengthsThatCannotBeAreRefusedBeforeTheBodyComes)
{
    std::string huge = "\x7f\xff\xff\xff\x00\x00\x00\x00"s;
    const uint32_t crc = wire::crc32(huge);
    for (int shift = 24; shift >= 0; shift -= 8) {
        huge += static_cast<char>(crc >> shift);
    }
    EXPECT_EQ(frame(huge).error, ErrorCode::upstream_too_large);
    std::string small = "\x00\x00\x00\x0f\x00\x00\x00\x00"s;
    const uint32_t check = wire::crc32(small);
    for (int shift = 24; shift >= 0; shift -= 8) {
        small += static_cast<char>(check >> shift);
    }
    EXPECT_EQ(frame(small, 1).error, ErrorCode::upstream_invalid);
}

TEST(EventStream, HeadersThatCannotBeReadAreRefused)
{
    const std::string wrong[] = {
        "\x00\x07\x00\x00"s, // no name
        "\x01"s,             // the name ends early
        "\x01x"s,            // no type
        "\x01x\x0a"s,        // a type that is not one
        "\x01x\x07\x00"s,    // half a length
        "\x01x\x07\x00\x05"
        "abcd"s,                     // the value ends early
        "\x01x\x05\x00\x00\x00\x00"s // half a number
    };
    for (const std::string& headers : wrong) {
        EXPECT_EQ(
            frame(message_with(headers)).error, ErrorCode::upstream_invalid)
            << testing::PrintToString(headers);
    }
    EXPECT_EQ(frame(message_with("\x01x\x01"s)).error, ErrorCode::none);
}

TEST(EventStream, WhatIsWrittenIsRead)
{
    std::string out;
    wire::append_event_stream_event(out, "messageStart", R"({"role":"x"})");
    const EventStreamHeader headers[] = {
        {":message-type", Type::text, "exception"},
        {":exception-type", Type::text, "throttlingException"}};
    wire::append_event_stream_message(out, headers, R"({"message":"slow"})");
    const Framed got = frame(out, 7);
    ASSERT_EQ(got.events.size(), 2U);
    EXPECT_EQ(got.events[0].event, "messageStart");
    EXPECT_EQ(got.events[0].data, R"({"role":"x"})");
    EXPECT_FALSE(got.events[0].is_error);
    EXPECT_EQ(got.events[1].event, "throttlingException");
    EXPECT_EQ(got.events[1].data, R"({"message":"slow"})");
    EXPECT_TRUE(got.events[1].is_error);
    EXPECT_EQ(got.events[0].raw + got.events[1].raw, out);
}

TEST(EventStream, WritesThePublishedMessages)
{
    std::string out;
    const EventStreamHeader text[] = {
        {"content-type", Type::text, "application/json"}};
    wire::append_event_stream_message(out, text, "{'foo':'bar'}");
    EXPECT_EQ(out, kText);
    out.clear();
    wire::append_event_stream_message(out, headers_of(kAllTypes), "");
    EXPECT_EQ(out, kAllTypes);
}

TEST(EventStream, AReaderMayStop)
{
    EventStreamFramer framer;
    int seen = 0;
    const auto once = [&](const wire::SseEvent&) {
        ++seen;
        return false;
    };
    ASSERT_TRUE(framer.feed(kPayload + kText, once));
    EXPECT_EQ(seen, 1);
}

} // namespace
