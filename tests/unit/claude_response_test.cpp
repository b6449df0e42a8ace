#include "vendor_probe.h"

#include <simdjson.h>

using namespace ai_proxy;
using chat::Finish;

namespace {

auto body(std::string_view text)
{
    return vendor_probe::decode_body(provider::kClaude, text);
}

auto stream(std::string_view text)
{
    return vendor_probe::decode_stream(provider::kClaude, text);
}

// Events from their data; the event field repeats the type.
std::string events(std::initializer_list<std::string_view> all)
{
    std::string out;
    for (const std::string_view data : all) {
        out += "event: x\ndata: " + std::string(data) + "\n\n";
    }
    return out;
}

constexpr std::string_view kStart =
    R"({"type":"message_start","message":{"id":"msg_1","model":"claude-x",)"
    R"("usage":{"input_tokens":10,"cache_read_input_tokens":4,)"
    R"("cache_creation_input_tokens":2,"output_tokens":1}}})";
constexpr std::string_view kStop = R"({"type":"message_stop"})";

TEST(ClaudeBody, TextOfAllBlocks)
{
    const auto answer = body(R"({"id":"msg_1","type":"message",
        "model":"claude-x","content":[{"type":"text","text":"Hel"},
        {"type":"text","text":"lo"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":5,"cache_read_input_tokens":20,
        "cache_creation_input_tokens":3,"output_tokens":7,
        "output_tokens_details":{"thinking_tokens":2}}})");
    EXPECT_EQ(answer->id, "msg_1");
    EXPECT_EQ(answer->model, "claude-x");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().finish, Finish::stop);
    EXPECT_EQ(answer->first().finish_word, "end_turn");
    EXPECT_EQ(answer->usage.prompt, 28);
    EXPECT_EQ(answer->usage.cache_read, 20);
    EXPECT_EQ(answer->usage.cache_write, 3);
    EXPECT_EQ(answer->usage.completion, 7);
    EXPECT_EQ(answer->usage.reasoning, 2);
    EXPECT_EQ(answer->usage.total, 35);
    EXPECT_EQ(answer->ends, 1);
}

TEST(ClaudeBody, ThinkingToolsAndServerTools)
{
    const auto answer = body(R"({"content":[
        {"type":"thinking","thinking":"hm","signature":"S+/="},
        {"type":"redacted_thinking","data":"R+/="},
        {"type":"server_tool_use","id":"s","name":"web_search",
            "input":{"query":"x"}},
        {"type":"web_search_tool_result","tool_use_id":"s","content":[]},
        {"type":"tool_use","id":"a","name":"f","input":{"x":[1,{"y":null}]}},
        {"type":"something_new","text":"?"},
        {"type":"tool_use","id":"b","name":"g","input":{}}],
        "stop_reason":"tool_use","usage":{}})");
    const auto& choice = answer->first();
    EXPECT_EQ(choice.text, "");
    EXPECT_EQ(choice.reasoning, "hm");
    EXPECT_EQ(choice.signatures, std::vector<std::string>{"S+/="});
    EXPECT_EQ(choice.redacted, std::vector<std::string>{"R+/="});
    ASSERT_EQ(choice.calls.size(), 2U);
    EXPECT_EQ(choice.calls[0].id, "a");
    EXPECT_EQ(choice.calls[0].name, "f");
    EXPECT_EQ(choice.calls[0].arguments, R"({"x":[1,{"y":null}]})");
    EXPECT_EQ(choice.calls[1].arguments, "{}");
    EXPECT_EQ(choice.finish, Finish::tool_calls);
    EXPECT_FALSE(answer->usage.known);
}

TEST(ClaudeBody, StopReasons)
{
    const auto finish = [](std::string_view reason) {
        return body(
            R"({"content":[],"stop_reason":")" + std::string(reason) + R"("})")
            ->first()
            .finish;
    };
    EXPECT_EQ(finish("end_turn"), Finish::stop);
    EXPECT_EQ(finish("stop_sequence"), Finish::stop_sequence);
    EXPECT_EQ(finish("pause_turn"), Finish::pause);
    EXPECT_EQ(finish("max_tokens"), Finish::length);
    EXPECT_EQ(finish("model_context_window_exceeded"), Finish::context_window);
    EXPECT_EQ(finish("tool_use"), Finish::tool_calls);
    EXPECT_EQ(finish("refusal"), Finish::content_filter);
    EXPECT_EQ(finish("yet_unknown"), Finish::stop);
}

