#include "caller_probe.h"

#include <gtest/gtest.h>

// What is beside the text of an answer, and searches: kept wherever the other
// side has a word for it.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

class Fidelity : public ::testing::Test {
protected:
    config::Provider& add(std::string_view type)
    {
        return world.provider(type, type);
    }
    Fed answer(std::string_view type, Api api, bool stream,
        std::string_view body, size_t split = 0)
    {
        Fed fed = feed(add(type), api, stream, body, split);
        EXPECT_EQ(fed.state, State::whole);
        return fed;
    }

    GatewayFixture world;
};


constexpr std::string_view kGemini =
    R"({"candidates":[{"content":{"parts":[{"text":"Hi!"}],"role":"model"},)"
    R"("finishReason":"STOP","index":0,"logprobsResult":{"topCandidates":[)"
    R"({"candidates":[{"token":"Hi","tokenId":1,"logProbability":-0.5},)"
    R"({"token":"Yo","tokenId":2,"logProbability":-2}]},)"
    R"({"candidates":[{"token":"!","tokenId":3,"logProbability":-0.25}]}],)"
    R"("chosenCandidates":[{"token":"Hi","tokenId":1,"logProbability":-0.5},)"
    R"({"token":"!","tokenId":3,"logProbability":-0.25}]}}],)"
    R"("modelVersion":"g","responseId":"r"})";
constexpr std::string_view kTokens =
    R"([{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[)"
    R"({"token":"Hi","logprob":-0.5,"bytes":[72,105]},)"
    R"({"token":"Yo","logprob":-2,"bytes":[89,111]}]},)"
    R"({"token":"!","logprob":-0.25,"bytes":[33],"top_logprobs":[)"
    R"({"token":"!","logprob":-0.25,"bytes":[33]}]}])";

TEST_F(Fidelity, LogprobsOfGeminiInEveryDialect)
{
    const std::string tokens(kTokens);
    const Fed chat = answer("gemini", Api::chat_completions, false, kGemini);
    EXPECT_TRUE(has(
        chat.out, R"("logprobs":{"content":)" + tokens + R"(,"refusal":null})"))
        << chat.out;
    const Fed old = answer("gemini", Api::completions, false, kGemini);
    EXPECT_TRUE(has(old.out,
        R"("logprobs":{"tokens":["Hi","!"],"token_logprobs":[-0.5,-0.25],)"
        R"("top_logprobs":[{"Hi":-0.5,"Yo":-2},{"!":-0.25}],)"
        R"("text_offset":[0,2]})"))
        << old.out;
    const Fed responses = answer("gemini", Api::responses, false, kGemini);
    EXPECT_TRUE(has(responses.out, R"("logprobs":)" + tokens)) << responses.out;
    const Fed messages = answer("gemini", Api::messages, false, kGemini);
    EXPECT_FALSE(has(messages.out, "logprob"));
}

TEST_F(Fidelity, LogprobsOfStreams)
{
    const std::string stream = "data: " + std::string(kGemini) + "\n\n";
    const std::string tokens(kTokens);
    for (const size_t split : {0, 1, 2, 3, 7}) {
        const Fed chat =
            answer("gemini", Api::chat_completions, true, stream, split);
        EXPECT_TRUE(has(chat.out,
            R"("delta":{"content":""},"logprobs":{"content":)" + tokens
                + R"(,"refusal":null},"finish_reason":null}]})"))
            << chat.out;
        const Fed responses =
            answer("gemini", Api::responses, true, stream, split);
        EXPECT_TRUE(has(responses.out, R"("delta":"","logprobs":)" + tokens));
        // In the part, the item and the response.
        EXPECT_EQ(count(responses.out, R"("logprobs":)" + tokens), 5u);
        const Fed old = answer("gemini", Api::completions, true, stream, split);
        EXPECT_TRUE(has(old.out,
            R"({"text":"","index":0,"logprobs":{"tokens":["Hi","!"])"));
        EXPECT_EQ(count(old.out, "\"tokens\""), 1u);
    }
}

TEST_F(Fidelity, LogprobsOfOpenaiForGemini)
{
    const Fed fed = answer("openai", Api::gemini_generate, false,
        R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"Hi!"},"logprobs":{"content":)"
            + std::string(kTokens) + R"(},"finish_reason":"stop"}]})");
    EXPECT_TRUE(has(fed.out,
        R"("logprobsResult":{"topCandidates":[{"candidates":[{"token":"Hi",)"
        R"("logProbability":-0.5},{"token":"Yo","logProbability":-2}]},)"
        R"({"candidates":[{"token":"!","logProbability":-0.25}]}],)"
        R"("chosenCandidates":[{"token":"Hi","logProbability":-0.5},)"
        R"({"token":"!","logProbability":-0.25}]})"))
        << fed.out;
}

