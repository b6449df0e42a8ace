#include "caller_probe.h"

#include <gtest/gtest.h>

namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

class CallerStream : public ::testing::TestWithParam<size_t> {
protected:
    CallerStream()
        : openai(world.provider("one", "openai")),
          claude(world.provider("two", "claude")),
          gemini(world.provider("three", "gemini"))
    {
    }
    Fed busy(Api api, bool array = false)
    {
        Fed fed = feed(openai, api, true, kBusyStream, GetParam(), array);
        EXPECT_EQ(fed.state, State::whole);
        EXPECT_EQ(fed.usage.prompt, 10);
        return fed;
    }

    GatewayFixture world;
    config::Provider &openai, &claude, &gemini;
};

TEST_P(CallerStream, Messages)
{
    const Fed fed = busy(Api::messages);
    EXPECT_EQ(fed.out,
        "event: message_start\n"
        R"(data: {"type":"message_start","message":{"id":"c1","type":"message","role":"assistant","model":"m1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}})"
        "\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
        "event: content_block_start\n"
        R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm "}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"so"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":0})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let \"me\""}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" see"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":1})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t0","name":"f","input":{}}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":2})"
        "\n\nevent: content_block_start\n"
        R"(data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t1","name":"g","input":{}}})"
        "\n\nevent: content_block_delta\n"
        R"(data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"b\":2}"}})"
        "\n\nevent: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":3})"
        "\n\nevent: message_delta\n"
        R"(data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":6,"output_tokens_details":{"thinking_tokens":2}}})"
        "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

TEST_P(CallerStream, MessagesAndBackIsTheSameAnswer)
{
    const Fed there = busy(Api::messages);
    const Fed back =
        feed(claude, Api::chat_completions, false, there.out, GetParam());
    // A stream that nobody asked for is gathered.
    EXPECT_EQ(back.state, State::whole);
    for (const std::string_view what :
        {R"("content":"Let \"me\" see")", R"("reasoning_content":"hm so")",
            R"({"id":"t0","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}})",
            R"({"id":"t1","type":"function","function":{"name":"g","arguments":"{\"b\":2}"}})",
            R"("finish_reason":"tool_calls")", R"("prompt_tokens":10)",
            R"("completion_tokens":6)", R"("cached_tokens":4)",
            R"("reasoning_tokens":2)"})
    {
        EXPECT_TRUE(has(back.out, what)) << what << "\n" << back.out;
    }
}

TEST_P(CallerStream, Responses)
{
    const Fed fed = busy(Api::responses);
    EXPECT_EQ(count(fed.out, "event: response.created\n"), 1U);
    EXPECT_EQ(count(fed.out, "event: response.completed\n"), 1U);
    EXPECT_EQ(count(fed.out, "[DONE]"), 0U);
    EXPECT_EQ(count(fed.out, "event: response.output_item.added\n"), 4U);
    EXPECT_EQ(count(fed.out, "event: response.output_item.done\n"), 4U);
    for (const std::string_view what :
        {R"({"type":"response.reasoning_summary_text.done","sequence_number":6,"item_id":"rs_1_0","output_index":0,"summary_index":0,"text":"hm so"})",
            R"("type":"response.output_text.done","sequence_number":13,"item_id":"msg_1_1","output_index":1,"content_index":0,"text":"Let \"me\" see","logprobs":[]})",
            R"("item_id":"fc_1_2","output_index":2,"name":"f","arguments":"{\"a\":1}"})",
            R"("item_id":"fc_1_3","output_index":3,"name":"g","arguments":"{\"b\":2}"})",
            R"("usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16})"})
    {
        EXPECT_TRUE(has(fed.out, what)) << what << "\n" << fed.out;
    }
    // Numbers go up by one.
    int64_t next = 0;
    constexpr std::string_view key = "\"sequence_number\":";
    for (size_t at = fed.out.find(key); at != std::string::npos;
         at = fed.out.find(key, at + 1))
    {
        EXPECT_EQ(std::stoll(fed.out.substr(at + key.size())), next++);
    }
    EXPECT_EQ(size_t(next), count(fed.out, "event: "));
}

