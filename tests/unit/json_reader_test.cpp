#include "core/json/reader.h"

#include <gtest/gtest.h>

#include <string>

using namespace ai_proxy;
using json::Node;
using json::Parser;

namespace {

std::string fault_of(std::string_view text)
{
    Parser parser;
    const auto result = parser.parse(text);
    if (result.ok()) {
        return "";
    }
    EXPECT_EQ(result.error().code, ErrorCode::invalid_json);
    return result.error().message;
}

std::string nested(size_t depth, std::string_view open, std::string_view inner,
    std::string_view close)
{
    std::string text;
    for (size_t i = 0; i < depth; i++) {
        text += open;
    }
    text += inner;
    for (size_t i = 0; i < depth; i++) {
        text += close;
    }
    return text;
}

TEST(JsonReader, NamesTheFault)
{
    struct Case {
        std::string_view text;
        std::string_view fault;
    };
    using namespace std::string_view_literals;
    const Case cases[] = {
        {"", "empty body"},
        {" \r\n", "empty body"},
        {R"({"a":)", "cut short at byte 5"},
        {R"({"a")", "cut short at byte 4"},
        {R"({"a":1)", "cut short at byte 6"},
        {R"([1,2)", "cut short at byte 4"},
        {R"({"a":1,)", "cut short at byte 7"},
        {R"({"a":"xy)", "cut short inside a string at byte 8"},
        {R"({"a":tr)", "cut short at byte 5"},
        {R"([-)", "cut short at byte 2"},
        {R"(["\u12)", "cut short inside a string"},
        {R"(["\)", "cut short inside a string"},
        {R"({"a":1} x)", "trailing content at byte 8"},
        {R"({}{})", "trailing content at byte 2"},
        {R"(["\uD800"])", "lone surrogate at byte 2"},
        {R"(["\uDC00"])", "lone surrogate at byte 2"},
        {R"(["a\uD83Dx"])", "lone surrogate at byte 3"},
        {R"(["\uD83D\uD83D"])", "lone surrogate at byte 2"},
        {R"(["\uD83D\uE000"])", "lone surrogate at byte 2"},
        {R"(["\uD83D\n"])", "lone surrogate at byte 2"},
        {R"(["\x41"])", "invalid escape"},
        {R"(["\u00G0"])", "invalid escape"},
        {R"(["\u+123"])", "invalid escape"},
        {"[\"a\tb\"]", "control character in a string at byte 3"},
        {"[\"a\0b\"]"sv, "control character in a string at byte 3"},
        {"[01]", "invalid number"},
        {"[1.]", "invalid number"},
        {"[.5]", "no value where one is expected"},
        {"[+1]", "no value where one is expected"},
        {"[1e]", "invalid number"},
        {"[NaN]", "no value where one is expected"},
        {"[nul]", "invalid literal"},
        {"[True]", "no value where one is expected"},
        {"[1,]", "no value where one is expected"},
        {"[,1]", "no value where one is expected"},
        {R"({"a":1,})", "a key is no string"},
        {"{a:1}", "a key is no string"},
        {R"({"a" 1})", "missing colon"},
        {R"({"a":1 "b":2})", "missing comma or closing bracket"},
        {"[1}", "missing comma or closing bracket"},
        {"[1 2]", "missing comma or closing bracket"},
        {"[\"\xFF\"]", "invalid UTF-8"},
        {"[\"\xC0\x80\"]", "invalid UTF-8"},
        {"[\"\xED\xA0\x80\"]", "invalid UTF-8"},
        {"\xEF\xBB\xBF{}", "no value where one is expected at byte 0"},
        {"{}\0"sv, "trailing content"},
        {"\f1", "no value where one is expected"},
    };
    for (const Case& c : cases) {
        const std::string fault = fault_of(c.text);
        EXPECT_TRUE(fault.starts_with("invalid JSON: ")) << fault;
        EXPECT_NE(fault.find(c.fault), std::string::npos)
            << c.text << " -> " << fault;
    }
}

// Valid JSON that simdjson cannot hold: the tree has the nearest double.
TEST(JsonReader, TakesNumbersOfAnySize)
{
    json::Parser parser;
    auto parsed = parser.parse(
        R"({"s":"1e999 \\\"","a":123456789012345678901234567890,)"
        R"("b":-9223372036854775809,"c":1e999,"d":-1e999,"e":[1e-999,7],)"
        R"("f":18446744073709551616})");
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ((*parsed)["s"].string_or(""), "1e999 \\\"");
    EXPECT_DOUBLE_EQ(*(*parsed)["a"].number(), 1.2345678901234568e29);
    EXPECT_NEAR(*(*parsed)["b"].number(), -9223372036854775809.0, 1e5);
    EXPECT_GE(*(*parsed)["c"].number(), 1e308);
    EXPECT_LE(*(*parsed)["d"].number(), -1e308);
    EXPECT_DOUBLE_EQ(*(*parsed)["e"].at(0).number(), 0);
    EXPECT_EQ((*parsed)["e"].at(1).integer(), 7);
    EXPECT_NEAR(*(*parsed)["f"].number(), 1.8446744073709552e19, 1e5);
    EXPECT_FALSE(parser.parse(std::string_view("[1e999, 01]")).ok());
}

