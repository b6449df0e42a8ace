#include "vendor_probe.h"

#include <gtest/gtest.h>

// Dify, Coze, DeepL, Triton and MiniMax's older API.
namespace {

using namespace vendor_probe;

constexpr std::string_view kTalk =
    R"({"model":"m","user":"u1","messages":[)"
    R"({"role":"system","content":"be kind"},)"
    R"({"role":"user","content":"hi"},{"role":"assistant","content":"yes?"},)"
    R"({"role":"user","content":"bye"}]})";

provider::Options dify(std::string_view bot)
{
    provider::Options options;
    options.bot_type = bot;
    options.input_variable = "question";
    options.output_variable = "text";
    return options;
}

std::unique_ptr<Encoded> encode_in(const provider::Protocol& protocol,
    const provider::Options& options, std::string_view body,
    std::string_view conversation)
{
    auto encoded = std::make_unique<Encoded>();
    json::Parser parser;
    const auto node = parser.parse(body);
    auto request = dialect::read_chat(*node);
    provider::EncodeContext context{options, "m", 1, 2};
    context.conversation = conversation;
    encoded->result = protocol.encode(*request, context, encoded->out);
    return encoded;
}

TEST(Dify, AsksItsApplications)
{
    auto sent = encode_in(provider::kDify, dify("chat"), kTalk, {});
    ASSERT_TRUE(sent->result);
    EXPECT_EQ(sent->out.path, "/v1/chat-messages");
    EXPECT_EQ(sent->text(),
        R"({"inputs":{},"query":"SYSTEM: \nbe kind\nUSER: \nhi\n)"
        R"(ASSISTANT: \nyes?\nUSER: \nbye\n","auto_generate_name":false,)"
        R"("response_mode":"blocking","user":"u1"})");
    // Dify knows what was said before.
    sent = encode_in(provider::kDify, dify("agent"), kTalk, "c-1");
    EXPECT_EQ(sent->text(),
        R"({"inputs":{},"query":"bye","auto_generate_name":false,)"
        R"("conversation_id":"c-1","response_mode":"blocking","user":"u1"})");
    constexpr std::string_view kOne =
        R"({"model":"m","stream":true,"inputs":{"a":1},"messages":[)"
        R"({"role":"user","content":"q"}]})";
    sent = encode_in(provider::kDify, dify("workflow"), kOne, "c-1");
    EXPECT_EQ(sent->out.path, "/v1/workflows/run");
    EXPECT_EQ(sent->text(),
        R"({"inputs":{"a":1,"question":"q"},"response_mode":"streaming",)"
        R"("user":"api-user"})");
    sent = encode_in(provider::kDify, dify("completion"), kOne, {});
    EXPECT_EQ(sent->out.path, "/v1/completion-messages");
    EXPECT_EQ(sent->text(),
        R"({"inputs":{"a":1,"query":"q"},"response_mode":"streaming",)"
        R"("user":"api-user"})");
}

TEST(Dify, AnswersPlain)
{
    auto answer = decode_body(provider::kDify,
        R"({"event":"message","message_id":"m","conversation_id":"c-9",)"
        R"("answer":"Hello","created_at":1705,"metadata":{"usage":)"
        R"({"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}})",
        dify("chat"));
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->id, "c-9");
    EXPECT_EQ(answer->first().text, "Hello");
    EXPECT_EQ(answer->first().finish, chat::Finish::stop);
    EXPECT_EQ(answer->usage.total, 7);
    EXPECT_EQ(answer->ends, 1);
    answer = decode_body(provider::kDify,
        R"({"workflow_run_id":"w","data":{"status":"succeeded",)"
        R"("outputs":{"text":{"a":1}},"total_tokens":9}})",
        dify("workflow"));
    EXPECT_EQ(answer->first().text, R"({"a":1})");
    answer = decode_body(provider::kDify,
        R"({"workflow_run_id":"w","data":{"status":"failed",)"
        R"("error":"node 3"}})",
        dify("workflow"));
    EXPECT_EQ(answer->error.message, "node 3");
    EXPECT_EQ(answer->error.http_status(), 500);
}

