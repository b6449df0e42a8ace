#include "core/wire/ndjson.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ai_proxy;
using wire::NdjsonFramer;

namespace {

struct Copy {
    std::string data, raw;
    bool has_data = false;

    friend bool operator==(const Copy&, const Copy&) = default;
};

std::vector<Copy> frame(std::string_view bytes, size_t split)
{
    NdjsonFramer framer;
    std::vector<Copy> all;
    const auto collect = [&](const wire::SseEvent& e) {
        all.push_back({std::string(e.data), std::string(e.raw), e.has_data});
        return true;
    };
    while (!bytes.empty()) {
        const std::string_view cut = bytes.substr(0, split);
        const std::vector<char> piece(cut.begin(), cut.end());
        EXPECT_TRUE(framer.feed({piece.data(), piece.size()}, collect));
        bytes.remove_prefix(cut.size());
    }
    EXPECT_TRUE(framer.finish(collect));
    EXPECT_EQ(framer.buffered(), 0U);
    return all;
}

TEST(Ndjson, LinesAtEverySplit)
{
    const std::string text = "{\"a\":1}\n{\"b\":2}\r\n\n \t\n{\"c\":\"\\n\"}";
    const std::vector<Copy> expected{{"{\"a\":1}", "{\"a\":1}\n", true},
        {"{\"b\":2}", "{\"b\":2}\r\n", true}, {"", "\n", false},
        {" \t", " \t\n", false}, {"{\"c\":\"\\n\"}", "{\"c\":\"\\n\"}", true}};
    for (size_t split = 1; split <= text.size(); ++split) {
        EXPECT_EQ(frame(text, split), expected) << split;
    }
}

TEST(Ndjson, AnEmptyInputHasNoLines)
{
    EXPECT_TRUE(frame("", 1).empty());
}

TEST(Ndjson, AReaderMayStop)
{
    NdjsonFramer framer;
    int seen = 0;
    const auto once = [&](const wire::SseEvent&) {
        ++seen;
        return false;
    };
    ASSERT_TRUE(framer.feed("1\n2\n3\n", once));
    EXPECT_EQ(seen, 1);
}

TEST(Ndjson, ALineHasABound)
{
    NdjsonFramer framer;
    const auto none = [](const wire::SseEvent&) { return true; };
    const std::string block(1024 * 1024, 'x');
    Result<void> fed;
    for (int i = 0; i < 16 && fed; ++i) {
        fed = framer.feed(block, none);
    }
    ASSERT_TRUE(fed);
    fed = framer.feed("x", none);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ErrorCode::upstream_too_large);
}

TEST(Ndjson, WhatIsWrittenIsRead)
{
    std::string out;
    wire::append_ndjson(out, "{}");
    wire::append_ndjson(out, "[1]");
    EXPECT_EQ(frame(out, 2),
        (std::vector<Copy>{{"{}", "{}\n", true}, {"[1]", "[1]\n", true}}));
}

} // namespace
