#include "core/usage/reading.h"

#include "core/json/reader.h"
#include "core/usage/merge.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using ai_proxy::chat::Usage;
namespace usage = ai_proxy::usage;
namespace json = ai_proxy::json;

using Read = Usage (*)(json::Node);

Usage read(Read reader, std::string_view text)
{
    json::Parser parser;
    auto node = parser.parse(text);
    EXPECT_TRUE(node.ok()) << text;
    return reader(*node);
}

// prompt, completion, cache read, cache write, reasoning
void expect(const Usage& u, int64_t prompt, int64_t completion, int64_t read,
    int64_t write, int64_t reasoning)
{
    EXPECT_TRUE(u.known);
    EXPECT_EQ(u.prompt, prompt);
    EXPECT_EQ(u.completion, completion);
    EXPECT_EQ(u.total, prompt + completion);
    EXPECT_EQ(u.cache_read, read);
    EXPECT_EQ(u.cache_write, write);
    EXPECT_EQ(u.reasoning, reasoning);
}

TEST(UsageReading, OpenaiChat)
{
    expect(read(usage::read_openai,
               R"({"prompt_tokens":100,"completion_tokens":20,
               "total_tokens":120,"prompt_tokens_details":{"cached_tokens":64},
               "completion_tokens_details":{"reasoning_tokens":7}})"),
        100, 20, 64, 0, 7);
}

TEST(UsageReading, OpenaiResponses)
{
    expect(read(usage::read_openai,
               R"({"input_tokens":366,"input_tokens_details":
               {"cached_tokens":256},"output_tokens":59,
               "output_tokens_details":{"reasoning_tokens":14},
               "total_tokens":425})"),
        366, 59, 256, 0, 14);
}

TEST(UsageReading, Embeddings)
{
    expect(read(usage::read_openai, R"({"prompt_tokens":8,"total_tokens":8})"),
        8, 0, 0, 0, 0);
}

TEST(UsageReading, TotalAlone)
{
    expect(read(usage::read_openai, R"({"total_tokens":17})"), 17, 0, 0, 0, 0);
    expect(read(usage::read_dashscope, R"({"total_tokens":5})"), 5, 0, 0, 0, 0);
}

TEST(UsageReading, VendorsCacheFields)
{
    expect(read(usage::read_openai,
               R"({"prompt_tokens":223,"completion_tokens":43,
               "prompt_cache_hit_tokens":192,"prompt_cache_miss_tokens":31})"),
        223, 43, 192, 0, 0);
    expect(read(usage::read_openai,
               R"({"prompt_tokens":90,"completion_tokens":1,
               "cached_tokens":80,"prompt_tokens_details":null})"),
        90, 1, 80, 0, 0);
    expect(read(usage::read_openai,
               R"({"prompt_tokens":90,"completion_tokens":1,
               "prompt_tokens_details":{"cached_tokens":10,
               "cache_write_tokens":30}})"),
        90, 1, 10, 30, 0);
}

TEST(UsageReading, ReasoningOutsideCompletion)
{
    // xAI
    expect(read(usage::read_openai,
               R"({"prompt_tokens":432,"completion_tokens":68,
               "total_tokens":636,"completion_tokens_details":
               {"reasoning_tokens":136}})"),
        432, 204, 0, 0, 136);
    // Gemini's compatible surface hides the thoughts altogether
    expect(read(usage::read_openai,
               R"({"prompt_tokens":35,"completion_tokens":12,
               "total_tokens":109})"),
        35, 74, 0, 0, 0);
}

TEST(UsageReading, AudioOutsidePrompt)
{
    const Usage u = read(usage::read_openai,
        R"({"prompt_tokens":9,"total_tokens":585,"completion_tokens":201,
        "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":375}})");
    expect(u, 384, 201, 0, 0, 0);
    EXPECT_EQ(u.audio_prompt, 375);
}

