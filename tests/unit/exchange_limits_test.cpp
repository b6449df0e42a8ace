#include "core/config/gateway.h"
#include "exchange_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

// What an exchange uses, where that is limited.
namespace ai_proxy::policy {
namespace {

using testing::ExchangeFixture;

constexpr std::string_view kBody =
    R"({"model":"m","input":"x","messages":[{"role":"user","content":"x"}]})";

class LimitedExchange : public ExchangeFixture {
protected:
    void limit(std::string_view mode)
    {
        auto made = config::parse_token_limit(
            {"ai_proxy_token_limit", "key=$x", "rate=1000/m", mode},
            config::Gateway());
        ASSERT_TRUE(made.ok()) << made.error().message;
        world.site().token_limits = {*made};
    }
    int status(std::string_view method, std::string_view path)
    {
        request.method = method;
        request.path = path;
        request.body = method == "POST" ? kBody : "";
        const auto received = receive();
        return received ? 200 : received.error().http_status();
    }
};

TEST_F(LimitedExchange, CallsThatCannotBeCountedAreRefused)
{
    constexpr std::string_view kUncounted[] = {"/v1/batches", "/v1/threads",
        "/v1/threads/runs", "/v1/chat/completions?", "/v1/fine_tuning/jobs",
        "/api/v1/services/aigc/text-generation/generation"};
    for (const std::string_view path : kUncounted) {
        limit("mode=enforce");
        EXPECT_EQ(status("POST", path), 403) << path;
        EXPECT_EQ(status("GET", path), 200) << path;
        limit("mode=log");
        EXPECT_EQ(status("POST", path), 200) << path;
        world.site().token_limits.clear();
        EXPECT_EQ(status("POST", path), 200) << path;
    }
    limit("mode=enforce");
    for (const std::string_view path : {"/v1/chat/completions",
             "/v1/embeddings", "/v1/files", "/v1/batches/b/cancel"})
    {
        EXPECT_EQ(status("POST", path), 200) << path;
    }
}

// A decoded path could become another call at the provider.
TEST_F(LimitedExchange, PathsThatChangeOnTheirWayAreRefused)
{
    for (const std::string_view path :
        {"/v1/chat/completions?", "/v1/chat/completion%73", "/v1/threads?x"})
    {
        request.path = path;
        request.body = R"({"model":"m"})";
        ASSERT_TRUE(receive()) << path;
        const auto made =
            exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        ASSERT_FALSE(made) << path;
        EXPECT_EQ(made.error().http_status(), 400) << path;
    }
}

TEST_F(LimitedExchange, UsageIsThatOfTheTryThatAnswered)
{
    world.provider("one", "claude");
    world.provider("two", "openai");
    world.route("main", {0, 1});
    request.body = R"({"model":"m","stream":true,"messages":[)"
                   R"({"role":"user","content":"x"}]})";
    prepare();
    const Header header{"Content-Type", "text/event-stream"};
    std::string out;
    attempt->response->head(200, {&header, 1});
    attempt->response->feed(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"
        "{\"id\":\"m\",\"model\":\"c\",\"usage\":{\"input_tokens\":5000,"
        "\"output_tokens\":1}}}\n\nevent: error\ndata: {\"type\":\"error\","
        "\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n",
        out, 5);
    EXPECT_EQ(attempt->response->state(), Response::State::failed);
    exchange->record(*attempt, ErrorCode::upstream_error, 1, 6);

    again(1);
    attempt->response->head(200, {&header, 1});
    attempt->response->feed(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},"
        "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        out, 7);
    EXPECT_EQ(attempt->response->state(), Response::State::whole);
    exchange->record(*attempt, ErrorCode::none, 6, 8);
    EXPECT_FALSE(exchange->books().usage.known);
    EXPECT_EQ(exchange->books().usage_source, UsageSource::none);
}

} // namespace
} // namespace ai_proxy::policy
