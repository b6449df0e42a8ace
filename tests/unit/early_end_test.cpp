#include "core/policy/response.h"

#include "core/json/writer.h"
#include "core/provider/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// A stream whose budget is spent ends in the words of its dialect, wherever
// the bytes of the provider were cut.
namespace {

using namespace ai_proxy;
using dialect::Api;
using policy::Response;
using State = Response::State;

class Purse final : public policy::Meter {
public:
    explicit Purse(int64_t most) : most_(most) {}
    bool goes_on(int64_t said) override { return said <= most_; }
    [[nodiscard]] int64_t prompt() const noexcept override { return 17; }

private:
    int64_t most_;
};

struct Call {
    std::string_view type = "openai";
    Api api = Api::chat_completions;
    bool convert = false;
    bool show_usage = false;
    bool stream = true;
    std::string_view media = "text/event-stream";
};

struct Answer {
    Answer(const Call& call, std::string_view bytes, size_t split,
        int64_t most = 3)
        : purse(most)
    {
        provider.options.type = provider::find_type(call.type);
        policy::ResponseContext context;
        context.provider = &provider;
        context.api = call.api;
        context.convert = call.convert;
        context.stream = call.stream;
        context.show_usage = call.show_usage;
        context.model = "m";
        context.fallback_id = "id-x";
        context.tally = true;
        context.meter = &purse;
        response = std::make_unique<Response>(context);
        const Header header{"Content-Type", call.media};
        response->head(200, {&header, 1});
        while (!bytes.empty()) {
            const size_t n =
                split == 0 ? bytes.size() : std::min(split, bytes.size());
            const std::string piece(bytes.substr(0, n));
            response->feed(piece, out, ++now);
            bytes.remove_prefix(n);
        }
        response->end(true, out, ++now);
    }
    Purse purse;
    config::Provider provider;
    std::unique_ptr<Response> response;
    std::string out;
    policy::Micros now = 0;
};

// The data of the events, and their names where they have one.
std::vector<std::string> events(std::string_view text)
{
    std::vector<std::string> all;
    std::string name;
    while (!text.empty()) {
        const size_t end = text.find_first_of("\r\n");
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(
            std::min(end == std::string_view::npos ? text.size() : end + 1,
                text.size()));
        if (line.starts_with("event: ")) {
            name = std::string(line.substr(7)) + " ";
        } else if (line.starts_with("data: ")) {
            all.push_back(name + std::string(line.substr(6)));
            name.clear();
        }
    }
    return all;
}

constexpr std::string_view kChat =
    R"(data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":)"
    R"("x","choices":[{"index":0,"delta":{"role":"assistant","content":""},)"
    R"("finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[{"index":0,"delta":{"content":"one two"}}]})"
    "\r\n\r\n: alive\n\n"
    R"(data: {"id":"c1","choices":[{"index":0,"delta":{"content":" three four)"
    R"("}}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[{"index":0,"delta":{"content":" five"}}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop)"
    R"("}],"usage":{"prompt_tokens":9,"completion_tokens":9,)"
    R"("total_tokens":18}})"
    "\n\ndata: [DONE]\n\n";

class EarlyEnd : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, EarlyEnd, testing::Values(0, 1, 2, 3, 7, 30));

void check_books(const Answer& answer)
{
    const Response& response = *answer.response;
    EXPECT_EQ(response.state(), State::whole);
    EXPECT_TRUE(response.ended_early());
    EXPECT_TRUE(response.answered());
    EXPECT_EQ(response.finish(), chat::Finish::length);
    EXPECT_TRUE(response.usage().known);
    EXPECT_EQ(response.usage().completion, 4);
    EXPECT_EQ(response.usage().total, response.usage().prompt + 4);
}

TEST_P(EarlyEnd, RelayedChat)
{
    const Answer answer({.show_usage = true}, kChat, GetParam());
    check_books(answer);
    const size_t kept = kChat.find(R"(data: {"id":"c1","choices":[{"index":0,)"
                                   R"("delta":{"content":" five")");
    EXPECT_EQ(answer.out.substr(0, kept), kChat.substr(0, kept));
    EXPECT_EQ(answer.out.substr(kept),
        R"(data: {"id":"c1","object":"chat.completion.chunk","created":5,)"
        R"("model":"x","choices":[{"index":0,"delta":{},"logprobs":null,)"
        R"("finish_reason":"length"}]})"
        "\n\n"
        R"(data: {"id":"c1","object":"chat.completion.chunk","created":5,)"
        R"("model":"x","choices":[],"usage":{"prompt_tokens":17,)"
        R"("completion_tokens":4,"total_tokens":21,"prompt_tokens_details":)"
        R"({"cached_tokens":0,"audio_tokens":0},)"
        R"("completion_tokens_details":{"reasoning_tokens":0,)"
        R"("audio_tokens":0}}})"
        "\n\ndata: [DONE]\n\n");
}

