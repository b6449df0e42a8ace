#include "exchange_fixture.h"

#include "core/json/writer.h"

#include <string>

// Documents and search results of the Messages API on their way to vendors
// that serve Claude, and to others.
namespace ai_proxy::testing {
namespace {

constexpr std::string_view kDocument =
    R"({"type":"document","title":"Rules","context":"of 2026",)"
    R"("source":{"type":"text","media_type":"text/plain","data":"No dogs."},)"
    R"("citations":{"enabled":true},"cache_control":{"type":"ephemeral"}})";
constexpr std::string_view kChunks =
    R"({"type":"document","source":{"type":"content","content":[)"
    R"({"type":"text","text":"one"},{"type":"text","text":"two"}]},)"
    R"("citations":{"enabled":true}})";
constexpr std::string_view kPdf =
    R"({"type":"document","title":"Plan","context":"a draft","source":)"
    R"({"type":"base64","media_type":"application/pdf","data":"QUJD"},)"
    R"("citations":{"enabled":true}})";
constexpr std::string_view kResult =
    R"({"type":"search_result","source":"https://x.test/a","title":"A",)"
    R"("content":[{"type":"text","text":"found"}],)"
    R"("citations":{"enabled":true}})";

std::string asking(std::string_view block)
{
    return R"({"model":"m","max_tokens":9,"messages":[{"role":"user",)"
           R"("content":[)"
        + std::string(block) + R"(,{"type":"text","text":"so?"}]}]})";
}

class DocumentBlock : public ExchangeFixture {
protected:
    void SetUp() override { request.path = "/v1/messages"; }

