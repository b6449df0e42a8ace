#include "caller_probe.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

// The Responses API where a provider has it: bytes pass, and what they say is
// read.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

std::string event(std::string_view type, std::string_view members = {})
{
    return "event: " + std::string(type) + "\ndata: {\"type\":\""
        + std::string(type) + "\"" + std::string(members) + "}\n\n";
}

std::string created(std::string_view members = {})
{
    return event("response.created",
               R"(,"response":{"id":"r","error":null,"usage":null)"
                   + std::string(members) + "}")
        + event("response.in_progress",
            R"(,"response":{"id":"r")" + std::string(members) + "}");
}

const std::string kItem =
    event("response.output_item.added", R"(,"output_index":0,"item":{})");
const std::string kDelta =
    event("response.output_text.delta", R"(,"delta":"hi")");
const std::string kDone =
    event("response.completed", R"(,"response":{"status":"completed"})");
const std::string kFailed = event("response.failed",
    R"(,"response":{"error":{"code":"server_error","message":"broke"}})");
const std::string kError =
    event("error", R"(,"code":"server_error","message":"broke")");

class Relayed {
public:
    explicit Relayed(bool stream = true)
    {
        policy::ResponseContext context;
        context.provider = &world_.provider("one", "openai");
        context.api = Api::responses;
        context.stream = stream;
        context.model = "m";
        response = std::make_unique<policy::Response>(context);
        const Header type{
            "Content-Type", stream ? "text/event-stream" : "application/json"};
        response->head(200, {&type, 1});
    }
    std::string feed(std::string_view bytes)
    {
        std::string out;
        response->feed(bytes, out, 1);
        return out;
    }
    State end()
    {
        std::string out;
        return response->end(true, out, 2);
    }
    std::unique_ptr<policy::Response> response;

private:
    GatewayFixture world_;
};

TEST(ResponsesRelay, ABeginningIsKeptBack)
{
    Relayed one;
    EXPECT_EQ(one.feed(created()), "");
    EXPECT_EQ(one.feed(kItem), created() + kItem);
    EXPECT_EQ(one.feed(kDelta), kDelta);
    EXPECT_EQ(one.feed(kDone), kDone);
    EXPECT_EQ(one.end(), State::whole);
}

TEST(ResponsesRelay, AnErrorBehindTheBeginningIsNoAnswer)
{
    for (const std::string& error : {kError, kFailed}) {
        Relayed one;
        EXPECT_EQ(one.feed(created()), "");
        EXPECT_EQ(one.feed(error), "") << error;
        EXPECT_EQ(one.response->state(), State::failed);
        EXPECT_EQ(one.response->error().message, "broke");
        EXPECT_EQ(one.response->error().provider_code, "server_error");
    }
}

TEST(ResponsesRelay, AnErrorBehindAnItemIsTold)
{
    Relayed one;
    one.feed(created() + kItem);
    EXPECT_EQ(one.feed(kFailed), kFailed);
    EXPECT_NE(one.response->state(), State::failed);
}

TEST(ResponsesRelay, WhatIsEmptyIsWholeAllTheSame)
{
    Relayed one;
    EXPECT_EQ(one.feed(created() + kDone), created() + kDone);
    EXPECT_EQ(one.end(), State::whole);
}

TEST(ResponsesRelay, InTheBackgroundNothingIsKeptBack)
{
    const std::string text = created(R"(,"background":true)");
    Relayed one;
    EXPECT_EQ(one.feed(text), text);
}

// What is told again of a request is no piece of the answer, and may be long.
TEST(ResponsesRelay, TheRequestTellsNothing)
{
    const std::string text = created(R"(,"instructions":["a.delta",)"
                                     R"("response.output_item.added",")"
        + std::string(20'000, 'x') + "\"]");
    Relayed one;
    EXPECT_EQ(one.feed(text), "");
    EXPECT_FALSE(one.response->spoke());
    EXPECT_EQ(one.feed(kDelta), text + kDelta);
    EXPECT_TRUE(one.response->spoke());

    // But memory is bounded.
    const std::string large = event("response.created",
        R"(,"response":{"instructions":")" + std::string(70'000, 'x') + "\"}");
    Relayed other;
    EXPECT_EQ(other.feed(large), large);
}

