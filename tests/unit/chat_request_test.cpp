#include "core/dialect/chat_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace ai_proxy;

struct Body {
    explicit Body(std::string_view text)
    {
        auto parsed = parser.parse(text);
        EXPECT_TRUE(parsed.ok()) << text;
        node = *parsed;
    }
    json::Parser parser;
    json::Node node;
};

struct Bad {
    std::string_view body, param, message;
};

class BadChat : public testing::TestWithParam<Bad> {};

TEST_P(BadChat, NamesTheFault)
{
    Body body(GetParam().body);
    const auto checked = dialect::check_chat(body.node);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_request);
    EXPECT_EQ(checked.error().http_status(), 400);
    EXPECT_EQ(checked.error().param, GetParam().param);
    EXPECT_NE(
        checked.error().message.find(GetParam().message), std::string::npos)
        << checked.error().message;
}

constexpr Bad kBad[] = {
    {"[]", "", "must be a JSON object"},
    {"{}", "messages", "Missing required parameter: 'messages'."},
    {R"({"messages":"hi"})", "messages",
        "expected an array of objects, but got a string instead."},
    {R"({"messages":null})", "messages", "but got null instead."},
    {R"({"messages":[]})", "messages", "empty array"},
    {R"({"messages":["hi"]})", "messages[0]",
        "expected an object, but got a string"},
    {R"({"messages":[{"content":"x"}]})", "messages[0].role",
        "Missing required parameter: 'messages[0].role'."},
    {R"({"messages":[{"role":"bot","content":"x"}]})", "messages[0].role",
        "Invalid value: 'bot'."},
    {R"({"messages":[{"role":3,"content":"x"}]})", "messages[0].role",
        "expected a string, but got an integer"},
    {R"({"messages":[{"role":"user","content":"x"},{"role":"user"}]})",
        "messages[1].content",
        "Missing required parameter: 'messages[1].content'."},
    {R"({"messages":[{"role":"user","content":null}]})", "messages[0].content",
        "expected one of a string or array of objects"},
    {R"({"messages":[{"role":"user","content":7}]})", "messages[0].content",
        "but got an integer instead."},
    {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})",
        "messages[0].content[0].text", "Missing"},
    {R"({"messages":[{"role":"user","content":["x"]}]})",
        "messages[0].content[0]", "expected an object"},
    {R"({"messages":[{"role":"user","content":[{"text":"x"}]}]})",
        "messages[0].content[0].type", "Missing"},
    {R"({"messages":[{"role":"user","content":[{"type":"image_url",
        "image_url":{}}]}]})",
        "messages[0].content[0].image_url.url", "Missing"},
    {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},
        {"type":"input_audio"}]}]})",
        "messages[0].content[1].input_audio", "Missing"},
    {R"({"messages":[{"role":"assistant","tool_calls":{}}]})",
        "messages[0].tool_calls", "expected an array of objects"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]})",
        "messages[0].tool_calls[0].function", "Missing"},
    {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a",
        "function":{"name":"f","arguments":{}}}]}]})",
        "messages[0].tool_calls[0].function.arguments", "expected a string"},
    {R"({"messages":[{"role":"user","content":"x"}],"stream":"yes"})", "stream",
        "expected a boolean, but got a string"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "stream_options":{"include_usage":1}})",
        "stream_options.include_usage", "expected a boolean"},
    {R"({"messages":[{"role":"user","content":"x"}],"temperature":"hot"})",
        "temperature", "expected a number"},
    {R"({"messages":[{"role":"user","content":"x"}],"max_tokens":1.5})",
        "max_tokens", "expected an integer, but got a number"},
    {R"({"messages":[{"role":"user","content":"x"}],"stop":[1]})", "stop[0]",
        "expected a string"},
    {R"({"messages":[{"role":"user","content":"x"}],"stop":{}})", "stop",
        "expected one of a string or array of strings"},
    {R"({"messages":[{"role":"user","content":"x"}],"tools":{}})", "tools",
        "expected an array of objects"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{}}]})",
        "tools[0].function.name", "Missing"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f",
        "parameters":"x"}}]})",
        "tools[0].function.parameters", "expected an object"},
    {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":1})",
        "tool_choice", "expected one of a string or object"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "response_format":"json"})",
        "response_format", "expected an object"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "response_format":{"type":"json_schema"}})",
        "response_format.json_schema", "Missing"},
    {R"({"messages":[{"role":"user","content":"x"}],
        "reasoning_effort":3})",
        "reasoning_effort", "expected a string"},
};

