#include "exchange_fixture.h"

#include <gtest/gtest.h>

#include <string>

// Spark's answers, which are OpenAI's only nearly.

namespace ai_proxy::policy {
namespace {

using testing::body_text;

class Spark : public testing::ExchangeFixture {
protected:
    void ask(std::string body)
    {
        world.provider("one", "spark");
        request.body = std::move(body);
        prepare();
    }

    // What the client gets, the provider's bytes in pieces of so many.
    std::string answer(
        std::string_view type, std::string_view bytes, size_t piece)
    {
        const Header head[] = {{"Content-Type", type}};
        std::string out;
        again(0).response->head(200, head);
        Response& response = *attempt->response;
        for (size_t i = 0; i < bytes.size(); i += piece) {
            response.feed(bytes.substr(i, piece), out, 1);
        }
        response.end(true, out, 2);
        if (response.state() == Response::State::failed) {
            return "failed: " + response.error().message;
        }
        return response.streaming() ? out : response.take_body();
    }
};

constexpr std::string_view kAsked =
    R"({"model":"generalv3.5","messages":[{"role":"user","content":"hi"}])";

TEST_F(Spark, APlainAnswerIsWhole)
{
    ask(std::string(kAsked) + "}");
    EXPECT_EQ(body_text(attempt->outbound), request.body);
    const std::string got = answer("application/json",
        R"({"code":0,"message":"Success","sid":"cha000b1","choices":[{)"
        R"("message":{"role":"assistant","content":"hello"},"index":0}],)"
        R"("usage":{"prompt_tokens":6,"completion_tokens":42,)"
        R"("total_tokens":48}})",
        7);
    for (const auto* part :
        {R"("id":"cha000b1")", R"("object":"chat.completion")",
            R"("model":"generalv3.5")", R"("content":"hello")",
            R"("finish_reason":"stop")", R"("prompt_tokens":6)"})
    {
        EXPECT_NE(got.find(part), std::string::npos) << part << " in " << got;
    }
    EXPECT_EQ(got.find("sid"), std::string::npos);
    EXPECT_EQ(attempt->response->usage().total, 48);
    EXPECT_EQ(attempt->response->finish(), chat::Finish::stop);
}

TEST_F(Spark, AStreamIsWholeHoweverItIsCut)
{
    ask(std::string(kAsked) + R"(,"stream":true})");
    constexpr std::string_view kStream =
        R"(data:{"code":0,"message":"Success","sid":"cha1","id":"cha1",)"
        R"("created":17,"choices":[{"delta":{"role":"assistant",)"
        R"("content":"hel"},"index":0}]})"
        "\n\n"
        R"(data:{"code":0,"message":"Success","sid":"cha1","created":17,)"
        R"("choices":[{"delta":{"role":"assistant","content":"lo"},)"
        R"("index":0}]})"
        "\n\n"
        R"(data:{"code":0,"message":"Success","sid":"cha1","created":17,)"
        R"("choices":[{"delta":{"role":"assistant","content":""},"index":0}],)"
        R"("usage":{"prompt_tokens":6,"completion_tokens":2,)"
        R"("total_tokens":8}})"
        "\n\ndata:[DONE]\n\n";
    std::string first;
    for (const size_t piece : {1, 2, 3, 7, 10'000}) {
        const std::string got = answer("text/event-stream", kStream, piece);
        if (first.empty()) {
            first = got;
        }
        EXPECT_EQ(got, first) << piece;
    }
    EXPECT_NE(first.find(R"("content":"hel")"), std::string::npos) << first;
    EXPECT_NE(first.find(R"("finish_reason":"stop")"), std::string::npos);
    EXPECT_NE(
        first.find(R"("object":"chat.completion.chunk")"), std::string::npos);
    EXPECT_TRUE(first.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(first.find("sid"), std::string::npos);
    // Cut before its end it is not whole.
    const size_t cut = kStream.find("data:[DONE]");
    EXPECT_TRUE(answer("text/event-stream", kStream.substr(0, cut), 10'000)
                    .starts_with("failed: "));
}

TEST_F(Spark, ToolCallsComeInEitherForm)
{
    ask(std::string(kAsked)
        + R"(,"tools":[{"type":"function","function":{"name":"f"}}]})");
    EXPECT_NE(body_text(attempt->outbound).find(R"("tool_calls_switch":true)"),
        std::string::npos);
    for (const auto* call :
        {R"({"type":"function","id":"c1","function":{"name":"f",)"
         R"("arguments":"{\"a\":1}"}})",
            R"([{"type":"function","id":"c1","function":{"name":"f",)"
            R"("arguments":"{\"a\":1}"}}])"})
    {
        const std::string got = answer("application/json",
            R"({"code":0,"sid":"cha1","choices":[{"message":{"role":)"
            R"("assistant","content":"","tool_calls":)"
                + std::string(call) + R"(},"index":0}]})",
            10'000);
        EXPECT_NE(
            got.find(R"("finish_reason":"tool_calls")"), std::string::npos)
            << got;
        EXPECT_NE(got.find(R"("arguments":"{\"a\":1}")"), std::string::npos);
    }
}

TEST_F(Spark, AnErrorUnder200IsOne)
{
    ask(std::string(kAsked) + "}");
    EXPECT_EQ(
        answer("application/json",
            R"({"code":11200,"message":"AppIdNoAuthError","sid":"c"})", 10'000),
        "failed: AppIdNoAuthError");
    EXPECT_EQ(attempt->response->error().status, 401);
}

} // namespace
} // namespace ai_proxy::policy