TEST_P(EarlyEnd, ConvertedChat)
{
    Answer answer({.convert = true}, kChat, GetParam());
    check_books(answer);
    const auto all = events(answer.out);
    ASSERT_EQ(all.size(), 4u) << answer.out;
    EXPECT_NE(all[1].find(" three four"), std::string::npos) << all[1];
    EXPECT_NE(all[2].find(R"("delta":{},"logprobs":null,"finish_reason":)"
                          R"("length")"),
        std::string::npos)
        << all[2];
    EXPECT_EQ(all[3], "[DONE]");
}

TEST_P(EarlyEnd, EachChoiceThatIsOpenIsFinished)
{
    constexpr std::string_view two =
        R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}},)"
        R"({"index":1,"delta":{"content":"b"}},)"
        R"({"index":2,"delta":{"content":"c"}}]})"
        "\n\n"
        R"(data: {"id":"c","choices":[{"index":1,"delta":{},"finish_reason":)"
        R"("stop"}]})"
        "\n\n"
        R"(data: {"id":"c","choices":[{"index":2,"delta":{"content":" d e"}}]})"
        "\n\n"
        R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":" f"}}]})"
        "\n\n";
    for (const bool convert : {false, true}) {
        const Answer answer({.convert = convert}, two, GetParam(), 2);
        EXPECT_EQ(answer.response->state(), State::whole);
        const auto all = events(answer.out);
        ASSERT_GE(all.size(), 3u);
        const auto finish = [&](size_t back) { return all[all.size() - back]; };
        EXPECT_EQ(finish(1), "[DONE]");
        EXPECT_NE(finish(2).find(R"({"index":2,"delta":{})"), std::string::npos)
            << finish(2);
        EXPECT_NE(finish(3).find(R"({"index":0,"delta":{})"), std::string::npos)
            << finish(3);
        for (const size_t back : {2u, 3u}) {
            EXPECT_NE(finish(back).find(R"("finish_reason":"length")"),
                std::string::npos);
        }
        EXPECT_EQ(answer.out.find(" f"), std::string::npos);
    }
}

TEST_P(EarlyEnd, WhatHasToldItsEndGoesOn)
{
    // The last event says more than the budget has, and that it is the last.
    constexpr std::string_view all =
        R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":)"
        R"("a b c d e f g"},"finish_reason":"stop"}]})"
        "\n\ndata: [DONE]\n\n";
    const Answer answer({}, all, GetParam());
    EXPECT_EQ(answer.out, all);
    EXPECT_FALSE(answer.response->ended_early());
    EXPECT_EQ(answer.response->finish(), chat::Finish::stop);
}

TEST_P(EarlyEnd, APlainAnswerIsFinished)
{
    Answer answer({.stream = false}, kChat, GetParam());
    EXPECT_EQ(answer.response->state(), State::whole);
    EXPECT_FALSE(answer.response->ended_early());
    EXPECT_EQ(answer.response->usage().completion, 9);
    EXPECT_NE(answer.response->take_body().find("one two three four five"),
        std::string::npos);
}

TEST_P(EarlyEnd, Completions)
{
    constexpr std::string_view stream =
        R"(data: {"id":"t","object":"text_completion","created":3,"model":"x",)"
        R"("choices":[{"index":0,"text":"one two three four"}]})"
        "\n\n"
        R"(data: {"id":"t","choices":[{"index":0,"text":" five"}]})"
        "\n\n";
    const Answer answer({.api = Api::completions}, stream, GetParam());
    check_books(answer);
    EXPECT_EQ(answer.out.substr(stream.find("data: {\"id\":\"t\",\"choices")),
        R"(data: {"id":"t","object":"text_completion","created":3,"model":"x",)"
        R"("choices":[{"index":0,"text":"","logprobs":null,"finish_reason":)"
        R"("length"}]})"
        "\n\ndata: [DONE]\n\n");
}

constexpr std::string_view kMessages =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message",)"
    R"("role":"assistant","model":"claude-x","content":[],"stop_reason":null,)"
    R"("usage":{"input_tokens":11,"output_tokens":1}}})"
    "\n\n"
    "event: content_block_start\n"
    R"(data: {"type":"content_block_start","index":0,"content_block":)"
    R"({"type":"text","text":""}})"
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":)"
    R"({"type":"text_delta","text":"one"}})"
    "\n\n"
    "event: content_block_stop\n"
    R"(data: {"type":"content_block_stop","index":0})"
    "\n\n"
    "event: content_block_start\n"
    R"(data: {"type":"content_block_start","index":1,"content_block":)"
    R"({"type":"text","text":""}})"
    "\n\n"
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":1,"delta":)"
    R"({"type":"text_delta","text":" two three four"}})"
    "\n\n"
    "event: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":1,"delta":)"
    R"({"type":"text_delta","text":" five"}})"
    "\n\n";