INSTANTIATE_TEST_SUITE_P(All, BadChat, testing::ValuesIn(kBad));

TEST(ChatCheck, AcceptsWhatOpenaiAccepts)
{
    Body body(R"({"model":"m","messages":[
        {"role":"system","content":"s"},{"role":"developer","content":"d"},
        {"role":"user","content":[{"type":"text","text":"t"},
            {"type":"image_url","image_url":{"url":"http://x/y.png"}},
            {"type":"hologram","anything":1}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c",
            "type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"assistant"},
        {"role":"tool","tool_call_id":"c","content":"r"},
        {"role":"function","name":"f","content":"r"}],
        "stream":null,"stop":null,"tools":null,"tool_choice":null,
        "temperature":0,"max_tokens":10.0,"unknown":{"x":[1]},
        "tools":[{"type":"web_search"}]})");
    const auto checked = dialect::check_chat(body.node);
    EXPECT_TRUE(checked.ok()) << checked.error().message;
}

TEST(ChatEnvelope, ReadsWhatRoutingNeeds)
{
    Body body(R"({"model":"gpt","stream":true,
        "stream_options":{"include_usage":true}})");
    const auto envelope = dialect::read_envelope(body.node);
    ASSERT_TRUE(envelope.ok());
    EXPECT_EQ(envelope->model, "gpt");
    EXPECT_TRUE(envelope->has_model);
    EXPECT_TRUE(envelope->stream);
    EXPECT_TRUE(envelope->include_usage);
    Body none("{}");
    const auto empty = dialect::read_envelope(none.node);
    ASSERT_TRUE(empty.ok());
    EXPECT_FALSE(empty->has_model);
    EXPECT_FALSE(empty->stream);
}

TEST(ChatEnvelope, RefusesWrongTypes)
{
    Body model(R"({"model":5})");
    EXPECT_EQ(dialect::read_envelope(model.node).error().param, "model");
    Body stream(R"({"stream":"true"})");
    EXPECT_EQ(dialect::read_envelope(stream.node).error().param, "stream");
    Body list("[]");
    EXPECT_FALSE(dialect::read_envelope(list.node).ok());
}

TEST(ChatRead, Messages)
{
    Body body(R"({"messages":[{"role":"developer","content":"d"},
        {"role":"user","name":"ann","content":[
            {"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
            {"type":"image_url","image_url":{"url":
                "data:image/png;charset=x;base64,QUJD","detail":"low"}},
            {"type":"image_url","image_url":"https://h/i.jpg"},
            {"type":"input_audio","input_audio":{"data":"AA","format":"mp3"}},
            {"type":"file","file":{"file_data":
                "data:application/pdf;base64,UERG","filename":"a.pdf"}},
            {"type":"file","file":{"file_id":"f-1"}}]},
        {"role":"tool","tool_call_id":"c1","content":"42"}]})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    const auto& messages = request->messages;
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_EQ(messages[0].role, chat::Role::developer);
    EXPECT_TRUE(messages[0].plain);
    EXPECT_EQ(messages[0].parts.at(0).text, "d");
    EXPECT_EQ(messages[1].name, "ann");
    EXPECT_FALSE(messages[1].plain);
    const auto& parts = messages[1].parts;
    ASSERT_EQ(parts.size(), 6u);
    EXPECT_EQ(parts[0].text, "look");
    EXPECT_TRUE(parts[0].cache_control.is_object());
    EXPECT_EQ(parts[1].kind, chat::PartKind::image_data);
    EXPECT_EQ(parts[1].media_type, "image/png");
    EXPECT_EQ(parts[1].data, "QUJD");
    EXPECT_EQ(parts[1].detail, "low");
    EXPECT_EQ(parts[2].kind, chat::PartKind::image_url);
    EXPECT_EQ(parts[2].url, "https://h/i.jpg");
    EXPECT_EQ(parts[3].kind, chat::PartKind::audio);
    EXPECT_EQ(parts[3].format, "mp3");
    EXPECT_EQ(parts[3].media_type, "audio/mpeg");
    EXPECT_EQ(parts[4].kind, chat::PartKind::file);
    EXPECT_EQ(parts[4].media_type, "application/pdf");
    EXPECT_EQ(parts[4].data, "UERG");
    EXPECT_EQ(parts[5].file_id, "f-1");
    EXPECT_EQ(messages[2].role, chat::Role::tool);
    EXPECT_EQ(messages[2].tool_call_id, "c1");
}