TEST_P(CallerStream, Gemini)
{
    const Fed fed = busy(Api::gemini_stream);
    EXPECT_EQ(count(fed.out, "finishReason"), 1U);
    EXPECT_EQ(count(fed.out, "data: "), count(fed.out, "\r\n\r\n"));
    const Fed back =
        feed(gemini, Api::chat_completions, true, fed.out, GetParam());
    EXPECT_EQ(back.state, State::whole);
    for (const std::string_view what :
        {R"("reasoning_content":"so")", R"("content":" see")", R"("name":"f")",
            R"("arguments":"{\"a\":1}")", R"("name":"g")",
            R"("arguments":"{\"b\":2}")", R"("finish_reason":"tool_calls")",
            R"("prompt_tokens":10,"completion_tokens":6)"})
    {
        EXPECT_TRUE(has(back.out, what)) << what << "\n" << back.out;
    }
}

TEST_P(CallerStream, GeminisArrayIsOneDocument)
{
    const Fed fed = busy(Api::gemini_stream, true);
    json::Parser parser;
    const auto parsed = parser.parse(std::string_view(fed.out));
    ASSERT_TRUE(parsed) << fed.out;
    ASSERT_TRUE(parsed->is_array());
    std::string text;
    for (const json::Node one : parsed->items()) {
        const json::Node part =
            one["candidates"].at(0)["content"]["parts"].at(0);
        if (!part["thought"].boolean().value_or(false)) {
            text += part["text"].string_or();
        }
    }
    EXPECT_EQ(text, "Let \"me\" see");
}

TEST_P(CallerStream, Completions)
{
    const Fed fed = busy(Api::completions);
    EXPECT_TRUE(has(fed.out,
        R"("object":"text_completion","created":5,"model":"m1","choices":[{"text":"Let \"me\"","index":0,"logprobs":null,"finish_reason":null}]})"));
    EXPECT_TRUE(has(fed.out, R"("choices":[],"usage":{"prompt_tokens":10)"));
    EXPECT_TRUE(fed.out.ends_with("data: [DONE]\n\n"));
}

TEST_P(CallerStream, SignaturesComeBackAsTheyWere)
{
    constexpr std::string_view stream =
        "event: message_start\ndata: "
        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg\",\"model\":"
        "\"c\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{"
        "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"
        "event: content_block_delta\ndata: "
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
        "\"thinking_delta\",\"thinking\":\"why\"}}\n\n"
        "event: content_block_delta\ndata: "
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
        "\"signature_delta\",\"signature\":\"Zm9v+/==\"}}\n\n"
        "event: content_block_stop\ndata: "
        "{\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{"
        "\"type\":\"redacted_thinking\",\"data\":\"RED\"}}\n\n"
        "event: content_block_stop\ndata: "
        "{\"type\":\"content_block_stop\",\"index\":1}\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{"
        "\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: "
        "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":"
        "\"text_delta\",\"text\":\"hi\"}}\n\n"
        "event: content_block_stop\ndata: "
        "{\"type\":\"content_block_stop\",\"index\":2}\n\n"
        "event: message_delta\ndata: "
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}"
        ",\"usage\":{\"output_tokens\":5}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    const Fed same = feed(claude, Api::messages, true, stream, GetParam());
    for (const std::string_view what :
        {R"({"type":"signature_delta","signature":"Zm9v+/=="})",
            R"({"type":"redacted_thinking","data":"RED"})",
            R"("stop_reason":"max_tokens")"})
    {
        EXPECT_TRUE(has(same.out, what)) << what << "\n" << same.out;
    }
    const Fed other = feed(claude, Api::responses, true, stream, GetParam());
    EXPECT_EQ(count(other.out, "event: response.incomplete\n"), 1U);
    EXPECT_TRUE(
        has(other.out, R"("encrypted_content":"signed_thinking:Zm9v+/==")"));
    EXPECT_TRUE(
        has(other.out, R"("encrypted_content":"redacted_thinking:RED")"));
    EXPECT_TRUE(has(other.out, R"({"reason":"max_output_tokens"})"));
}

// Half a stream: no dialect may see an end that looks whole.
TEST_P(CallerStream, ABrokenStreamHasNoEnd)
{
    const std::string_view half =
        kBusyStream.substr(0, kBusyStream.find(" see"));
    const std::string_view cut = half.substr(0, half.rfind("data: "));
    const Fed messages = feed(openai, Api::messages, true, cut, GetParam());
    EXPECT_EQ(messages.state, State::failed);
    EXPECT_EQ(messages.failure, "");
    EXPECT_FALSE(has(messages.out, "message_stop"));
    EXPECT_FALSE(has(messages.out, "message_delta"));
    const Fed responses = feed(openai, Api::responses, true, cut, GetParam());
    EXPECT_FALSE(has(responses.out, "response.completed"));
    EXPECT_EQ(count(responses.failure, "event: response.failed\n"), 1U);
    const Fed array =
        feed(openai, Api::gemini_stream, true, cut, GetParam(), true);
    EXPECT_FALSE(has(array.out, "finishReason"));
    json::Parser parser;
    EXPECT_TRUE(parser.parse(std::string_view(array.out + array.failure)));
}

