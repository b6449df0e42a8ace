#include "core/policy/retry_hints.h"

#include <gtest/gtest.h>

namespace {

using namespace ai_proxy;

TEST(RetryHintsTest, RetryAfter)
{
    constexpr int64_t now = 784111777;
    EXPECT_EQ(policy::parse_retry_after("3", now), 3000u);
    EXPECT_EQ(policy::parse_retry_after(" 1.5 ", now), 2000u);
    EXPECT_EQ(policy::parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now),
        10000u);
    EXPECT_EQ(
        policy::parse_retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now), 0u);
    EXPECT_EQ(policy::parse_retry_after("soon", now), 0u);
    EXPECT_EQ(policy::parse_retry_after("-3", now), 0u);
    EXPECT_EQ(policy::parse_retry_after("99999999999999999999", now), 0u);
    EXPECT_EQ(policy::parse_retry_after("9999999", now), 86400000u);
    EXPECT_EQ(policy::parse_retry_after_ms("250"), 250u);
    EXPECT_EQ(policy::parse_retry_after_ms("x"), 0u);
}

TEST(RetryHintsTest, ResetTimes)
{
    constexpr int64_t now = 1'760'000'000;
    for (const auto& [text, ms] :
        std::initializer_list<std::pair<const char*, uint64_t>>{{"1s", 1000},
            {"6m0s", 360'000}, {"17ms", 17}, {"1.5s", 1500},
            {" 2h ", 7'200'000}, {"1m2.25s", 62'250}, {"12", 12'000},
            {"0.2", 200}, {"0", 0}, {"1760000030", 30'000},
            {"1760000030500", 31'000}, {"1759999999", 0},
            {"2025-10-09T08:53:25Z", 5'000},
            {"2025-10-09T08:53:25.999Z", 5'000}, {"2025-10-09T08:00:00Z", 0},
            {"9999h", 86'400'000}, {"1e9", 0}, {"-5", 0}, {"-5s", 0}, {"", 0},
            {"s", 0}, {"5x", 0}, {"5s5", 0}, {"inf", 0}, {"nan", 0},
            {"2025-10-09 08:53:25Z", 0}, {"2025-13-09T08:53:25Z", 0}})
    {
        EXPECT_EQ(policy::parse_reset(text, now), ms) << text;
    }
}

// What a list of fields comes to.
uint64_t wait(std::initializer_list<Header> headers)
{
    policy::RetryHints hints(1'760'000'000);
    for (const Header& header : headers) {
        hints.header(header);
    }
    return hints.wait_ms();
}

TEST(RetryHintsTest, TheLimitThatIsUsedUpCounts)
{
    EXPECT_EQ(wait({{"x-ratelimit-remaining-requests", "12"},
                  {"x-ratelimit-reset-requests", "1m"},
                  {"X-RateLimit-Remaining-Tokens", "0"},
                  {"X-RateLimit-Reset-Tokens", "7.5s"}}),
        7500u);
    EXPECT_EQ(
        wait({{"anthropic-ratelimit-input-tokens-remaining", "0"},
            {"anthropic-ratelimit-input-tokens-reset", "2025-10-09T08:53:40Z"},
            {"anthropic-ratelimit-requests-remaining", "0"},
            {"anthropic-ratelimit-requests-reset", "2025-10-09T08:53:30Z"}}),
        20'000u);
    EXPECT_EQ(wait({{"x-ratelimit-remaining", "0"},
                  {"x-ratelimit-reset", "1760000060000"}}),
        61'000u);
    EXPECT_EQ(wait({{"x-ratelimit-reset-requests", "1m"}}), 0u);
    EXPECT_EQ(wait({{"x-ratelimit-remaining-requests", "0"}}), 0u);
}

TEST(RetryHintsTest, RetryAfterIsTheLastWord)
{
    EXPECT_EQ(wait({{"x-ratelimit-remaining-requests", "0"},
                  {"x-ratelimit-reset-requests", "1m"}, {"Retry-After", "3"}}),
        3000u);
    EXPECT_EQ(wait({{"retry-after", "3"}, {"Retry-After-Ms", "2500"}}), 2500u);
}

uint64_t info(std::string_view text)
{
    json::Parser parser;
    auto body = parser.parse(text);
    return body ? policy::retry_info(*body) : 0;
}

TEST(RetryHintsTest, GooglesRetryInfo)
{
    EXPECT_EQ(info(R"({"error":{"code":429,"details":[{"@type":)"
                   R"("type.googleapis.com/google.rpc.Help"},{"@type":)"
                   R"("type.googleapis.com/google.rpc.RetryInfo",)"
                   R"("retryDelay":"48.5s"}]}})"),
        48'500u);
    EXPECT_EQ(info(R"([{"error":{"details":[{"retryDelay":"2s"}]}}])"), 2000u);
    for (const char* text : {"{}", "[]", R"({"error":"text"})",
             R"({"error":{"details":{"retryDelay":"2s"}}})",
             R"({"error":{"details":[{"retryDelay":2}]}})",
             R"({"error":{"details":[{"retryDelay":"-2s"}]}})"})
    {
        EXPECT_EQ(info(text), 0u) << text;
    }
}

} // namespace
