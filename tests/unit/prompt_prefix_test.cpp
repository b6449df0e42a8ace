#include "core/policy/prompt_prefix.h"

#include <gtest/gtest.h>

#include <string>

namespace ai_proxy::policy {
namespace {

uint64_t prefix(const std::string& body, size_t bytes = 1024)
{
    json::Parser parser;
    const auto parsed = parser.parse(std::string_view(body));
    EXPECT_TRUE(parsed);
    return prompt_prefix(*parsed, bytes);
}

std::string chat(const std::string& turns)
{
    return R"({"model":"m","messages":[)" + turns + "]}";
}

const std::string kSystem =
    R"({"role":"system","content":"Be brief and kind."})";
const std::string kHello = R"({"role":"user","content":"hello there"})";

TEST(PromptPrefix, IsTheSameForAllTurnsOfAConversation)
{
    const uint64_t first = prefix(chat(kSystem + "," + kHello));
    EXPECT_EQ(prefix(chat(kSystem + "," + kHello
                  + R"(,{"role":"assistant","content":"hi"},)"
                    R"({"role":"user","content":"more"})")),
        first);
    EXPECT_NE(
        prefix(chat(kSystem + R"(,{"role":"user","content":"hallo"})")), first);
    EXPECT_NE(prefix(chat(kHello)), first);
}

TEST(PromptPrefix, EndsAfterSoManyBytes)
{
    const std::string words(200, 'a');
    const std::string system =
        R"({"role":"system","content":")" + words + R"("},)";
    EXPECT_EQ(prefix(chat(system + kHello), 100),
        prefix(chat(system + R"({"role":"user","content":"other"})"), 100));
    EXPECT_NE(prefix(chat(system + kHello), 1000),
        prefix(chat(system + R"({"role":"user","content":"other"})"), 1000));
}

TEST(PromptPrefix, KnowsEveryDialect)
{
    for (const char* body :
        {R"({"system":"s","messages":[{"role":"user","content":[{"type":)"
         R"("text","text":"q"}]}]})",
            R"({"systemInstruction":{"parts":[{"text":"s"}]},"contents":)"
            R"([{"role":"user","parts":[{"text":"q"}]}]})",
            R"({"instructions":"s","input":"q"})", R"({"prompt":"q"})"})
    {
        EXPECT_NE(prefix(body), 0u) << body;
        std::string other(body);
        other.replace(other.find("\"q\""), 3, "\"r\"");
        EXPECT_NE(prefix(other), prefix(body)) << body;
    }
    EXPECT_EQ(prefix(R"({"model":"m"})"), 0u);
    EXPECT_EQ(prefix(R"({"messages":[]})"), 0u);
    EXPECT_EQ(prefix(R"({"messages":7,"prompt":null})"), 0u);
}

// Where a prompt cache ends moves on with each turn; it is no text.
TEST(PromptPrefix, MarksOfCachesDoNotCount)
{
    EXPECT_EQ(prefix(R"({"messages":[{"role":"user","content":[{"type":"text",)"
                     R"("text":"q","cache_control":{"type":"ephemeral"}}]}]})"),
        prefix(R"({"messages":[{"role":"user","content":[{"type":"text",)"
               R"("text":"q"}]}]})"));
}

} // namespace
} // namespace ai_proxy::policy
