#include "core/consumer/consumer.h"
#include "core/policy/affinity.h"

#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using ai_proxy::testing::ClientRequest;
using ai_proxy::testing::GatewayFixture;

// What a consumer of two models is told: "", or "STATUS code".
class ConsumerExchange : public ::testing::Test {
protected:
    ConsumerExchange()
    {
        world.provider("one", "openai");
        world.route("main", {0});
    }
    std::string ask(std::string_view path, std::string_view body,
        std::string_view method = "POST", std::string_view type = "")
    {
        ClientRequest request;
        request.path = path;
        request.body = body;
        request.method = method;
        if (!type.empty()) {
            request.content_type = type;
        }
        policy::ClientHead head = request.head();
        head.consumer = &who;
        policy::Exchange exchange(world.gateway, world.site(), head, 1);
        const auto done =
            exchange.receive(request.padded(), request.body.size());
        if (done) {
            return "";
        }
        return std::to_string(done.error().http_status()) + " "
            + std::string(describe(done.error().code).name);
    }
    static std::string chat(std::string_view members)
    {
        return R"({"messages":[{"role":"user","content":"hi"}])"
            + std::string(members) + "}";
    }

    GatewayFixture world;
    consumer::Consumer who{"who", {"gpt-4o", "text-*"}, 0};
    const std::string completions = "/v1/chat/completions";
    const std::string no = "404 model_forbidden";
};

TEST_F(ConsumerExchange, TheModelThatTheClientNames)
{
    EXPECT_EQ(ask(completions, chat(R"(,"model":"gpt-4o")")), "");
    EXPECT_EQ(ask(completions, chat(R"(,"model":"gpt-5")")), no);
    EXPECT_EQ(ask("/v1/embeddings", R"({"model":"text-a","input":"x"})"), "");
    EXPECT_EQ(ask("/v1/embeddings", R"({"model":"gpt","input":"x"})"), no);
    EXPECT_EQ(ask("/v1beta/models/gpt-4o:generateContent",
                  R"({"contents":[{"parts":[{"text":"x"}]}]})"),
        "");
    EXPECT_EQ(
        ask("/v1beta/models/gpt-5:generateContent",
            R"({"contents":[{"parts":[{"text":"x"}]}],"model":"gpt-4o"})"),
        no);
    const std::string form = "--b\r\nContent-Disposition: form-data; "
                             "name=\"model\"\r\n\r\nwhisper\r\n--b--\r\n";
    EXPECT_EQ(ask("/v1/audio/transcriptions", form, "POST",
                  "multipart/form-data; boundary=b"),
        no);
    // Before any map, so that a map can neither hide nor lend a model.
    (void)world.site().model_map.add("gpt-5", "gpt-4o");
    (void)world.site().model_map.add("gpt-4o", "gpt-6");
    EXPECT_EQ(ask(completions, chat(R"(,"model":"gpt-5")")), no);
    EXPECT_EQ(ask(completions, chat(R"(,"model":"gpt-4o")")), "");
}

TEST_F(ConsumerExchange, NoWayAround)
{
    EXPECT_EQ(ask(completions, chat("")), "400 invalid_request");
    (void)world.site().model_map.add("*", "gpt-5");
    EXPECT_EQ(ask(completions, chat("")), no);
    EXPECT_EQ(ask(completions,
                  chat(R"(,"model":"gpt-4o","models":["gpt-4o","gpt-5"])")),
        no);
    const std::string unseen = "403 model_forbidden";
    EXPECT_EQ(ask("/v1/other", R"({"model":"gpt-4o"})"), unseen);
    EXPECT_EQ(ask("/v1/batches", "{}"), unseen);
    EXPECT_EQ(ask("/v1/fine_tuning/jobs", R"({"model":"gpt-4o"})"), unseen);
    // A form that is none: its model is not read.
    EXPECT_EQ(
        ask("/v1/audio/transcriptions", "x", "POST", "text/plain"), unseen);
    EXPECT_EQ(
        ask("/v1/responses/compact", R"({"model":"gpt-5","input":"x"})"), no);
    EXPECT_EQ(
        ask("/v1/responses/compact", R"({"model":"gpt-4o","input":"x"})"), "");
    EXPECT_EQ(ask("/v1/responses/r/other", R"({"model":"gpt-4o"})"), unseen);
    EXPECT_EQ(ask("/v1/responses/r/cancel", ""), "");
    EXPECT_EQ(ask("/v1/responses/r", "", "GET"), "");
    EXPECT_EQ(ask("/v1/models/gpt-5", "", "GET"), no);
    EXPECT_EQ(ask("/v1/models/gpt-4o", "", "GET"), "");
    EXPECT_EQ(ask("/v1/files", "x", "POST", "multipart/form-data"), "");
    EXPECT_EQ(ask("/v1/files/f", "", "DELETE"), "");
    EXPECT_EQ(ask("/v1/batches/b", "", "GET"), "");
}

TEST_F(ConsumerExchange, WhoHasNoListMayUseAll)
{
    who.models.clear();
    EXPECT_EQ(ask(completions, chat(R"(,"model":"gpt-5")")), "");
    EXPECT_EQ(ask("/v1/other", "{}"), "");
    EXPECT_EQ(ask("/v1/batches", "{}"), "");
}

TEST_F(ConsumerExchange, KeysOfProvidersFollowTheName)
{
    policy::ClientHead head;
    head.consumer = &who;
    const uint64_t number = policy::consumer_hash(head);
    head.authorization = "Bearer another";
    head.address = "127.0.0.1";
    EXPECT_EQ(policy::consumer_hash(head), number);
    const consumer::Consumer other{"other", {}, 1};
    head.consumer = &other;
    EXPECT_NE(policy::consumer_hash(head), number);
}

} // namespace
