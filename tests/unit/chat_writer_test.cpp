#include "core/dialect/chat_writer.h"

#include "core/dialect/error_writer.h"
#include "core/json/reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace ai_proxy;
using chat::Event;
using chat::EventKind;

Event event(EventKind kind, std::string_view text = {}, uint32_t choice = 0)
{
    Event e;
    e.kind = kind;
    e.text = text;
    e.choice = choice;
    return e;
}

Event tool(uint32_t index, std::string_view id, std::string_view name,
    std::string_view signature = {})
{
    Event e = event(EventKind::tool_begin, signature);
    e.index = index;
    e.id = id;
    e.name = name;
    return e;
}

Event arguments(uint32_t index, std::string_view text)
{
    Event e = event(EventKind::tool_arguments, text);
    e.index = index;
    return e;
}

Event finished(chat::Finish finish, uint32_t choice = 0)
{
    Event e = event(EventKind::finish, {}, choice);
    e.finish = finish;
    return e;
}

Event used(int64_t prompt, int64_t completion)
{
    Event e = event(EventKind::usage);
    e.usage.known = true;
    e.usage.prompt = prompt;
    e.usage.completion = completion;
    e.usage.total = prompt + completion;
    return e;
}

Event begun(std::string_view id, std::string_view model, int64_t created)
{
    Event e = event(EventKind::begin);
    e.id = id;
    e.model = model;
    e.created = created;
    return e;
}

// The payloads of "data: ...\n\n" events, parsed.
struct Stream {
    explicit Stream(const std::string& text)
    {
        size_t at = 0;
        while (at < text.size()) {
            const size_t end = text.find("\n\n", at);
            EXPECT_NE(end, std::string::npos) << text;
            const std::string data = text.substr(at, end - at);
            EXPECT_EQ(data.substr(0, 6), "data: ");
            at = end + 2;
            if (data == "data: [DONE]") {
                ++done;
                EXPECT_EQ(at, text.size());
                continue;
            }
            auto parser = std::make_unique<json::Parser>();
            auto parsed = parser->parse(std::string_view(data).substr(6));
            EXPECT_TRUE(parsed.ok()) << data;
            chunks.push_back(*parsed);
            parsers.push_back(std::move(parser));
        }
    }
    json::Node delta(size_t i) const
    {
        return chunks.at(i)["choices"].at(0)["delta"];
    }
    std::vector<std::unique_ptr<json::Parser>> parsers;
    std::vector<json::Node> chunks;
    int done = 0;
};

std::string stream(const std::vector<Event>& events, bool show_usage)
{
    std::string out;
    dialect::ChatStreamWriter writer(
        out, {"fallback", "m", 99, show_usage, false, {}});
    for (const Event& e : events) {
        writer.on(e);
    }
    return out;
}

TEST(ChatStreamWriter, NothingLeavesBeforeTheFirstPiece)
{
    EXPECT_EQ(stream({begun("i", "m", 1), used(1, 0)}, true), "");
}

TEST(ChatStreamWriter, TextStream)
{
    const Stream s(
        stream({begun("id-1", "model-1", 5), event(EventKind::text, "Hel"),
                   event(EventKind::text, "lo \"x\"\n"), used(3, 2),
                   finished(chat::Finish::length), event(EventKind::end),
                   event(EventKind::end)},
            true));
    ASSERT_EQ(s.chunks.size(), 4u);
    EXPECT_EQ(s.done, 1);
    EXPECT_EQ(s.chunks[0]["id"].string_or(), "id-1");
    EXPECT_EQ(s.chunks[0]["model"].string_or(), "model-1");
    EXPECT_EQ(s.chunks[0]["created"].integer(), 5);
    EXPECT_EQ(s.chunks[0]["object"].string_or(), "chat.completion.chunk");
    EXPECT_EQ(s.delta(0)["role"].string_or(), "assistant");
    EXPECT_EQ(s.delta(0)["content"].string_or(), "Hel");
    EXPECT_TRUE(s.chunks[0]["choices"].at(0)["finish_reason"].is_null());
    EXPECT_FALSE(s.delta(1)["role"].exists());
    EXPECT_EQ(s.delta(1)["content"].string_or(), "lo \"x\"\n");
    EXPECT_EQ(
        s.chunks[2]["choices"].at(0)["finish_reason"].string_or(), "length");
    EXPECT_EQ(s.chunks[3]["choices"].size(), 0u);
    EXPECT_TRUE(s.chunks[3]["choices"].is_array());
    EXPECT_EQ(s.chunks[3]["usage"]["total_tokens"].integer(), 5);
}