TEST(Dify, StreamsAtAnySplit)
{
    constexpr std::string_view kStream =
        "event: ping\n\n"
        "data: {\"event\":\"agent_thought\",\"conversation_id\":\"c\","
        "\"thought\":\"hm\"}\n\n"
        "data: {\"event\":\"agent_message\",\"conversation_id\":\"c\","
        "\"answer\":\"He\"}\n\n"
        "data: {\"event\":\"agent_message\",\"answer\":\"y\"}\n\n"
        "data: {\"event\":\"message_end\",\"metadata\":{\"usage\":"
        "{\"prompt_tokens\":3,\"completion_tokens\":1}}}\n\n";
    for (size_t piece : {0, 1, 2, 3, 7}) {
        auto answer =
            decode_stream(provider::kDify, kStream, dify("agent"), piece);
        EXPECT_EQ(answer->error.code, ErrorCode::none);
        EXPECT_EQ(answer->first().text, "Hey");
        EXPECT_EQ(answer->first().reasoning, "hm");
        EXPECT_EQ(answer->usage.total, 4);
        EXPECT_EQ(answer->ends, 1);
    }
    auto cut =
        decode_stream(provider::kDify, kStream.substr(0, 200), dify("agent"));
    EXPECT_NE(cut->error.code, ErrorCode::none);
    EXPECT_EQ(cut->ends, 0);
    auto failed = decode_stream(provider::kDify,
        "data: {\"event\":\"error\",\"status\":429,\"code\":\"x\","
        "\"message\":\"slow down\"}\n\n",
        dify("chat"));
    EXPECT_EQ(failed->error.message, "slow down");
    EXPECT_EQ(failed->error.http_status(), 429);
}

TEST(Coze, AlwaysAsksForAStream)
{
    provider::Options options;
    options.coze_bot_id = "73428668";
    auto sent = encode_in(provider::kCoze, options, kTalk, "77 7");
    ASSERT_TRUE(sent->result);
    EXPECT_EQ(sent->out.path, "/v3/chat?conversation_id=77%207");
    EXPECT_EQ(sent->text(),
        R"({"bot_id":"73428668","user_id":"u1","stream":true,)"
        R"("additional_messages":[{"role":"user","type":"question",)"
        R"("content":"bye","content_type":"text"}]})");
    sent = encode_in(provider::kCoze, options,
        R"({"model":"m","messages":[{"role":"assistant","content":"a"},)"
        R"({"role":"user","content":[{"type":"text","text":"t"},)"
        R"({"type":"image_url","image_url":{"url":"https://i"}}]}]})",
        {});
    EXPECT_EQ(sent->out.path, "/v3/chat");
    EXPECT_EQ(sent->text(),
        R"({"bot_id":"73428668","user_id":"api-user","stream":true,)"
        R"("additional_messages":[{"role":"assistant","type":"answer",)"
        R"("content":"a","content_type":"text"},{"role":"user",)"
        R"("type":"question","content":"[{\"type\":\"text\",)"
        R"(\"text\":\"t\"},{\"type\":\"image\",)"
        R"(\"file_url\":\"https://i\"}]","content_type":"object_string"}]})");
}

TEST(Coze, StreamsTheAnswerAndNothingElse)
{
    constexpr std::string_view kStream =
        "event:conversation.chat.created\n"
        "data:{\"id\":\"1\",\"conversation_id\":\"c7\"}\n\n"
        "event:conversation.message.delta\n"
        "data:{\"type\":\"answer\",\"conversation_id\":\"c7\","
        "\"reasoning_content\":\"hm\",\"content\":\"He\"}\n\n"
        "event:conversation.message.delta\n"
        "data:{\"type\":\"answer\",\"content\":\"y\"}\n\n"
        "event:conversation.message.completed\n"
        "data:{\"type\":\"answer\",\"content\":\"Hey\"}\n\n"
        "event:conversation.message.completed\n"
        "data:{\"type\":\"follow_up\",\"content\":\"and?\"}\n\n"
        "event:conversation.chat.completed\n"
        "data:{\"conversation_id\":\"c7\",\"usage\":{\"token_count\":9,"
        "\"input_count\":7,\"output_count\":2}}\n\n"
        "event:done\ndata:\"[DONE]\"\n\n";
    for (size_t piece : {0, 1, 2, 3, 7}) {
        auto answer = decode_stream(provider::kCoze, kStream, {}, piece);
        EXPECT_EQ(answer->error.code, ErrorCode::none);
        EXPECT_EQ(answer->id, "c7");
        EXPECT_EQ(answer->first().text, "Hey");
        EXPECT_EQ(answer->first().reasoning, "hm");
        EXPECT_EQ(answer->usage.prompt, 7);
        EXPECT_EQ(answer->usage.completion, 2);
        EXPECT_EQ(answer->ends, 1);
    }
    auto failed = decode_stream(provider::kCoze,
        "event:conversation.chat.failed\n"
        "data:{\"last_error\":{\"code\":4008,\"msg\":\"quota\"}}\n\n");
    EXPECT_EQ(failed->error.message, "quota");
    EXPECT_EQ(failed->error.http_status(), 429);
    failed = decode_stream(provider::kCoze,
        "event:error\ndata:{\"code\":4000,\"msg\":\"bad bot\"}\n\n");
    EXPECT_EQ(failed->error.message, "bad bot");
    EXPECT_EQ(failed->error.http_status(), 400);
}

