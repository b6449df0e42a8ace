#include "core/wire/websocket.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace ai_proxy;
using Texts = std::vector<std::string>;

std::string frame(unsigned first, std::string_view payload, int form = 0)
{
    std::string out(1, static_cast<char>(first));
    const size_t n = payload.size();
    if (form == 8 || n > 65535) {
        out += '\x7f';
        for (int shift = 56; shift >= 0; shift -= 8) {
            out += static_cast<char>(n >> shift);
        }
    } else if (form == 2 || n > 125) {
        out += '\x7e';
        out += static_cast<char>(n >> 8);
        out += static_cast<char>(n);
    } else {
        out += static_cast<char>(n);
    }
    return out.append(payload);
}

Texts read(wire::WebSocketReader& reader, std::string_view bytes, size_t piece)
{
    Texts texts;
    for (size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.substr(at, piece),
            [&](std::string_view text) { texts.emplace_back(text); });
    }
    return texts;
}

TEST(WebSocket, TextsAtAnySplit)
{
    const std::string large(70000, 'x'), middle(200, 'm');
    const std::string bytes = frame(0x81, "one") + frame(0x82, "binary")
        + frame(0x81, "") + frame(0x89, "ping") + frame(0x01, "fr")
        + frame(0x8a, "") + frame(0x00, "ag") + frame(0x80, "ment")
        + frame(0xc1, "compressed") + frame(0x81, middle) + frame(0x81, large)
        + frame(0x81, "a", 2) + frame(0x81, "b", 8) + frame(0x88, "\x03\xe8");
    const Texts expected{"one", "", "fragment", middle, large, "a", "b"};
    for (const size_t piece : {bytes.size(), size_t(1), size_t(2), size_t(3),
             size_t(7), size_t(4096)})
    {
        wire::WebSocketReader reader;
        EXPECT_EQ(read(reader, bytes, piece), expected) << piece;
        EXPECT_FALSE(reader.broken());
        EXPECT_EQ(reader.buffered(), 0U);
    }
}

TEST(WebSocket, LongMessagesGoByUnread)
{
    const size_t most = wire::WebSocketReader::kMaxMessage;
    const std::string bytes = frame(0x81, std::string(most + 1, 'x'))
        + frame(0x01, std::string(most, 'y')) + frame(0x80, "z")
        + frame(0x81, std::string(most, 'w')) + frame(0x81, "next");
    for (const size_t piece : {bytes.size(), size_t(65536), size_t(99991)}) {
        wire::WebSocketReader reader;
        const Texts texts = read(reader, bytes, piece);
        ASSERT_EQ(texts.size(), 2U) << piece;
        EXPECT_EQ(texts[0], std::string(most, 'w'));
        EXPECT_EQ(texts[1], "next");
    }
}

TEST(WebSocket, WhatIsNoneEndsTheReading)
{
    const std::string masked = std::string("\x81\x83") + "abcd" + "xyz";
    const std::string endless =
        std::string("\x81\x7f\xff", 3) + std::string(7, '\0');
    for (const std::string& wrong :
        {masked, endless, frame(0x80, "continues nothing"),
            frame(0x01, "begun") + frame(0x81, "another")})
    {
        wire::WebSocketReader reader;
        EXPECT_EQ(read(reader, frame(0x81, "a") + wrong + frame(0x81, "b"), 1),
            Texts{"a"});
        EXPECT_TRUE(reader.broken());
        EXPECT_EQ(reader.buffered(), 0U);
    }
}

} // namespace
