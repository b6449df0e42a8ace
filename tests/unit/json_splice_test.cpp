#include "core/json/splice.h"

#include "core/json/reader.h"

#include <gtest/gtest.h>

#include <string>

using namespace ai_proxy;
using json::Splice;

namespace {

// Text with the padding that scan() asks for.
struct Text {
    explicit Text(std::string_view text) : bytes(text), size(text.size())
    {
        bytes.append(json::kPadding, '\0');
    }
    [[nodiscard]] Splice scan() const
    {
        json::Parser parser;
        EXPECT_TRUE(parser.parse(bytes.data(), size).ok()) << bytes;
        auto splice = Splice::scan(bytes.data(), size);
        EXPECT_TRUE(splice.ok()) << bytes;
        return std::move(splice).value();
    }
    std::string bytes;
    size_t size;
};

template <class Edit>
std::string edit(std::string_view text, Edit edit)
{
    const Text source(text);
    Splice splice = source.scan();
    edit(splice);
    const std::string result = splice.text();
    json::Parser parser;
    EXPECT_TRUE(parser.parse(result).ok()) << result;
    return result;
}

TEST(Splice, KeepsWhatIsNotEdited)
{
    const std::string text =
        " {\r\n \"model\" : \"a\" ,\t\"x\":[1.50,{\"model\":"
        "\"n\"}],\"u\":1E2} \n";
    EXPECT_EQ(edit(text, [](Splice&) {}), text);
    EXPECT_EQ(edit(text, [](Splice& s) { s.set("model", "\"b\""); }),
        " {\r\n \"model\" : \"b\" ,\t\"x\":[1.50,{\"model\":\"n\"}],\"u\":1E2} "
        "\n");
}

TEST(Splice, UneditedTextIsOnePiece)
{
    const Text text(R"({"a":1,"b":2})");
    const Splice splice = text.scan();
    ASSERT_EQ(splice.pieces().size(), 1U);
    EXPECT_EQ(splice.pieces()[0].data(), text.bytes.data());
    EXPECT_EQ(splice.pieces()[0].size(), text.size);
}

TEST(Splice, SetsFewPieces)
{
    const Text text(R"({"a":1,"model":"x","b":2,"c":3})");
    Splice splice = text.scan();
    splice.set("model", "\"y\"");
    const auto pieces = splice.pieces();
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(pieces[0], R"({"a":1,"model":)");
    EXPECT_EQ(pieces[1], R"("y")");
    EXPECT_EQ(pieces[2], R"(,"b":2,"c":3})");
}

TEST(Splice, AddsAtTheEnd)
{
    const auto add = [](Splice& s) { s.set("n", "1"); };
    EXPECT_EQ(edit("{}", add), R"({"n":1})");
    EXPECT_EQ(edit("{ }", add), R"({ "n":1})");
    EXPECT_EQ(edit(R"({"a":1 })", add), R"({"a":1,"n":1 })");
    EXPECT_EQ(edit(R"({"a":1})",
                  [](Splice& s) {
                      s.set("q\"", "2");
                      s.set("n", "3");
                      s.set("q\"", "4");
                  }),
        R"({"a":1,"q\"":4,"n":3})");
}

TEST(Splice, Removes)
{
    const std::string text = R"({ "a":1, "b":2, "c":3 })";
    EXPECT_EQ(
        edit(text, [](Splice& s) { s.remove("a"); }), R"({ "b":2, "c":3 })");
    EXPECT_EQ(
        edit(text, [](Splice& s) { s.remove("b"); }), R"({ "a":1, "c":3 })");
    EXPECT_EQ(
        edit(text, [](Splice& s) { s.remove("c"); }), R"({ "a":1, "b":2 })");
    EXPECT_EQ(edit(text, [](Splice& s) { s.remove("none"); }), text);
    EXPECT_EQ(edit(text,
                  [](Splice& s) {
                      s.remove("a");
                      s.remove("b");
                      s.remove("c");
                  }),
        "{  }");
    EXPECT_EQ(edit(text,
                  [](Splice& s) {
                      s.remove("a");
                      s.remove("b");
                      s.remove("c");
                      s.set("a", "9");
                  }),
        R"({ "a":9 })");
}

TEST(Splice, Renames)
{
    const std::string text = R"({"max_tokens" : 5,"b":2})";
    EXPECT_EQ(edit(text,
                  [](Splice& s) {
                      s.rename("max_tokens", "max_completion_tokens");
                      EXPECT_FALSE(s.has("max_tokens"));
                      EXPECT_EQ(s.raw("max_completion_tokens"), "5");
                  }),
        R"({"max_completion_tokens" : 5,"b":2})");
    EXPECT_EQ(edit(text, [](Splice& s) { s.rename("none", "b"); }), text);
    EXPECT_EQ(edit(text,
                  [](Splice& s) {
                      s.rename("max_tokens", "x");
                      s.set("x", "6");
                  }),
        R"({"x" : 6,"b":2})");
    EXPECT_EQ(edit(text, [](Splice& s) { s.rename("max_tokens", "b"); }),
        R"({"b" : 5})");
    EXPECT_EQ(edit("{}",
                  [](Splice& s) {
                      s.set("a", "1");
                      s.rename("a", "b");
                  }),
        R"({"b":1})");
    EXPECT_EQ(edit(text, [](Splice& s) { s.rename("b", "b"); }), text);
}

