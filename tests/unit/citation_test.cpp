#include "caller_probe.h"

#include <gtest/gtest.h>

// Citations of documents, from every vendor that tells them to every dialect.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

class Citations : public ::testing::Test {
protected:
    std::string answer(std::string_view type, Api api, std::string_view body)
    {
        const Fed fed = feed(world.provider(type, type), api, false, body, 0);
        EXPECT_EQ(fed.state, State::whole) << fed.out;
        json::Parser parser;
        EXPECT_TRUE(parser.parse(std::string_view(fed.out)).ok()) << fed.out;
        return fed.out;
    }

    GatewayFixture world;
};

constexpr std::string_view kClaude =
    R"({"id":"m","type":"message","role":"assistant","model":"c","content":[)"
    R"({"type":"text","text":"Yes: "},{"type":"text","text":"green",)"
    R"("citations":[{"type":"char_location","cited_text":"Grass is green.",)"
    R"("document_index":2,"document_title":"Lawn","file_id":"file_9",)"
    R"("start_char_index":10,"end_char_index":25},)"
    R"({"type":"web_search_result_location","cited_text":"said",)"
    R"("url":"https://e.com","title":"E","encrypted_index":"Eo8B+/="}]}],)"
    R"("stop_reason":"end_turn",)"
    R"("usage":{"input_tokens":1,"output_tokens":1}})";
constexpr std::string_view kCharLocation =
    R"({"type":"char_location","start_char_index":10,"end_char_index":25})";

TEST_F(Citations, OfDocumentsInChat)
{
    const std::string out = answer("claude", Api::chat_completions, kClaude);
    EXPECT_TRUE(has(out,
        R"({"type":"file_citation","file_citation":{"file_id":"file_9",)"
        R"("filename":"Lawn","index":2,"content":"Grass is green.",)"
        R"("location":)"
            + std::string(kCharLocation)
            + R"(,"start_index":5,"end_index":10}})"))
        << out;
    EXPECT_TRUE(has(out, R"("encrypted_index":"Eo8B+/=")")) << out;
}

TEST_F(Citations, OfDocumentsInResponses)
{
    const std::string out = answer("claude", Api::responses, kClaude);
    EXPECT_TRUE(has(out,
        R"({"type":"file_citation","file_id":"file_9","filename":"Lawn",)"
        R"("index":2,"content":"Grass is green.")"))
        << out;
}

TEST_F(Citations, OfDocumentsInGemini)
{
    const std::string out = answer("claude", Api::gemini_generate, kClaude);
    EXPECT_TRUE(has(out,
        R"({"retrievedContext":{"uri":"file_9","title":"Lawn",)"
        R"("text":"Grass is green."}})"))
        << out;
    EXPECT_TRUE(has(out, R"({"web":{"uri":"https://e.com","title":"E"}})"))
        << out;
}

// Converted, as Anthropic would have said it (Claude on Bedrock, Vertex AI).
TEST_F(Citations, ComeBackToAMessagesClient)
{
    const std::string out = answer("claude", Api::messages, kClaude);
    EXPECT_TRUE(has(out,
        R"({"type":"char_location","cited_text":"Grass is green.",)"
        R"("document_index":2,"document_title":"Lawn","file_id":"file_9",)"
        R"("start_char_index":10,"end_char_index":25})"))
        << out;
    EXPECT_TRUE(has(out,
        R"({"type":"web_search_result_location","cited_text":"said",)"
        R"("url":"https://e.com","title":"E","encrypted_index":"Eo8B+/="})"))
        << out;
}

TEST_F(Citations, OfConverse)
{
    const std::string out = answer("bedrock", Api::messages,
        R"({"output":{"message":{"role":"assistant","content":[)"
        R"({"text":"A "},{"citationsContent":{"content":[{"text":"b"}],)"
        R"("citations":[{"title":"T","source":"s","sourceContent":[)"
        R"({"text":"so"},{"text":" it is"}],"location":{"documentPage":)"
        R"({"documentIndex":1,"start":3,"end":4}}}]}}]}},)"
        R"("stopReason":"end_turn","usage":{"inputTokens":1,)"
        R"("outputTokens":1,"totalTokens":2}})");
    EXPECT_TRUE(has(out,
        R"({"type":"page_location","cited_text":"so it is",)"
        R"("document_index":1,"document_title":"T","file_id":"s",)"
        R"("start_page_number":3,"end_page_number":4})"))
        << out;
}

// What has no place within its document stands for all of it.
TEST_F(Citations, OfCoheresDocumentsToAMessagesClient)
{
    const std::string out = answer("cohere", Api::messages,
        R"({"id":"i","finish_reason":"COMPLETE","message":{)"
        R"("role":"assistant","content":[{"type":"text","text":"abc"}],)"
        R"("citations":[{"start":0,"end":2,"text":"ab","sources":[)"
        R"({"type":"document","id":"doc:1","document":{"id":"doc:1",)"
        R"("title":"T","snippet":"it says ab"}}]}]}})");
    EXPECT_TRUE(has(out,
        R"({"type":"search_result_location","cited_text":"it says ab",)"
        R"("source":"doc:1","title":"T","search_result_index":0,)"
        R"("start_block_index":0,"end_block_index":1})"))
        << out;
}

TEST_F(Citations, OfGeminisStores)
{
    const std::string out = answer("gemini", Api::chat_completions,
        R"({"candidates":[{"content":{"parts":[{"text":"abcd"}]},)"
        R"("finishReason":"STOP","groundingMetadata":{"groundingChunks":[)"
        R"({"retrievedContext":{"uri":"gs://b/o","title":"O","text":"x"}}],)"
        R"("groundingSupports":[{"segment":{"endIndex":4},)"
        R"("groundingChunkIndices":[0]}]}}]})");
    EXPECT_TRUE(has(out,
        R"({"type":"file_citation","file_citation":{"file_id":"gs://b/o",)"
        R"("filename":"O","index":0,"content":"x","start_index":0,)"
        R"("end_index":4}})"))
        << out;
}

} // namespace
} // namespace ai_proxy::testing
