#include "core/usage/token_count.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

// The estimate of tokens against what o200k_base makes of the same texts (the
// numbers beside them), and what it does to text that is cut or broken.
namespace ai_proxy::usage {
namespace {

constexpr std::string_view kEnglish =
    "The committee met twice last week, and neither meeting went as planned"
    ". On Tuesday the chairman's train was late; by the time he arrived, ha"
    "lf of the members had left for lunch. \"We'll have to postpone the vot"
    "e,\" he said, \"unless somebody can think of a better idea.\" Nobody c"
    "ould. The second meeting, which began at nine o'clock on Friday mornin"
    "g, lasted for almost four hours. Two engineers explained why the bridg"
    "e, built in 1937, couldn't carry the new trams: its foundations had be"
    "en designed for 12,500 vehicles a day, and today more than 40,000 cros"
    "s it. A cheaper alternative - widening the old ferry landing - was dis"
    "cussed at length, but the figures were disappointing. In the end they "
    "agreed to ask an independent surveyor for a report, to publish it befo"
    "re Christmas, and to let the citizens decide in the spring. Outside, t"
    "he rain had finally stopped, and for the first time in days you could "
    "see the mountains on the far side of the lake.";

constexpr std::string_view kChinese =
    "\u4eba\u5de5\u667a\u80fd\u7f51\u5173\u662f\u90e8\u7f72\u5728\u5e94"
    "\u7528\u7a0b\u5e8f\u548c\u6a21\u578b\u670d\u52a1\u4e4b\u95f4\u7684"
    "\u4e00\u5c42\u8f6f\u4ef6\u3002\u5b83\u63a5\u6536\u6765\u81ea\u5ba2"
    "\u6237\u7aef\u7684\u8bf7\u6c42\uff0c\u6839\u636e\u914d\u7f6e\u9009"
    "\u62e9\u5408\u9002\u7684\u4f9b\u5e94\u5546\uff0c\u7136\u540e\u628a"
    "\u7b54\u6848\u9010\u6b65\u8fd4\u56de\u3002\u5982\u679c\u67d0\u4e2a"
    "\u4f9b\u5e94\u5546\u51fa\u73b0\u6545\u969c\uff0c\u7f51\u5173\u4f1a"
    "\u81ea\u52a8\u5207\u6362\u5230\u53e6\u4e00\u4e2a\uff0c\u7528\u6237"
    "\u51e0\u4e4e\u611f\u89c9\u4e0d\u5230\u53d8\u5316\u3002\u7ba1\u7406"
    "\u5458\u53ef\u4ee5\u4e3a\u6bcf\u4e2a\u90e8\u95e8\u8bbe\u5b9a\u6bcf"
    "\u5929\u7684\u7528\u91cf\u4e0a\u9650\uff0c\u4e5f\u53ef\u4ee5\u67e5"
    "\u770b\u8fc7\u53bb\u4e00\u4e2a\u6708\u7684\u8d39\u7528\u3002\u6628"
    "\u5929\u4e0b\u5348\u4e09\u70b9\u5de6\u53f3\uff0c\u5317\u4eac\u7684"
    "\u5929\u6c14\u7a81\u7136\u53d8\u51b7\uff0c\u8857\u4e0a\u7684\u884c"
    "\u4eba\u90fd\u52a0\u5feb\u4e86\u811a\u6b65\u3002\u5f20\u8001\u5e08"
    "\u8bf4\uff1a\u201c\u6211\u4eec\u660e\u5929\u518d\u8ba8\u8bba\u8fd9"
    "\u4e2a\u95ee\u9898\u5427\u3002\u201d\u5927\u5bb6\u90fd\u540c\u610f"
    "\u4e86\uff0c\u4e8e\u662f\u6536\u62fe\u597d\u4e66\u5305\uff0c\u5404"
    "\u81ea\u56de\u5bb6\u5403\u665a\u996d\u3002";

constexpr std::string_view kCode =
    "static ngx_int_t\n"
    "read_header(ngx_http_request_t *r, size_t limit)\n"
    "{\n"
    "    u_char  *p, *last;\n"
    "    size_t   length = 0;\n"
    "\n"
    "    for (p = r->header_in->pos; p < r->header_in->last; p++) {\n"
    "        if (*p == '\\n"
    "' && ++length > limit) {\n"
    "            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,\n"
    "                          \"header is too long: %uz bytes\", length);"
    "\n"
    "            return NGX_HTTP_REQUEST_HEADER_TOO_LARGE;\n"
    "        }\n"
    "    }\n"
    "\n"
    "    last = ngx_pnalloc(r->pool, limit * sizeof(u_char) + 1);\n"
    "    return last == NULL ? NGX_ERROR : NGX_OK;\n"
    "}\n"
    "\n"
    "def moving_average(values, width=7):\n"
    "    \"\"\"Yields the mean of each window.\"\"\"\n"
    "    window = collections.deque(maxlen=width)\n"
    "    for index, value in enumerate(values):\n"
    "        window.append(float(value))\n"
    "        if index + 1 >= width:\n"
    "            yield sum(window) / len(window)\n"
    "\n"
    "export async function fetchUser(userId: string): Promise<User | undefi"
    "ned> {\n"
    "    const response = await fetch(`${baseUrl}/users/${userId}`, { heade"
    "rs });\n"
    "    return response.ok ? (await response.json()) as User : undefined;"
    "\n"
    "}\n";

constexpr std::string_view kJson =
    "{\n"
    "  \"id\": \"order-20394\",\n"
    "  \"customer\": {\"name\": \"Alice Martin\", \"email\": \"alice@exampl"
    "e.com\", \"vip\": true},\n"
    "  \"items\": [\n"
    "    {\"sku\": \"KB-1021-US\", \"title\": \"Mechanical keyboard\", \"qu"
    "antity\": 1, \"price\": 89.9},\n"
    "    {\"sku\": \"CB-0007\", \"title\": \"USB-C cable (2 m)\", \"quantit"
    "y\": 3, \"price\": 7.25}\n"
    "  ],\n"
    "  \"shipping\": {\"method\": \"express\", \"address\": {\"street\": \""
    "12 Long Lane\", \"city\": \"Leeds\", \"zip\": \"LS1 4AB\", \"country\""
    ": \"GB\"}, \"estimatedDays\": 2},\n"
    "  \"payment\": {\"status\": \"authorized\", \"provider\": \"stripe\", "
    "\"transactionId\": \"txn_8f3a2bc91e\", \"amount\": 111.65, \"currency"
    "\": \"EUR\"},\n"
    "  \"createdAt\": \"2024-03-18T09:24:51Z\",\n"
    "  \"tags\": [\"gift\", \"priority\", null],\n"
    "  \"notes\": \"\"\n"
    "}\n";

struct Sample {
    std::string_view text;
    double tokens; // of o200k_base
};
constexpr Sample kSamples[] = {
    {kEnglish, 207},
    {kChinese, 144},
    {kCode, 273},
    {kJson, 244},
};

TEST(TokenCount, IsWithinTenPercentOfTheTokenizer)
{
    for (const Sample& sample : kSamples) {
        EXPECT_NEAR(static_cast<double>(count_tokens(sample.text)),
            sample.tokens, 0.1 * sample.tokens)
            << sample.text.substr(0, 30);
    }
}

TEST(TokenCount, DoesNotDependOnTheCuts)
{
    std::string text;
    for (const Sample& sample : kSamples) {
        text += sample.text;
    }
    text += "\xC3\xA4\xC3\xB6 \U0001F600\U0001F44D \u0434\u0430\t 42";
    const int64_t whole = count_tokens(text);
    for (const size_t step : {1, 2, 3, 7, 100}) {
        TokenCounter counter;
        for (size_t at = 0; at < text.size(); at += step) {
            counter.add(std::string_view(text).substr(at, step));
        }
        EXPECT_EQ(counter.tokens(), whole) << step;
    }
}

TEST(TokenCount, OfSmallThings)
{
    EXPECT_EQ(TokenCounter().tokens(), 0);
    EXPECT_EQ(count_tokens(""), 0);
    EXPECT_EQ(count_tokens("a"), 1);
    EXPECT_EQ(count_tokens("hello"), 1);
    EXPECT_EQ(count_tokens(" hello"), 1);
    EXPECT_EQ(count_tokens("hello world"), 2);
    EXPECT_EQ(count_tokens("hello, world!"), 4);
    EXPECT_EQ(count_tokens("123"), 1);
    EXPECT_EQ(count_tokens("1234567"), 3);
    EXPECT_EQ(count_tokens("one 1"), 3);
    EXPECT_EQ(count_tokens("one  1"), 4);
    EXPECT_EQ(count_tokens("camelCase"), 2);
    EXPECT_EQ(count_tokens("\n\n\n"), 1);
    EXPECT_EQ(count_tokens("f();\n}\n"), 3);
    EXPECT_EQ(count_tokens("        x"), 2);
    EXPECT_EQ(count_tokens("\u4f60\u597d"), 2); // rather more than less
}

// 64 hexadecimal digits are about 40 tokens, not the handful of a word.
TEST(TokenCount, OfWhatIsNoLanguage)
{
    EXPECT_GE(count_tokens("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd1"
                           "5d6c15b0f00a08"),
        25);
    EXPECT_GE(count_tokens("TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcy"
                           "ByZWFzb24sIGJ1dCBieQ=="),
        25);
}

TEST(TokenCount, OfBytesThatAreNoText)
{
    std::string bytes;
    for (int i = 0; i < 4096; i++) {
        bytes += static_cast<char>(i * 131 + i / 256);
    }
    const int64_t tokens = count_tokens(bytes);
    EXPECT_GT(tokens, 1000);
    EXPECT_LT(tokens, 8192);
    EXPECT_EQ(count_tokens("\xC3"), 0); // has not come yet
    EXPECT_EQ(count_tokens("\xC3x"), 2);
    EXPECT_GT(count_tokens(std::string(1 << 20, 'a')), 300'000);
}

} // namespace
} // namespace ai_proxy::usage
