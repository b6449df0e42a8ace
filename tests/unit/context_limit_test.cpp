#include "core/json/splice.h"

#include "core/prompt/context_limit.h"

#include "exchange_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace ai_proxy {
namespace {

using dialect::Api;
using prompt::ContextLimit;
using prompt::read_context_limit;

// "" when it is let through.
std::string checked(const ContextLimit& limit, Api api, std::string_view body)
{
    json::Parser parser;
    const auto done = prompt::check_context(limit, api, *parser.parse(body));
    return done ? "" : done.error().message;
}

std::string words(size_t n)
{
    std::string out;
    while (n-- > 0) {
        out += "word ";
    }
    return out;
}

std::string chat(const std::string& content)
{
    return R"({"messages":[{"role":"user","content":)" + content + "}]}";
}

TEST(ContextLimit, IsRead)
{
    const auto plain = read_context_limit({"4096"});
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->tokens, 4096);
    EXPECT_EQ(plain->ratio, 1.1);
    EXPECT_EQ(plain->status, 400);
    const auto full = read_context_limit({"1", "ratio=2.5", "status=413"});
    ASSERT_TRUE(full);
    EXPECT_EQ(full->ratio, 2.5);
    EXPECT_EQ(full->status, 413);
    EXPECT_EQ(read_context_limit({"off"})->tokens, 0);
    for (const std::string_view bad : {"", "0", "-1", "many", "1e3"}) {
        EXPECT_FALSE(read_context_limit({bad})) << bad;
    }
    for (const std::string_view bad : {"ratio=0", "ratio=11", "ratio=nan",
             "ratio=1x", "status=399", "status=600", "status=", "x=1"})
    {
        EXPECT_FALSE(read_context_limit({"9", bad})) << bad;
    }
    EXPECT_FALSE(read_context_limit({"off", "ratio=1"}));
}

TEST(ContextLimit, OfEachDialect)
{
    const ContextLimit limit{500, 1, 400};
    const std::string few = '"' + words(300) + '"';
    const std::string many = '"' + words(700) + '"';
    EXPECT_EQ(checked(limit, Api::chat_completions, chat(few)), "");
    EXPECT_TRUE(checked(limit, Api::chat_completions, chat(many))
                    .starts_with("This model's maximum context length is 500 "
                                 "tokens. Your request had approximately 7"));
    EXPECT_EQ(checked({500, 0.5, 400}, Api::chat_completions, chat(many)), "")
        << "the ratio counts";
    EXPECT_NE(checked(limit, Api::messages,
                  R"({"system":)" + many + R"(,"messages":[]})"),
        "");
    EXPECT_NE(checked(limit, Api::messages,
                  chat(R"([{"type":"document",)"
                       R"("source":{"type":"text",)"
                       R"("data":)"
                      + many + "}}]")),
        "")
        << "a document may be a text";
    EXPECT_NE(checked(limit, Api::responses, R"({"input":)" + many + "}"), "");
    EXPECT_NE(checked(limit, Api::gemini_stream,
                  R"({"contents":[{"parts":[{"text":)" + many + "}]}]}"),
        "");
    EXPECT_NE(checked(limit, Api::chat_completions,
                  R"({"messages":[],"tools":[{"type":"function","function":)"
                  R"({"name":"f","description":)"
                      + many + "}}]}"),
        "")
        << "and so do tools";
    EXPECT_EQ(checked(limit, Api::embeddings, R"({"input":)" + many + "}"), "");
    EXPECT_EQ(checked({0, 1, 400}, Api::chat_completions, chat(many)), "");
}

TEST(ContextLimit, MediaAreLetThrough)
{
    const ContextLimit limit{10, 1, 400};
    const std::string text =
        R"({"type":"text","text":")" + words(100) + R"("})";
    for (const std::string_view part :
        {R"({"type":"image_url","image_url":{"url":"x"}})",
            R"({"type":"input_audio","input_audio":{}})",
            R"({"type":"file","file":{}})",
            R"({"type":"document","source":{"type":"base64"}})",
            R"({"type":"tool_result","content":[{"type":"image"}]})"})
    {
        EXPECT_EQ(checked(limit, Api::messages,
                      chat("[" + text + "," + std::string(part) + "]")),
            "")
            << part;
    }
    EXPECT_EQ(checked(limit, Api::gemini_generate,
                  R"({"contents":[{"parts":[{"text":")" + words(100)
                      + R"("},{"inlineData":{}}]}]})"),
        "");
    EXPECT_NE(checked(limit, Api::messages, chat("[" + text + "]")), "");
}

class Limited : public testing::ExchangeFixture {};

TEST_F(Limited, TheErrorIsTheClients)
{
    world.site().context_limit = {50, 1, 413};
    request.body = chat('"' + words(100) + '"');
    const Error error = refused();
    EXPECT_EQ(error.http_status(), 413);
    const policy::Reply reply = exchange->error_reply(error);
    EXPECT_NE(reply.body.find(R"("code":"context_length_exceeded")"),
        std::string::npos)
        << reply.body;
    EXPECT_NE(reply.body.find(R"("type":"invalid_request_error")"),
        std::string::npos);
    request.body =
        R"({"model":"m","messages":[{"role":"user","content":"x"}]})";
    EXPECT_TRUE(receive());
}

} // namespace
} // namespace ai_proxy