TEST_P(EarlyEnd, RelayedMessages)
{
    const Answer answer(
        {.type = "claude", .api = Api::messages}, kMessages, GetParam());
    check_books(answer);
    EXPECT_EQ(answer.response->usage().prompt, 11); // as the provider said
    const size_t kept = kMessages.rfind("event: content_block_delta");
    EXPECT_EQ(answer.out.substr(0, kept), kMessages.substr(0, kept));
    EXPECT_EQ(answer.out.substr(kept),
        "event: content_block_stop\n"
        R"(data: {"type":"content_block_stop","index":1})"
        "\n\nevent: message_delta\n"
        R"(data: {"type":"message_delta","delta":{"stop_reason":"max_tokens",)"
        R"("stop_sequence":null},"usage":{"input_tokens":11,)"
        R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,)"
        R"("output_tokens":4}})"
        "\n\nevent: message_stop\n"
        R"(data: {"type":"message_stop"})"
        "\n\n");
}

TEST_P(EarlyEnd, ConvertedMessages)
{
    const Answer answer(
        {.api = Api::messages, .convert = true}, kChat, GetParam());
    check_books(answer);
    const auto all = events(answer.out);
    ASSERT_EQ(all.size(), 8u) << answer.out;
    EXPECT_TRUE(all[4].starts_with("content_block_delta "));
    EXPECT_TRUE(all[5].starts_with("content_block_stop ")) << all[5];
    EXPECT_TRUE(all[6].starts_with("message_delta ")) << all[6];
    EXPECT_NE(all[6].find(R"("stop_reason":"max_tokens")"), std::string::npos);
    EXPECT_NE(all[6].find(R"("output_tokens":4)"), std::string::npos);
    EXPECT_TRUE(all[7].starts_with("message_stop ")) << all[7];
}

constexpr std::string_view kGemini[] = {
    R"({"candidates":[{"content":{"parts":[{"text":"one two"}],"role":"model"},)"
    R"("index":0}],"usageMetadata":{"promptTokenCount":8,)"
    R"("totalTokenCount":8},"modelVersion":"g-1","responseId":"r1"})",
    R"({"candidates":[{"content":{"parts":[{"text":" three four"}]},"index":0)"
    R"(}]})",
    R"({"candidates":[{"content":{"parts":[{"text":" five"}]},"index":0}]})"};

constexpr std::string_view kGeminiEnd =
    R"({"candidates":[{"content":{"parts":[],"role":"model"},"finishReason":)"
    R"("MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":8,)"
    R"("candidatesTokenCount":4,"totalTokenCount":12},"modelVersion":"g-1",)"
    R"("responseId":"r1"})";

TEST_P(EarlyEnd, RelayedGemini)
{
    std::string stream;
    for (const std::string_view one : kGemini) {
        stream += "data: " + std::string(one) + "\r\n\r\n";
    }
    const Answer answer(
        {.type = "gemini", .api = Api::gemini_stream}, stream, GetParam());
    check_books(answer);
    EXPECT_EQ(answer.out,
        "data: " + std::string(kGemini[0])
            + "\r\n\r\ndata: " + std::string(kGemini[1])
            + "\r\n\r\ndata: " + std::string(kGeminiEnd) + "\r\n\r\n");
}

TEST_P(EarlyEnd, RelayedGeminiArray)
{
    std::string stream;
    for (const std::string_view one : kGemini) {
        stream += (stream.empty() ? "[" : ",\n") + std::string(one);
    }
    const Answer answer({.type = "gemini",
                            .api = Api::gemini_stream,
                            .media = "application/json"},
        stream + "]", GetParam());
    check_books(answer);
    json::Parser parser;
    const auto array = parser.parse(std::string_view(answer.out));
    ASSERT_TRUE(array) << answer.out;
    ASSERT_EQ(array->size(), 3u);
    std::string last;
    json::append_value(last, array->at(2));
    EXPECT_EQ(last, kGeminiEnd);
}

TEST_P(EarlyEnd, ConvertedGemini)
{
    const Answer answer(
        {.api = Api::gemini_stream, .convert = true}, kChat, GetParam());
    check_books(answer);
    const auto all = events(answer.out);
    ASSERT_EQ(all.size(), 3u) << answer.out;
    EXPECT_NE(all[2].find(R"("finishReason":"MAX_TOKENS")"), std::string::npos);
    EXPECT_NE(all[2].find(R"("candidatesTokenCount":4)"), std::string::npos);
}