TEST_F(Fidelity, LogprobsOfCohereAndOllama)
{
    const Fed cohere = answer("cohere", Api::chat_completions, false,
        R"({"id":"c","finish_reason":"COMPLETE","message":{"role":"assistant",)"
        R"("content":[{"type":"text","text":"Hi"}]},"logprobs":[)"
        R"({"token_ids":[1,2],"text":"Hi","logprobs":[-0.5,-1]}]})");
    EXPECT_TRUE(has(cohere.out,
        R"([{"token":"Hi","logprob":-1.5,"bytes":[72,105],"top_logprobs":[]}])"))
        << cohere.out;
    config::Provider& ollama = add("ollama");
    ollama.options.ollama_native = true;
    const Fed fed = feed(ollama, Api::chat_completions, false,
        R"({"model":"l","message":{"role":"assistant","content":"Hi"},)"
        R"("logprobs":[{"token":"Hi","logprob":-1,"bytes":[72,105]}],)"
        R"("done":true,"done_reason":"stop"})",
        0);
    EXPECT_TRUE(has(fed.out,
        R"("logprobs":{"content":[{"token":"Hi","logprob":-1,"bytes":[72,105]}])"))
        << fed.out;
}

TEST_F(Fidelity, LogprobsOfQwen)
{
    config::Provider& qwen = add("qwen");
    qwen.options.qwen_enable_compatible = false;
    const Fed fed = feed(qwen, Api::chat_completions, false,
        R"({"request_id":"r","output":{"choices":[{"message":{"role":)"
        R"("assistant","content":"Hi"},"logprobs":{"content":[{"token":"Hi",)"
        R"("logprob":-1,"bytes":[72,105],"top_logprobs":[]}]},)"
        R"("finish_reason":"stop"}]}})",
        0);
    EXPECT_TRUE(has(fed.out,
        R"("logprobs":{"content":[{"token":"Hi","logprob":-1,"bytes":)"
        R"([72,105],"top_logprobs":[]}],"refusal":null})"))
        << fed.out;
}

// Thoughts that Claude keeps to itself come back from a client of Google's,
// with the others, in order and byte for byte.
TEST_F(Fidelity, HiddenThoughtsAndAGeminiClient)
{
    constexpr std::string_view kMessage =
        R"({"id":"m","type":"message","role":"assistant","model":"c",)"
        R"("content":[{"type":"thinking","thinking":"so","signature":"Ab+/"},)"
        R"({"type":"redacted_thinking","data":"Em/+wA=="},)"
        R"({"type":"redacted_thinking","data":"QUJD"},)"
        R"({"type":"text","text":"Hi"}],"stop_reason":"end_turn",)"
        R"("usage":{"input_tokens":1,"output_tokens":1}})";
    const std::string out =
        answer("claude", Api::gemini_generate, false, kMessage).out;
    const size_t begin = out.find(R"("parts":[)");
    const size_t end = out.find("]", begin);
    ASSERT_NE(end, std::string::npos) << out;
    const std::string parts = out.substr(begin, end - begin + 1);
    EXPECT_TRUE(has(parts,
        R"([{"text":"so","thought":true},)"
        R"({"text":"","thoughtSignature":"cHJveHk6Ab+/"},)"
        R"({"text":"","thoughtSignature":"cmVkYWN0ZWQ6Em/+wA=="},)"
        R"({"text":"","thoughtSignature":"cmVkYWN0ZWQ6QUJD"},)"
        R"({"text":"Hi"}])"))
        << parts;
    const Hub hub = to_hub(Api::gemini_generate,
        R"({"contents":[{"role":"model",)" + parts + "}]}");
    ASSERT_TRUE(hub.ok) << hub.error.message;
    EXPECT_TRUE(has(hub.text,
        R"("thinking_blocks":[)"
        R"({"type":"thinking","thinking":"so","signature":"Ab+/"},)"
        R"({"type":"redacted_thinking","data":"Em/+wA=="},)"
        R"({"type":"redacted_thinking","data":"QUJD"}])"))
        << hub.text;
}

