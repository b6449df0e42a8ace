#include "caller_probe.h"

#include <gtest/gtest.h>

// What a provider's stream can make the gateway keep, and numbers that no
// answer has.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

constexpr size_t kMega = 1024 * 1024;
constexpr std::string_view kTooLarge = "The provider's answer is too large.";

class Bounds : public ::testing::Test {
protected:
    Fed run(std::string_view type, Api api, const std::string& body,
        bool stream = true, size_t split = 0)
    {
        return feed(world.provider(type, type), api, stream, body, split);
    }

    GatewayFixture world;
};

std::string delta(std::string_view members, std::string_view finish = "null")
{
    std::string out = R"(data: {"id":"c","choices":[{"index":0,"delta":{)";
    out += members;
    out += R"(},"finish_reason":)";
    out += finish;
    return out + "}]}\n\n";
}

const std::string kDone = delta("", "\"stop\"") + "data: [DONE]\n\n";

std::string call(
    std::string_view index, std::string_view id, std::string_view arguments)
{
    std::string out = R"("tool_calls":[{"index":)";
    out += index;
    out += R"(,"id":")";
    out += id;
    out += R"(","function":{"name":"f","arguments":")";
    out += arguments;
    return out + "\"}}]";
}

TEST_F(Bounds, AnAnswerThatIsToldAgainAtTheEnd)
{
    std::string body;
    const std::string piece =
        delta("\"content\":\"" + std::string(kMega, 'x') + "\"");
    for (int i = 0; i < 17; ++i) {
        body += piece;
    }
    body += kDone;
    const Fed fed = run("openai", Api::responses, body);
    EXPECT_EQ(fed.state, State::failed);
    EXPECT_TRUE(has(fed.failure, "event: response.failed"));
    EXPECT_TRUE(has(fed.failure, kTooLarge));
    EXPECT_FALSE(has(fed.out, "response.completed"));
    // Who keeps nothing has no bound.
    for (const Api api : {Api::messages, Api::gemini_stream, Api::completions})
    {
        EXPECT_EQ(run("openai", api, body).state, State::whole);
    }
}

TEST_F(Bounds, CallsThatWaitForTheirTurn)
{
    std::string body = delta(call("0", "a", "{"));
    const std::string piece = delta(call("1", "b", std::string(kMega, ' ')));
    for (int i = 0; i < 17; ++i) {
        body += piece;
    }
    body += kDone;
    for (const Api api : {Api::messages, Api::gemini_stream, Api::responses}) {
        const Fed fed = run("openai", api, body);
        EXPECT_EQ(fed.state, State::failed);
        EXPECT_LT(fed.out.size(), 40 * kMega);
    }
}

TEST_F(Bounds, SmallItemsCountAsWell)
{
    std::string body = "event: message_start\ndata: {\"type\":"
                       "\"message_start\",\"message\":{\"id\":\"m\"}}\n\n";
    for (int i = 0; i < 5000; ++i) {
        const std::string at = std::to_string(i);
        body += "data: {\"type\":\"content_block_start\",\"index\":" + at
            + ",\"content_block\":{\"type\":\"redacted_thinking\","
              "\"data\":\"x\"}}\n\ndata: {\"type\":\"content_block_stop\","
              "\"index\":"
            + at + "}\n\n";
    }
    EXPECT_EQ(run("claude", Api::responses, body).state, State::failed);
}

struct Calls {
    std::string_view type;
    std::string (*stream)(int count);
};
const Calls kCalls[] = {
    {"openai",
        [](int count) {
            std::string body;
            for (int i = 0; i < count; ++i) {
                const std::string at = std::to_string(i);
                body += delta(call(at, "c" + at, "{}"));
            }
            return body + kDone;
        }},
    {"claude",
        [](int count) {
            std::string body = "data: {\"type\":\"message_start\","
                               "\"message\":{\"id\":\"m\"}}\n\n";
            for (int i = 0; i < count; ++i) {
                const std::string at = std::to_string(i);
                body +=
                    "data: {\"type\":\"content_block_start\",\"index\":" + at
                    + ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"c"
                    + at
                    + "\",\"name\":\"f\",\"input\":{}}}\n\ndata: "
                      "{\"type\":\"content_block_stop\",\"index\":"
                    + at + "}\n\n";
            }
            return body
                + "data: {\"type\":\"message_delta\",\"delta\":"
                  "{\"stop_reason\":\"tool_use\"}}\n\n"
                  "data: {\"type\":\"message_stop\"}\n\n";
        }},
    {"gemini",
        [](int count) {
            std::string body;
            for (int i = 0; i < count; ++i) {
                body += "data: {\"candidates\":[{\"content\":{\"parts\":[{"
                        "\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}}]}"
                        "\n\n";
            }
            return body
                + "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
        }},
    {"cohere",
        [](int count) {
            std::string body =
                "data: {\"type\":\"message-start\",\"id\":\"m\"}\n\n";
            for (int i = 0; i < count; ++i) {
                body += "data: {\"type\":\"tool-call-start\",\"delta\":{"
                        "\"message\":{\"tool_calls\":{\"id\":\"c"
                    + std::to_string(i)
                    + "\",\"function\":{\"name\":\"f\"}}}}}\n\n";
            }
            return body
                + "data: {\"type\":\"message-end\",\"delta\":"
                  "{\"finish_reason\":\"TOOL_CALL\"}}\n\n";
        }},
};