TEST(ChatRead, ReasoningHistoryComesFirst)
{
    Body body(R"({"messages":[{"role":"assistant","content":"so 4",
        "reasoning_content":"2+2",
        "thinking_blocks":[
            {"type":"thinking","thinking":"2+2","signature":"Sg+/=="},
            {"type":"redacted_thinking","data":"ENC"}],
        "tool_calls":[{"id":"c","type":"function","function":
            {"name":"f","arguments":"{\"a\":1}"},
            "extra_content":{"google":{"thought_signature":"T/g="}}}]}]})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    const chat::Message& message = request->messages.at(0);
    ASSERT_EQ(message.parts.size(), 3u);
    EXPECT_EQ(message.parts[0].kind, chat::PartKind::thinking);
    EXPECT_EQ(message.parts[0].text, "2+2");
    EXPECT_EQ(message.parts[0].signature, "Sg+/==");
    EXPECT_EQ(message.parts[1].kind, chat::PartKind::redacted);
    EXPECT_EQ(message.parts[1].data, "ENC");
    EXPECT_EQ(message.parts[2].text, "so 4");
    EXPECT_EQ(message.reasoning, "2+2");
    ASSERT_EQ(message.tool_calls.size(), 1u);
    EXPECT_EQ(message.tool_calls[0].arguments, R"({"a":1})");
    EXPECT_EQ(message.tool_calls[0].signature, "T/g=");
}

TEST(ChatRead, StreamedSignatureFindsItsText)
{
    Body body(R"({"messages":[{"role":"assistant","content":"4",
        "reasoning_content":"2+2","thinking_blocks":[{"type":"thinking",
        "thinking":"","signature":"S"}]}]})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->messages[0].parts.at(0).text, "2+2");
}

// It is not the text of what a vendor hid.
TEST(ChatRead, StreamedSignatureBesideHiddenThoughts)
{
    constexpr std::string_view kSigned =
        R"({"type":"thinking","thinking":"","signature":"S"})";
    constexpr std::string_view kHidden =
        R"({"type":"redacted_thinking","data":"ENC"})";
    const auto texts = [](const std::string& blocks) {
        Body body(R"({"messages":[{"role":"assistant","content":"4",
            "reasoning_content":"2+2","thinking_blocks":[)"
            + blocks + "]}]}");
        const auto request = dialect::read_chat(body.node);
        std::string all;
        for (const chat::Part& part : request->messages[0].parts) {
            all.append(part.text).append(part.data).append("|");
        }
        return all;
    };
    const std::string one(kSigned), hidden(kHidden);
    EXPECT_EQ(texts(one + "," + hidden), "2+2|ENC|4|");
    EXPECT_EQ(texts(hidden + "," + one + "," + hidden), "ENC|2+2|ENC|4|");
    // Whose text is it?
    EXPECT_EQ(texts(one + "," + one), "||4|");
    EXPECT_EQ(texts(one
                  + ","
                    R"({"type":"thinking","thinking":"2","signature":"T"})"),
        "|2|4|");
}