TEST_F(Fidelity, ServiceTier)
{
    constexpr std::string_view kMessage =
        R"({"id":"m","type":"message","role":"assistant","model":"c",)"
        R"("content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",)"
        R"("usage":{"input_tokens":1,"output_tokens":1,)"
        R"("service_tier":"standard"}})";
    EXPECT_TRUE(
        has(answer("claude", Api::chat_completions, false, kMessage).out,
            R"("service_tier":"default")"));
    constexpr std::string_view kChat =
        R"({"id":"c","service_tier":"priority","choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":"Hi"},)"
        R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,)"
        R"("completion_tokens":1,"total_tokens":2}})";
    EXPECT_TRUE(has(answer("openai", Api::messages, false, kChat).out,
        R"("service_tier":"priority")"));
}

TEST_F(Fidelity, SpokenAnswers)
{
    constexpr std::string_view kStream =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"audio\":"
        "{\"id\":\"a1\",\"transcript\":\"Hel\",\"data\":\"AAAA\"}}}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"audio\":"
        "{\"transcript\":\"lo\",\"data\":\"BBBB\",\"expires_at\":9}}}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},"
        "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    const Fed plain = answer("openai", Api::chat_completions, false, kStream);
    EXPECT_TRUE(has(plain.out,
        R"("content":null,"refusal":null,"audio":{"id":"a1","data":"AAAABBBB",)"
        R"("expires_at":9,"transcript":"Hello"}})"))
        << plain.out;
    const Fed stream =
        answer("openai", Api::chat_completions, true, kStream, 3);
    EXPECT_TRUE(has(stream.out,
        R"("delta":{"audio":{"transcript":"lo","data":"BBBB","expires_at":9}})"))
        << stream.out;
    for (const Api api :
        {Api::messages, Api::responses, Api::completions, Api::gemini_generate})
    {
        const Fed fed = answer("openai", api, false, kStream);
        EXPECT_TRUE(has(fed.out, "Hello")) << fed.out;
        EXPECT_FALSE(has(fed.out, "AAAA"));
    }
    const Fed gemini = answer("gemini", Api::chat_completions, false,
        R"({"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":)"
        R"("audio/L16;rate=24000","data":"CCCC"}}]},"finishReason":"STOP"}]})");
    EXPECT_TRUE(has(gemini.out, R"("audio":{"id":"","data":"CCCC")"))
        << gemini.out;
}

class Search : public ExchangeFixture {
protected:
    // The body sent, or "param" of the refusal.
    std::string ask(std::string_view type, std::string_view model,
        std::string_view path, std::string_view body, bool strict = true)
    {
        world.gateway.providers.clear();
        world.gateway.routes.clear();
        world.gateway.keys.clear();
        world.site().routes.clear();
        world.site().strict = strict;
        config::Provider& made = world.provider("v", type);
        made.options.qwen_enable_compatible = false;
        made.options.aws_region = "us-east-1";
        world.route("main", {0});
        request.path = path;
        request.body = R"({"model":")" + std::string(model) + "\","
            + std::string(body) + "}";
        const auto received = receive();
        EXPECT_TRUE(received) << received.error().message;
        auto tried = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        return tried ? body_text((*tried)->outbound)
                     : "refused " + tried.error().param;
    }
};

constexpr std::string_view kChat =
    R"("messages":[{"role":"user","content":"hi"}],"web_search_options":)"
    R"({"user_location":{"type":"approximate","approximate":)"
    R"({"city":"Oslo","country":"NO"}}})";
constexpr std::string_view kMessagesSearch =
    R"("max_tokens":9,"messages":[{"role":"user","content":"hi"}],)"
    R"("tools":[{"type":"web_search_20250305","name":"web_search",)"
    R"("max_uses":3,"user_location":{"type":"approximate","city":"Oslo"}}])";
constexpr std::string_view kResponsesSearch =
    R"("input":"hi","tools":[{"type":"web_search",)"
    R"("filters":{"allowed_domains":["a.no"]},)"
    R"("user_location":{"type":"approximate","city":"Oslo"}}])";

TEST_F(Search, OfChat)
{
    EXPECT_NE(ask("claude", "claude-sonnet-4-5", "/v1/chat/completions", kChat)
                  .find(R"("tools":[{"type":"web_search_20250305",)"
                        R"("name":"web_search","user_location":)"
                        R"({"type":"approximate","city":"Oslo",)"
                        R"("country":"NO"}}])"),
        std::string::npos);
    EXPECT_NE(ask("qwen", "qwen-plus", "/v1/chat/completions",
                  R"("messages":[{"role":"user","content":"hi"}],)"
                  R"("web_search_options":{})")
                  .find(R"("enable_search":true)"),
        std::string::npos);
    EXPECT_NE(
        ask("gemini", "gemini-2.5-flash", "/v1/chat/completions", kChat, false)
            .find(R"("tools":[{"googleSearch":{}}])"),
        std::string::npos);
    EXPECT_EQ(ask("gemini", "gemini-2.5-flash", "/v1/chat/completions", kChat),
        "refused web_search_options.user_location");
    EXPECT_EQ(ask("cohere", "command-a", "/v1/chat/completions", kChat),
        "refused web_search_options");
}

