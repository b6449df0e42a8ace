#include "core/usage/price.h"

#include "core/config/gateway.h"
#include "core/policy/books.h"

#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

// What tokens cost.
namespace ai_proxy::usage {
namespace {

TEST(Price, DecimalsAreWholeNumbersOfTheLastDigit)
{
    EXPECT_EQ(parse_decimal("5", 6), 5'000'000u);
    EXPECT_EQ(parse_decimal("5.00", 6), 5'000'000u);
    EXPECT_EQ(parse_decimal("0.000001", 6), 1u);
    EXPECT_EQ(parse_decimal("12.5", 6), 12'500'000u);
    EXPECT_EQ(parse_decimal("0", 6), 0u);
    for (const std::string_view wrong : {"", ".", "5.", ".5", "-1", "+1", "1e3",
             "1.0000001", "1,5", "0x1", "1 ", "1.2.3", "99999999999999999999"})
    {
        EXPECT_FALSE(parse_decimal(wrong, 6)) << wrong;
    }
    std::string text;
    append_decimal(text, 5'250'000, 6);
    EXPECT_EQ(text, "5.25");
    text.clear();
    append_decimal(text, 5'250'000, 6, true);
    EXPECT_EQ(text, "5.250000");
    text.clear();
    append_decimal(text, 1, 9);
    EXPECT_EQ(text, "0.000000001");
    text.clear();
    append_decimal(text, 0, 6);
    EXPECT_EQ(text, "0");
    text.clear();
    append_decimal(text, 3'000'000, 6);
    EXPECT_EQ(text, "3");
}

chat::Usage usage(
    int64_t prompt, int64_t completion, int64_t read = 0, int64_t write = 0)
{
    chat::Usage made;
    made.known = true;
    made.prompt = prompt;
    made.completion = completion;
    made.cache_read = read;
    made.cache_write = write;
    return made;
}

// Dollars for a million tokens, in millionths.
Price price(
    uint64_t input, uint64_t output, uint64_t cached, uint64_t cache_write)
{
    Price made;
    made.model = "*";
    made.input = input;
    made.output = output;
    made.cached = cached;
    made.cache_write = cache_write;
    return made;
}

TEST(Price, TokensCostWhatTheirKindCosts)
{
    // 3, 15, 0.3 and 3.75 dollars.
    const Price sonnet = price(3'000'000, 15'000'000, 300'000, 3'750'000);
    EXPECT_EQ(cost(sonnet, usage(1'000'000, 0)), 3'000'000'000);
    EXPECT_EQ(cost(sonnet, usage(0, 1'000'000)), 15'000'000'000);
    // 100 plain, 800 read and 100 written of the prompt's 1000; 200 of answer.
    EXPECT_EQ(cost(sonnet, usage(1000, 200, 800, 100)),
        100 * 3000 + 800 * 300 + 100 * 3750 + 200 * 15000);
    EXPECT_EQ(cost(sonnet, usage(0, 0)), 0);
    // What no provider should say.
    EXPECT_EQ(cost(sonnet, usage(10, -5, 50, -3)), 50 * 300);
    constexpr int64_t many = std::numeric_limits<int64_t>::max();
    EXPECT_GT(cost(sonnet, usage(many, many)), many / 1001);
}

TEST(Price, LittleIsNotLost)
{
    // 0.0375 dollars: 37.5 nano-dollars a token.
    const Price flash = price(37'500, 0, 0, 0);
    EXPECT_EQ(cost(flash, usage(1, 0)), 38);
    EXPECT_EQ(cost(flash, usage(2, 0)), 75);
    EXPECT_EQ(charge_of(38), 1);
    EXPECT_EQ(charge_of(1000), 1);
    EXPECT_EQ(charge_of(1001), 2);
    EXPECT_EQ(charge_of(0), 0);
}

TEST(Price, TheFirstThatFits)
{
    std::vector<Price> prices(3, price(1, 1, 1, 1));
    prices[0].model = "gpt-4o";
    prices[0].provider = "azure";
    prices[1].model = "gpt-4o*";
    prices[2].model = "*";
    prices[2].provider = "local";
    EXPECT_EQ(find_price(prices, "azure", "gpt-4o"), &prices[0]);
    EXPECT_EQ(find_price(prices, "openai", "gpt-4o"), &prices[1]);
    EXPECT_EQ(find_price(prices, "openai", "gpt-4o-mini"), &prices[1]);
    EXPECT_EQ(find_price(prices, "local", "llama"), &prices[2]);
    EXPECT_EQ(find_price(prices, "openai", "llama"), nullptr);
    EXPECT_EQ(find_price({}, "openai", "gpt-4o"), nullptr);
}

TEST(Price, AreKnownWhenSomebodyCounted)
{
    const Price one = price(1'000'000, 0, 0, 0);
    policy::Books books;
    books.usage = usage(5, 0);
    EXPECT_FALSE(policy::cost_of(books));
    books.price = &one;
    EXPECT_FALSE(policy::cost_of(books));
    books.usage_source = policy::UsageSource::estimated;
    EXPECT_EQ(policy::cost_of(books), 5000);
}

Result<Price> parse(const config::Words& words)
{
    testing::GatewayFixture world;
    world.provider("one", "openai");
    config::Words all{"ai_proxy_price"};
    all.insert(all.end(), words.begin(), words.end());
    return config::parse_price(all, world.gateway);
}

TEST(Price, OfALine)
{
    const auto made = parse({"claude-*", "input=3", "output=15.5", "cached=0.3",
        "cache_write=3.75", "provider=one"});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->model, "claude-*");
    EXPECT_EQ(made->provider, "one");
    EXPECT_EQ(made->input, 3'000'000u);
    EXPECT_EQ(made->output, 15'500'000u);
    EXPECT_EQ(made->cached, 300'000u);
    EXPECT_EQ(made->cache_write, 3'750'000u);
    const auto plain = parse({"m", "input=3", "output=0"});
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->cached, 3'000'000u);
    EXPECT_EQ(plain->cache_write, 3'000'000u);
    for (const config::Words& wrong :
        {config::Words{"m", "input=3"}, {"m", "output=3"},
            {"m", "input=-3", "output=1"}, {"m", "input=100000.1", "output=1"},
            {"m", "input=1", "output=1", "provider=nobody"},
            {"m", "input=1", "output=1", "other=1"}})
    {
        EXPECT_FALSE(parse(wrong));
    }
}

} // namespace
} // namespace ai_proxy::usage
