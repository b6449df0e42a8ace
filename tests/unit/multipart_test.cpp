#include "core/wire/multipart.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace ai_proxy::wire {
namespace {

std::string part(std::string_view headers, std::string_view value)
{
    std::string text = "--B\r\n";
    text.append(headers).append("\r\n\r\n").append(value).append("\r\n");
    return text;
}

std::string field(std::string_view name, std::string_view value)
{
    return part(
        "Content-Disposition: form-data; name=\"" + std::string(name) + "\"",
        value);
}

std::string_view value_of(std::string_view body, const FormField& found)
{
    return body.substr(found.begin, found.end - found.begin);
}

TEST(Multipart, Boundary)
{
    const struct {
        const char *type, *boundary;
    } rows[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"multipart/form-data;boundary=abc", "abc"},
        {"multipart/form-data; charset=utf-8; BOUNDARY=abc ; x=y", "abc"},
        {"multipart/form-data; boundary=\"a b;c\"", "a b;c"},
        {"multipart/form-data; boundary=\"a\\\"b\"", "a\"b"},
        {"multipart/form-data; x=\"; boundary=no\"; boundary=yes", "yes"},
        {"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk",
            "----WebKitFormBoundary7MA4YWxk"},
        {"multipart/form-data", ""},
        {"multipart/form-data; boundary", ""},
        {"multipart/form-data; boundary=", ""},
        {"multipart/form-data; boundary=\"\"", ""},
        {"multipart/form-data; xboundary=abc", ""},
        {"multipart/form-data; boundary=a\x01z", ""},
        {"multipart/form-data; boundary=\"unclosed", "unclosed"},
        {"", ""},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(multipart_boundary(row.type), row.boundary) << row.type;
    }
    const std::string longest(70, 'x');
    EXPECT_EQ(multipart_boundary("a; boundary=" + longest), longest);
    EXPECT_EQ(multipart_boundary("a; boundary=" + longest + "x"), "");
}

TEST(Multipart, FindsTheValue)
{
    const std::string head = field("prompt", "a cat") + field("n", "1");
    const std::string body = head + field("model", "gpt-image-1") + "--B--\r\n";
    const FormField found = find_form_field(body, "B", "model");
    EXPECT_TRUE(found.closed);
    EXPECT_EQ(found.count, 1u);
    EXPECT_EQ(value_of(body, found), "gpt-image-1");
    EXPECT_EQ(body.substr(found.close), "--B--\r\n");
    EXPECT_EQ(find_form_field(body, "B", "other").count, 0u);
}

TEST(Multipart, ToleratesWhatClientsWrite)
{
    const std::string bodies[] = {
        "preamble\r\n" + field("model", "m") + "--B--",
        part("content-disposition:form-data;name=model", "m") + "--B--",
        part("Content-Type: text/plain\r\n"
             "Content-Disposition: form-data; name=\"model\"",
            "m")
            + "--B--\r\nepilogue --B",
        part("Content-Disposition: form-data; filename=\"x;name=y\"; "
             "name=\"model\"",
            "m")
            + "--B--",
        "--B\nContent-Disposition: form-data; name=\"model\"\n\nm\n--B--\n",
        "--B  \t\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
        "m\r\n--B--",
    };
    for (const std::string& body : bodies) {
        const FormField found = find_form_field(body, "B", "model");
        EXPECT_TRUE(found.closed) << body;
        ASSERT_EQ(found.count, 1u) << body;
        EXPECT_EQ(value_of(body, found), "m") << body;
    }
}

TEST(Multipart, EmptyAndMultilineValues)
{
    for (std::string_view value :
        {"", "\r\n", "a\r\nb", "--B", "x--B--", "\r\n--Bx\r\n", "-"})
    {
        const std::string body =
            field("model", value) + field("n", "2") + "--B--";
        const FormField found = find_form_field(body, "B", "model");
        EXPECT_TRUE(found.closed) << value;
        if (value != "--B" || found.count == 1) {
            ASSERT_EQ(found.count, 1u) << value;
        }
        if (value != "--B") { // at the beginning of a line: a delimiter
            EXPECT_EQ(value_of(body, found), value);
        }
    }
}

TEST(Multipart, OtherPartsCannotPretend)
{
    const std::string body =
        part("Content-Disposition: form-data; name=\"file\"; "
             "filename=\"model\"",
            "Content-Disposition: form-data; name=\"model\"\r\n\r\nfake")
        + field("Model", "m") + field("model2", "m") + "--B--";
    EXPECT_EQ(find_form_field(body, "B", "model").count, 0u);
    EXPECT_TRUE(find_form_field(body, "B", "model").closed);
}

TEST(Multipart, CountsRepeatedParts)
{
    const std::string body =
        field("model", "first") + field("model", "second") + "--B--";
    const FormField found = find_form_field(body, "B", "model");
    EXPECT_EQ(found.count, 2u);
    EXPECT_EQ(value_of(body, found), "first");
}

TEST(Multipart, CutShort)
{
    const std::string body = field("n", "1") + field("model", "m") + "--B--";
    for (size_t length = 0; length < body.size(); ++length) {
        EXPECT_FALSE(
            find_form_field(body.substr(0, length), "B", "model").closed)
            << length;
    }
    EXPECT_TRUE(find_form_field(body, "B", "model").closed);
    EXPECT_FALSE(find_form_field(body, "", "model").closed);
}

TEST(Multipart, InsertedPartIsFound)
{
    const std::string body = field("n", "1") + "--B--\r\n";
    const FormField none = find_form_field(body, "B", "model");
    const std::string with = body.substr(0, none.close)
        + form_part("B", "model", "m-1") + body.substr(none.close);
    const FormField found = find_form_field(with, "B", "model");
    EXPECT_TRUE(found.closed);
    EXPECT_EQ(value_of(with, found), "m-1");
}

TEST(Multipart, AnyBytes)
{
    std::minstd_rand random(7);
    const std::string_view pieces[] = {"--B", "--", "\r\n", "\n", "\r", "B",
        "Content-Disposition: form-data; name=\"model\"", ":", ";", "\"", " ",
        std::string_view("\0", 1), "\xff", "name=", "model"};
    for (int round = 0; round < 20'000; ++round) {
        std::string body;
        for (unsigned i = random() % 12; i > 0; --i) {
            body += pieces[random() % std::size(pieces)];
        }
        const FormField found = find_form_field(body, "B", "model");
        EXPECT_LE(found.begin, found.end);
        EXPECT_LE(found.end, body.size());
        EXPECT_LE(found.close, body.size());
        (void)multipart_boundary(body);
    }
}

} // namespace
} // namespace ai_proxy::wire