// No text that the parser refuses is called faultless.
TEST(JsonReader, EveryPrefixIsCutShort)
{
    const std::string text =
        R"({"a":[1,-2.5e3,true,null,"x\n\u00e9\uD83D\uDE00"],"b":{"c":{}}})";
    ASSERT_EQ(fault_of(text), "");
    for (size_t n = 1; n < text.size(); n++) {
        const std::string fault = fault_of(text.substr(0, n));
        EXPECT_NE(fault.find("cut short"), std::string::npos)
            << text.substr(0, n) << " -> " << fault;
    }
}

TEST(JsonReader, LimitsDepth)
{
    const auto deep = std::string("nested too deeply (more than 128)");
    EXPECT_EQ(fault_of(nested(128, "[", "", "]")), "");
    EXPECT_EQ(fault_of(nested(128, "[", "1", "]")), "");
    EXPECT_EQ(fault_of(nested(128, R"({"a":)", "[]", "}")).find(deep), 14U);
    EXPECT_EQ(fault_of(nested(127, R"({"a":)", "[]", "}")), "");
    EXPECT_EQ(fault_of(nested(129, "[", "", "]")).find(deep), 14U);
    EXPECT_EQ(fault_of(nested(129, R"({"a":)", "1", "}")).find(deep), 14U);
    EXPECT_EQ(fault_of(nested(2000000, "[", "", "")).find(deep), 14U);
    EXPECT_EQ(fault_of("[\"" + std::string(500, '[') + "\"]"), "");
}

TEST(JsonReader, LimitHoldsAfterADeepText)
{
    Parser parser;
    ASSERT_TRUE(parser.parse(nested(128, "[", "1", "]")).ok());
    EXPECT_FALSE(parser.parse(nested(129, "[", "", "]")).ok());
    const std::string big = "[\"" + std::string(100000, 'x') + "\"]";
    ASSERT_TRUE(parser.parse(big).ok());
    EXPECT_FALSE(parser.parse(nested(129, "[", "", "]")).ok());
}

TEST(JsonReader, ReadsPaths)
{
    Parser parser;
    const auto root = parser.parse(
        R"({"a":[{"b":"x"},null],"n":1.0,"t":true,"e":{},"k\u0065y":7})");
    ASSERT_TRUE(root.ok());
    const Node node = *root;
    EXPECT_EQ(node["a"].at(0)["b"].string_or(), "x");
    EXPECT_FALSE(node["a"].at(2).exists());
    EXPECT_FALSE(node["no"].at(0)["b"].exists());
    EXPECT_FALSE(node["n"]["b"].exists());
    EXPECT_EQ(node["no"].string_or("d"), "d");
    EXPECT_EQ(node["t"].string(), std::nullopt);
    EXPECT_TRUE(node["a"].at(1).exists());
    EXPECT_TRUE(node["a"].at(1).is_null());
    EXPECT_FALSE(node["a"].at(1).has_value());
    EXPECT_FALSE(Node().is_null());
    EXPECT_EQ(node["t"].boolean(), true);
    EXPECT_EQ(node["n"].boolean(), std::nullopt);
    EXPECT_EQ(node["key"].integer(), 7);
    EXPECT_EQ(node.size(), 5U);
    EXPECT_EQ(node["a"].size(), 2U);
    EXPECT_EQ(node["e"].size(), 0U);
    EXPECT_EQ(node["t"].size(), 0U);
}

