#include "core/usage/estimate.h"

#include <gtest/gtest.h>

#include <string>

namespace ai_proxy::usage {
namespace {

int64_t estimated(const std::string& body)
{
    json::Parser parser;
    const auto parsed = parser.parse(std::string_view(body));
    EXPECT_TRUE(parsed.ok()) << body;
    return estimate_request(*parsed);
}

std::optional<int64_t> bound(std::string_view body)
{
    json::Parser parser;
    const auto parsed = parser.parse(body);
    EXPECT_TRUE(parsed.ok()) << body;
    return answer_bound(*parsed);
}

// Some 3000 tokens.
std::string long_text()
{
    std::string text;
    for (int i = 0; i < 3000; i++) {
        text += " word";
    }
    return '"' + text + '"';
}

std::string user(const std::string& part)
{
    return R"({"messages":[{"role":"user","content":[)" + part + "]}]}";
}

TEST(EstimateRequest, MediaCountAsPictures)
{
    const std::string data = '"' + std::string(60'000, 'A') + '"';
    const std::string url = "\"data:image/png;base64," + data.substr(1);
    for (const std::string& body : {
             user(R"({"type":"image","source":{"type":"base64",)"
                  R"("media_type":"image/png","data":)"
                 + data + "}}"),
             user(R"({"type":"image_url","image_url":{"url":)" + url + "}}"),
             user(R"({"type":"input_audio","input_audio":{"format":"wav",)"
                  R"("data":)"
                 + data + "}}"),
             user(R"({"type":"file","file":{"filename":"f","file_data":)" + data
                 + "}}"),
             R"({"contents":[{"parts":[{"inlineData":{"mimeType":"image/png",)"
             R"("data":)"
                 + data + "}}]}]}",
             R"({"input":[{"type":"input_image","image_url":)" + url + "}]}",
             R"({"input":[{"type":"image_generation_call","result":)" + data
                 + "}]}",
             user(R"({"type":"tool_result","tool_use_id":"t","content":[)"
                  R"({"type":"image","source":{"type":"base64","data":)"
                 + data + "}}]}"),
         })
    {
        EXPECT_GT(estimated(body), 1600) << body.substr(0, 120);
        EXPECT_LT(estimated(body), 1700) << body.substr(0, 120);
    }
}

TEST(EstimateRequest, WordsCountWhateverTheyAreCalled)
{
    const std::string text = long_text();
    for (const std::string& body :
        {
            user(R"({"type":"document","source":{"type":"text",)"
                 R"("media_type":"text/plain","data":)"
                + text + "}}"),
            R"({"messages":[{"role":"assistant","content":[{"type":"tool_use",)"
            R"("id":"t","name":"f","input":{"format":"x","data":)"
                + text + "}}]}]}",
            R"({"contents":[{"parts":[{"functionCall":{"name":"f","args":{)"
            R"("url":)"
                + text + "}}}]}]}",
            R"({"contents":[{"parts":[{"functionResponse":{"name":"f",)"
            R"("response":{"mimeType":"x","data":)"
                + text + "}}}]}]}",
        })
    {
        EXPECT_GT(estimated(body), 2900) << body.substr(0, 120);
        EXPECT_LT(estimated(body), 3100) << body.substr(0, 120);
    }
}

TEST(AnswerBound, IsTheLargestOfTheNames)
{
    EXPECT_EQ(bound(R"({"max_tokens":5})"), 5);
    EXPECT_EQ(bound(R"({"max_completion_tokens":1,"max_tokens":7})"), 7);
    EXPECT_EQ(bound(R"({"max_tokens":1,"max_output_tokens":8000})"), 8000);
    EXPECT_EQ(bound(R"({"max_tokens":1,"generationConfig":)"
                    R"({"maxOutputTokens":8000}})"),
        8000);
    EXPECT_EQ(bound(R"({"generation_config":{"max_output_tokens":9}})"), 9);
}

TEST(AnswerBound, HoldsForEachAnswer)
{
    EXPECT_EQ(bound(R"({"max_tokens":5,"n":3})"), 15);
    EXPECT_EQ(bound(R"({"max_tokens":5,"n":2,"best_of":4})"), 20);
    EXPECT_EQ(bound(R"({"generationConfig":{"maxOutputTokens":5,)"
                    R"("candidateCount":8}})"),
        40);
    EXPECT_EQ(bound(R"({"max_tokens":5,"prompt":["a","b","c"]})"), 15);
    EXPECT_EQ(bound(R"({"max_tokens":5,"prompt":[[1,2],[3]]})"), 10);
    EXPECT_EQ(bound(R"({"max_tokens":5,"prompt":[1,2,3]})"), 5);
    EXPECT_EQ(
        bound(R"({"max_tokens":9e99,"n":9007199254740993})"), std::nullopt);
    EXPECT_EQ(bound(R"({"max_tokens":9007199254740993,"n":9007199254740993})"),
        1'000'000'000LL * 1024);
}

TEST(AnswerBound, NoneIsSaid)
{
    EXPECT_EQ(bound("{}"), std::nullopt);
    EXPECT_EQ(bound(R"({"max_tokens":-1})"), std::nullopt);
    EXPECT_EQ(bound(R"({"max_tokens":0})"), std::nullopt);
    EXPECT_EQ(bound(R"({"max_tokens":null,"n":4})"), std::nullopt);
}

} // namespace
} // namespace ai_proxy::usage