TEST(ChatRead, Options)
{
    Body body(R"({"model":"m","messages":[{"role":"user","content":"x"}],
        "max_tokens":5,"max_completion_tokens":9,"temperature":0,"top_p":0.5,
        "seed":7,"n":2,"stop":"END","stream":true,
        "stream_options":{"include_usage":true},"parallel_tool_calls":false,
        "tool_choice":{"type":"function","function":{"name":"f"}},
        "response_format":{"type":"json_schema","json_schema":{"name":"s",
            "strict":true,"schema":{"type":"object"}}},
        "reasoning_effort":"high","user":"u","service_tier":"flex",
        "tools":[{"type":"function","function":{"name":"f",
            "description":"d","strict":false,
            "parameters":{"type":"object"}}}]})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->model, "m");
    EXPECT_EQ(request->max_tokens, 9);
    EXPECT_EQ(request->temperature, 0.0);
    EXPECT_EQ(request->top_p, 0.5);
    EXPECT_FALSE(request->presence_penalty.has_value());
    EXPECT_EQ(request->seed, 7);
    EXPECT_EQ(request->n, 2);
    ASSERT_EQ(request->stop.size(), 1u);
    EXPECT_EQ(request->stop[0], "END");
    EXPECT_TRUE(request->stream);
    EXPECT_TRUE(request->include_usage);
    EXPECT_EQ(request->parallel_tool_calls, false);
    EXPECT_EQ(request->tool_choice, chat::ToolChoice::named);
    EXPECT_EQ(request->tool_choice_name, "f");
    EXPECT_EQ(request->format, chat::Format::json_schema);
    EXPECT_EQ(request->schema_name, "s");
    EXPECT_EQ(request->schema_strict, true);
    EXPECT_TRUE(request->schema.is_object());
    EXPECT_EQ(request->reasoning_effort, "high");
    ASSERT_EQ(request->tools.size(), 1u);
    EXPECT_EQ(request->tools[0].name, "f");
    EXPECT_EQ(request->tools[0].strict, false);
}

TEST(ChatRead, StopArrayAndToolChoiceWords)
{
    Body body(R"({"messages":[{"role":"user","content":"x"}],
        "stop":["a","b"],"tool_choice":"required","max_tokens":5})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->stop.size(), 2u);
    EXPECT_EQ(request->tool_choice, chat::ToolChoice::required);
    EXPECT_EQ(request->max_tokens, 5);
}

TEST(ChatRead, FormBeforeTools)
{
    Body body(R"({"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"function_call":
            {"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"r"}],
        "functions":[{"name":"f","parameters":{}}],
        "function_call":{"name":"f"}})");
    const auto request = dialect::read_chat(body.node);
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->messages[1].tool_calls.at(0).id, "f");
    EXPECT_EQ(request->messages[2].role, chat::Role::tool);
    EXPECT_EQ(request->messages[2].tool_call_id, "f");
    EXPECT_EQ(request->tools.at(0).name, "f");
    EXPECT_EQ(request->tool_choice, chat::ToolChoice::named);
}

TEST(ChatRead, RefusesWhatCannotBeConverted)
{
    Body part(R"({"messages":[{"role":"user","content":[
        {"type":"hologram"}]}]})");
    EXPECT_EQ(dialect::read_chat(part.node).error().param,
        "messages[0].content[0].type");
    Body url(R"({"messages":[{"role":"user","content":[{"type":"image_url",
        "image_url":{"url":"data:image/png,raw"}}]}]})");
    EXPECT_EQ(dialect::read_chat(url.node).error().param,
        "messages[0].content[0].image_url.url");
    Body tool(R"({"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"web_search"}]})");
    EXPECT_EQ(dialect::read_chat(tool.node).error().param, "tools[0].type");
}

} // namespace
