#include "core/base/text.h"

#include <gtest/gtest.h>

using namespace ai_proxy;

namespace {

TEST(Text, ComparesWithoutCase)
{
    EXPECT_TRUE(iequals("Content-TYPE", "content-type"));
    EXPECT_FALSE(iequals("content-type", "content-typ"));
    EXPECT_FALSE(iequals("[", "{"));
    EXPECT_TRUE(istarts_with("Bearer x", "bearer "));
    EXPECT_FALSE(istarts_with("Bea", "bearer"));
    EXPECT_EQ(lower('\xC4'), '\xC4');
}

TEST(Text, Trims)
{
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim("  "), "");
    EXPECT_EQ(trim(""), "");
}

TEST(Text, ParsesUnsigned)
{
    EXPECT_EQ(parse_uint("0"), 0U);
    EXPECT_EQ(parse_uint("007"), 7U);
    EXPECT_EQ(parse_uint("18446744073709551615"), UINT64_MAX);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1",
             "18446744073709551616", "99999999999999999999999"})
    {
        EXPECT_EQ(parse_uint(bad), std::nullopt) << bad;
    }
}

TEST(Text, ParsesDurations)
{
    EXPECT_EQ(parse_duration_ms("250ms"), 250U);
    EXPECT_EQ(parse_duration_ms("5"), 5000U);
    EXPECT_EQ(parse_duration_ms("5s"), 5000U);
    EXPECT_EQ(parse_duration_ms("2m"), 120000U);
    EXPECT_EQ(parse_duration_ms("1h"), 3600000U);
    EXPECT_EQ(parse_duration_ms("1d"), 86400000U);
    EXPECT_EQ(parse_duration_ms("0"), 0U);
    for (const char* bad :
        {"", "s", "-1s", "1.5s", "1 s", "1w", "1M", "18446744073709551615d"})
    {
        EXPECT_EQ(parse_duration_ms(bad), std::nullopt) << bad;
    }
}

TEST(Text, PercentEncodes)
{
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a/b c%\xC3\xA9"), "a%2Fb%20c%25%C3%A9");
    EXPECT_EQ(percent_encode("a/b:c", "/"), "a/b%3Ac");
    EXPECT_EQ(percent_encode(std::string_view("\0", 1)), "%00");
}

TEST(Text, MatchesGlobs)
{
    EXPECT_TRUE(glob_match("gpt-*", "gpt-4o"));
    EXPECT_TRUE(glob_match("gpt-*", "gpt-"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_TRUE(glob_match("", ""));
    EXPECT_TRUE(glob_match("*-mini", "gpt-4o-mini"));
    EXPECT_TRUE(glob_match("a*b*c", "aXbYbZc"));
    EXPECT_TRUE(glob_match("**a**", "a"));
    EXPECT_FALSE(glob_match("gpt-*", "GPT-4"));
    EXPECT_FALSE(glob_match("a*b", "ab-"));
    EXPECT_FALSE(glob_match("", "a"));
    EXPECT_FALSE(glob_match("a?c", "abc"));
    EXPECT_TRUE(glob_match("a?c", "a?c"));
}

// Backtracking over every star would take 2^20 steps and more.
TEST(Text, GlobWithManyStarsEnds)
{
    std::string pattern;
    for (int i = 0; i < 40; i++) {
        pattern += "*a";
    }
    EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
}

TEST(Text, FindsQueryValues)
{
    EXPECT_EQ(query_value("a=1&key=x%20y&b", "key"), "x%20y");
    EXPECT_EQ(query_value("?alt=sse", "alt"), "sse");
    EXPECT_EQ(query_value("a=1&b", "b"), "");
    EXPECT_EQ(query_value("a==b", "a"), "=b");
    EXPECT_EQ(query_value("a=1&a=2", "a"), "1");
    EXPECT_EQ(query_value("akey=1&keya=2", "key"), std::nullopt);
    EXPECT_EQ(query_value("", "a"), std::nullopt);
    EXPECT_EQ(query_value("&&", ""), std::nullopt);
}

} // namespace