TEST_F(Search, OfOtherDialects)
{
    EXPECT_NE(ask("gemini", "gemini-2.5-flash", "/v1/messages", kMessagesSearch,
                  false)
                  .find(R"("googleSearch":{})"),
        std::string::npos);
    const std::string claude =
        ask("claude", "claude-sonnet-4-5", "/v1/responses", kResponsesSearch);
    EXPECT_NE(claude.find(R"({"type":"web_search_20250305",)"
                          R"("name":"web_search","allowed_domains":["a.no"],)"
                          R"("user_location":{"type":"approximate",)"
                          R"("city":"Oslo"}})"),
        std::string::npos)
        << claude;
    EXPECT_NE(
        ask("claude", "claude-sonnet-4-5", "/v1beta/models/m:generateContent",
            R"("contents":[{"role":"user","parts":[{"text":"hi"}]}],)"
            R"("tools":[{"googleSearch":{}}])")
            .find("web_search_20250305"),
        std::string::npos);
    // OpenAI searches with models of that name only.
    EXPECT_EQ(ask("openai", "gpt-4o", "/v1/messages", kMessagesSearch),
        "refused web_search_options");
    EXPECT_EQ(ask("openai", "gpt-4o", "/v1/messages", kMessagesSearch, false)
                  .find("search"),
        std::string::npos);
    EXPECT_NE(ask("openai", "gpt-4o-search-preview", "/v1/messages",
                  kMessagesSearch, false)
                  .find(R"("web_search_options":{"user_location":)"
                        R"({"type":"approximate","approximate":)"
                        R"({"city":"Oslo"}}})"),
        std::string::npos);
}

TEST_F(Search, PicturesInResultsOfTools)
{
    constexpr std::string_view kShot =
        R"("max_tokens":9,"messages":[{"role":"user","content":"hi"},)"
        R"({"role":"assistant","content":[{"type":"tool_use","id":"t",)"
        R"("name":"f","input":{}}]},{"role":"user","content":[)"
        R"({"type":"tool_result","tool_use_id":"t","content":[)"
        R"({"type":"image","source":{"type":"base64","media_type":)"
        R"("image/png","data":"QUJD"}}]},{"type":"text","text":"so?"}]}])";
    const std::string cohere =
        ask("cohere", "command-a-vision", "/v1/messages", kShot);
    EXPECT_NE(cohere.find(R"({"role":"tool","tool_call_id":"t","content":)"
                          R"("The result follows."},{"role":"user",)"
                          R"("content":[{"type":"image_url","image_url":)"
                          R"({"url":"data:image/png;base64,QUJD"}}]},)"
                          R"({"role":"user","content":"so?"})"),
        std::string::npos)
        << cohere;
    // Where results hold pictures they stay.
    EXPECT_NE(ask("bedrock", "claude", "/v1/messages", kShot)
                  .find(R"("toolResult":{"toolUseId":"t","content":[{"image")"),
        std::string::npos);
}

TEST_F(Search, LogprobsAreAskedFor)
{
    EXPECT_NE(ask("gemini", "gemini-2.5-flash", "/v1/completions",
                  R"("prompt":"hi","logprobs":2)")
                  .find(R"("responseLogprobs":true,"logprobs":2)"),
        std::string::npos);
    EXPECT_NE(ask("gemini", "gemini-2.5-flash", "/v1/responses",
                  R"("input":"hi","include":["message.output_text.logprobs"],)"
                  R"("top_logprobs":3)")
                  .find(R"("responseLogprobs":true,"logprobs":3)"),
        std::string::npos);
    EXPECT_NE(ask("mistral", "m", "/v1beta/models/m:generateContent",
                  R"("contents":[{"role":"user","parts":[{"text":"hi"}]}],)"
                  R"("generationConfig":{"responseLogprobs":true,)"
                  R"("logprobs":4})")
                  .find(R"("logprobs":true,"top_logprobs":4)"),
        std::string::npos);
    EXPECT_EQ(ask("claude", "claude-sonnet-4-5", "/v1/completions",
                  R"("prompt":"hi","logprobs":2)"),
        "refused logprobs");
}

} // namespace
} // namespace ai_proxy::testing
