#include "core/policy/realtime.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;

std::string text_frame(std::string_view text)
{
    std::string out = "\x81\x7e";
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size());
    return out.append(text);
}

TEST(RealtimeUsage, SumsTheResponses)
{
    const std::string bytes =
        text_frame(R"({"type":"session.created","session":{}})")
        + text_frame(R"({"type":"response.done","response":{"usage":{)"
                     R"("total_tokens":253,"input_tokens":132,)"
                     R"("output_tokens":121,"input_token_details":{)"
                     R"("text_tokens":119,"audio_tokens":13,)"
                     R"("cached_tokens":64},"output_token_details":{)"
                     R"("text_tokens":30,"audio_tokens":91}}}})")
        + text_frame(R"({"type":"x","text":"response.done","response":)"
                     R"({"usage":{"input_tokens":9}}})")
        + text_frame("response.done, no JSON")
        + text_frame(R"({"type":"response.done","response":)"
                     R"({"status":"cancelled","usage":null}})")
        + text_frame(R"({"type":"response.done","response":{"usage":)"
                     R"({"input_tokens":8,"output_tokens":1}}})");
    for (const size_t piece :
        {bytes.size(), size_t(1), size_t(2), size_t(3), size_t(7)})
    {
        policy::RealtimeUsage reader;
        EXPECT_FALSE(reader.usage().known);
        for (size_t at = 0; at < bytes.size(); at += piece) {
            reader.feed(std::string_view(bytes).substr(at, piece));
        }
        const chat::Usage& usage = reader.usage();
        EXPECT_TRUE(usage.known);
        EXPECT_EQ(usage.prompt, 140);
        EXPECT_EQ(usage.completion, 122);
        EXPECT_EQ(usage.total, 262);
        EXPECT_EQ(usage.cache_read, 64);
        EXPECT_EQ(usage.audio_prompt, 13);
        EXPECT_EQ(usage.audio_completion, 91);
    }
}

TEST(RealtimeUsage, AbsurdNumbersAreNone)
{
    const std::string bytes =
        text_frame(R"({"type":"response.done","response":{"usage":)"
                   R"({"input_tokens":9223372036854775807,)"
                   R"("output_tokens":9223372036854775807}}})");
    policy::RealtimeUsage reader;
    for (int i = 0; i < 3; i++) {
        reader.feed(bytes);
    }
    EXPECT_FALSE(reader.usage().known);
    EXPECT_EQ(reader.usage().prompt, 0);
    EXPECT_EQ(reader.usage().total, 0);
}

} // namespace
