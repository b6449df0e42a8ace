#include "core/wire/json_array.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ai_proxy;
using wire::JsonArrayFramer;

namespace {

struct Framed {
    std::vector<std::string> objects; // "" for an event without data
    std::string raw;
    ErrorCode error = ErrorCode::none;
};

Framed frame(std::string_view text, size_t split)
{
    JsonArrayFramer framer;
    Framed all;
    const auto collect = [&](const wire::SseEvent& e) {
        EXPECT_EQ(e.has_data, !e.data.empty());
        EXPECT_TRUE(e.raw.ends_with(e.data));
        all.objects.emplace_back(e.data);
        all.raw += e.raw;
        return true;
    };
    while (!text.empty()) {
        const std::string_view cut =
            text.substr(0, split == 0 ? text.size() : split);
        // An exact copy, so that a sanitizer sees a read past its end.
        const std::vector<char> piece(cut.begin(), cut.end());
        auto fed = framer.feed({piece.data(), piece.size()}, collect);
        if (!fed) {
            all.error = fed.error().code;
            return all;
        }
        text.remove_prefix(cut.size());
    }
    auto done = framer.finish(collect);
    all.error = done ? ErrorCode::none : done.error().code;
    EXPECT_EQ(framer.buffered(), 0U);
    return all;
}

class JsonArray : public testing::TestWithParam<size_t> {};

INSTANTIATE_TEST_SUITE_P(Splits, JsonArray, testing::Values(0, 1, 2, 3, 7));

} // namespace

TEST_P(JsonArray, ObjectsWithWhatStandsBetween)
{
    const std::string text = "\r\n[{\"a\": [1, {\"b\": "
                             "\"]}\\\"\"}]}\r\n,\r\n{}\n, {\"c\":\"\\\\\"}]\n";
    const Framed all = frame(text, GetParam());
    EXPECT_EQ(all.error, ErrorCode::none);
    EXPECT_EQ(all.raw, text);
    EXPECT_EQ(all.objects,
        (std::vector<std::string>{
            R"({"a": [1, {"b": "]}\""}]})", "{}", R"({"c":"\\"})", ""}));
}

TEST_P(JsonArray, AnObjectAloneIsAnArrayOfOne)
{
    const Framed all = frame(" {\"a\":1}", GetParam());
    EXPECT_EQ(all.error, ErrorCode::none);
    EXPECT_EQ(all.objects, std::vector<std::string>{R"({"a":1})"});
}

TEST_P(JsonArray, WhatIsCutIsNotWhole)
{
    for (const std::string_view text :
        {"", "[", "[{\"a\":1}", "[{\"a\":1},", "[{\"a\":\"x", "{\"a\":1"})
    {
        EXPECT_EQ(frame(text, GetParam()).error, ErrorCode::upstream_truncated)
            << text;
    }
}

TEST_P(JsonArray, WhatIsNoArrayOfObjects)
{
    for (const std::string_view text : {"x", "data: {}", "[1]", "[\"a\"]",
             "[[{}]]", "[{}]]", "{}{}", "[{}]{}"})
    {
        EXPECT_EQ(frame(text, GetParam()).error, ErrorCode::upstream_invalid)
            << text;
    }
}

TEST(JsonArray, ALargeObjectIsRefusedBeforeItIsHeld)
{
    JsonArrayFramer framer;
    const auto none = [](const wire::SseEvent&) { return true; };
    ASSERT_TRUE(framer.feed("[{\"a\":\"", none));
    const std::string piece(1024 * 1024, 'x');
    Result<void> fed;
    for (int i = 0; i < 16 && fed; ++i) {
        fed = framer.feed(piece, none);
    }
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ErrorCode::upstream_too_large);
}
