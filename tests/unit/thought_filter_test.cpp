#include "gateway_fixture.h"

#include "core/policy/thought_filter.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using policy::Response;

// A stream and a plain body of the same answer, of a relaying type.
constexpr std::string_view kThought =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
    "{\"reasoning_content\":\"hm\"}}]}\n\n"
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
    "{\"reasoning_content\":\" so\"}}]}\n\n";
constexpr std::string_view kText =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
    "{\"content\":\"Hi\"}}]}\n\n";
constexpr std::string_view kEnd =
    "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},"
    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

struct Told {
    std::string text, reasoning, order;
    int done = 0;
};

class Thoughts : public ::testing::Test {
protected:
    Told stream(const std::string& bytes, size_t piece)
    {
        Response response(context(true));
        const Header kHead[] = {{"content-type", "text/event-stream"}};
        response.head(200, kHead);
        std::string out;
        for (size_t i = 0; i < bytes.size(); i += piece)
            response.feed(std::string_view(bytes).substr(i, piece), out, 1);
        response.end(true, out, 2);
        EXPECT_EQ(response.state(), Response::State::whole);
        return read(out);
    }

    Told plain(std::string_view message)
    {
        Response response(context(false));
        const Header kHead[] = {{"content-type", "application/json"}};
        response.head(200, kHead);
        std::string out;
        response.feed(R"({"id":"1","choices":[{"index":0,"message":)"
                + std::string(message) + R"(,"finish_reason":"stop"}]})",
            out, 1);
        response.end(true, out, 2);
        EXPECT_EQ(response.state(), Response::State::whole);
        const std::string body = response.take_body();
        json::Parser parser;
        Told told;
        const auto node = parser.parse(std::string_view(body));
        const json::Node said = (*node)["choices"].at(0)["message"];
        told.text = said["content"].string_or();
        told.reasoning = said["reasoning_content"].string_or();
        return told;
    }

    policy::ResponseContext context(bool streamed)
    {
        policy::ResponseContext made;
        made.provider = &provider_;
        made.api = dialect::Api::chat_completions;
        made.convert = true;
        made.stream = streamed;
        made.model = "m";
        made.fallback_id = "chatcmpl-1";
        return made;
    }

    static Told read(const std::string& out)
    {
        Told told;
        wire::SseFramer framer;
        json::Parser parser;
        const auto on_event = [&](const wire::SseEvent& event) {
            if (event.data == "[DONE]") {
                told.done++;
                return true;
            }
            const auto chunk = parser.parse(event.data);
            const json::Node delta = (*chunk)["choices"].at(0)["delta"];
            told.text += delta["content"].string_or();
            told.reasoning += delta["reasoning_content"].string_or();
            told.order +=
                delta["reasoning_content"].string_or().empty() ? "" : "r";
            told.order += delta["content"].string_or().empty() ? "" : "t";
            return true;
        };
        EXPECT_TRUE(framer.feed(out, on_event).ok());
        return told;
    }

    ai_proxy::testing::GatewayFixture fixture_;
    config::Provider& provider_ = fixture_.provider("p", "deepseek");
    const std::string whole_ = std::string(kThought).append(kText).append(kEnd);
    const std::string silent_ = std::string(kThought).append(kEnd);
};

TEST_F(Thoughts, AreIgnored)
{
    provider_.options.reasoning_content_mode = "ignore";
    for (size_t piece : {1U, 2U, 3U, 7U, 1000U}) {
        const Told told = stream(whole_, piece);
        EXPECT_EQ(told.text, "Hi");
        EXPECT_EQ(told.reasoning, "");
        EXPECT_EQ(told.done, 1);
    }
    EXPECT_EQ(
        plain(R"({"content":"Hi","reasoning_content":"hm"})").reasoning, "");
}

TEST_F(Thoughts, AreJoinedToTheText)
{
    provider_.options.reasoning_content_mode = "concat";
    for (size_t piece : {1U, 2U, 3U, 7U, 1000U})
        EXPECT_EQ(stream(whole_, piece).text, "<think>hm so</think>\nHi");
    EXPECT_EQ(stream(silent_, 5).text, "<think>hm so</think>\n");
    const Told told = plain(R"({"content":"Hi","reasoning_content":"hm"})");
    EXPECT_EQ(told.text, "<think>hm</think>\nHi");
    EXPECT_EQ(told.reasoning, "");
}

TEST_F(Thoughts, BecomeTheAnswerWhereThereIsNone)
{
    provider_.options.promote_thinking_on_empty = true;
    for (size_t piece : {1U, 7U, 1000U}) {
        const Told silent = stream(silent_, piece);
        EXPECT_EQ(silent.text, "hm so");
        EXPECT_EQ(silent.reasoning, "");
        // With an answer nothing is lost, and in order.
        const Told whole = stream(whole_, piece);
        EXPECT_EQ(whole.text, "Hi");
        EXPECT_EQ(whole.reasoning, "hm so");
        EXPECT_EQ(whole.order, "rt");
    }
    const Told told = plain(R"({"content":" \n","reasoning_content":"hm"})");
    EXPECT_EQ(told.text, "hm");
    EXPECT_EQ(told.reasoning, "");
}

TEST_F(Thoughts, BeforeACallStayThoughts)
{
    provider_.options.promote_thinking_on_empty = true;
    const Told told = plain(
        R"({"content":null,"reasoning_content":"hm","tool_calls":[{"id":"c",)"
        R"("type":"function","function":{"name":"f","arguments":"{}"}}]})");
    EXPECT_EQ(told.text, "");
    EXPECT_EQ(told.reasoning, "hm");
}

TEST_F(Thoughts, OfAnEndlessThinkerAreNotHeldForever)
{
    provider_.options.promote_thinking_on_empty = true;
    const std::string much(300 * 1024, 'x');
    std::string bytes;
    for (int i = 0; i < 4; i++)
        bytes += "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
                 "{\"reasoning_content\":\""
            + much + "\"}}]}\n\n";
    const Told told = stream(bytes.append(kEnd), 64 * 1024);
    EXPECT_EQ(told.reasoning.size(), 4 * much.size());
    EXPECT_EQ(told.text, "");
}

} // namespace