    void serve(
        std::string_view type, std::string_view model, bool invoke = false)
    {
        auto& made = world.provider("one", type);
        made.options.vertex_project_id = "p";
        made.options.vertex_region = "us";
        made.options.aws_region = "us-east-1";
        made.options.bedrock_invoke = invoke;
        ASSERT_TRUE(made.model_map.add("*", std::string(model)));
    }
    // The content of a message that is sent.
    std::string sent(const std::string& body, size_t message = 0)
    {
        request.body = body;
        const std::string text = body_text(prepare().outbound);
        json::Parser parser;
        const auto parsed = parser.parse(text);
        EXPECT_TRUE(parsed) << text;
        std::string content;
        if (parsed) {
            json::append_value(
                content, (*parsed)["messages"].at(message)["content"]);
        }
        return content;
    }
    std::string refusal(const std::string& body)
    {
        world.site().strict = true;
        request.body = body;
        const auto received = receive();
        EXPECT_TRUE(received);
        const auto made =
            exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        return made ? "accepted" : made.error().param;
    }
};

constexpr std::string_view kInvoked = "anthropic.claude-sonnet-4-5-v1:0";

TEST_F(DocumentBlock, ClaudeByInvokeModelGetsThemWhole)
{
    serve("bedrock", kInvoked, true);
    for (const std::string_view block : {kDocument, kChunks, kResult}) {
        EXPECT_EQ(sent(asking(block)),
            "[" + std::string(block) + R"(,{"type":"text","text":"so?"}])");
    }
    EXPECT_EQ(sent(asking(kPdf)),
        R"([{"type":"document","source":{"type":"base64",)"
        R"("media_type":"application/pdf","data":"QUJD"},"title":"Plan",)"
        R"("context":"a draft","citations":{"enabled":true}},)"
        R"({"type":"text","text":"so?"}])");
    EXPECT_EQ(refusal(asking(kPdf)), "accepted");
}

TEST_F(DocumentBlock, TitleAndContextOfFilesAreKept)
{
    serve("bedrock", kInvoked, true);
    EXPECT_EQ(sent(asking(R"({"type":"document","title":"T","context":"C",)"
                          R"("source":{"type":"file","file_id":"f1"}})")),
        R"([{"type":"document","source":{"type":"file","file_id":"f1"},)"
        R"("title":"T","context":"C"},{"type":"text","text":"so?"}])");
}

TEST_F(DocumentBlock, ResultsOfToolsMayHaveThem)
{
    serve("bedrock", kInvoked, true);
    const std::string result =
        R"({"type":"tool_result","tool_use_id":"t1","content":[)"
        + std::string(kResult) + "]}";
    EXPECT_EQ(sent(asking(result)),
        "[" + result + R"(,{"type":"text","text":"so?"}])");
}

TEST_F(DocumentBlock, ClaudeOnBedrock)
{
    serve("bedrock", "anthropic.claude-sonnet-4-5-v1:0");
    constexpr std::string_view kEnd = R"(,{"text":"so?"}])";
    EXPECT_EQ(sent(asking(kDocument)),
        R"([{"document":{"format":"txt","name":"Rules",)"
        R"("source":{"text":"No dogs."},"context":"of 2026",)"
        R"("citations":{"enabled":true}}},)"
        R"({"cachePoint":{"type":"default"}})"
            + std::string(kEnd));
    EXPECT_EQ(sent(asking(kChunks)),
        R"([{"document":{"format":"txt","name":"Document 1",)"
        R"("source":{"content":[{"text":"one"},{"text":"two"}]},)"
        R"("citations":{"enabled":true}}})"
            + std::string(kEnd));
    EXPECT_EQ(sent(asking(kPdf)),
        R"([{"document":{"format":"pdf","name":"Plan",)"
        R"("source":{"bytes":"QUJD"},"context":"a draft",)"
        R"("citations":{"enabled":true}}})"
            + std::string(kEnd));
    EXPECT_EQ(sent(asking(kResult)),
        R"([{"searchResult":{"source":"https://x.test/a","title":"A",)"
        R"("content":[{"text":"found"}],"citations":{"enabled":true}}})"
            + std::string(kEnd));
}

TEST_F(DocumentBlock, OthersGetTheTextAndStrictRefuses)
{
    serve("bedrock", "amazon.nova-pro-v1:0");
    EXPECT_EQ(sent(asking(kChunks)), R"([{"text":"onetwo"},{"text":"so?"}])");
    EXPECT_EQ(refusal(asking(kChunks)), "messages[0].content[0].citations");
    EXPECT_EQ(refusal(asking(kPdf)), "messages[0].content[0].citations");
}

TEST_F(DocumentBlock, NothingOfItReachesOpenai)
{
    serve("openai", "gpt-4o");
    EXPECT_EQ(sent(asking(kResult)),
        R"([{"type":"text","text":"A\nhttps://x.test/a\n\nfound"},)"
        R"({"type":"text","text":"so?"}])");
    EXPECT_EQ(refusal(asking(kResult)), "citations");
}

// A turn before, in which the model quoted what it was given.
constexpr std::string_view kQuotes =
    R"([{"type":"char_location","cited_text":"No dogs.","document_index":0,)"
    R"("document_title":"Rules","file_id":"f","start_char_index":0,)"
    R"("end_char_index":8},{"type":"search_result_location","cited_text":"x",)"
    R"("source":"https://x.test/a","title":"A","search_result_index":1,)"
    R"("start_block_index":2,"end_block_index":3}])";

std::string quoting(std::string_view citations)
{
    return R"({"model":"m","max_tokens":9,"messages":[)"
           R"({"role":"user","content":"dogs?"},)"
           R"({"role":"assistant","content":[{"type":"text","text":"None"},)"
           R"({"type":"text","text":" here.","citations":)"
        + std::string(citations) + R"(}]},{"role":"user","content":"why?"}]})";
}

TEST_F(DocumentBlock, QuotesOfTurnsBeforeGoBackToClaude)
{
    serve("bedrock", kInvoked, true);
    EXPECT_EQ(sent(quoting(kQuotes), 1),
        R"([{"type":"text","text":"None"},)"
        R"({"type":"text","text":" here.","citations":)"
            + std::string(kQuotes) + "}]");
    EXPECT_EQ(refusal(quoting(kQuotes)), "accepted");
    EXPECT_EQ(sent(quoting("null"), 1), R"("None here.")");
}

TEST_F(DocumentBlock, QuotesOfTurnsBeforeGoBackToBedrock)
{
    serve("bedrock", "anthropic.claude-sonnet-4-5-v1:0");
    EXPECT_EQ(sent(quoting(kQuotes), 1),
        R"([{"text":"None"},{"citationsContent":{)"
        R"("content":[{"text":" here."}],"citations":[)"
        R"({"title":"Rules","source":"f",)"
        R"("sourceContent":[{"text":"No dogs."}],"location":{)"
        R"("documentChar":{"documentIndex":0,"start":0,"end":8}}},)"
        R"({"title":"A","source":"https://x.test/a",)"
        R"("sourceContent":[{"text":"x"}],"location":{)"
        R"("searchResultLocation":{"searchResultIndex":1,)"
        R"("start":2,"end":3}}}]}}])");
}

TEST_F(DocumentBlock, QuotesOfTurnsBeforeAreTextElsewhere)
{
    serve("openai", "gpt-4o");
    EXPECT_EQ(sent(quoting(kQuotes), 1), R"("None here.")");
    EXPECT_EQ(refusal(quoting(kQuotes)), "citations");
}

TEST_F(DocumentBlock, QuotesOfTurnsBeforeAreNotForOtherModelsOfBedrock)
{
    serve("bedrock", "amazon.nova-pro-v1:0");
    EXPECT_EQ(
        sent(quoting(kQuotes), 1), R"([{"text":"None"},{"text":" here."}])");
    EXPECT_EQ(refusal(quoting(kQuotes)), "messages[1].content[1].citations");
}

} // namespace
} // namespace ai_proxy::testing
