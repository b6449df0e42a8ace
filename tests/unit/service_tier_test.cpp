#include "core/provider/protocol.h"

#include "caller_probe.h"
#include "vendor_probe.h"

#include <gtest/gtest.h>

#include <string>

// OpenAI's service_tier in the words of vendors, and theirs in OpenAI's.

namespace {

using namespace ai_proxy;
using vendor_probe::compact;

std::string body(std::string_view tier)
{
    return R"({"model":"m","messages":[{"role":"user","content":"x"}],)"
           R"("service_tier":")"
        + std::string(tier) + R"("})";
}

std::string sent(const provider::Protocol& protocol, std::string_view tier,
    std::string_view member)
{
    const auto encoded = vendor_probe::encode(protocol, body(tier), "m");
    return compact(encoded->body[member]);
}

TEST(ServiceTier, Requests)
{
    using provider::kBedrock;
    using provider::kGemini;
    EXPECT_EQ(sent(kBedrock, "flex", "serviceTier"), R"({"type":"flex"})");
    EXPECT_EQ(sent(kBedrock, "scale", "serviceTier"), R"({"type":"reserved"})");
    EXPECT_EQ(sent(kBedrock, "auto", "serviceTier"), "(missing)");
    EXPECT_EQ(sent(kGemini, "priority", "service_tier"), R"("priority")");
    EXPECT_EQ(sent(kGemini, "default", "service_tier"), R"("standard")");
    EXPECT_EQ(sent(kGemini, "auto", "service_tier"), "(missing)");
}

// Where the body has no member for it.
TEST(ServiceTier, Headers)
{
    provider::Options options;
    options.bedrock_invoke = true;
    auto encoded = vendor_probe::encode(
        provider::kBedrock, body("priority"), "anthropic.claude-x", options);
    EXPECT_EQ(encoded->header("X-Amzn-Bedrock-Service-Tier"), "priority");
    EXPECT_EQ(compact(encoded->body["service_tier"]), "(missing)");
    encoded = vendor_probe::encode(
        provider::kBedrock, body("auto"), "anthropic.claude-x", options);
    EXPECT_EQ(encoded->header("X-Amzn-Bedrock-Service-Tier"), "");
    EXPECT_EQ(compact(encoded->body["service_tier"]), "(missing)");

    encoded =
        vendor_probe::encode(provider::kVertex, body("flex"), "gemini-3-flash");
    EXPECT_EQ(encoded->header("X-Vertex-AI-LLM-Shared-Request-Type"), "flex");
    EXPECT_EQ(compact(encoded->body["service_tier"]), "(missing)");
    encoded = vendor_probe::encode(
        provider::kVertex, body("default"), "gemini-3-flash");
    EXPECT_EQ(encoded->header("X-Vertex-AI-LLM-Shared-Request-Type"), "");
    encoded = vendor_probe::encode(
        provider::kVertex, body("auto"), "claude-sonnet-4-5");
    EXPECT_EQ(compact(encoded->body["service_tier"]), "(missing)");
}

std::string answered(const provider::Protocol& protocol, std::string_view body)
{
    return vendor_probe::decode_body(protocol, body)->tier;
}

TEST(ServiceTier, Answers)
{
    const auto bedrock = [](std::string_view tier) {
        return answered(provider::kBedrock,
            R"({"output":{"message":{"content":[{"text":"x"}]}},)"
            R"("stopReason":"end_turn","serviceTier":{"type":")"
                + std::string(tier) + R"("}})");
    };
    EXPECT_EQ(bedrock("priority"), "priority");
    EXPECT_EQ(bedrock("reserved"), "scale");
    const auto gemini = [](std::string_view usage) {
        return answered(provider::kGemini,
            R"({"candidates":[{"content":{"parts":[{"text":"x"}]},)"
            R"("finishReason":"STOP"}],"usageMetadata":{)"
                + std::string(usage) + "}}");
    };
    EXPECT_EQ(gemini(R"("serviceTier":"standard")"), "default");
    EXPECT_EQ(gemini(R"("trafficType":"ON_DEMAND_PRIORITY")"), "priority");
    EXPECT_EQ(gemini(R"("trafficType":"PROVISIONED_THROUGHPUT")"), "scale");
    EXPECT_EQ(gemini(R"("trafficType":"NEW")"), "");
}

TEST(ServiceTier, OfAGeminiClient)
{
    const auto hub = [](std::string_view tier) {
        return ai_proxy::testing::to_hub(dialect::Api::gemini_generate,
            R"({"contents":[{"parts":[{"text":"x"}]}],"service_tier":")"
                + std::string(tier) + R"("})")
            .text;
    };
    EXPECT_NE(
        hub("standard").find(R"("service_tier":"default")"), std::string::npos);
    EXPECT_NE(hub("flex").find(R"("service_tier":"flex")"), std::string::npos);
}

} // namespace