TEST(ClaudeBody, ErrorUnder200)
{
    const auto answer = body(R"({"type":"error","error":{
        "type":"rate_limit_error","message":"slow down"}})");
    EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
    EXPECT_EQ(answer->error.http_status(), 429);
    EXPECT_EQ(answer->error.type, "rate_limit_error");
    EXPECT_EQ(answer->error.message, "slow down");
    EXPECT_EQ(answer->log, "");
}

TEST(ClaudeBody, NoMessage)
{
    for (const char* text : {"{}", "[]", "7", R"({"content":"x"})", "null"}) {
        const auto answer = body(text);
        EXPECT_EQ(answer->error.code, ErrorCode::upstream_invalid) << text;
        EXPECT_EQ(answer->ends, 0);
    }
}

TEST(ClaudeBody, WrongTypesEverywhere)
{
    const auto answer = body(R"({"id":7,"model":[],"content":[1,null,"x",{},
        {"type":5},{"type":"text","text":{}},{"type":"tool_use","id":1,
        "name":null,"input":"s"},{"type":"thinking","thinking":[]}],
        "stop_reason":{},"usage":{"input_tokens":-4,"output_tokens":"9"}})");
    EXPECT_EQ(answer->ends, 1);
    ASSERT_EQ(answer->first().calls.size(), 1U);
    EXPECT_EQ(answer->first().calls[0].arguments, "{}");
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
}

TEST(ClaudeBody, CitationsOfWebPages)
{
    const auto answer = body(R"({"content":[{"type":"text","text":"Caf\u00e9 "},
        {"type":"text","text":"ETH","citations":[
        {"type":"web_search_result_location","url":"https://e.com/\"q",
         "title":"T"},
        {"type":"page_location","start_page_number":1},
        {"type":"web_search_result_location","url":"https://e.com/2",
         "title":null}]}],"stop_reason":"end_turn"})");
    ASSERT_EQ(answer->first().annotations.size(), 1U);
    EXPECT_EQ(answer->first().annotations[0],
        R"([{"type":"url_citation","url_citation":{"url":"https://e.com/\"q",)"
        R"("title":"T","start_index":5,"end_index":8}},)"
        R"({"type":"file_citation","file_citation":{"file_id":"",)"
        R"("filename":"","index":0,"location":{"type":"page_location",)"
        R"("start_page_number":1},"start_index":5,"end_index":8}},)"
        R"({"type":"url_citation","url_citation":{"url":"https://e.com/2",)"
        R"("title":"","start_index":5,"end_index":8}}])");
}

TEST(ClaudeStream, TextAndUsage)
{
    const auto answer = stream(events({kStart,
        R"({"type":"content_block_start","index":0,)"
        R"("content_block":{"type":"text","text":""}})",
        R"({"type":"ping"})",
        R"({"type":"content_block_delta","index":0,)"
        R"("delta":{"type":"text_delta","text":"Hel"}})",
        R"({"type":"some_new_event","x":1})",
        R"({"type":"content_block_delta","index":0,)"
        R"("delta":{"type":"text_delta","text":"lo"}})",
        R"({"type":"content_block_stop","index":0})",
        R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},)"
        R"("usage":{"output_tokens":15}})",
        kStop}));
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->id, "msg_1");
    EXPECT_EQ(answer->model, "claude-x");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().finish, Finish::length);
    EXPECT_EQ(answer->first().finishes, 1);
    // Cumulative: 15, not 16; the rest stays as message_start told it.
    EXPECT_EQ(answer->usage.completion, 15);
    EXPECT_EQ(answer->usage.prompt, 16);
    EXPECT_EQ(answer->usage.cache_read, 4);
    EXPECT_EQ(answer->usage.cache_write, 2);
    EXPECT_EQ(answer->usage.total, 31);
    EXPECT_EQ(answer->ends, 1);
}

TEST(ClaudeStream, LaterUsageReplaces)
{
    const auto answer = stream(events({kStart,
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},)"
        R"("usage":{"input_tokens":17,"cache_read_input_tokens":100,)"
        R"("cache_creation_input_tokens":0,"output_tokens":5}})",
        kStop}));
    EXPECT_EQ(answer->usage.cache_read, 100);
    EXPECT_EQ(answer->usage.cache_write, 2);
    EXPECT_EQ(answer->usage.prompt, 119);
    EXPECT_EQ(answer->usage.completion, 5);
}