TEST_F(Bounds, NumberOfCalls)
{
    for (const Calls& vendor : kCalls) {
        const Fed most = run(vendor.type, Api::messages, vendor.stream(1024));
        EXPECT_EQ(most.state, State::whole) << vendor.type;
        EXPECT_EQ(count(most.out, "\"tool_use\",\"id\""), 1024u) << vendor.type;
        for (const Api api :
            {Api::messages, Api::responses, Api::gemini_stream}) {
            const Fed fed = run(vendor.type, api, vendor.stream(1025));
            EXPECT_EQ(fed.state, State::failed) << vendor.type;
            EXPECT_FALSE(has(fed.out, "message_stop")) << vendor.type;
        }
        // Not a call less in a plain answer either.
        EXPECT_EQ(
            run(vendor.type, Api::messages, vendor.stream(1025), false).state,
            State::failed)
            << vendor.type;
    }
}

TEST_F(Bounds, NumbersOfCallsAndChoices)
{
    for (const std::string_view index :
        {"4611686018427387904", "-4611686018427387904", "1e300", "\"x\""})
    {
        const Fed fed = run("openai", Api::messages,
            delta(call(index, "a", "{}")) + kDone, true, 7);
        EXPECT_EQ(fed.state, State::whole) << index;
        EXPECT_EQ(count(fed.out, "\"tool_use\",\"id\""), 1u) << index;
    }
    for (const std::string_view index :
        {"128", "-1", "4294967296", "9223372036854775807"})
    {
        std::string body = R"(data: {"id":"c","choices":[{"index":)";
        body += index;
        body += R"(,"delta":{"content":"x"}}]})"
                "\n\n"
            + kDone;
        EXPECT_EQ(run("openai", Api::messages, body).state, State::failed)
            << index;
    }
    const Fed block = run("claude", Api::responses,
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":"
        "9223372036854775807,\"content_block\":{\"type\":\"tool_use\",\"id\":"
        "\"a\",\"name\":\"f\",\"input\":{}}}\n\n"
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
        "\"tool_use\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n");
    EXPECT_EQ(block.state, State::whole);
}

TEST_F(Bounds, NamesThatEachEventRepeats)
{
    const std::string name(kMega, 'n');
    std::string body = "data: {\"id\":\"" + name + "\",\"model\":\"" + name
        + "\",\"choices\":[]}\n\n";
    for (int i = 0; i < 100; ++i) {
        body += delta(R"("content":"x")");
    }
    body += kDone;
    config::Provider& ignoring = world.provider("i", "openai");
    ignoring.options.reasoning_content_mode = "ignore";
    const Fed fed = feed(ignoring, Api::chat_completions, true, body, 0);
    EXPECT_EQ(fed.state, State::whole);
    EXPECT_LT(fed.out.size(), 100'000u);
    EXPECT_TRUE(has(fed.out, R"("id":"resp_1")"));
}

TEST_F(Bounds, Nesting)
{
    const std::string deep = std::string(200, '[') + std::string(200, ']');
    EXPECT_EQ(
        run("openai", Api::messages, delta("\"x\":" + deep) + kDone).state,
        State::failed);
    // In the text of arguments it is the client's affair.
    const Fed fed =
        run("openai", Api::messages, delta(call("0", "a", deep)) + kDone);
    EXPECT_EQ(fed.state, State::whole);
    EXPECT_TRUE(has(fed.out, deep));
}

TEST_F(Bounds, MessagesOfErrors)
{
    std::string page;
    for (size_t i = 0; i < kMega; ++i) {
        page += "\xc3\xa9";
    }
    policy::ResponseContext context;
    context.provider = &world.provider("c", "claude");
    context.api = Api::messages;
    context.convert = context.stream = true;
    policy::Response response(context);
    const std::vector<Header> headers{{"content-type", "text/event-stream"}};
    response.head(200, headers);
    std::string out;
    response.feed("data: {\"type\":\"error\",\"error\":{\"message\":\"x" + page
            + "\"}}\n\n",
        out, 1);
    EXPECT_EQ(response.state(), State::failed);
    EXPECT_EQ(response.error().message.size(),
        policy::Response::kMaxError - 1); // no half of a character
}

} // namespace
} // namespace ai_proxy::testing