TEST(ChatStreamWriter, NothingFollowsTheEnd)
{
    const std::vector<Event> whole = {event(EventKind::text, "a"),
        finished(chat::Finish::stop), event(EventKind::end)};
    std::vector<Event> more = whole;
    more.insert(more.end(), whole.begin(), whole.end());
    EXPECT_EQ(stream(more, true), stream(whole, true));
}

TEST(ChatStreamWriter, UsageOnlyWhenAskedFor)
{
    const std::vector<Event> events = {event(EventKind::text, "a"), used(1, 1),
        finished(chat::Finish::stop), event(EventKind::end)};
    EXPECT_EQ(Stream(stream(events, false)).chunks.size(), 2u);
    EXPECT_EQ(Stream(stream(events, true)).chunks.size(), 3u);
    EXPECT_EQ(stream(events, false).find("usage"), std::string::npos);
}

TEST(ChatStreamWriter, ToolsReasoningAndSignatures)
{
    const Stream s(stream(
        {event(EventKind::reasoning, "hm"), event(EventKind::signature, "S+/="),
            event(EventKind::redacted, "ENC"), tool(0, "c1", "f", "G="),
            tool(1, "", "g"), arguments(1, "{}"), arguments(0, "{\"a\""),
            finished(chat::Finish::tool_calls), event(EventKind::end)},
        false));
    EXPECT_EQ(s.delta(0)["reasoning_content"].string_or(), "hm");
    EXPECT_EQ(
        s.delta(1)["thinking_blocks"].at(0)["signature"].string_or(), "S+/=");
    EXPECT_EQ(s.delta(2)["thinking_blocks"].at(0)["data"].string_or(), "ENC");
    const json::Node call = s.delta(3)["tool_calls"].at(0);
    EXPECT_EQ(call["index"].integer(), 0);
    EXPECT_EQ(call["id"].string_or(), "c1");
    EXPECT_EQ(call["type"].string_or(), "function");
    EXPECT_EQ(call["function"]["name"].string_or(), "f");
    EXPECT_EQ(call["function"]["arguments"].string_or("?"), "");
    EXPECT_EQ(
        call["extra_content"]["google"]["thought_signature"].string_or(), "G=");
    EXPECT_FALSE(s.delta(4)["tool_calls"].at(0)["id"].string_or().empty());
    EXPECT_EQ(s.delta(5)["tool_calls"].at(0)["index"].integer(), 1);
    EXPECT_EQ(
        s.delta(6)["tool_calls"].at(0)["function"]["arguments"].string_or(),
        "{\"a\"");
    EXPECT_EQ(s.chunks[7]["choices"].at(0)["finish_reason"].string_or(),
        "tool_calls");
}

TEST(ChatStreamWriter, ChoicesBeginOneByOne)
{
    const Stream s(stream(
        {event(EventKind::text, "a", 0), event(EventKind::text, "b", 1),
            finished(chat::Finish::stop, 1), finished(chat::Finish::stop, 2)},
        false));
    EXPECT_EQ(s.delta(1)["role"].string_or(), "assistant");
    EXPECT_EQ(s.chunks[1]["choices"].at(0)["index"].integer(), 1);
    EXPECT_FALSE(s.delta(2)["role"].exists());
    EXPECT_EQ(s.delta(3)["role"].string_or(), "assistant");
}