TEST(ClaudeStream, ToolsCountFromZeroAndEmptyInputIsAnObject)
{
    const auto answer = stream(events({kStart,
        R"({"type":"content_block_start","index":0,)"
        R"("content_block":{"type":"text","text":"a"}})",
        R"({"type":"content_block_stop","index":0})",
        R"({"type":"content_block_start","index":1,)"
        R"("content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}})",
        R"({"type":"content_block_delta","index":1,)"
        R"("delta":{"type":"input_json_delta","partial_json":""}})",
        R"({"type":"content_block_stop","index":1})",
        R"({"type":"content_block_start","index":2,)"
        R"("content_block":{"type":"server_tool_use","id":"s","name":"web"}})",
        R"({"type":"content_block_delta","index":2,)"
        R"("delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}})",
        R"({"type":"content_block_stop","index":2})",
        R"({"type":"content_block_start","index":3,)"
        R"("content_block":{"type":"tool_use","id":"t2","name":"g","input":{}}})",
        R"({"type":"content_block_delta","index":3,)"
        R"("delta":{"type":"input_json_delta","partial_json":"{\"x\""}})",
        R"({"type":"content_block_delta","index":3,)"
        R"("delta":{"type":"input_json_delta","partial_json":":1}"}})",
        R"({"type":"content_block_stop","index":3})",
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})",
        kStop}));
    ASSERT_EQ(answer->first().calls.size(), 2U);
    EXPECT_EQ(answer->first().calls[0].id, "t1");
    EXPECT_EQ(answer->first().calls[0].arguments, "{}");
    EXPECT_EQ(answer->first().calls[0].pieces, 1);
    EXPECT_EQ(answer->first().calls[1].name, "g");
    EXPECT_EQ(answer->first().calls[1].arguments, R"({"x":1})");
    EXPECT_EQ(answer->first().finish, Finish::tool_calls);
}

TEST(ClaudeStream, InputGivenAtTheStart)
{
    const auto answer = stream(events({kStart,
        R"({"type":"content_block_start","index":0,"content_block":)"
        R"({"type":"tool_use","id":"t","name":"f","input":{"a":1}}})",
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})",
        kStop}));
    ASSERT_EQ(answer->first().calls.size(), 1U);
    EXPECT_EQ(answer->first().calls[0].arguments, R"({"a":1})");
}

TEST(ClaudeStream, ThinkingSignatureRedactedAndCitations)
{
    const auto answer = stream(events({kStart,
        R"({"type":"content_block_start","index":0,)"
        R"("content_block":{"type":"thinking","thinking":"","signature":""}})",
        R"({"type":"content_block_delta","index":0,)"
        R"("delta":{"type":"thinking_delta","thinking":"h"}})",
        R"({"type":"content_block_delta","index":0,)"
        R"("delta":{"type":"thinking_delta","thinking":"m"}})",
        R"({"type":"content_block_delta","index":0,)"
        R"("delta":{"type":"signature_delta","signature":"S+/="}})",
        R"({"type":"content_block_stop","index":0})",
        R"({"type":"content_block_start","index":1,)"
        R"("content_block":{"type":"redacted_thinking","data":"R"}})",
        R"({"type":"content_block_stop","index":1})",
        R"({"type":"content_block_start","index":2,)"
        R"("content_block":{"type":"text","text":"","citations":[]}})",
        R"({"type":"content_block_delta","index":2,"delta":)"
        R"({"type":"citations_delta","citation":)"
        R"({"type":"web_search_result_location","url":"https://e.com",)"
        R"("title":"E"}}})",
        R"({"type":"content_block_delta","index":2,)"
        R"("delta":{"type":"text_delta","text":"abc"}})",
        R"({"type":"content_block_stop","index":2})",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})",
        kStop}));
    EXPECT_EQ(answer->first().reasoning, "hm");
    EXPECT_EQ(answer->first().signatures, std::vector<std::string>{"S+/="});
    EXPECT_EQ(answer->first().redacted, std::vector<std::string>{"R"});
    ASSERT_EQ(answer->first().annotations.size(), 1U);
    EXPECT_NE(
        answer->first().annotations[0].find(R"("start_index":0,"end_index":3)"),
        std::string::npos);
}

TEST(ClaudeStream, RefusalTellsWhy)
{
    const auto answer = stream(events({kStart,
        R"({"type":"message_delta","delta":{"stop_reason":"refusal",)"
        R"("stop_details":{"type":"refusal","explanation":"not this"}}})",
        kStop}));
    EXPECT_EQ(answer->first().refusal, "not this");
    EXPECT_EQ(answer->first().finish, Finish::content_filter);
}

