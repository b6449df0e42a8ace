#include "vendor_probe.h"

#include <gtest/gtest.h>

namespace {

using namespace vendor_probe;

constexpr std::string_view kUser =
    R"("messages":[{"role":"user","content":"q"}])";

std::string sent(std::string_view members)
{
    const auto encoded = encode(provider::kCohere,
        R"({"model":"m",)" + std::string(kUser) + "," + std::string(members)
            + "}",
        "command-a");
    EXPECT_TRUE(encoded->result) << encoded->result.error().message;
    return encoded->text();
}

bool has(const std::string& text, std::string_view piece)
{
    return text.find(piece) != std::string::npos;
}

TEST(CohereRequest, NamesTheParametersAsCohereDoes)
{
    const std::string text =
        sent(R"("temperature":0,"top_p":0.5,"top_k":3,"seed":7,"stop":"x",)"
             R"("max_completion_tokens":9,"reasoning_effort":"none",)"
             R"("response_format":{"type":"json_schema","json_schema":)"
             R"({"name":"n","schema":{"type":"object"}}},"documents":["d"])");
    for (std::string_view piece :
        {R"("model":"command-a")", R"("temperature":0)", R"("p":0.5)",
            R"("k":3)", R"("seed":7)", R"("stop_sequences":["x"])",
            R"("max_tokens":9)", R"("thinking":{"type":"disabled"})",
            R"("response_format":{"type":"json_object",)"
            R"("json_schema":{"type":"object"}})",
            R"("documents":["d"])", R"("stream":false)"})
        EXPECT_TRUE(has(text, piece)) << piece << " in " << text;
}

TEST(CohereRequest, ChoosesTools)
{
    constexpr std::string_view kTools =
        R"("tools":[{"type":"function","function":{"name":"a","strict":true}},)"
        R"({"type":"function","function":{"name":"b"}}],"tool_choice":)";
    const auto with = [&](std::string_view choice) {
        return sent(std::string(kTools) + std::string(choice));
    };
    EXPECT_TRUE(has(with(R"("required")"), R"("tool_choice":"REQUIRED")"));
    EXPECT_TRUE(has(with(R"("none")"), R"("tool_choice":"NONE")"));
    EXPECT_FALSE(has(with(R"("auto")"), "tool_choice"));
    const std::string named =
        with(R"({"type":"function","function":{"name":"b"}})");
    EXPECT_TRUE(has(named, R"("tool_choice":"REQUIRED")"));
    EXPECT_TRUE(has(named, R"("name":"b")"));
    EXPECT_FALSE(has(named, R"("name":"a")"));
    EXPECT_TRUE(has(with(R"("auto")"), R"("strict_tools":true)"));
    EXPECT_TRUE(has(with(R"("auto")"), R"("parameters":{"type":"object"})"));
}

TEST(CohereRequest, ReplaysThoughts)
{
    const auto encoded = encode(provider::kCohere,
        R"({"model":"m","messages":[{"role":"developer","content":"s"},)"
        R"({"role":"user","content":"q"},)"
        R"({"role":"assistant","content":null,"reasoning_content":"plan",)"
        R"("tool_calls":[{"id":"c","type":"function","function":)"
        R"({"name":"f","arguments":""}}]},)"
        R"({"role":"tool","tool_call_id":"c","content":"r"},)"
        R"({"role":"assistant","content":"a","reasoning_content":"why"},)"
        R"({"role":"user","content":[{"type":"text","text":"t"},)"
        R"({"type":"image_url","image_url":{"url":"https://h/i.png"}}]}]})",
        "m");
    ASSERT_TRUE(encoded->result) << encoded->result.error().message;
    EXPECT_EQ(compact(encoded->body["messages"]),
        R"([{"role":"system","content":"s"},{"role":"user","content":"q"},)"
        R"({"role":"assistant","tool_plan":"plan","tool_calls":[{"id":"c",)"
        R"("type":"function","function":{"name":"f","arguments":"{}"}}]},)"
        R"({"role":"tool","tool_call_id":"c","content":"r"},)"
        R"({"role":"assistant","content":[{"type":"thinking",)"
        R"("thinking":"why"},{"type":"text","text":"a"}]},)"
        R"({"role":"user","content":[{"type":"text","text":"t"},)"
        R"({"type":"image_url","image_url":{"url":"https://h/i.png"}}]}])");
}

TEST(CohereRequest, RefusesSound)
{
    const auto encoded = encode(provider::kCohere,
        R"({"model":"m","messages":[{"role":"user","content":[{"type":)"
        R"("input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]})",
        "m");
    ASSERT_FALSE(encoded->result);
    EXPECT_EQ(encoded->result.error().param, "messages[0].content[0]");
}

Result<void> play(
    std::initializer_list<std::string_view> events, Answer& answer)
{
    provider::Options options;
    const auto decoder = provider::kCohere.decoder({options, "m", 1, 1});
    json::Parser parser;
    for (const std::string_view data : events) {
        wire::SseEvent event;
        event.has_data = true;
        event.data = data;
        if (auto done = decoder->event(event, parser, answer); !done)
            return done;
    }
    return decoder->finish(answer);
}

constexpr std::string_view kStart =
    R"({"type":"message-start","id":"i","delta":{"message":{}}})";

TEST(CohereStream, ToolsWithoutArgumentsHaveEmptyOnes)
{
    Answer answer;
    ASSERT_TRUE(play({kStart,
                         R"({"type":"tool-call-start","index":0,"delta":)"
                         R"({"message":{"tool_calls":{"id":"c","function":)"
                         R"({"name":"f","arguments":""}}}}})",
                         R"({"type":"tool-call-end","index":0})",
                         R"({"type":"message-end","delta":{"finish_reason":)"
                         R"("TOOL_CALL","usage":{"billed_units":)"
                         R"({"input_tokens":1,"output_tokens":2}}}})"},
        answer));
    ASSERT_EQ(answer.first().calls.size(), 1U);
    EXPECT_EQ(answer.first().calls[0].arguments, "{}");
    EXPECT_EQ(answer.first().finish, chat::Finish::tool_calls);
}

TEST(CohereStream, CitationsBecomeAnnotations)
{
    Answer answer;
    ASSERT_TRUE(play(
        {kStart,
            R"({"type":"citation-start","index":0,"delta":{"message":)"
            R"({"citations":{"start":3,"end":5,"text":"ab","sources":[)"
            R"({"type":"document","id":"d0","document":{"title":"T",)"
            R"("url":"https://u"}},{"type":"document","id":"d1"}]}}}})",
            R"({"type":"message-end","delta":{"finish_reason":"COMPLETE"}})"},
        answer));
    ASSERT_EQ(answer.first().annotations.size(), 1U);
    EXPECT_EQ(answer.first().annotations[0],
        R"([{"type":"url_citation","url_citation":{"url":"https://u",)"
        R"("title":"T","start_index":3,"end_index":5}},)"
        R"({"type":"file_citation","file_citation":{"file_id":"d1",)"
        R"("filename":"d1","index":0,"start_index":3,"end_index":5}}])");
}

TEST(CohereStream, EndsWithAnErrorWhereCohereDoes)
{
    Answer answer;
    auto done = play({kStart,
                         R"({"type":"message-end","delta":{"finish_reason":)"
                         R"("ERROR","error":"overheated"}})"},
        answer);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "overheated");
    EXPECT_EQ(done.error().http_status(), 500);
    Answer cut;
    done = play({kStart}, cut);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::upstream_truncated);
}

} // namespace
