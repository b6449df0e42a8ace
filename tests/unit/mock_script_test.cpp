#include "core/provider/mock.h"

#include "core/dialect/api.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace ai_proxy;
using dialect::Api;
using provider::MockOptions;
using provider::MockScript;

struct Played {
    int status = 0;
    bool stream = false, cut = false;
    uint64_t retry_after = 0;
    std::vector<std::string> pieces;
    std::vector<uint64_t> delays;
    std::string all() const
    {
        std::string text;
        for (const std::string& piece : pieces)
            text += piece;
        return text;
    }
};

Played play(std::string_view request, std::string_view steer = {},
    const MockOptions& options = {}, Api api = Api::chat_completions,
    std::string_view model = "m")
{
    json::Parser parser;
    json::Node node;
    if (!request.empty()) {
        auto parsed = parser.parse(request);
        EXPECT_TRUE(parsed.ok());
        node = *parsed;
    }
    MockScript script(
        options, dialect::name(api), node, model, steer, 1700000000);
    Played played;
    played.status = script.status();
    played.stream = script.stream();
    played.retry_after = script.retry_after();
    for (;;) {
        std::string piece;
        uint64_t delay = script.delay_ms();
        if (!script.next(piece))
            break;
        played.pieces.push_back(piece);
        played.delays.push_back(delay);
        if (played.pieces.size() > 100'000)
            break;
    }
    std::string more;
    EXPECT_FALSE(script.next(more));
    EXPECT_EQ(more, "");
    played.cut = script.cut();
    return played;
}

json::Node parse_event(json::Parser& parser, const std::string& piece)
{
    EXPECT_TRUE(piece.starts_with("data: ")) << piece;
    EXPECT_TRUE(piece.ends_with("\n\n")) << piece;
    auto node =
        parser.parse(std::string_view(piece).substr(6, piece.size() - 8));
    EXPECT_TRUE(node.ok()) << piece;
    return node ? *node : json::Node();
}

constexpr std::string_view kHello =
    R"({"messages":[{"role":"system","content":"be kind"},)"
    R"({"role":"user","content":"first"},)"
    R"({"role":"assistant","content":"x"},)"
    R"({"role":"user","content":"Hello world again"}]})";

std::string streamed(std::string_view request, bool usage = false)
{
    std::string text(request.substr(0, request.size() - 1));
    text += R"(,"stream":true)";
    if (usage)
        text += R"(,"stream_options":{"include_usage":true})";
    return text + "}";
}

TEST(MockScriptTest, EchoesTheLastUserText)
{
    Played played = play(kHello);
    EXPECT_EQ(played.status, 200);
    EXPECT_FALSE(played.stream);
    ASSERT_EQ(played.pieces.size(), 1u);
    json::Parser parser;
    auto body = parser.parse(std::string_view(played.pieces[0]));
    ASSERT_TRUE(body.ok());
    json::Node node = *body;
    EXPECT_EQ(node["object"].string_or(), "chat.completion");
    EXPECT_EQ(node["model"].string_or(), "m");
    EXPECT_EQ(node["created"].integer(), 1700000000);
    EXPECT_TRUE(node["id"].string_or().starts_with("chatcmpl-mock-"));
    json::Node choice = node["choices"].at(0);
    EXPECT_EQ(choice["message"]["content"].string_or(), "Hello world again");
    EXPECT_EQ(choice["message"]["role"].string_or(), "assistant");
    EXPECT_EQ(choice["finish_reason"].string_or(), "stop");
    EXPECT_EQ(node["usage"]["prompt_tokens"].integer(), 7);
    EXPECT_EQ(node["usage"]["completion_tokens"].integer(), 3);
    EXPECT_EQ(node["usage"]["total_tokens"].integer(), 10);
}

TEST(MockScriptTest, IsDeterministic)
{
    EXPECT_EQ(play(kHello).all(), play(kHello).all());
    EXPECT_NE(play(kHello).all(),
        play(kHello, {}, {}, Api::chat_completions, "other").all());
}

TEST(MockScriptTest, StreamsWordByWord)
{
    Played played = play(streamed(kHello, true));
    EXPECT_TRUE(played.stream);
    ASSERT_EQ(played.pieces.size(), 7u);
    json::Parser parser;
    std::vector<std::string> words;
    std::string id;
    for (size_t i = 0; i < 6; ++i) {
        json::Node node = parse_event(parser, played.pieces[i]);
        EXPECT_EQ(node["object"].string_or(), "chat.completion.chunk");
        if (i == 0)
            id = node["id"].string_or();
        EXPECT_EQ(node["id"].string_or(), id);
        json::Node choice = node["choices"].at(0);
        if (i == 0) {
            EXPECT_EQ(choice["delta"]["role"].string_or(), "assistant");
        } else if (i <= 3) {
            words.emplace_back(choice["delta"]["content"].string_or());
            EXPECT_TRUE(choice["finish_reason"].is_null());
        } else if (i == 4) {
            EXPECT_EQ(choice["finish_reason"].string_or(), "stop");
        } else {
            EXPECT_EQ(node["choices"].size(), 0u);
            EXPECT_EQ(node["usage"]["total_tokens"].integer(), 10);
        }
    }
    EXPECT_EQ(words, (std::vector<std::string>{"Hello", " world", " again"}));
    EXPECT_EQ(played.pieces[6], "data: [DONE]\n\n");
    EXPECT_FALSE(played.cut);
}

TEST(MockScriptTest, UsageChunkOnlyWhenAskedFor)
{
    Played played = play(streamed(kHello));
    EXPECT_EQ(played.pieces.size(), 6u);
    EXPECT_EQ(played.all().find("usage"), std::string::npos);
}

TEST(MockScriptTest, WhiteSpaceSurvives)
{
    MockOptions options;
    options.reply = "  a\n\n b\t ";
    Played played = play(streamed(R"({"messages":[]})"), {}, options);
    json::Parser parser;
    std::string text;
    for (size_t i = 0; i + 1 < played.pieces.size(); ++i)
        text += parse_event(parser, played.pieces[i])["choices"]
                    .at(0)["delta"]["content"]
                    .string_or();
    EXPECT_EQ(text, "  a\n\n b\t ");
}

TEST(MockScriptTest, ContentPartsAreEchoed)
{
    Played played = play(R"({"messages":[{"role":"user","content":[)"
                         R"({"type":"text","text":"see "},)"
                         R"({"type":"image_url","image_url":{"url":"u"}},)"
                         R"({"type":"text","text":"this"}]}]})");
    EXPECT_NE(played.all().find("\"see this\""), std::string::npos);
}

TEST(MockScriptTest, FillerTokens)
{
    MockOptions options;
    options.tokens = 50;
    Played played = play(streamed(kHello), {}, options);
    EXPECT_EQ(played.pieces.size(), 53u);
}

TEST(MockScriptTest, RateAndDelayAddUp)
{
    MockOptions options;
    options.tokens = 997;
    options.rate = 300;
    options.delay_ms = 70;
    Played played = play(streamed(kHello), {}, options);
    ASSERT_EQ(played.pieces.size(), 1000u);
    EXPECT_EQ(played.delays[0], 70u);
    uint64_t sum = 0;
    for (size_t i = 1; i < played.delays.size(); ++i) {
        EXPECT_LE(played.delays[i], 4u);
        sum += played.delays[i];
    }
    EXPECT_EQ(sum, 999u * 1000 / 300);
}

TEST(MockScriptTest, CutsAfterEvents)
{
    Played played = play(streamed(kHello), "cut=3");
    EXPECT_EQ(played.pieces.size(), 3u);
    EXPECT_TRUE(played.cut);
    EXPECT_EQ(played.all().find("[DONE]"), std::string::npos);
    EXPECT_EQ(play(streamed(kHello), "cut=0").pieces.size(), 0u);
    EXPECT_FALSE(play(streamed(kHello), "cut=6").cut);
    std::string whole = play(kHello).all();
    Played half = play(kHello, "cut=1");
    EXPECT_TRUE(half.cut);
    EXPECT_EQ(half.all(), whole.substr(0, whole.size() / 2));
}

TEST(MockScriptTest, AnswersErrors)
{
    MockOptions options;
    options.status = 503;
    Played played = play(streamed(kHello), {}, options);
    EXPECT_EQ(played.status, 503);
    EXPECT_FALSE(played.stream);
    EXPECT_FALSE(played.cut);
    played = play(kHello, "status=429,retry_after=2");
    EXPECT_EQ(played.status, 429);
    EXPECT_EQ(played.retry_after, 2u);
    json::Parser parser;
    auto body = parser.parse(played.all());
    ASSERT_TRUE(body.ok());
    EXPECT_EQ((*body)["error"]["code"].string_or(), "rate_limit_exceeded");
    EXPECT_EQ(
        (*body)["error"]["message"].string_or(), "mock provider answers 429");
    EXPECT_EQ(play("", {}, {}, Api::audio_speech).status, 404);
}

TEST(MockScriptTest, SteeringIsTolerant)
{
    EXPECT_NE(
        play(kHello, " tokens=2 ,reply=a, b=c,").all().find("\"a, b=c,\""),
        std::string::npos);
    EXPECT_EQ(play(kHello,
                  "status=99,status=banana,status,=,,,x=1,"
                  "status=99999999999999999999")
                  .status,
        200);
    EXPECT_EQ(play(kHello, "status=302").status, 200);
    Played played = play(streamed(kHello),
        "rate=99999999999,delay="
        "99999999999,retry_after=999999");
    EXPECT_LE(played.delays[0], 600'000u);
    EXPECT_EQ(played.retry_after, 86'400u);
    MockOptions options;
    options.status = 500;
    EXPECT_EQ(play(kHello, "status=200", options).status, 200);
}

TEST(MockScriptTest, CallsATool)
{
    constexpr std::string_view kTools =
        R"({"messages":[{"role":"user","content":"hi"}],"tools":[)"
        R"({"type":"function","function":{"name":"first"}},)"
        R"({"type":"function","function":{"name":"second"}}],)"
        R"("tool_choice":)";
    std::string named = std::string(kTools)
        + R"({"type":"function","function":{"name":"second"}}})";
    std::string required = std::string(kTools) + R"("required"})";
    std::string automatic = std::string(kTools) + R"("auto"})";
    json::Parser parser;
    auto body = parser.parse(play(named).all());
    ASSERT_TRUE(body.ok());
    json::Node choice = (*body)["choices"].at(0);
    EXPECT_EQ(choice["finish_reason"].string_or(), "tool_calls");
    EXPECT_TRUE(choice["message"]["content"].is_null());
    json::Node call = choice["message"]["tool_calls"].at(0);
    EXPECT_EQ(call["function"]["name"].string_or(), "second");
    EXPECT_EQ(call["function"]["arguments"].string_or(), "{}");
    EXPECT_FALSE(call["id"].string_or().empty());

    Played played = play(streamed(required));
    ASSERT_EQ(played.pieces.size(), 4u);
    json::Node delta = parse_event(parser, played.pieces[1])["choices"]
                           .at(0)["delta"]["tool_calls"]
                           .at(0);
    EXPECT_EQ(delta["function"]["name"].string_or(), "first");
    EXPECT_EQ(delta["index"].integer(), 0);
    EXPECT_EQ(parse_event(parser, played.pieces[2])["choices"]
                  .at(0)["finish_reason"]
                  .string_or(),
        "tool_calls");
    EXPECT_NE(play(automatic).all().find("\"hi\""), std::string::npos);
}

TEST(MockScriptTest, Completions)
{
    Played plain = play(R"({"prompt":"once upon"})", {}, {}, Api::completions);
    EXPECT_NE(
        plain.all().find("\"object\":\"text_completion\""), std::string::npos);
    EXPECT_NE(plain.all().find("\"text\":\"once upon\""), std::string::npos);
    Played played = play(
        R"({"prompt":["once upon"],"stream":true})", {}, {}, Api::completions);
    json::Parser parser;
    ASSERT_EQ(played.pieces.size(), 4u);
    EXPECT_EQ(parse_event(parser, played.pieces[0])["choices"]
                  .at(0)["text"]
                  .string_or(),
        "once");
    EXPECT_EQ(parse_event(parser, played.pieces[2])["choices"]
                  .at(0)["finish_reason"]
                  .string_or(),
        "stop");
}

TEST(MockScriptTest, Embeddings)
{
    json::Parser parser;
    std::string text =
        play(R"({"input":["a b","c",[1,2,3]]})", {}, {}, Api::embeddings).all();
    auto body = parser.parse(text);
    ASSERT_TRUE(body.ok());
    json::Node data = (*body)["data"];
    ASSERT_EQ(data.size(), 3u);
    double square = 0;
    for (json::Node value : data.at(1)["embedding"].items())
        square += value.number().value_or(0) * value.number().value_or(0);
    EXPECT_NEAR(square, 1.0, 1e-5);
    EXPECT_EQ(data.at(2)["index"].integer(), 2);
    EXPECT_EQ((*body)["usage"]["prompt_tokens"].integer(), 6);

    text = play(R"({"input":[1,2],"dimensions":3})", {}, {}, Api::embeddings)
               .all();
    body = parser.parse(text);
    ASSERT_TRUE(body.ok());
    ASSERT_EQ((*body)["data"].size(), 1u);
    EXPECT_EQ((*body)["data"].at(0)["embedding"].size(), 3u);

    // 3 floats of 4 bytes are 16 characters of base64.
    text = play(R"({"input":"a","dimensions":3,"encoding_format":"base64"})",
        {}, {}, Api::embeddings)
               .all();
    body = parser.parse(text);
    ASSERT_TRUE(body.ok());
    EXPECT_EQ((*body)["data"].at(0)["embedding"].string_or().size(), 16u);
    EXPECT_EQ(
        play(R"({"input":"a","dimensions":99999999})", {}, {}, Api::embeddings)
            .status,
        200);
}

TEST(MockScriptTest, Models)
{
    json::Parser parser;
    auto body = parser.parse(play("", {}, {}, Api::models, "").all());
    ASSERT_TRUE(body.ok());
    EXPECT_EQ((*body)["object"].string_or(), "list");
    EXPECT_EQ((*body)["data"].at(0)["id"].string_or(), "mock");
}

TEST(MockScriptTest, BadBodiesDoNoHarm)
{
    for (std::string_view text : {"", "[]", "{}", "1", R"({"messages":1})",
             R"({"messages":[1,null,{"role":1,"content":{}}]})",
             R"({"messages":[],"tools":1,"tool_choice":"required"})",
             R"({"messages":[],"tool_choice":{}})"})
        EXPECT_EQ(play(text).status, 200) << text;
}

} // namespace
