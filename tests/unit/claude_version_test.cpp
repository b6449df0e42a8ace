#include "core/provider/claude.h"

#include <gtest/gtest.h>

#include <string_view>

using namespace ai_proxy;

TEST(ClaudeVersionOfModel, ReadsNames)
{
    const auto version = [](std::string_view model) {
        const auto v = provider::claude_version(model);
        return v ? v->major * 100 + v->minor : -1;
    };
    EXPECT_EQ(version("claude-3-7-sonnet-20250219"), 307);
    EXPECT_EQ(version("claude-3-haiku-20240307"), 300);
    EXPECT_EQ(version("claude-opus-4@20250514"), 400);
    EXPECT_EQ(version("claude-opus-4-20250514"), 400);
    EXPECT_EQ(version("claude-opus-4-1-20250805"), 401);
    EXPECT_EQ(version("anthropic.claude-opus-4-7-v1:0"), 407);
    EXPECT_EQ(version("claude-4.6-sonnet"), 406);
    EXPECT_EQ(version("claude-sonnet-5"), 500);
    EXPECT_EQ(version("claude-latest"), -1);
    EXPECT_EQ(version("gpt-4"), -1);
}