TEST(Deepl, TranslatesEachMessage)
{
    provider::Options options;
    options.target_lang = "DE";
    auto sent = encode_in(provider::kDeepl, options, kTalk, {});
    EXPECT_EQ(sent->out.path, "/v2/translate");
    EXPECT_EQ(sent->text(),
        R"({"target_lang":"DE","text":["hi","yes?","bye"],)"
        R"("context":"be kind"})");
    auto answer = decode_body(provider::kDeepl,
        R"({"translations":[{"detected_source_language":"EN","text":"Hallo"},)"
        R"({"detected_source_language":"EN","text":"ja?"}]})");
    EXPECT_EQ(answer->choices[0].text, "Hallo");
    EXPECT_EQ(answer->choices[1].text, "ja?");
    EXPECT_EQ(answer->choices[1].finish, chat::Finish::stop);
    EXPECT_EQ(answer->ends, 1);
    answer = decode_body(provider::kDeepl, R"({"message":"Quota"})");
    EXPECT_EQ(answer->error.message, "Quota");
    EXPECT_FALSE(encode_in(provider::kDeepl, options,
        R"({"model":"m","messages":[{"role":"system","content":"x"}]})", {})
                     ->result);
}

TEST(Triton, Generates)
{
    provider::Options options;
    options.triton_model_version = "2";
    auto sent = encode_in(provider::kTriton, options,
        R"({"model":"m","stream":true,"max_tokens":5,"temperature":0,)"
        R"("parameters":{"bad_words":["x"],"stream":false},)"
        R"("messages":[{"role":"user","content":"q"}]})",
        {});
    EXPECT_EQ(sent->out.path, "/v2/models/m/versions/2/generate_stream");
    EXPECT_EQ(sent->text(),
        R"({"text_input":"q","parameters":{"stream":true,"temperature":0,)"
        R"("max_tokens":5,"bad_words":["x"]}})");
    constexpr std::string_view kStream =
        "data: {\"model_name\":\"m\",\"text_output\":\"He\"}\n\n"
        "data: {\"model_name\":\"m\",\"text_output\":\"y\"}\n\n";
    for (size_t piece : {0, 1, 2, 3, 7}) {
        auto answer = decode_stream(provider::kTriton, kStream, {}, piece);
        EXPECT_EQ(answer->first().text, "Hey");
        EXPECT_EQ(answer->first().finish, chat::Finish::stop);
        EXPECT_EQ(answer->ends, 1);
    }
    EXPECT_EQ(decode_stream(provider::kTriton, "")->error.code,
        ErrorCode::upstream_truncated);
    EXPECT_EQ(decode_body(provider::kTriton, R"({"error":"no such model"})")
                  ->error.message,
        "no such model");
}

TEST(Triton, AnswersPlain)
{
    auto answer = decode_body(provider::kTriton,
        R"({"id":"7","model_name":"m","model_version":"2",)"
        R"("text_output":"Hey"})");
    EXPECT_EQ(answer->error.code, ErrorCode::none);
    EXPECT_EQ(answer->first().text, "Hey");
    EXPECT_EQ(answer->model, "m");
    EXPECT_EQ(answer->first().finish, chat::Finish::stop);
    EXPECT_EQ(answer->ends, 1);
}

