#include "core/route/model_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

namespace {

using ai_proxy::route::ModelMap;

using Lines =
    std::initializer_list<std::pair<std::string_view, std::string_view>>;

ModelMap map_of(Lines lines)
{
    ModelMap map;
    for (auto [from, to] : lines) {
        auto done = map.add(from, to);
        EXPECT_TRUE(done.ok()) << done.error().message;
    }
    return map;
}

std::string map_fault(Lines lines)
{
    ModelMap map;
    for (auto [from, to] : lines)
        if (auto done = map.add(from, to); !done)
            return done.error().message;
    return "";
}

TEST(ModelMapTest, WithoutRulesKeepsTheName)
{
    ModelMap map;
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map.map("gpt-4o"), "gpt-4o");
    EXPECT_EQ(map.map(""), "");
}

TEST(ModelMapTest, ExactThenLongestPrefixThenRegexThenDefault)
{
    ModelMap map =
        map_of({{"*", "default"}, {"~^gpt-", "regex-"}, {"gpt-*", "short"},
            {"gpt-3-*", "long"}, {"gpt-3-x", "exact"}, {"~turbo$", "second"}});
    EXPECT_FALSE(map.empty());
    EXPECT_EQ(map.map("gpt-3-x"), "exact");
    EXPECT_EQ(map.map("gpt-3-y"), "long");
    EXPECT_EQ(map.map("gpt-3-"), "long");
    EXPECT_EQ(map.map("gpt-4"), "short");
    EXPECT_EQ(map.map("llama-turbo"), "llama-second");
    EXPECT_EQ(map.map("llama"), "default");
    EXPECT_EQ(map.map(""), "default");
    EXPECT_EQ(map.map("GPT-4"), "default");
}

TEST(ModelMapTest, FirstRegexOfTheConfigurationWins)
{
    EXPECT_EQ(map_of({{"~b", "1"}, {"~a", "2"}}).map("ab"), "a1");
    EXPECT_EQ(map_of({{"~a", "2"}, {"~b", "1"}}).map("ab"), "2b");
}

TEST(ModelMapTest, EmptyTargetKeepsTheName)
{
    ModelMap map = map_of({{"a", ""}, {"b*", ""}, {"~^c", ""}, {"*", "d"}});
    EXPECT_EQ(map.map("a"), "a");
    EXPECT_EQ(map.map("bx"), "bx");
    EXPECT_EQ(map.map("cx"), "cx");
    EXPECT_EQ(map.map("x"), "d");
    EXPECT_EQ(map_of({{"*", ""}}).map("x"), "x");
}

TEST(ModelMapTest, RegexReplacesEveryMatch)
{
    EXPECT_EQ(map_of({{"~^gpt-(.*)$", "qwen-$1"}}).map("gpt-4o"), "qwen-4o");
    EXPECT_EQ(map_of({{"~gpt", "qwen"}}).map("my-gpt-gpt4"), "my-qwen-qwen4");
    EXPECT_EQ(map_of({{"~(\\w)-(\\w)", "${2}_$1"}}).map("a-b c-d"), "b_a d_c");
    EXPECT_EQ(map_of({{"~(?<fam>[a-z]+)-(?<ver>\\d+)", "${ver}x${fam}"}})
                  .map("gpt-4"),
        "4xgpt");
    EXPECT_EQ(map_of({{"~o", "$$"}}).map("foo"), "f$$");
    EXPECT_EQ(map_of({{"~(a)|b", "<$1>"}}).map("ab"), "<a><>");
    EXPECT_EQ(map_of({{"~$", "-eu"}}).map("gpt"), "gpt-eu");
    EXPECT_EQ(map_of({{"~x*", "-"}}).map("axb"), "-a-b-");
    EXPECT_EQ(map_of({{"~^(.*)$", "$1-$0"}}).map("m"), "m-m");
}

TEST(ModelMapTest, ResultOfARegexIsNeverEmpty)
{
    EXPECT_EQ(map_of({{"~^(x*).*$", "$1"}}).map("abc"), "abc");
}

TEST(ModelMapTest, RegexWorksOnBytes)
{
    EXPECT_EQ(map_of({{"~b", "c"}})
                  .map("\xff"
                       "b\xfe"),
        "\xff"
        "c\xfe");
}

TEST(ModelMapTest, BacktrackingIsBounded)
{
    ModelMap map = map_of({{"~^(a+)+$", "bad"}, {"~(.*)*x(.*)*y", "bad"},
        {"~^(a|aa)+$", "bad"}, {"*", "default"}});
    std::string name(900, 'a');
    EXPECT_EQ(map.map(name + "!"), "default");
    EXPECT_EQ(map.map(std::string(100'000, 'a')), "default");
}

TEST(ModelMapTest, DollarIsLiteralOutsideRegexes)
{
    EXPECT_EQ(map_of({{"a", "x$1"}}).map("a"), "x$1");
}

TEST(ModelMapTest, NamesTheFault)
{
    EXPECT_EQ(map_fault({{"a", "b"}, {"a", "c"}}), "model \"a\" is duplicate");
    EXPECT_EQ(map_fault({{"a*", "b"}, {"ab*", "c"}, {"a*", "d"}}),
        "model \"a*\" is duplicate");
    EXPECT_EQ(
        map_fault({{"~a", "b"}, {"~a", "b"}}), "model \"~a\" is duplicate");
    EXPECT_EQ(map_fault({{"*", "b"}, {"*", "b"}}), "model \"*\" is duplicate");
    EXPECT_EQ(map_fault({{"~a(b", "c"}}),
        "invalid regex \"a(b\": missing closing parenthesis at offset 3");
    EXPECT_EQ(map_fault({{"~(a)", "$2"}}), "no group \"2\" for target \"$2\"");
    EXPECT_EQ(
        map_fault({{"~(a)", "${n}"}}), "no group \"n\" for target \"${n}\"");
    EXPECT_EQ(
        map_fault({{"~(a)", "${1"}}), "unclosed \"${\" in target \"${1\"");
    EXPECT_NE(map_fault({{"~(a)", "x$"}}), "");
    EXPECT_NE(map_fault({{"~(a)", "${}"}}), "");
    EXPECT_NE(map_fault({{"~(a)", "$99999999999999999999"}}), "");
    EXPECT_NE(map_fault({{"", "b"}}), "");
    EXPECT_NE(map_fault({{"~", "b"}}), "");
    EXPECT_NE(map_fault({{"a*b", "c"}}), "");
}

TEST(ModelMapTest, NamesForLabels)
{
    ModelMap map = map_of(
        {{"a", "b"}, {"c*", "d"}, {"~x(.)", "y$1"}, {"*", "b"}, {"e", ""}});
    auto names = map.names();
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string_view>{"a", "b", "d", "e"}));
}

} // namespace
