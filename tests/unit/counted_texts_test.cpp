#include "core/usage/counted_texts.h"
#include "core/usage/token_count.h"

#include <gtest/gtest.h>

#include <string>

namespace ai_proxy::usage {
namespace {

// Whatever was counted before, and wherever a text differs from others.
TEST(CountedTexts, CountAsIfForTheFirstTime)
{
    CountedTexts texts(7);
    std::string text = "The quick brown fox jumps over the lazy dog, and then "
                       "some: 12345 {}[] \xe4\xbd\xa0\xe5\xa5\xbd. ";
    text += text;
    for (size_t length = 0; length <= text.size(); ++length) {
        const std::string_view part(text.data(), length);
        EXPECT_EQ(texts.tokens(part), count_tokens(part)) << length;
        EXPECT_EQ(texts.tokens(part), count_tokens(part)) << length;
    }
    for (size_t at = 0; at < text.size(); ++at) {
        std::string other = text;
        other[at] = '!';
        EXPECT_EQ(texts.tokens(other), count_tokens(other)) << at;
    }
    EXPECT_EQ(texts.tokens(text), count_tokens(text));
}

// Texts have so few places that many share one.
TEST(CountedTexts, ManyTextsGoThroughEachPlace)
{
    CountedTexts texts(1);
    const std::string begin(CountedTexts::kLeast, 'x');
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 20'000; ++i) {
            std::string text = begin;
            for (int word = 0; word < i % 7; ++word) {
                text += " word";
            }
            text += std::to_string(i);
            ASSERT_EQ(texts.tokens(text), count_tokens(text)) << text;
        }
    }
}

} // namespace
} // namespace ai_proxy::usage
