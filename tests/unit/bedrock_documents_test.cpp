#include "vendor_probe.h"

#include <string>

using namespace ai_proxy;
using vendor_probe::compact;

// Documents of a conversation as Bedrock's Converse wants them.
namespace {

constexpr std::string_view kSonnet =
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

std::string file(std::string_view name)
{
    return R"({"type":"file","file":{"filename":")" + std::string(name)
        + R"(","file_data":"data:application/pdf;base64,QUJD"}})";
}

std::string user(const std::string& content)
{
    return R"({"role":"user","content":[)" + content + "]}";
}

std::unique_ptr<vendor_probe::Encoded> bedrock(const std::string& messages,
    std::string_view model = kSonnet, const provider::Options& options = {})
{
    return vendor_probe::encode(provider::kBedrock,
        R"({"model":"x","messages":[)" + messages + "]}", model, options);
}

// Of all documents, those of tools included, with '|' between.
std::string names(const std::string& messages)
{
    const auto sent = bedrock(messages);
    EXPECT_TRUE(sent->result.ok()) << sent->result.error().message;
    const std::string text = sent->text();
    std::string all;
    for (size_t at = 0;
         (at = text.find(R"({"document":)", at)) != std::string::npos;)
    {
        constexpr std::string_view kName = R"("name":")";
        at = text.find(kName, at) + kName.size();
        all +=
            (all.empty() ? "" : "|") + text.substr(at, text.find('"', at) - at);
    }
    return all;
}

TEST(BedrockDocuments, NamesAreUniqueWhateverTheirCase)
{
    const std::string ask = R"({"type":"text","text":"?"})";
    EXPECT_EQ(
        names(user(file("r.pdf") + "," + file("r.docx") + "," + ask)), "r|r 2");
    EXPECT_EQ(names(user(file("r.pdf") + "," + file("s.pdf") + "," + ask) + ","
                  + R"({"role":"assistant","content":"b"},)"
                  + user(file("R.pdf") + "," + file("r.pdf") + "," + ask)),
        "r|s|R 2|r 3");
    // A name that another document had to take.
    EXPECT_EQ(names(user(file("a.pdf") + "," + file("a 2.pdf") + ","
                  + file("a.pdf") + "," + file("a 2.pdf") + "," + ask)),
        "a|a 2|a 3|a 2 2");
    EXPECT_EQ(names(user(file("") + "," + file("Document 3.pdf") + ","
                  + file("") + "," + ask)),
        "Document 1|Document 3|Document 3 2");
}

TEST(BedrockDocuments, NamesOfResultsAndTextsCountAsWell)
{
    const std::string text =
        R"({"type":"text","text":"No dogs.","claude_block":)"
        R"({"type":"document","title":"RULES","source":{"type":"text",)"
        R"("media_type":"text/plain","data":"No dogs."}}})";
    EXPECT_EQ(names(user(file("Rules.pdf") + "," + text)
                  + R"(,{"role":"assistant","tool_calls":[{"id":"c",)"
                    R"("type":"function","function":{"name":"rules",)"
                    R"("arguments":"{}"}}]},)"
                    R"({"role":"tool","tool_call_id":"c","content":[)"
                  + file("rules.pdf") + "]}"),
        "Rules|RULES 2|rules 3");
}

TEST(BedrockDocuments, NumberedNamesAreNotTooLong)
{
    const std::string longest(300, 'x');
    const std::string both = names(user(file(longest + ".pdf") + ","
        + file(longest + ".pdf") + R"(,{"type":"text","text":"?"})"));
    const size_t middle = both.find('|');
    ASSERT_NE(middle, std::string::npos);
    EXPECT_LE(middle, 200U);
    EXPECT_LE(both.size() - middle - 1, 200U);
    EXPECT_TRUE(both.ends_with("x 2"));
}

constexpr std::string_view kDocument =
    R"({"document":{"format":"pdf","name":"r","source":{"bytes":"QUJD"}}})";
constexpr std::string_view kPoint = R"({"cachePoint":{"type":"default"}})";

std::string content(const std::string& messages, size_t turn,
    const provider::Options& options = {})
{
    const auto sent = bedrock(messages, kSonnet, options);
    EXPECT_TRUE(sent->result.ok()) << sent->result.error().message;
    return compact(sent->body["messages"].at(turn)["content"]);
}

// "A text block must be included when using documents."
TEST(BedrockDocuments, ATurnWithoutTextHasOne)
{
    const std::string with_text = std::string(kDocument) + R"(,{"text":"."})";
    EXPECT_EQ(content(user(file("r.pdf")), 0), "[" + with_text + "]");
    EXPECT_EQ(
        content(user(file("r.pdf") + R"(,{"type":"text","text":" "})"), 0),
        "[" + with_text + "]");
    EXPECT_EQ(content(user(R"({"type":"text","text":"a","claude_block":)"
                           R"({"type":"document","source":{"data":"a"}}})"),
                  0),
        R"([{"document":{"format":"txt","name":"Document 1",)"
        R"("source":{"text":"a"}}},{"text":"."}])");
    // Text of the same turn, from another message.
    EXPECT_EQ(
        content(user(file("r.pdf")) + R"(,{"role":"user","content":"a"})", 0),
        "[" + std::string(kDocument) + R"(,{"text":"a"}])");
    // Nothing is missing where there is no document.
    EXPECT_EQ(content(user(R"({"type":"image_url","image_url":)"
                           R"({"url":"data:image/png;base64,AAAA"}})"),
                  0),
        R"([{"image":{"format":"png","source":{"bytes":"AAAA"}}}])");
}

TEST(BedrockDocuments, ThatTextIsCachedWithItsDocument)
{
    std::string marked = file("r.pdf");
    marked.insert(1, R"("cache_control":{"type":"ephemeral"},)");
    const std::string cached = "[" + std::string(kDocument)
        + R"(,{"text":"."},)" + std::string(kPoint) + "]";
    EXPECT_EQ(content(user(marked), 0), cached);
    provider::Options options;
    options.prompt_cache_retention = "in_memory";
    options.bedrock_cache_points = {false, false, true};
    EXPECT_EQ(content(user(file("r.pdf")), 0, options), cached);
}

TEST(BedrockDocuments, ResultsOfToolsNeedNoText)
{
    const std::string result = R"({"role":"user","content":"a"},)"
                               R"({"role":"assistant","tool_calls":[{"id":"c",)"
                               R"("type":"function","function":{"name":"f",)"
                               R"("arguments":"{}"}}]},)"
                               R"({"role":"tool","tool_call_id":"c",)"
                               R"("content":[)"
        + file("r.pdf") + "]}";
    EXPECT_EQ(content(result, 2),
        R"([{"toolResult":{"toolUseId":"c","content":[)"
            + std::string(kDocument) + "]}}]");
}

} // namespace