TEST(Splice, ComparesNamesDecoded)
{
    const std::string text =
        R"({"mod\u0065l":1,"\n":2,"\uD83D\uDE00":3,"\u00e9\u4E2d":4,"\u0000":5})";
    const Text source(text);
    const Splice splice = source.scan();
    EXPECT_EQ(splice.raw("model"), "1");
    EXPECT_EQ(splice.raw("\n"), "2");
    EXPECT_EQ(splice.raw("\xF0\x9F\x98\x80"), "3");
    EXPECT_EQ(splice.raw("\xC3\xA9\xE4\xB8\xAD"), "4");
    EXPECT_EQ(splice.raw(std::string_view("\0", 1)), "5");
    EXPECT_FALSE(splice.has("mode"));
    EXPECT_FALSE(splice.has("models"));
    EXPECT_FALSE(splice.has("mod\\u0065l"));
    EXPECT_EQ(
        edit(R"({"mod\u0065l":1})", [](Splice& s) { s.set("model", "2"); }),
        R"({"mod\u0065l":2})");
}

// A provider may take the last of two where we looked at the first.
TEST(Splice, RepeatedNamesAreReducedToOne)
{
    const std::string text = R"({"model":1,"a":0,"model":2,"mod\u0065l":3})";
    EXPECT_EQ(edit(text, [](Splice& s) { s.set("model", "9"); }),
        R"({"model":9,"a":0})");
    EXPECT_EQ(edit(text, [](Splice& s) { s.remove("model"); }), R"({"a":0})");
}

TEST(Splice, FindsRawValues)
{
    const Text text(
        R"({"s":"a\"]},\\","o": {"x":["}",{"y":"\\\""}]} ,"n":-1.5e3,"t":true})");
    Splice splice = text.scan();
    EXPECT_EQ(splice.raw("s"), R"("a\"]},\\")");
    EXPECT_EQ(splice.raw("o"), R"({"x":["}",{"y":"\\\""}]})");
    EXPECT_EQ(splice.raw("n"), "-1.5e3");
    EXPECT_EQ(splice.raw("t"), "true");
    EXPECT_EQ(splice.raw("none"), "");
    splice.set("t", "false");
    splice.set("new", "[1]");
    EXPECT_EQ(splice.raw("t"), "false");
    EXPECT_EQ(splice.raw("new"), "[1]");
    splice.remove("t");
    EXPECT_EQ(splice.raw("t"), "");
    EXPECT_FALSE(splice.has("t"));
}

// Long containers are passed by blocks of bytes; what a block begins and ends
// with must not matter.
TEST(Splice, ContainersEndWhereTheyEndAtEveryOffset)
{
    const std::string values[] = {
        R"({"a":"}]\"\\","b":[{},[]]})",
        R"(["\\\\\\\"]","\\",{"\"":"\\\\"}])",
        "[\"" + std::string(200, 'x') + "\\\"]\"]",
        "[" + std::string(60, '[') + "\"]\"" + std::string(60, ']') + "]",
    };
    for (const std::string& value : values) {
        for (size_t pad = 0; pad < 140; pad++) {
            std::string padded = value;
            padded.insert(1, pad, ' ');
            const Text text("{\"v\":" + padded + ",\"w\":[" + padded + ",\""
                + std::string(pad, '\\') + std::string(pad % 2, '\\')
                + "\"],\"x\":1}");
            const Splice splice = text.scan();
            ASSERT_EQ(splice.raw("v"), padded);
            ASSERT_EQ(splice.raw("x"), "1") << padded;
        }
    }
}

TEST(Splice, TopLevelMustBeAnObject)
{
    for (const char* text : {"[]", "1", "\"{}\"", "null", " [{}] "}) {
        const Text source(text);
        const auto splice = Splice::scan(source.bytes.data(), source.size);
        ASSERT_FALSE(splice.ok()) << text;
        EXPECT_EQ(splice.error().code, ErrorCode::invalid_json);
    }
}

// Texts the parser would refuse must not lead out of bounds.
TEST(Splice, SurvivesTextThatIsNoJson)
{
    const std::string text = R"({"a":[1,"x\"y"],"b":{"c":"d"},"e":1})";
    for (size_t n = 0; n < text.size(); n++) {
        const std::string cut = text.substr(0, n);
        EXPECT_FALSE(Splice::scan(cut.data(), cut.size()).ok()) << cut;
    }
    for (const char* bad : {"{\"", "{\"a", "{\"a\"", "{\"a\":]}", "{]", "{}}"})
    {
        const std::string copy = bad;
        if (auto splice = Splice::scan(copy.data(), copy.size())) {
            splice->set("a", "1");
            EXPECT_FALSE(splice->text().empty());
        }
    }
}

} // namespace