TEST(ClaudeStream, ErrorEvents)
{
    struct Row {
        const char* type;
        uint16_t status;
    };
    for (const Row& row :
        {Row{"overloaded_error", 529}, Row{"rate_limit_error", 429},
            Row{"api_error", 500}, Row{"authentication_error", 401}})
    {
        const auto answer = stream(events({kStart,
            R"({"type":"error","error":{"type":")" + std::string(row.type)
                + R"(","message":"M"}})"}));
        EXPECT_EQ(answer->error.code, ErrorCode::upstream_error);
        EXPECT_EQ(answer->error.http_status(), row.status);
        EXPECT_EQ(answer->error.type, row.type);
        EXPECT_EQ(answer->error.message, "M");
        EXPECT_EQ(answer->ends, 0);
    }
}

TEST(ClaudeStream, EndsOnlyWithMessageStop)
{
    const std::string whole = events({kStart,
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})"});
    EXPECT_EQ(stream(whole)->error.code, ErrorCode::upstream_truncated);
    EXPECT_EQ(stream(whole)->ends, 0);
    EXPECT_EQ(stream("")->error.code, ErrorCode::upstream_truncated);
    // What follows the end is not told.
    const auto answer =
        stream(whole + events({kStop, kStop, kStart}) + "data: [DONE]\n\n");
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->ends, 1);
}

TEST(ClaudeStream, WrongTypesAndNoJson)
{
    const auto answer = stream(events({R"({"type":"content_block_delta"})",
        R"({"type":"content_block_delta","index":"x","delta":7})",
        R"({"type":"content_block_start","index":-1,"content_block":[]})",
        R"({"type":"content_block_stop","index":99})", "[]", "1", "null",
        R"({"type":"message_delta","delta":[],"usage":"u"})", kStop}));
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->ends, 1);
    EXPECT_EQ(
        stream("data: {nope\n\n")->error.code, ErrorCode::upstream_invalid);
}

TEST(ClaudeStream, BoundsOpenBlocks)
{
    std::string all = events({kStart});
    for (int i = 0; i < 1000; i++) {
        all += events({R"({"type":"content_block_start","index":)"
            + std::to_string(i) + R"(,"content_block":{"type":"text"}})"});
    }
    EXPECT_EQ(stream(all)->error.code, ErrorCode::upstream_invalid);
}

TEST(ClaudeError, Bodies)
{
    json::Parser parser;
    const auto node = parser.parse(std::string_view(
        R"({"type":"error","error":{"type":"not_found_error","message":"m"}})"));
    Error error = provider::kClaude.error(404, *node, "");
    EXPECT_EQ(error.code, ErrorCode::upstream_status);
    EXPECT_EQ(error.http_status(), 404);
    EXPECT_EQ(error.type, "not_found_error");
    EXPECT_EQ(error.message, "m");
    error = provider::kClaude.error(502, {}, "<html>Bad gateway</html>");
    EXPECT_EQ(error.http_status(), 502);
    EXPECT_EQ(error.message, "the provider answered with status 502");
    EXPECT_EQ(
        provider::kClaude.error(503, {}, " try later\n").message, "try later");
}

// The text, calls and numbers of a recorded message, read here on its own.
struct Expected {
    std::string text, reasoning;
    std::vector<vendor_probe::Call> calls;
    std::string stop;
    int64_t input = 0, read = 0, write = 0, output = 0;
};

void note_usage(Expected& e, json::Node usage)
{
    const auto take = [&usage](const char* name, int64_t& to) {
        if (const auto n = usage[name].integer(); n && *n > 0) {
            to = *n;
        }
    };
    take("input_tokens", e.input);
    take("cache_read_input_tokens", e.read);
    take("cache_creation_input_tokens", e.write);
    take("output_tokens", e.output);
}

void note_block(Expected& e, json::Node block)
{
    const std::string_view type = block["type"].string_or();
    e.text += type == "text" ? block["text"].string_or() : "";
    e.reasoning += type == "thinking" ? block["thinking"].string_or() : "";
    if (type == "tool_use") {
        e.calls.push_back({std::string(block["id"].string_or()),
            std::string(block["name"].string_or()), {}, {}});
        if (block["input"].size() > 0) {
            e.calls.back().arguments =
                simdjson::minify(block["input"].element());
        }
    }
}