constexpr std::string_view kResponses =
    "event: response.created\n"
    R"(data: {"type":"response.created","sequence_number":0,"response":{)"
    R"("id":"resp_1","object":"response","created_at":7,"status":)"
    R"("in_progress","error":null,"incomplete_details":null,"model":"x",)"
    R"("output":[],"usage":null,"temperature":0.5}})"
    "\n\n"
    "event: response.output_item.added\n"
    R"(data: {"type":"response.output_item.added","sequence_number":1,)"
    R"("output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}})"
    "\n\n"
    "event: response.output_item.done\n"
    R"(data: {"type":"response.output_item.done","sequence_number":2,)"
    R"("output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}})"
    "\n\n"
    "event: response.output_item.added\n"
    R"(data: {"type":"response.output_item.added","sequence_number":3,)"
    R"("output_index":1,"item":{"id":"msg_1","type":"message","status":)"
    R"("in_progress","role":"assistant","content":[]}})"
    "\n\n"
    "event: response.content_part.added\n"
    R"(data: {"type":"response.content_part.added","sequence_number":4,)"
    R"("item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":)"
    R"("output_text","text":"","annotations":[]}})"
    "\n\n"
    "event: response.output_text.delta\n"
    R"(data: {"type":"response.output_text.delta","sequence_number":5,)"
    R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":"one two"})"
    "\n\n"
    "event: response.output_text.delta\n"
    R"(data: {"type":"response.output_text.delta","sequence_number":6,)"
    R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":)"
    R"(" three four"})"
    "\n\n"
    "event: response.output_text.delta\n"
    R"(data: {"type":"response.output_text.delta","sequence_number":7,)"
    R"("item_id":"msg_1","output_index":1,"content_index":0,"delta":" five"})"
    "\n\n";

TEST_P(EarlyEnd, RelayedResponses)
{
    const Answer answer({.api = Api::responses}, kResponses, GetParam());
    check_books(answer);
    const size_t kept = kResponses.rfind("event: response.output_text.delta");
    EXPECT_EQ(answer.out.substr(0, kept), kResponses.substr(0, kept));
    const std::string message =
        R"({"id":"msg_1","type":"message","role":"assistant","status":)"
        R"("incomplete","content":[{"type":"output_text","text":)"
        R"("one two three four","annotations":[],"logprobs":[]}]})";
    const auto last = events(std::string_view(answer.out).substr(kept));
    ASSERT_EQ(last.size(), 4u) << answer.out;
    EXPECT_EQ(last[0],
        R"(response.output_text.done {"type":"response.output_text.done",)"
        R"("sequence_number":7,"item_id":"msg_1","output_index":1,)"
        R"("content_index":0,"text":"one two three four","logprobs":[]})");
    EXPECT_EQ(last[1],
        R"(response.content_part.done {"type":"response.content_part.done",)"
        R"("sequence_number":8,"item_id":"msg_1","output_index":1,)"
        R"("content_index":0,"part":{"type":"output_text","text":)"
        R"("one two three four","annotations":[],"logprobs":[]}})");
    EXPECT_EQ(last[2],
        R"(response.output_item.done {"type":"response.output_item.done",)"
        R"("sequence_number":9,"output_index":1,"item":)"
            + message + "}");
    EXPECT_EQ(last[3],
        R"(response.incomplete {"type":"response.incomplete",)"
        R"("sequence_number":10,"response":{"id":"resp_1","object":"response",)"
        R"("created_at":7,"error":null,"model":"x","temperature":0.5,)"
        R"("status":"incomplete","incomplete_details":{"reason":)"
        R"("max_output_tokens"},"output":[{"id":"rs_1","type":"reasoning",)"
        R"("summary":[]},)"
            + message
            + R"(],"usage":{"input_tokens":17,"input_tokens_details":{)"
              R"("cached_tokens":0},"output_tokens":4,"output_tokens_details":)"
              R"({"reasoning_tokens":0},"total_tokens":21}}})");
}

TEST_P(EarlyEnd, ConvertedResponses)
{
    const Answer answer(
        {.api = Api::responses, .convert = true}, kChat, GetParam());
    check_books(answer);
    const auto all = events(answer.out);
    ASSERT_FALSE(all.empty());
    EXPECT_TRUE(all.back().starts_with("response.incomplete ")) << all.back();
    EXPECT_NE(all.back().find(R"("incomplete_details":{"reason":)"
                              R"("max_output_tokens"})"),
        std::string::npos);
    EXPECT_NE(all.back().find("one two three four"), std::string::npos);
    EXPECT_EQ(answer.out.find("five"), std::string::npos);
}

} // namespace