// What each of them says under a status that is none of success.
TEST(TextVendors, ErrorsUnderAStatus)
{
    struct Row {
        const provider::Protocol& protocol;
        int status;
        std::string_view body, message;
    };
    const Row rows[] = {
        {provider::kDify, 400,
            R"({"code":"app_unavailable","message":"App down",)"
            R"("status":400})",
            "App down"},
        {provider::kCoze, 401, R"({"code":4100,"msg":"no token"})", "no token"},
        {provider::kDeepl, 456, R"({"message":"Quota Exceeded"})",
            "Quota Exceeded"},
        {provider::kTriton, 400, R"({"error":"unknown model"})",
            "unknown model"},
        {provider::kMinimaxPro, 404,
            R"({"base_resp":{"status_code":2013,)"
            R"("status_msg":"bad params"}})",
            "bad params"},
    };
    for (const Row& row : rows) {
        json::Parser parser;
        const auto parsed = parser.parse(row.body);
        ASSERT_TRUE(parsed.ok());
        const Error error = row.protocol.error(row.status, *parsed, row.body);
        EXPECT_EQ(error.message, row.message) << row.protocol.name;
        EXPECT_EQ(error.http_status(), row.status) << row.protocol.name;
        // No JSON at all.
        const Error page = row.protocol.error(502, {}, "<html>no</html>");
        EXPECT_FALSE(page.message.empty()) << row.protocol.name;
        EXPECT_EQ(page.http_status(), 502) << row.protocol.name;
    }
}

TEST(MinimaxPro, NamesItsSpeakers)
{
    provider::Options options;
    options.minimax_group_id = "g 1";
    auto sent = encode_in(provider::kMinimaxPro, options, kTalk, {});
    EXPECT_EQ(sent->out.path, "/v1/text/chatcompletion_pro?GroupId=g%201");
    EXPECT_EQ(sent->text(),
        R"({"model":"m","stream":false,"mask_sensitive_info":true,)"
        R"("messages":[{"sender_type":"USER","sender_name":"user",)"
        R"("text":"hi"},{"sender_type":"BOT","sender_name":"assistant",)"
        R"("text":"yes?"},{"sender_type":"USER","sender_name":"user",)"
        R"("text":"bye"}],"bot_setting":[{"bot_name":"assistant",)"
        R"("content":"be kind"}],"reply_constraints":{"sender_type":"BOT",)"
        R"("sender_name":"assistant"}})");
}

TEST(MinimaxPro, SaysTheLastEventOnce)
{
    constexpr std::string_view kStream =
        "data: {\"created\":1,\"model\":\"m\",\"choices\":[{\"messages\":"
        "[{\"sender_type\":\"BOT\",\"text\":\"He\"}]}]}\n\n"
        "data: {\"choices\":[{\"messages\":[{\"text\":\"y\"}]}]}\n\n"
        "data: {\"choices\":[{\"finish_reason\":\"stop\",\"messages\":"
        "[{\"text\":\"Hey\"}]}],\"reply\":\"Hey\",\"usage\":"
        "{\"total_tokens\":9},\"id\":\"x\",\"base_resp\":{\"status_code\":0}}"
        "\n\n";
    for (size_t piece : {0, 1, 2, 3, 7}) {
        auto answer = decode_stream(provider::kMinimaxPro, kStream, {}, piece);
        EXPECT_EQ(answer->error.code, ErrorCode::none);
        EXPECT_EQ(answer->first().text, "Hey");
        EXPECT_EQ(answer->usage.total, 9);
        EXPECT_EQ(answer->ends, 1);
    }
    auto plain = decode_body(provider::kMinimaxPro,
        R"({"choices":[{"finish_reason":"stop","messages":[{"text":"",)"
        R"("function_call":{"name":"f","arguments":"{\"a\":1}"}}]}]})");
    ASSERT_EQ(plain->first().calls.size(), 1U);
    EXPECT_EQ(plain->first().calls[0].arguments, R"({"a":1})");
    EXPECT_EQ(plain->first().finish, chat::Finish::tool_calls);
    EXPECT_EQ(decode_body(provider::kMinimaxPro,
                  R"({"base_resp":{"status_code":1002,"status_msg":"r"}})")
                  ->error.http_status(),
        429);
}

} // namespace
