#include "core/policy/refusal.h"

#include <gtest/gtest.h>

namespace ai_proxy::policy {
namespace {

using route::Refusal;

Refusal of(std::string_view code, std::string_view type,
    std::string_view message, uint16_t status = 400)
{
    Error error = make_error(ErrorCode::upstream_status, std::string(message));
    error.provider_code = code;
    error.type = type;
    error.status = status;
    return refusal_of(error);
}

// What vendors say, in the words of their own answers.
TEST(Refusal, IsToldFromCodesAndWords)
{
    EXPECT_EQ(of("content_filter", "",
                  "The response was filtered due to the prompt triggering "
                  "Azure OpenAI's content management policy."),
        Refusal::content_filter);
    EXPECT_EQ(of("", "invalid_request_error",
                  "Output blocked by content filtering policy"),
        Refusal::content_filter);
    EXPECT_EQ(of("data_inspection_failed", "data_inspection_failed",
                  "Input data may contain inappropriate content."),
        Refusal::content_filter);
    EXPECT_EQ(of("invalid_request_error", "invalid_request_error",
                  "Content Exists Risk"),
        Refusal::content_filter);
    EXPECT_EQ(of("context_length_exceeded", "invalid_request_error",
                  "This model's maximum context length is 8192 tokens."),
        Refusal::context_length);
    EXPECT_EQ(of("", "invalid_request_error",
                  "prompt is too long: 210000 tokens > 200000 maximum"),
        Refusal::context_length);
    EXPECT_EQ(of("400", "INVALID_ARGUMENT",
                  "The input token count (1200000) exceeds the maximum number "
                  "of tokens allowed (1048576)."),
        Refusal::context_length);
    EXPECT_EQ(of("InvalidParameter", "InvalidParameter",
                  "Range of input length should be [1, 30720]"),
        Refusal::context_length);
}

TEST(Refusal, IsNoneOfAnythingElse)
{
    EXPECT_EQ(of("", "", ""), Refusal::none);
    EXPECT_EQ(of("model_not_found", "invalid_request_error",
                  "The model `x` does not exist"),
        Refusal::none);
    EXPECT_EQ(
        of("rate_limit_exceeded", "tokens", "Too many tokens per minute", 429),
        Refusal::none);
}

} // namespace
} // namespace ai_proxy::policy
