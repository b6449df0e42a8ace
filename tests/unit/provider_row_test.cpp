#include "gateway_fixture.h"

#include "core/provider/adjust.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using dialect::Api;

// An OpenAI-compatible vendor that the registry does not know: one row, as it
// would stand there.
// clang-format off
constexpr provider::ApiPath kPaths[] = {
    {Api::chat_completions, "/v1/chat/completions"},
    {Api::embeddings,       "/v1/embeddings"},
};
constexpr provider::Type kVendor =
    {"vendor", "Vendor", &provider::kOpenai, "api.vendor.example", true,
        provider::Credential::bearer, kPaths,
        true, true, true, false, false, provider::adjust_relayed,
        "/llm"};
// clang-format on

class OneRow : public ::testing::Test {
protected:
    OneRow()
    {
        config::Provider& made = fixture_.provider("v", "openai");
        made.options.type = &kVendor;
        made.endpoint = *provider::endpoint(made.options);
        fixture_.route("r", {0});
    }

    std::unique_ptr<policy::Try> ask(ai_proxy::testing::ClientRequest& client)
    {
        exchange_ = std::make_unique<policy::Exchange>(
            fixture_.gateway, fixture_.site(), client.head(), 0);
        auto received = exchange_->receive(client.padded(), client.body.size());
        EXPECT_TRUE(received) << received.error().message;
        auto made = exchange_->make_try(exchange_->route().targets[0], 0, 1, 2);
        EXPECT_TRUE(made) << made.error().message;
        return made ? std::move(*made) : nullptr;
    }

    ai_proxy::testing::GatewayFixture fixture_;
    std::unique_ptr<policy::Exchange> exchange_;
};

TEST_F(OneRow, IsAVendor)
{
    EXPECT_TRUE(provider::check(fixture_.gateway.providers[0]->options));
    EXPECT_EQ(
        fixture_.gateway.providers[0]->endpoint.host, "api.vendor.example");
    ai_proxy::testing::ClientRequest client;
    client.body = R"({"model":"m","stream":true,"x_own":1.50,)"
                  R"("messages":[{"role":"developer","content":"a"}]})";
    auto attempt = ask(client);
    ASSERT_NE(attempt, nullptr);
    EXPECT_EQ(attempt->outbound.path, "/llm/v1/chat/completions");
    EXPECT_EQ(ai_proxy::testing::body_text(attempt->outbound),
        R"({"model":"m","stream":true,"x_own":1.50,)"
        R"("messages":[{"role":"system","content":"a"}],)"
        R"("stream_options":{"include_usage":true}})");
    EXPECT_EQ(
        ai_proxy::testing::header_text(attempt->outbound, "Authorization"),
        "Bearer sk-test-key-1");

    constexpr std::string_view kStream =
        "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
        "\"completion_tokens\":1,\"total_tokens\":4}}\n\n"
        "data: [DONE]\n\n";
    const Header kHead[] = {{"content-type", "text/event-stream"}};
    std::string out;
    attempt->response->head(200, kHead);
    attempt->response->feed(kStream, out, 1);
    EXPECT_EQ(attempt->response->state(), policy::Response::State::whole);
    EXPECT_NE(out.find("\"Hi\""), std::string::npos);
    EXPECT_EQ(out.find("prompt_tokens"), std::string::npos);
    EXPECT_EQ(attempt->response->usage().total, 4);
}

TEST_F(OneRow, RefusesWhatItDoesNotList)
{
    ai_proxy::testing::ClientRequest client;
    client.path = "/v1/moderations";
    client.body = R"({"model":"m","input":"x"})";
    policy::Exchange exchange(
        fixture_.gateway, fixture_.site(), client.head(), 0);
    ASSERT_TRUE(exchange.receive(client.padded(), client.body.size()));
    auto made = exchange.make_try(exchange.route().targets[0], 0, 1, 2);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::unsupported_api);
}

} // namespace
