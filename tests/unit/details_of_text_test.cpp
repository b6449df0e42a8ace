#include "caller_probe.h"

#include <gtest/gtest.h>

// Citations and logprobs belong to a text that was told: wherever a provider
// puts them, no client gets an empty message of them.
namespace ai_proxy::testing {
namespace {

using dialect::Api;
using State = policy::Response::State;

class DetailsOfText : public ::testing::TestWithParam<size_t> {
protected:
    std::string answer(
        std::string_view type, Api api, bool stream, std::string_view body)
    {
        const Fed fed =
            feed(world.provider(type, type), api, stream, body, GetParam());
        EXPECT_EQ(fed.state, State::whole) << fed.out;
        return fed.out;
    }

    GatewayFixture world;
};

constexpr std::string_view kText = R"({"text":"Paris is nice"})";
constexpr std::string_view kCall =
    R"({"functionCall":{"id":"c1","name":"f","args":{"a":1}}})";
constexpr std::string_view kSigned = R"({"text":"","thoughtSignature":"c2ln"})";
constexpr std::string_view kGrounding =
    R"("groundingMetadata":{"groundingChunks":[{"web":{)"
    R"("uri":"https://e.com","title":"E"}}],"groundingSupports":[)"
    R"({"segment":{"endIndex":5},"groundingChunkIndices":[0]}]})";

std::string gemini(std::initializer_list<std::string_view> parts,
    std::string_view more, bool last)
{
    std::string out = R"({"candidates":[{"index":0,"content":{"parts":[)";
    for (const std::string_view part : parts) {
        out += out.ends_with('[') ? "" : ",";
        out += part;
    }
    out += "]}";
    out += more.empty() ? "" : ",";
    out += more;
    out += last ? R"(,"finishReason":"STOP"}]})" : "}]}";
    return out;
}

std::string sse(std::initializer_list<std::string> chunks)
{
    std::string out;
    for (const std::string& chunk : chunks) {
        out += "data: " + chunk + "\n\n";
    }
    return out;
}

// The response of the stream's last event.
std::string_view last_event(std::string_view out)
{
    return out.substr(out.rfind("event: "));
}

constexpr std::string_view kCited =
    R"("text":"Paris is nice","annotations":[{"type":"url_citation",)";

TEST_P(DetailsOfText, GroundingBesideACall)
{
    for (const std::string& body : {gemini({kText, kCall}, kGrounding, true),
             gemini({kText, kSigned, kCall}, kGrounding, true)})
    {
        for (const bool stream : {false, true}) {
            const std::string sent = stream ? sse({body}) : body;
            const std::string items =
                answer("gemini", Api::responses, stream, sent);
            const std::string_view whole =
                stream ? last_event(items) : std::string_view(items);
            EXPECT_EQ(count(whole, R"("type":"message")"), 1u) << whole;
            EXPECT_TRUE(has(whole, kCited)) << whole;
            EXPECT_EQ(count(items, "output_text.annotation.added"),
                stream ? 2u : 0u) // the event's name and its type
                << items;
            const std::string blocks =
                answer("gemini", Api::messages, stream, sent);
            EXPECT_EQ(count(blocks, R"("type":"text")"), 1u) << blocks;
            EXPECT_TRUE(has(blocks, "https://e.com")) << blocks;
        }
    }
}

TEST_P(DetailsOfText, GroundingInALaterChunk)
{
    const struct {
        std::string stream;
        bool closed; // the text has ended before it is told
    } rows[] = {
        {sse({gemini({kText}, {}, false), gemini({kCall}, kGrounding, true)}),
            false},
        {sse({gemini({kText}, {}, false), gemini({kSigned}, kGrounding, true)}),
            false},
        {sse({gemini({kText}, {}, false), gemini({kCall}, {}, false),
             gemini({}, kGrounding, true)}),
            true},
    };
    for (const auto& row : rows) {
        const std::string items =
            answer("gemini", Api::responses, true, row.stream);
        const std::string_view whole = last_event(items);
        EXPECT_EQ(count(whole, R"("type":"message")"), 1u) << whole;
        EXPECT_TRUE(has(whole, kCited)) << whole;
        EXPECT_EQ(has(items, "output_text.annotation.added"), !row.closed);
        const std::string plain =
            answer("gemini", Api::responses, false, row.stream);
        EXPECT_TRUE(has(plain, kCited)) << plain;
        const std::string blocks =
            answer("gemini", Api::messages, true, row.stream);
        EXPECT_EQ(count(blocks, R"("type":"text")"), 1u) << blocks;
        EXPECT_EQ(has(blocks, "https://e.com"), !row.closed) << blocks;
        const std::string body =
            answer("gemini", Api::messages, false, row.stream);
        EXPECT_EQ(count(body, R"("type":"text")"), 1u) << body;
        EXPECT_TRUE(has(body, "https://e.com")) << body;
    }
}

constexpr std::string_view kTokens =
    R"([{"token":"Hi","logprob":-0.5,"bytes":null,"top_logprobs":[]}])";

std::string together(std::string_view content)
{
    return R"({"id":"c","model":"m","choices":[{"index":0,"message":{)"
           R"("role":"assistant","content":)"
        + std::string(content)
        + R"(,"tool_calls":[{"id":"t0","type":"function","function":{)"
          R"("name":"f","arguments":"{}"}}]},"logprobs":{"content":)"
        + std::string(kTokens) + R"(},"finish_reason":"tool_calls"}]})";
}

TEST_P(DetailsOfText, LogprobsBesideACall)
{
    const std::string out =
        answer("together-ai", Api::responses, false, together(R"("Hi")"));
    EXPECT_EQ(count(out, R"("type":"message")"), 1u) << out;
    EXPECT_TRUE(has(out,
        R"("text":"Hi","annotations":[],"logprobs":)" + std::string(kTokens)))
        << out;
    const std::string silent =
        answer("together-ai", Api::responses, false, together("null"));
    EXPECT_EQ(count(silent, R"("type":"message")"), 0u) << silent;
    // In chat they are of the choice.
    const std::string chat =
        answer("together-ai", Api::chat_completions, false, together("null"));
    EXPECT_TRUE(has(chat, R"("logprob":-0.5)")) << chat;
}

std::string chunk(std::string_view delta, std::string_view finish = "null")
{
    return R"({"id":"c","model":"m","choices":[{"index":0,"delta":)"
        + std::string(delta) + R"(,"finish_reason":)" + std::string(finish)
        + "}]}";
}

// A search that came before the answer.
TEST_P(DetailsOfText, CitationsBeforeTheText)
{
    const std::string pages =
        chunk(R"({"content":"","annotations":[{"type":"url_citation",)"
              R"("url_citation":{"url":"https://e.com","title":"E"}}]})");
    const std::string thought = chunk(R"({"reasoning_content":"hm"})");
    const std::string text = chunk(R"({"content":"Hi"})");
    const std::string end = chunk("{}", R"("stop")");
    for (const bool stream : {false, true}) {
        const std::string spoken = sse({pages, thought, text, end, "[DONE]"});
        const std::string items =
            answer("openai", Api::responses, stream, spoken);
        const std::string_view whole =
            stream ? last_event(items) : std::string_view(items);
        EXPECT_EQ(count(whole, R"("type":"message")"), 1u) << whole;
        EXPECT_EQ(count(whole, R"("type":"reasoning")"), 1u) << whole;
        EXPECT_TRUE(
            has(whole, R"("text":"Hi","annotations":[{"type":"url_citation",)"))
            << whole;
        const std::string blocks =
            answer("openai", Api::messages, stream, spoken);
        EXPECT_EQ(count(blocks, R"("type":"text")"), 1u) << blocks;
        EXPECT_TRUE(has(blocks, "https://e.com")) << blocks;
        const std::string silent = sse({pages, thought, end, "[DONE]"});
        EXPECT_FALSE(has(answer("openai", Api::responses, stream, silent),
            R"("type":"message")"));
        EXPECT_FALSE(has(answer("openai", Api::messages, stream, silent),
            R"("type":"text")"));
    }
}

INSTANTIATE_TEST_SUITE_P(Splits, DetailsOfText, ::testing::Values(0u, 1u, 7u));

} // namespace
} // namespace ai_proxy::testing