Expected expected_of(std::string_view sse)
{
    Expected e;
    bool tool = false;
    json::Parser parser;
    std::istringstream lines{std::string(sse)};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("data:")) {
            continue;
        }
        const auto parsed = parser.parse(std::string_view(line).substr(5));
        const json::Node data = *parsed;
        const json::Node delta = data["delta"];
        note_usage(e, data["message"]["usage"]);
        note_usage(e, data["usage"]);
        if (data["content_block"].exists()) {
            note_block(e, data["content_block"]);
            tool = data["content_block"]["type"].string_or() == "tool_use";
        }
        e.text += delta["text"].string_or();
        e.reasoning += delta["thinking"].string_or();
        if (tool) {
            e.calls.back().arguments += delta["partial_json"].string_or();
        }
        if (delta["stop_reason"].is_string()) {
            e.stop = delta["stop_reason"].string_or();
        }
    }
    return e;
}

void compare(vendor_probe::Answer& answer, const Expected& e)
{
    const auto& choice = answer.first();
    EXPECT_EQ(choice.text, e.text);
    EXPECT_EQ(choice.reasoning, e.reasoning);
    ASSERT_EQ(choice.calls.size(), e.calls.size());
    for (size_t i = 0; i < e.calls.size(); i++) {
        EXPECT_EQ(choice.calls[i].id, e.calls[i].id);
        EXPECT_EQ(choice.calls[i].name, e.calls[i].name);
        EXPECT_EQ(choice.calls[i].arguments,
            e.calls[i].arguments.empty() ? "{}" : e.calls[i].arguments);
    }
    EXPECT_EQ(choice.finish_word, e.stop);
    EXPECT_EQ(answer.usage.prompt, e.input + e.read + e.write);
    EXPECT_EQ(answer.usage.cache_read, e.read);
    EXPECT_EQ(answer.usage.cache_write, e.write);
    EXPECT_EQ(answer.usage.completion, e.output);
    EXPECT_EQ(answer.ends, 1);
}

class ClaudeRecorded : public testing::TestWithParam<const char*> {};

void check_stream(const vendor_probe::Fixture& fixture)
{
    const std::string_view sse =
        fixture.root["response"]["body_text"].string_or();
    const auto answer = stream(sse);
    for (const size_t piece : {1, 7}) {
        EXPECT_EQ(
            vendor_probe::decode_stream(provider::kClaude, sse, {}, piece)->log,
            answer->log);
    }
    if (fixture.name.find("streamerror") != std::string::npos) {
        EXPECT_EQ(answer->error.http_status(), 529);
        return;
    }
    EXPECT_EQ(answer->error.code, ErrorCode::none) << answer->error.message;
    compare(*answer, expected_of(sse));
}

void check_body(const vendor_probe::Fixture& fixture)
{
    const json::Node recorded = fixture.root["response"]["body"];
    const int64_t status =
        fixture.root["response"]["status"].integer().value_or(0);
    if (status >= 300) {
        const Error error = provider::kClaude.error(int(status), recorded, "");
        EXPECT_EQ(error.http_status(), status);
        EXPECT_EQ(error.message, recorded["error"]["message"].string_or("-"));
        return;
    }
    const auto answer = body(simdjson::minify(recorded.element()));
    Expected e;
    for (const json::Node block : recorded["content"].items()) {
        note_block(e, block);
    }
    note_usage(e, recorded["usage"]);
    e.stop = recorded["stop_reason"].string_or();
    compare(*answer, e);
}

TEST_P(ClaudeRecorded, Decodes)
{
    const auto all = vendor_probe::fixtures(GetParam());
    if (all.empty()) {
        GTEST_SKIP() << "no recorded exchanges";
    }
    size_t checked = 0;
    for (const auto& fixture : all) {
        SCOPED_TRACE(fixture->name);
        if (fixture->root["api"].string_or() != "messages") {
            continue; // count_tokens, models and the OpenAI surface
        }
        checked++;
        if (fixture->root["wire"].string_or() == "sse") {
            check_stream(*fixture);
        } else {
            check_body(*fixture);
        }
    }
    EXPECT_GE(checked, 3U);
}

INSTANTIATE_TEST_SUITE_P(Folders, ClaudeRecorded,
    testing::Values("anthropic", "vertex-anthropic", "azure-anthropic"),
    [](const auto& one) {
        std::string name = one.param;
        std::replace(name.begin(), name.end(), '-', '_');
        return name;
    });

} // namespace