// Some send no names of events.
TEST(ResponsesRelay, EventsWithoutNames)
{
    Relayed one;
    const std::string begin =
        R"(data: {"type":"response.created","response":{"x":"a.delta"}})"
        "\n\n";
    EXPECT_EQ(one.feed(begin), "");
    EXPECT_FALSE(one.response->spoke());
    const std::string delta =
        R"(data: {"delta":"x","type":"response.output_text.delta"})"
        "\n\n";
    EXPECT_EQ(one.feed(delta), begin + delta);
    EXPECT_TRUE(one.response->spoke());
}

TEST(ResponsesRelay, WhyItIsIncomplete)
{
    struct Row {
        std::string_view reason;
        chat::Finish finish;
    };
    for (const Row& row : {Row{"content_filter", chat::Finish::content_filter},
             Row{"max_output_tokens", chat::Finish::length}})
    {
        const std::string details = R"("status":"incomplete",)"
                                    R"("incomplete_details":{"reason":")"
            + std::string(row.reason) + "\"}";
        Relayed stream;
        stream.feed(
            event("response.incomplete", R"(,"response":{)" + details + "}"));
        EXPECT_EQ(stream.end(), State::whole);
        EXPECT_EQ(stream.response->finish(), row.finish);
        Relayed plain(false);
        plain.feed(R"({"object":"response",)" + details + "}");
        EXPECT_EQ(plain.end(), State::whole);
        EXPECT_EQ(plain.response->finish(), row.finish);
    }
}

TEST(ResponsesRelay, ABrokenStreamEndsWithAnEventOfItsKind)
{
    Relayed one;
    one.feed(created() + kItem);
    EXPECT_EQ(one.end(), State::failed);
    EXPECT_EQ(one.response->error_event(one.response->error()),
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":3,"
        "\"code\":\"upstream_truncated\",\"message\":\"The provider's answer "
        "ended before it was complete.\",\"param\":null,\"error\":{\"message\":"
        "\"The provider's answer ended before it was complete.\",\"type\":"
        "\"api_error\",\"param\":null,\"code\":\"upstream_truncated\"}}\n\n");
}

class ResponsesExchange : public ExchangeFixture {};

// A conversation that a chat provider's model began.
TEST_F(ResponsesExchange, ReasoningThatWeMarkedStaysHere)
{
    const std::string own = R"({"type":"reasoning","id":"rs_1","summary":[],)"
                            R"("encrypted_content":"gAAAA"})";
    const std::string user = R"({"role":"user",)"
                             R"("content":"signed_thinking:x"})";
    const std::string call = R"( {"type":"function_call","call_id":"c",)"
                             R"("name":"f","arguments":"{}"} )";
    const auto marked = [](std::string_view mark) {
        return R"({"type":"reasoning","id":"rs_2","summary":[],)"
               R"("encrypted_content":")"
            + std::string(mark) + R"(abc"})";
    };
    world.provider("one", "openai");
    request.path = "/v1/responses";
    const std::string head = R"({"model":"gpt-4o","input":[)";
    request.body = head + user + "," + marked("signed_thinking:") + "," + call
        + "," + marked("redacted_thinking:") + "," + own + R"(],"n":1.0})";
    const Try& made = prepare();
    EXPECT_EQ(body_text(made.outbound),
        head + user + ","
            + R"({"type":"function_call","call_id":"c",)"
              R"("name":"f","arguments":"{}"},)"
            + own + R"(],"n":1.0})");
}

TEST_F(ResponsesExchange, WhatHasNoMarkIsUntouched)
{
    world.provider("one", "openai");
    request.path = "/v1/responses";
    request.body = R"({"model":"gpt-4o","input":"say signed_thinking:x"})";
    EXPECT_EQ(body_text(prepare().outbound), request.body);
}

TEST_F(ResponsesExchange, NoWebsocket)
{
    request.path = "/v1/responses";
    request.method = "GET";
    begin();
    policy::ClientHead head = request.head();
    head.websocket = true;
    Exchange asked(world.gateway, world.site(), head, 100);
    const auto received = asked.receive(request.padded(), 0);
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error().http_status(), 426);
    EXPECT_EQ(received.error().message,
        "Responses are not served over WebSocket here; use HTTP.");
}

} // namespace
} // namespace ai_proxy::testing