INSTANTIATE_TEST_SUITE_P(
    Splits, CallerStream, ::testing::Values(0, 1, 2, 3, 7));

// ---- plain

constexpr std::string_view kPlain =
    R"({"id":"c1","object":"chat.completion","created":5,"model":"m1","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"hm","tool_calls":[{"id":"t0","type":"function","function":{"name":"f","arguments":""}}],"annotations":[{"type":"url_citation","url_citation":{"url":"https://u","title":"T","start_index":0,"end_index":2}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":6,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4}}})";

TEST(CallerPlain, Messages)
{
    GatewayFixture world;
    const auto& openai = world.provider("one", "openai");
    EXPECT_EQ(feed(openai, Api::messages, false, kPlain, 0).out,
        R"({"id":"c1","type":"message","role":"assistant","model":"m1","content":[)"
        R"({"type":"thinking","thinking":"hm","signature":""},)"
        R"({"type":"text","text":"hi","citations":[{"type":"web_search_result_location","cited_text":"","url":"https://u","title":"T","encrypted_index":""}]},)"
        R"({"type":"tool_use","id":"t0","name":"f","input":{}}],)"
        R"("stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":6}})");
}

// OpenAI says "stop" of a call that it was forced to make.
TEST(CallerPlain, MessagesEndWithTheCall)
{
    GatewayFixture world;
    const auto& openai = world.provider("one", "openai");
    std::string plain(kPlain);
    plain.replace(plain.find(R"("finish_reason":"tool_calls")"), 28,
        R"("finish_reason":"stop")");
    EXPECT_TRUE(has(feed(openai, Api::messages, false, plain, 0).out,
        R"("stop_reason":"tool_use")"));
    std::string stream(kBusyStream);
    stream.replace(stream.find(R"("finish_reason":"tool_calls")"), 28,
        R"("finish_reason":"stop")");
    EXPECT_TRUE(has(feed(openai, Api::messages, true, stream, 0).out,
        R"("stop_reason":"tool_use")"));
}

TEST(CallerPlain, Responses)
{
    GatewayFixture world;
    const auto& openai = world.provider("one", "openai");
    const std::string out = feed(openai, Api::responses, false, kPlain, 0).out;
    for (const std::string_view what :
        {R"("object":"response","created_at":7,"status":"completed")",
            R"({"id":"rs_1_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]})",
            R"({"type":"url_citation","url":"https://u","title":"T","start_index":0,"end_index":2})",
            R"("type":"function_call","status":"completed","call_id":"t0","name":"f","arguments":"{}")"})
    {
        EXPECT_TRUE(has(out, what)) << what << "\n" << out;
    }
}

TEST(CallerPlain, Gemini)
{
    GatewayFixture world;
    const auto& openai = world.provider("one", "openai");
    EXPECT_EQ(feed(openai, Api::gemini_generate, false, kPlain, 0).out,
        R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"hi"},{"functionCall":{"id":"t0","name":"f","args":{}},"thoughtSignature":"cHJveHk6"}],"role":"model"},"finishReason":"STOP","index":0,)"
        R"("groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://u","title":"T"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":2},"groundingChunkIndices":[0]}]}}],)"
        R"("usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":6,"totalTokenCount":16,"cachedContentTokenCount":4},"modelVersion":"m1","responseId":"c1"})");
}

// Thoughts that are signed but not told, and two one after the other.
TEST(CallerPlain, GeminisSignatures)
{
    GatewayFixture world;
    const auto& claude = world.provider("one", "claude");
    EXPECT_TRUE(has(feed(claude, Api::gemini_generate, false, R"({"id":"m",
        "type":"message","role":"assistant","model":"c","content":[
        {"type":"thinking","thinking":"","signature":"aaaa"},
        {"type":"thinking","thinking":"so","signature":"bbbb"},
        {"type":"tool_use","id":"t","name":"f","input":{}}],
        "stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}})",
                        0)
                        .out,
        R"("parts":[{"text":"","thought":true},{"text":"","thoughtSignature":"cHJveHk6aaaa"},)"
        R"({"text":"so","thought":true},{"functionCall":{"id":"t","name":"f","args":{}},"thoughtSignature":"cHJveHk6bbbb"}])"));
}

} // namespace
} // namespace ai_proxy::testing