TEST(ChatStreamWriter, AbsurdChoiceIsIgnored)
{
    EXPECT_EQ(stream({event(EventKind::text, "a", 4'000'000'000u)}, false), "");
}

json::Node parse(json::Parser& parser, const std::string& text)
{
    auto parsed = parser.parse(std::string_view(text));
    EXPECT_TRUE(parsed.ok()) << text;
    return *parsed;
}

std::string body(const std::vector<Event>& events)
{
    dialect::ChatBodyWriter writer({"fallback", "m", 99, false, false, {}});
    for (const Event& e : events) {
        writer.on(e);
    }
    std::string out;
    writer.write(out);
    return out;
}

TEST(ChatBodyWriter, Everything)
{
    json::Parser parser;
    const std::string text = body({begun("id", "mm", 7),
        event(EventKind::reasoning, "a"), event(EventKind::reasoning, "b"),
        event(EventKind::signature, "S1"), event(EventKind::reasoning, "c"),
        event(EventKind::redacted, "R"), event(EventKind::text, "x"),
        event(EventKind::text, "y"),
        event(EventKind::annotations, R"([{"n":1}])"),
        event(EventKind::annotations, R"([{"n":2}])"), tool(0, "c1", "f", "G"),
        arguments(0, "{"), tool(1, "c2", "g"), arguments(0, "}"), used(4, 6),
        finished(chat::Finish::tool_calls), event(EventKind::end)});
    const json::Node node = parse(parser, text);
    EXPECT_EQ(node["id"].string_or(), "id");
    EXPECT_EQ(node["object"].string_or(), "chat.completion");
    EXPECT_EQ(node["created"].integer(), 7);
    EXPECT_EQ(node["model"].string_or(), "mm");
    EXPECT_EQ(node["usage"]["prompt_tokens"].integer(), 4);
    const json::Node choice = node["choices"].at(0);
    EXPECT_EQ(choice["finish_reason"].string_or(), "tool_calls");
    const json::Node message = choice["message"];
    EXPECT_EQ(message["role"].string_or(), "assistant");
    EXPECT_EQ(message["content"].string_or(), "xy");
    EXPECT_EQ(message["reasoning_content"].string_or(), "abc");
    const json::Node blocks = message["thinking_blocks"];
    ASSERT_EQ(blocks.size(), 3u);
    EXPECT_EQ(blocks.at(0)["thinking"].string_or(), "ab");
    EXPECT_EQ(blocks.at(0)["signature"].string_or(), "S1");
    EXPECT_EQ(blocks.at(1)["thinking"].string_or(), "c");
    EXPECT_EQ(blocks.at(2)["data"].string_or(), "R");
    EXPECT_EQ(message["annotations"].at(1)["n"].integer(), 2);
    EXPECT_EQ(message["tool_calls"].size(), 2u);
    const json::Node call = message["tool_calls"].at(0);
    EXPECT_EQ(call["function"]["arguments"].string_or(), "{}");
    EXPECT_EQ(
        call["extra_content"]["google"]["thought_signature"].string_or(), "G");
    EXPECT_FALSE(message["tool_calls"].at(1)["extra_content"].exists());
}

TEST(ChatBodyWriter, ContentIsNullBesideToolsAndRefusals)
{
    json::Parser parser;
    const std::string tools = body({tool(0, "c", "f")});
    EXPECT_TRUE(
        parse(parser, tools)["choices"].at(0)["message"]["content"].is_null());
    const std::string refused = body({event(EventKind::refusal, "no")});
    const json::Node message =
        parse(parser, refused)["choices"].at(0)["message"];
    EXPECT_TRUE(message["content"].is_null());
    EXPECT_EQ(message["refusal"].string_or(), "no");
    const std::string nothing = body({finished(chat::Finish::stop)});
    EXPECT_EQ(
        parse(parser, nothing)["choices"].at(0)["message"]["content"].string_or(
            "?"),
        "");
}

TEST(ErrorWriter, EachDialect)
{
    Error error = make_error(ErrorCode::upstream_status, "slow \"down\"");
    error.status = 429;
    error.provider_code = "rate_limit_exceeded";
    json::Parser parser;
    std::string out;
    dialect::write_error_body(out, dialect::Dialect::openai, error);
    json::Node node = parse(parser, out)["error"];
    EXPECT_EQ(node["message"].string_or(), "slow \"down\"");
    EXPECT_EQ(node["type"].string_or(), "rate_limit_error");
    EXPECT_EQ(node["code"].string_or(), "rate_limit_exceeded");
    EXPECT_TRUE(node["param"].is_null());

    out.clear();
    dialect::write_error_body(out, dialect::Dialect::anthropic, error);
    node = parse(parser, out);
    EXPECT_EQ(node["type"].string_or(), "error");
    EXPECT_EQ(node["error"]["type"].string_or(), "rate_limit_error");

    out.clear();
    dialect::write_error_body(out, dialect::Dialect::gemini, error);
    node = parse(parser, out)["error"];
    EXPECT_EQ(node["code"].integer(), 429);
    EXPECT_EQ(node["status"].string_or(), "RESOURCE_EXHAUSTED");
}

TEST(ErrorWriter, OwnErrorsCarryTheirName)
{
    const Error error =
        make_error(ErrorCode::invalid_json, "invalid JSON", "messages");
    json::Parser parser;
    std::string out;
    dialect::write_error_body(out, dialect::Dialect::openai, error);
    const json::Node node = parse(parser, out)["error"];
    EXPECT_EQ(node["code"].string_or(), "invalid_json");
    EXPECT_EQ(node["param"].string_or(), "messages");
    EXPECT_EQ(node["type"].string_or(), "invalid_request_error");
}

TEST(ErrorWriter, Events)
{
    const Error error = make_error(ErrorCode::timeout_idle, "quiet");
    std::string out;
    dialect::write_error_event(out, dialect::Dialect::openai, error);
    EXPECT_EQ(out.substr(0, 7), "data: {");
    EXPECT_EQ(out.substr(out.size() - 2), "\n\n");
    out.clear();
    dialect::write_error_event(out, dialect::Dialect::anthropic, error);
    EXPECT_EQ(out.find("event: error\ndata: {"), 0u);
}

} // namespace