TEST(JsonReader, ReadsNumbers)
{
    Parser parser;
    const auto root = parser.parse(
        "[1, 1.0, 1.5, 18446744073709551615, -9223372036854775808, 1e19, "
        "-9.223372036854775808e18, \"1\"]");
    ASSERT_TRUE(root.ok());
    EXPECT_EQ(root->at(0).integer(), 1);
    EXPECT_EQ(root->at(1).integer(), 1);
    EXPECT_EQ(root->at(2).integer(), std::nullopt);
    EXPECT_EQ(root->at(2).number(), 1.5);
    EXPECT_EQ(root->at(3).integer(), std::nullopt);
    EXPECT_EQ(root->at(3).number(), 18446744073709551615.0);
    EXPECT_EQ(root->at(4).integer(), INT64_MIN);
    EXPECT_EQ(root->at(5).integer(), std::nullopt);
    EXPECT_EQ(root->at(6).integer(), INT64_MIN);
    EXPECT_EQ(root->at(7).number(), std::nullopt);
    EXPECT_EQ(root->at(0).number(), 1.0);
    EXPECT_TRUE(root->at(0).is_number());
    EXPECT_FALSE(root->at(7).is_number());
}

TEST(JsonReader, IteratesInOrder)
{
    Parser parser;
    const auto root = parser.parse(R"({"a":[1,2,3],"b":4})");
    ASSERT_TRUE(root.ok());
    std::string seen;
    for (const json::Member member : root->members()) {
        seen += member.key;
        for (const Node item : member.value.items()) {
            seen += std::to_string(item.integer().value_or(0));
        }
        for (const json::Member none : member.value.members()) {
            seen += none.key;
        }
    }
    EXPECT_EQ(seen, "a123b");
    for (const Node none : Node().items()) {
        ADD_FAILURE() << none.exists();
    }
}

TEST(JsonReader, StringsMayHoldNul)
{
    Parser parser;
    const auto root = parser.parse(R"(["a\u0000b"])");
    ASSERT_TRUE(root.ok());
    EXPECT_EQ(root->at(0).string_or(), std::string_view("a\0b", 3));
}

TEST(JsonReader, CountsBigArrays)
{
    std::string text = "[1";
    for (int i = 1; i < 0xFFFFFF + 10; i++) {
        text += ",1";
    }
    text += ']';
    Parser parser;
    const auto root = parser.parse(text);
    ASSERT_TRUE(root.ok());
    EXPECT_EQ(root->size(), size_t(0xFFFFFF + 10));
}

std::string duplicate_of(std::string_view text)
{
    Parser parser;
    const auto root = parser.parse(text);
    EXPECT_TRUE(root.ok()) << text;
    const auto unique = json::check_unique_keys(*root);
    return unique.ok() ? "" : unique.error().message;
}

TEST(JsonUniqueKeys, FindsRepeatedOnes)
{
    EXPECT_EQ(duplicate_of(R"({"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]})"), "");
    EXPECT_EQ(duplicate_of("[]"), "");
    EXPECT_EQ(duplicate_of("1"), "");
    EXPECT_EQ(
        duplicate_of(R"({"a":1,"a":1})"), "invalid JSON: duplicate key \"a\"");
    EXPECT_EQ(duplicate_of(R"({"model":1,"mod\u0065l":1})"),
        "invalid JSON: duplicate key \"model\"");
    EXPECT_EQ(duplicate_of(R"({"x":[[{"y":{"a":1,"a":2}}]]})"),
        "invalid JSON: duplicate key \"a\"");
    EXPECT_EQ(
        duplicate_of(R"({"":1,"":1})"), "invalid JSON: duplicate key \"\"");
}

TEST(JsonUniqueKeys, BigObjects)
{
    std::string text = "{";
    for (int i = 0; i < 100000; i++) {
        text += "\"key" + std::to_string(i) + "\":" + std::to_string(i) + ',';
    }
    EXPECT_EQ(duplicate_of(text + "\"last\":1}"), "");
    EXPECT_EQ(duplicate_of(text + "\"key777\":1}"),
        "invalid JSON: duplicate key \"key777\"");
}

TEST(JsonUniqueKeys, LongKeyIsShownCutAtACharacter)
{
    const std::string key = "x" + std::string(62, 'y') + "\xC3\xA9zzz";
    EXPECT_EQ(duplicate_of("{\"" + key + "\":1,\"" + key + "\":2}"),
        "invalid JSON: duplicate key \"x" + std::string(62, 'y') + "...\"");
}

} // namespace
