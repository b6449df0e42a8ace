#include "gateway_fixture.h"

#include "core/provider/shape.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using provider::Options;

std::string shaped(const Options& options, std::string text)
{
    const size_t length = text.size();
    text.resize(length + json::kPadding, ' ');
    json::Parser parser;
    const auto body = parser.parse(text.data(), length);
    EXPECT_TRUE(body.ok());
    auto out = provider::shape_chat(
        options, options.context, {text.data(), length}, *body);
    return out ? *out : "error: " + out.error().message;
}

std::string with_messages(std::string_view messages)
{
    return R"({"model":"m", "x":1.50,"messages":)" + std::string(messages)
        + "}";
}

TEST(Shape, ClearsTheContext)
{
    Options options;
    options.context_cleanup_commands = {"/clear", "forget"};
    EXPECT_EQ(
        shaped(options,
            with_messages(
                R"([{"role":"system","content":"s"},)"
                R"({"role":"user","content":"a"},)"
                R"({"role":"assistant","content":"b"},)"
                R"({"role":"user","content":[{"type":"text","text":"/clear"}]},)"
                R"({"role":"user","content":"c"}])")),
        with_messages(R"([{"role":"system","content":"s"},)"
                      R"({"role":"user","content":"c"}])"));
    // Untouched to the byte when no message is the command.
    const std::string other =
        with_messages(R"([ {"role":"user","content":"/clear all"} ])");
    EXPECT_EQ(shaped(options, other), other);
    EXPECT_EQ(shaped(options,
                  with_messages(R"([{"role":"user","content":"forget"}])")),
        "error: no message follows the command that clears the context");
}

TEST(Shape, MergesConsecutiveMessages)
{
    Options options;
    options.merge_consecutive_messages = true;
    EXPECT_EQ(
        shaped(options,
            with_messages(
                R"([{"role":"user","content":"a"},{"role":"user","content":"b"},)"
                R"({"role":"assistant","content":"c"},)"
                R"({"role":"user","content":"d"},)"
                R"({"role":"user","content":[{"type":"x","y":1}]}])")),
        with_messages(R"([{"role":"user","content":"a\n\nb"},)"
                      R"({"role":"assistant","content":"c"},)"
                      R"({"role":"user","content":[{"type":"text","text":"d"},)"
                      R"({"type":"x","y":1}]}])"));
    // Calls and results keep their places.
    const std::string tools = with_messages(
        R"([{"role":"assistant","content":"a","tool_calls":[]},)"
        R"({"role":"assistant","content":"b"},)"
        R"({"role":"tool","content":"1"},{"role":"tool","content":"2"}])");
    EXPECT_EQ(shaped(options, tools), tools);
}

TEST(Shape, AddsTheContextBehindTheSystemMessages)
{
    Options options;
    options.context = "know this";
    EXPECT_EQ(
        shaped(options, with_messages(R"([{"role":"user","content":"a"}])")),
        with_messages(R"([{"role":"system","content":"know this"},)"
                      R"({"role":"user","content":"a"}])"));
    EXPECT_EQ(shaped(options,
                  with_messages(R"([{"role":"system","content":"s"},)"
                                R"({"role":"user","content":"a"}])")),
        with_messages(R"([{"role":"system","content":"s"},)"
                      R"({"role":"system","content":"know this"},)"
                      R"({"role":"user","content":"a"}])"));
}

TEST(Shape, SetsMembers)
{
    Options options;
    options.custom_settings = {{{"max_tokens"}, "7", true},
        {{"temperature"}, "0.5", false},
        {{"thinking", "type"}, "\"disabled\"", true}};
    EXPECT_EQ(shaped(options, R"({"max_tokens":9,"temperature":1.0})"),
        R"({"max_tokens":7,"temperature":1.0,)"
        R"("thinking":{"type":"disabled"}})");
    EXPECT_EQ(shaped(options,
                  R"({"max_completion_tokens":9,"thinking":{"a":1,"type":2}})"),
        R"({"max_completion_tokens":7,)"
        R"("thinking":{"a":1,"type":"disabled"},"temperature":0.5})");
}

TEST(Shape, RenamesTheDeveloper)
{
    Options options;
    EXPECT_FALSE(provider::shapes(options));
    options.developer_role = true;
    EXPECT_FALSE(provider::shapes(options));
    options.developer_role = false;
    EXPECT_EQ(shaped(options,
                  with_messages(R"([{"role":"developer","content":"a"}])")),
        with_messages(R"([{"role":"system","content":"a"}])"));
}

class ShapedTry : public ::testing::Test {
protected:
    std::string sent(std::string_view type, std::string_view body)
    {
        config::Provider& made = fixture_.provider("p", type);
        made.options.custom_settings = {{{"max_tokens"}, "7", true}};
        made.options.merge_consecutive_messages = true;
        fixture_.route("r", {0});
        client_.body = body;
        policy::Exchange exchange(
            fixture_.gateway, fixture_.site(), client_.head(), 0);
        EXPECT_TRUE(
            exchange.receive(client_.padded(), client_.body.size()).ok());
        auto attempt = exchange.make_try(exchange.route().targets[0], 0, 1, 2);
        EXPECT_TRUE(attempt.ok());
        return attempt ? ai_proxy::testing::body_text((*attempt)->outbound)
                       : "";
    }

    ai_proxy::testing::GatewayFixture fixture_;
    ai_proxy::testing::ClientRequest client_;
};

constexpr std::string_view kTwice =
    R"({"model":"m","messages":[{"role":"user","content":"a"},)"
    R"({"role":"user","content":"b"}]})";

TEST_F(ShapedTry, Relayed)
{
    EXPECT_EQ(sent("deepseek", kTwice),
        R"({"model":"m","messages":[{"role":"user","content":"a\n\nb"}],)"
        R"("max_tokens":7})");
}

TEST_F(ShapedTry, Converted)
{
    EXPECT_EQ(sent("claude", kTwice),
        R"({"model":"m","max_tokens":7,"messages":[{"role":"user",)"
        R"("content":"a\n\nb"}]})");
}

TEST_F(ShapedTry, OriginalIsNotTouched)
{
    config::Provider& made = fixture_.provider("p", "claude");
    made.options.original = true;
    made.options.merge_consecutive_messages = true;
    made.options.provider_base_path = "/edge";
    fixture_.route("r", {0});
    client_.path = "/v1/chat/completions";
    client_.body = kTwice;
    policy::Exchange exchange(
        fixture_.gateway, fixture_.site(), client_.head(), 0);
    ASSERT_TRUE(exchange.receive(client_.padded(), client_.body.size()).ok());
    auto attempt = exchange.make_try(exchange.route().targets[0], 0, 1, 2);
    ASSERT_TRUE(attempt.ok());
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound), kTwice);
    EXPECT_EQ((*attempt)->outbound.path, "/edge/v1/chat/completions");
    EXPECT_EQ(ai_proxy::testing::header_text((*attempt)->outbound, "x-api-key"),
        "sk-test-key-1");
}

} // namespace
