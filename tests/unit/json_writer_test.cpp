#include "core/json/writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

using namespace ai_proxy;

namespace {

std::string spelled(std::string_view text)
{
    std::string out;
    json::append_string(out, text);
    return out;
}

std::string compact(std::string_view text)
{
    json::Parser parser;
    const auto root = parser.parse(text);
    EXPECT_TRUE(root.ok()) << text;
    std::string out;
    json::append_value(out, *root);
    return out;
}

TEST(JsonString, EscapesWhatMustBe)
{
    EXPECT_EQ(spelled(""), "\"\"");
    EXPECT_EQ(spelled("a\"b\\c/"), R"("a\"b\\c/")");
    EXPECT_EQ(spelled("\b\f\n\r\t"), R"("\b\f\n\r\t")");
    EXPECT_EQ(
        spelled(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
    EXPECT_EQ(spelled("\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"),
        "\"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\"");
}

TEST(JsonString, EveryByteAtEveryPlaceReadsBack)
{
    json::Parser parser;
    for (int c = 0; c < 0x80; c++) {
        for (size_t place = 0; place < 20; place++) {
            std::string text(20, 'a');
            text[place] = char(c);
            const auto root = parser.parse("[" + spelled(text) + "]");
            ASSERT_TRUE(root.ok()) << c;
            EXPECT_EQ(root->at(0).string_or(), text) << c;
        }
    }
}

TEST(JsonString, ReplacesInvalidBytes)
{
    const std::string bad = "\xEF\xBF\xBD";
    EXPECT_EQ(spelled("a\xFF"
                      "b"),
        "\"a" + bad + "b\"");
    EXPECT_EQ(spelled("\xC3"), "\"" + bad + "\"");
    EXPECT_EQ(spelled("\xE4\xB8"), "\"" + bad + "\"");
    EXPECT_EQ(spelled("\xE4\xB8\""), "\"" + bad + "\\\"\"");
    EXPECT_EQ(spelled("\xC0\x80"), "\"" + bad + bad + "\"");
    EXPECT_EQ(spelled("\xED\xA0\x80"), "\"" + bad + bad + bad + "\"");
    EXPECT_EQ(spelled("\xF4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");
    EXPECT_EQ(spelled("\xF0\x9F\x98\xF0\x9F\x98\x80"),
        "\"" + bad + "\xF0\x9F\x98\x80\"");
    EXPECT_EQ(spelled("\xED\x80\xBF\xF4\x80\xBF\xBF\xFF"),
        "\"\xED\x80\xBF\xF4\x80\xBF\xBF" + bad + "\"");
    EXPECT_EQ(spelled("\xC3\xA9\x80\n"), "\"\xC3\xA9" + bad + "\\n\"");
}

TEST(JsonValue, IsCopiedCompact)
{
    EXPECT_EQ(compact(R"( { "a" : [ 1 , -2, 1.0 , 0.1 , 1e30, true, null ] ,
        "b":{}, "c":[], "d":"x\u00e9\n", "d":18446744073709551615 } )"),
        "{\"a\":[1,-2,1.0,0.1,1e+30,true,null],\"b\":{},\"c\":[],"
        "\"d\":\"x\xC3\xA9\\n\",\"d\":18446744073709551615}");
    EXPECT_EQ(compact("-0.0"), "-0.0");
    EXPECT_EQ(compact("false"), "false");
    std::string out;
    json::append_value(out, json::Node());
    EXPECT_EQ(out, "null");
}

TEST(JsonWriter, SetsCommas)
{
    std::string out = "data: ";
    json::Writer writer(out);
    writer.begin_object();
    writer.field("a", int64_t(1)).field("b", "x").field("c", true);
    writer.key("d").begin_array();
    writer.begin_object().end_object();
    writer.integer(-1).null().raw("[1]").string("s");
    writer.begin_array().end_array();
    writer.end_array();
    writer.key("e").begin_object().field("f", 0.5).end_object();
    writer.field("g", std::string_view("v"));
    writer.end_object();
    EXPECT_EQ(out,
        R"(data: {"a":1,"b":"x","c":true,"d":[{},-1,null,[1],"s",[]],)"
        R"("e":{"f":0.5},"g":"v"})");
}

TEST(JsonWriter, NumbersReadBackEqual)
{
    json::Parser parser;
    for (const double number : {0.0, -0.0, 1.0, 0.1, 1.0 / 3, 1e22, 1e-7,
             5e-324, 1.7976931348623157e308, 123456789012345680.0, 2.5})
    {
        std::string out;
        json::Writer(out).begin_array().number(number).end_array();
        const auto root = parser.parse(out);
        ASSERT_TRUE(root.ok()) << out;
        EXPECT_EQ(root->at(0).number(), number) << out;
    }
    std::string out;
    json::Writer(out).begin_array().number(1.0).number(0.7).end_array();
    EXPECT_EQ(out, "[1,0.7]");
}

TEST(JsonWriter, NoNumberIsNull)
{
    std::string out;
    json::Writer writer(out);
    writer.begin_array();
    writer.number(std::nan("")).number(std::numeric_limits<double>::infinity());
    writer.integer(INT64_MIN).end_array();
    EXPECT_EQ(out, "[null,null,-9223372036854775808]");
}

TEST(JsonWriter, DeepNestingKeepsCommas)
{
    std::string out;
    json::Writer writer(out);
    for (int i = 0; i < 100; i++) {
        writer.begin_object().field("a", int64_t(1)).key("b");
    }
    writer.null();
    for (int i = 0; i < 100; i++) {
        writer.end_object();
    }
    json::Parser parser;
    EXPECT_TRUE(parser.parse(out).ok()) << out;
}

#ifndef NDEBUG
TEST(JsonWriterDeathTest, MisuseIsAsserted)
{
    std::string out;
    EXPECT_DEATH(json::Writer(out).begin_object().integer(1), "");
    EXPECT_DEATH(json::Writer(out).begin_object().key("a").end_object(), "");
}
#endif

} // namespace