TEST(UsageReading, PartsAreNeverLargerThanTheWhole)
{
    expect(read(usage::read_openai,
               R"({"prompt_tokens":347,"completion_tokens":10,
               "total_tokens":357,"prompt_tokens_details":
               {"cached_tokens":403,"cache_write_tokens":5},
               "completion_tokens_details":{"reasoning_tokens":11}})"),
        347, 10, 347, 0, 10);
}

TEST(UsageReading, AbsurdNumbersCountAsAbsent)
{
    EXPECT_FALSE(read(usage::read_openai, R"({"prompt_tokens":-4})").known);
    EXPECT_FALSE(read(
        usage::read_openai, R"({"prompt_tokens":"12","completion_tokens":1.5})")
                     .known);
    EXPECT_FALSE(
        read(usage::read_openai, R"({"prompt_tokens":18446744073709551615})")
            .known);
    EXPECT_FALSE(read(usage::read_openai, R"({"cost":3})").known);
    EXPECT_FALSE(read(usage::read_openai, "null").known);
    EXPECT_FALSE(read(usage::read_openai, "[1,2]").known);
    expect(read(usage::read_openai,
               R"({"prompt_tokens":3.0,"completion_tokens":9000000000000000})"),
        3, 0, 0, 0, 0);
}

TEST(UsageReading, Anthropic)
{
    expect(read(usage::read_anthropic,
               R"({"input_tokens":4,"cache_creation_input_tokens":11107,
               "cache_read_input_tokens":2836,"output_tokens":155,
               "output_tokens_details":{"thinking_tokens":26}})"),
        4 + 11107 + 2836, 155, 2836, 11107, 26);
    expect(read(usage::read_anthropic,
               R"({"input_tokens":4,"output_tokens":1,"cache_creation":
               {"ephemeral_5m_input_tokens":3,
               "ephemeral_1h_input_tokens":2}})"),
        9, 1, 0, 5, 0);
    EXPECT_FALSE(read(usage::read_anthropic, "{}").known);
}

TEST(UsageReading, AnthropicsLaterNumbersReplace)
{
    json::Parser parser;
    Usage sum;
    for (const std::string_view text :
        {R"({"input_tokens":612,"cache_read_input_tokens":7,"output_tokens":63})",
            R"({"input_tokens":28,"cache_read_input_tokens":0,"output_tokens":106,"output_tokens_details":{"thinking_tokens":67}})",
            "{}"})
    {
        usage::merge_anthropic(sum, *parser.parse(text));
    }
    expect(sum, 35, 106, 7, 0, 67);
}

TEST(UsageReading, Gemini)
{
    expect(read(usage::read_gemini,
               R"({"promptTokenCount":8,"candidatesTokenCount":7,
               "totalTokenCount":50,"thoughtsTokenCount":35,
               "cachedContentTokenCount":3})"),
        8, 42, 3, 0, 35);
    expect(read(usage::read_gemini,
               R"({"promptTokenCount":5,"toolUsePromptTokenCount":6,
               "candidatesTokenCount":2,"totalTokenCount":13})"),
        11, 2, 0, 0, 0);
    EXPECT_FALSE(
        read(usage::read_gemini, R"({"trafficType":"ON_DEMAND"})").known);
}

TEST(UsageReading, Dashscope)
{
    expect(read(usage::read_dashscope,
               R"({"total_tokens":364,"output_tokens":16,"input_tokens":348,
               "prompt_tokens_details":{"cached_tokens":256}})"),
        348, 16, 256, 0, 0);
}

TEST(UsageReading, WrittenUsageReadsBackEqual)
{
    Usage u;
    u.known = true;
    u.prompt = 100;
    u.completion = 50;
    u.total = 150;
    u.cache_read = 30;
    u.cache_write = 20;
    u.reasoning = 10;
    u.audio_prompt = 4;
    u.audio_completion = 3;
    std::string text;
    usage::write_openai(text, u);
    EXPECT_EQ(read(usage::read_openai, text), u) << text;
}

} // namespace
