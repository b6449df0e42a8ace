#include "core/wire/chunked.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using ai_proxy::wire::ChunkedDecoder;
using State = ChunkedDecoder::State;

namespace {

struct Decoded {
    State state = State::more;
    std::string body;
    std::string rest;

    friend bool operator==(const Decoded&, const Decoded&) = default;
};

Decoded decode(const std::vector<std::string>& pieces)
{
    ChunkedDecoder decoder;
    Decoded out;
    for (const std::string& piece : pieces) {
        const std::vector<char> exact(piece.begin(), piece.end());
        std::string_view in(exact.data(), exact.size());
        while (!in.empty() && out.state == State::more) {
            std::string_view payload;
            out.state = decoder.next(in, payload);
            out.body += payload;
        }
        out.rest += in;
    }
    return out;
}

TEST(Chunked, DecodesAtEveryCut)
{
    const std::string text = "5;name=\"v\"\r\nhello\r\n00000A\t\r\n, w\r\norld!"
                             "\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\nNEXT";
    const Decoded whole{State::done, "hello, w\r\norld!", "NEXT"};
    EXPECT_EQ(decode({text}), whole);
    for (size_t i = 0; i <= text.size(); i++) {
        EXPECT_EQ(decode({text.substr(0, i), text.substr(i)}), whole) << i;
    }
    std::vector<std::string> bytes;
    for (const char c : text) {
        bytes.emplace_back(1, c);
    }
    EXPECT_EQ(decode(bytes), whole);
}

TEST(Chunked, BareLfEndsALine)
{
    EXPECT_EQ(decode({"3\nabc\n0\n\n"}), (Decoded{State::done, "abc", ""}));
}

TEST(Chunked, EmptyBody)
{
    EXPECT_EQ(decode({"0\r\n\r\n"}), (Decoded{State::done, "", ""}));
}

TEST(Chunked, IsNotDoneBeforeTheLastByte)
{
    const std::string text = "1\r\na\r\n0\r\n\r\n";
    for (size_t n = 0; n < text.size(); n++) {
        EXPECT_EQ(decode({text.substr(0, n)}).state, State::more) << n;
    }
}

TEST(Chunked, RefusesWhatIsNoChunk)
{
    for (const char* text : {"\r\n", ";x\r\n", "x\r\n", "-1\r\n", "0x5\r\n",
             "5\rX", "1\r\nab", "1\r\na\rX", "0\r\nA: b\rX", "0\r\n\rX", "g",
             " 5\r\n", "10000000000000000\r\n", "5\r\nhello\r\n\r\n"})
    {
        EXPECT_EQ(decode({text}).state, State::invalid) << text;
    }
    EXPECT_EQ(decode({"ffffffffffffffff\r\nx"}).body, "x");
}

TEST(Chunked, BoundsExtensionsAndTrailers)
{
    const std::string much(20000, 'x');
    EXPECT_EQ(decode({"5;" + much}).state, State::invalid);
    EXPECT_EQ(decode({std::string(20000, '0')}).state, State::invalid);
    EXPECT_EQ(decode({"0\r\n" + much}).state, State::invalid);
    std::string lines;
    for (int i = 0; i < 4000; i++) {
        lines += "A: b\r\n";
    }
    EXPECT_EQ(decode({"0\r\n" + lines}).state, State::invalid);
}

TEST(Chunked, ManyChunksAreNoLongLine)
{
    std::string text;
    for (int i = 0; i < 50000; i++) {
        text += "1;e\r\nx\r\n";
    }
    const Decoded all = decode({text + "0\r\n\r\n"});
    EXPECT_EQ(all.state, State::done);
    EXPECT_EQ(all.body.size(), 50000U);
}

} // namespace
