#include "exchange_fixture.h"

namespace ai_proxy::policy {
namespace {

using dialect::Api;
using dialect::BodyKind;
using testing::body_text;
using testing::ClientRequest;
using testing::GatewayFixture;
using testing::header_text;
using testing::kHello;

class ExchangeTest : public testing::ExchangeFixture {};

// ---- the kind of the body

TEST_F(ExchangeTest, BodyKind)
{
    const struct {
        const char *method, *path, *type;
        BodyKind kind;
    } rows[] = {
        {"POST", "/v1/chat/completions", "application/json", BodyKind::json},
        {"POST", "/x/v1/chat/completions", "", BodyKind::json},
        {"POST", "/v1/chat/completions", "application/x-www-form-urlencoded",
            BodyKind::json},
        {"POST", "/v1/chat/completions", "multipart/form-data; boundary=x",
            BodyKind::json},
        {"POST", "/v1/embeddings", "application/json", BodyKind::json},
        {"POST", "/v1/images/generations", "application/json", BodyKind::json},
        {"POST", "/v1/images/edits", "multipart/form-data; boundary=x",
            BodyKind::multipart},
        {"POST", "/v1/audio/transcriptions", "Multipart/Form-Data; boundary=x",
            BodyKind::multipart},
        {"POST", "/v1/files", "multipart/form-data; boundary=x", BodyKind::raw},
        {"POST", "/v1/anything", "application/json", BodyKind::raw},
        {"GET", "/v1/models", "", BodyKind::none},
        {"GET", "/v1/chat/completions", "", BodyKind::none},
        {"DELETE", "/v1/files/f-1", "", BodyKind::none},
    };
    for (const auto& row : rows) {
        request.method = row.method;
        request.path = row.path;
        request.content_type = row.type;
        EXPECT_EQ(begin().body_kind(), row.kind)
            << row.method << ' ' << row.path << ' ' << row.type;
    }
}

// ---- refusals

TEST_F(ExchangeTest, BadBodiesAreNamed)
{
    const struct {
        const char* body;
        ErrorCode code;
        const char* part; // of the message
    } rows[] = {
        {"", ErrorCode::invalid_json, ""},
        {"{\"model\":", ErrorCode::invalid_json, ""},
        {"[1]", ErrorCode::invalid_request, "JSON object"},
        {"\"text\"", ErrorCode::invalid_request, "JSON object"},
        {R"({"model":"a","model":"b","messages":[]})", ErrorCode::invalid_json,
            "model"},
        {R"({"model":7,"messages":[{"role":"user","content":"a"}]})",
            ErrorCode::invalid_request, "model"},
        {R"({"model":"a"})", ErrorCode::invalid_request, "messages"},
        {R"({"messages":[{"role":"user","content":"a"}]})",
            ErrorCode::invalid_request, "you must provide a model parameter"},
    };
    for (const auto& row : rows) {
        request.body = row.body;
        const Error error = refused();
        EXPECT_EQ(error.code, row.code) << row.body;
        EXPECT_EQ(error.http_status(), 400) << row.body;
        EXPECT_NE(error.message.find(row.part), std::string::npos)
            << row.body << ": " << error.message;
    }
}

TEST_F(ExchangeTest, ModelThatNoRouteServes)
{
    world.provider("one", "openai");
    world.route("claudes", {0}, {"claude-*"});
    request.body = kHello;
    const Error error = refused();
    EXPECT_EQ(error.code, ErrorCode::model_not_found);
    EXPECT_EQ(error.param, "model");

    const Reply reply = exchange->error_reply(error);
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(reply.content_type, "application/json");
    json::Parser parser;
    const auto body = parser.parse(reply.body);
    ASSERT_TRUE(body);
    const json::Node shown = (*body)["error"];
    EXPECT_EQ(shown["message"].string_or(),
        "The model `gpt-4o` does not exist or is not served here");
    EXPECT_EQ(shown["code"].string_or(), "model_not_found");
    EXPECT_EQ(shown["param"].string_or(), "model");
    EXPECT_EQ(shown["type"].string_or(), "invalid_request_error");
    EXPECT_EQ(exchange->books().status, 404);
    EXPECT_EQ(exchange->books().error, ErrorCode::model_not_found);
}

// ---- routes and models

TEST_F(ExchangeTest, ModelGoesThroughTheMapsInOrder)
{
    world.provider("zero", "openai");
    auto& one = world.provider("one", "openai");
    ASSERT_TRUE(one.model_map.add("c", "d"));
    world.route("other", {0}, {"x-*"});
    auto& route = world.route("main", {1}, {"b"});
    ASSERT_TRUE(route.model_map.add("b", "c"));
    ASSERT_TRUE(world.site().model_map.add("a", "b"));
    request.body = R"({"model":"a","messages":[{"role":"user","content":""}]})";

    const Try& made = prepare();
    EXPECT_EQ(body_text(made.outbound),
        R"({"model":"d","messages":[{"role":"user","content":""}]})");
    EXPECT_EQ(made.provider_index, 1);
    EXPECT_EQ(exchange->books().request_model, "a");
    EXPECT_EQ(exchange->books().model, "d");
    EXPECT_EQ(exchange->books().route, 1);
    EXPECT_EQ(exchange->books().provider, 1);
}

TEST_F(ExchangeTest, TargetsOwnModelWins)
{
    auto& one = world.provider("one", "openai");
    ASSERT_TRUE(one.model_map.add("*", "mapped"));
    world.route("main", {0}).targets[0].model = "fixed";
    request.body = kHello;
    prepare();
    EXPECT_EQ(exchange->books().model, "fixed");
}

TEST_F(ExchangeTest, MissingModelIsFilledByADefault)
{
    auto& one = world.provider("one", "openai");
    ASSERT_TRUE(one.model_map.add("*", "gpt-4o-mini"));
    request.body = R"({"messages":[{"role":"user","content":"a"}]})";
    const Try& made = prepare();
    json::Parser parser;
    const auto body = parser.parse(body_text(made.outbound));
    ASSERT_TRUE(body);
    EXPECT_EQ((*body)["model"].string_or(), "gpt-4o-mini");
}

TEST_F(ExchangeTest, WhatHasNoModelTakesTheFirstRoute)
{
    world.provider("zero", "openai");
    world.provider("one", "openai");
    world.route("picky", {1}, {"gpt-*"});
    world.route("all", {0});
    request.method = "GET";
    request.path = "/prefix/v1/models";
    request.query = "limit=3";
    request.content_type = "";
    const Try& made = prepare();
    EXPECT_EQ(made.provider_index, 1);
    EXPECT_EQ(made.outbound.method, "GET");
    EXPECT_EQ(made.outbound.path, "/v1/models?limit=3");
    EXPECT_EQ(body_text(made.outbound), "");
    EXPECT_EQ(exchange->books().api, Api::models);
}

// ---- relayed chat

TEST_F(ExchangeTest, RelayIsByteExact)
{
    request.body = "  { \"messages\" : [ {\"role\":\"user\","
                   "\"content\":\"\\u00e9\"} ],\n\t\"temperature\":1.50e0,"
                   "\"unknown\":{\"a\":[1 , 2]}, \"model\" : \"gpt-4o\" }\n";
    const Try& made = prepare();
    EXPECT_EQ(body_text(made.outbound), request.body);
    EXPECT_EQ(made.outbound.body.size(), 1u);
    EXPECT_EQ(made.outbound.method, "POST");
    EXPECT_EQ(made.outbound.path, "/v1/chat/completions");
    EXPECT_EQ(header_text(made.outbound, "content-type"), "application/json");
    EXPECT_EQ(
        header_text(made.outbound, "authorization"), "Bearer sk-test-key-1");
}

TEST_F(ExchangeTest, OnlyTheModelIsEdited)
{
    auto& one = world.provider("one", "openai");
    ASSERT_TRUE(one.model_map.add("gpt-4o", "a \"quoted\" name"));
    request.body = R"({ "n":1.0, "model" : "gpt-4o" , "messages":)"
                   R"([{"role":"user","content":"hi"}] })";
    const Try& made = prepare();
    EXPECT_EQ(body_text(made.outbound),
        R"({ "n":1.0, "model" : "a \"quoted\" name" , "messages":)"
        R"([{"role":"user","content":"hi"}] })");
}

TEST_F(ExchangeTest, StreamAsksForUsage)
{
    const struct {
        const char *sent, *upstream;
    } rows[] = {
        {R"("stream":true)",
            R"("stream":true,"stream_options":{"include_usage":true})"},
        {R"("stream":true,"stream_options":null)",
            R"("stream":true,"stream_options":{"include_usage":true})"},
        {R"("stream":true,"stream_options":{"include_usage": false, "x" : 1})",
            R"("stream":true,"stream_options":{"include_usage": true, "x" : 1})"},
        {R"("stream":true,"stream_options":{"include_obfuscation":false})",
            R"("stream":true,"stream_options":{"include_obfuscation":false,)"
            R"("include_usage":true})"},
        {R"("stream":true,"stream_options":{ "include_usage" : true })",
            R"("stream":true,"stream_options":{ "include_usage" : true })"},
        {R"("stream":false)", R"("stream":false)"},
    };
    const std::string head = R"({"model":"m","messages":[{"role":"user",)"
                             R"("content":"hi"}],)";
    for (const auto& row : rows) {
        request.body = head + row.sent + "}";
        const Try& made = prepare();
        EXPECT_EQ(body_text(made.outbound), head + row.upstream + "}");
        const bool stream = request.body.find("\"stream\":true") != head.npos;
        EXPECT_EQ(header_text(made.outbound, "accept"),
            stream ? "text/event-stream" : "");
        EXPECT_EQ(exchange->books().stream, stream);
    }
}

TEST_F(ExchangeTest, UsageIsNotAskedForWhereItMustNot)
{
    auto& one = world.provider("one", "openai");
    one.options.stream_options = false;
    request.body = R"({"model":"m","messages":[{"role":"user","content":"h"}],)"
                   R"("stream":true})";
    EXPECT_EQ(body_text(prepare().outbound), request.body);
}

TEST_F(ExchangeTest, CompletionsAskForUsageEmbeddingsDoNot)
{
    request.path = "/v1/completions";
    request.body = R"({"model":"m","prompt":"p","stream":true})";
    EXPECT_EQ(body_text(prepare().outbound),
        R"({"model":"m","prompt":"p","stream":true,)"
        R"("stream_options":{"include_usage":true}})");
    request.path = "/v1/embeddings";
    request.body = R"({"model":"m","input":"p"})";
    EXPECT_EQ(body_text(prepare().outbound), request.body);
}

TEST_F(ExchangeTest, TypeAdjustsTheBody)
{
    world.provider("one", "deepseek");
    request.body = R"({"model":"deepseek-chat","messages":[{"role":)"
                   R"("developer","content":"be brief"}]})";
    EXPECT_EQ(body_text(prepare().outbound),
        R"({"model":"deepseek-chat","messages":[{"role":)"
        R"("system","content":"be brief"}]})");
}

// ---- headers of a relayed call

TEST_F(ExchangeTest, ClientsHeadersGoOnButNotItsIdentity)
{
    request.authorization = "Bearer client-secret";
    request.headers = {{"Host", "gateway"}, {"OpenAI-Beta", "x=1"},
        {"Authorization", "Bearer client-secret"}, {"api-key", "client-secret"},
        {"X-Api-Key", "client-secret"}, {"X-Goog-Api-Key", "client-secret"},
        {"Cookie", "session=client-secret"}, {"Content-Length", "9"},
        {"Connection", "close"}, {"Transfer-Encoding", "chunked"},
        {"Accept-Encoding", "gzip"}, {"X-Forwarded-For", "10.0.0.1"},
        {"Idempotency-Key", "k1"}, {"Content-Type", "text/plain"},
        {"X-Bad", "a\r\nInjected: 1"}};
    request.body = kHello;
    const Try& made = prepare();
    EXPECT_EQ(header_text(made.outbound, "openai-beta"), "x=1");
    EXPECT_EQ(header_text(made.outbound, "idempotency-key"), "k1");
    EXPECT_EQ(
        header_text(made.outbound, "authorization"), "Bearer sk-test-key-1");
    EXPECT_EQ(header_text(made.outbound, "content-type"), "application/json");
    for (const char* name : {"host", "api-key", "x-api-key", "x-goog-api-key",
             "cookie", "content-length", "connection", "transfer-encoding",
             "accept-encoding", "x-forwarded-for", "x-bad"})
    {
        EXPECT_EQ(header_text(made.outbound, name), "") << name;
    }
    for (const auto& [name, value] : made.outbound.headers) {
        EXPECT_EQ(value.find("client-secret"), std::string::npos) << name;
    }
}

TEST_F(ExchangeTest, OperatorsHeadersReplace)
{
    auto& one = world.provider("one", "openai");
    one.options.headers = {{"OpenAI-Organization", "org-ours"},
        {"openai-beta", ""}, {"X-New", "1"}};
    request.headers = {
        {"openai-organization", "org-theirs"}, {"OpenAI-Beta", "x"}};
    request.body = kHello;
    const Try& made = prepare();
    EXPECT_EQ(header_text(made.outbound, "openai-organization"), "org-ours");
    EXPECT_EQ(header_text(made.outbound, "openai-beta"), "");
    EXPECT_EQ(header_text(made.outbound, "x-new"), "1");
}

TEST_F(ExchangeTest, ClientsOwnKeyWhereTheOperatorHasNone)
{
    world.provider("one", "openai", {});
    request.authorization = "Bearer client-own";
    request.body = kHello;
    EXPECT_EQ(
        header_text(prepare().outbound, "authorization"), "Bearer client-own");
}

// As clients of Anthropic's and of Higress send it; the last kind wins.
TEST_F(ExchangeTest, ClientsOwnKeyInOtherFields)
{
    world.provider("one", "openai", {});
    request.body = kHello;
    request.authorization = "Bearer first";
    request.headers = {{"X-Authorization", "Bearer second"}};
    EXPECT_EQ(
        header_text(prepare().outbound, "authorization"), "Bearer second");
    request.headers.push_back({"X-Api-Key", "third"});
    EXPECT_EQ(header_text(prepare().outbound, "authorization"), "Bearer third");
    EXPECT_EQ(header_text(attempt->outbound, "x-api-key"), "");
    EXPECT_EQ(header_text(attempt->outbound, "x-authorization"), "");
}

TEST_F(ExchangeTest, OthersGetNoKeyOfTheClient)
{
    world.provider("one", "vllm", {});
    request.body = kHello;
    request.headers = {
        {"X-Authorization", "Bearer second"}, {"X-Api-Key", "third"}};
    EXPECT_EQ(header_text(prepare().outbound, "authorization"), "");
    EXPECT_EQ(header_text(attempt->outbound, "x-authorization"), "");
}

TEST_F(ExchangeTest, RelayedMessagesHaveTheOperatorsVersion)
{
    auto& claude = world.provider("claude", "claude");
    request.path = "/v1/messages";
    request.body = kHello;
    EXPECT_EQ(
        header_text(prepare().outbound, "anthropic-version"), "2023-06-01");
    claude.options.claude_version = "2025-01-01";
    EXPECT_EQ(
        header_text(prepare().outbound, "anthropic-version"), "2025-01-01");
    request.headers = {{"anthropic-version", "2024-04-04"}};
    EXPECT_EQ(
        header_text(prepare().outbound, "anthropic-version"), "2024-04-04");
}

TEST_F(ExchangeTest, RelayedMessagesOfClaudeCode)
{
    world.provider("claude", "claude").options.claude_code_mode = true;
    request.path = "/v1/messages";
    request.headers = {{"User-Agent", "me"}, {"Anthropic-Beta", "b-1"}};
    request.body = kHello;
    prepare();
    EXPECT_EQ(attempt->outbound.path, "/v1/messages?beta=true");
    EXPECT_EQ(header_text(attempt->outbound, "authorization"),
        "Bearer sk-test-key-1");
    EXPECT_EQ(header_text(attempt->outbound, "x-app"), "cli");
    EXPECT_EQ(header_text(attempt->outbound, "anthropic-beta"),
        "oauth-2025-04-20,interleaved-thinking-2025-05-14,"
        "claude-code-20250219,b-1");
    EXPECT_EQ(header_text(attempt->outbound, "user-agent"),
        "claude-cli/2.1.2 (external, cli)");
    request.query = "beta=true";
    EXPECT_EQ(prepare().outbound.path, "/v1/messages?beta=true");
}

TEST_F(ExchangeTest, KeyOfThePool)
{
    world.provider("one", "openai", {"key-a", "key-b"});
    request.body = kHello;
    prepare();
    auto second = exchange->make_try(exchange->route().targets[0], 1, 1, 2);
    ASSERT_TRUE(second);
    EXPECT_EQ(
        header_text((*second)->outbound, "authorization"), "Bearer key-b");
    EXPECT_EQ((*second)->key, 1u);
}

// ---- conversion

TEST_F(ExchangeTest, OwnProtocolsGetAConvertedBody)
{
    auto& claude = world.provider("claude", "claude");
    claude.endpoint.path = "/x";
    ASSERT_TRUE(claude.model_map.add("*", "claude-sonnet-4-5"));
    request.headers = {{"OpenAI-Beta", "x"}};
    request.body = kHello;
    const Try& made = prepare();
    EXPECT_EQ(made.outbound.path, "/x/v1/messages");
    EXPECT_EQ(header_text(made.outbound, "x-api-key"), "sk-test-key-1");
    EXPECT_EQ(header_text(made.outbound, "openai-beta"), "");
    json::Parser parser;
    const auto body = parser.parse(body_text(made.outbound));
    ASSERT_TRUE(body);
    EXPECT_EQ((*body)["model"].string_or(), "claude-sonnet-4-5");
    EXPECT_EQ((*body)["messages"].at(0)["role"].string_or(), "user");
    EXPECT_TRUE((*body)["max_tokens"].exists());
}

TEST_F(ExchangeTest, GeminisCallersReachClaudeOnVertexConverted)
{
    auto& vertex = world.provider("vertex", "vertex", {});
    vertex.options.vertex_project_id = "p";
    vertex.options.vertex_region = "us";
    request.path = "/v1beta/models/gemini-2.5-pro:generateContent";
    request.body = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
    EXPECT_EQ(prepare().outbound.path,
        "/v1/projects/p/locations/us/publishers/google/models/"
        "gemini-2.5-pro:generateContent");
    EXPECT_EQ(body_text(attempt->outbound), request.body);
    ASSERT_TRUE(vertex.model_map.add("*", "claude-sonnet-4-5"));
    EXPECT_EQ(prepare().outbound.path,
        "/v1/projects/p/locations/us/publishers/anthropic/models/"
        "claude-sonnet-4-5:rawPredict");
    json::Parser parser;
    const auto body = parser.parse(body_text(attempt->outbound));
    ASSERT_TRUE(body);
    EXPECT_EQ((*body)["messages"].at(0)["role"].string_or(), "user");
}

TEST_F(ExchangeTest, MessagesReachClaudeOnVertexAsTheyAre)
{
    auto& vertex = world.provider("vertex", "vertex", {});
    vertex.options.vertex_project_id = "p";
    vertex.options.vertex_region = "us";
    ASSERT_TRUE(vertex.model_map.add("*", "claude-opus-4-6@default"));
    request.path = "/v1/messages";
    request.query = "beta=true";
    request.headers = {{"anthropic-version", "2023-06-01"},
        {"anthropic-beta", "a-1, b-2"}, {"x-own", "1"}};
    const std::string rest =
        R"("max_tokens":9,"thinking":{"type":"adaptive"},)"
        R"("output_config":{"effort":"max"},)"
        R"("tools":[{"type":"bash_20250124","name":"bash"}],)"
        R"("stop_sequences":["E"],"temperature":1.0,)"
        R"("messages":[{"role":"user","content":"hi"}])";
    request.body = R"({"model":"c","service_tier":"auto",)" + rest
        + R"(,"anthropic_beta":["c-3"]})";
    EXPECT_EQ(prepare().outbound.path,
        "/v1/projects/p/locations/us/publishers/anthropic/models/"
        "claude-opus-4-6@default:rawPredict");
    EXPECT_EQ(body_text(attempt->outbound),
        "{" + rest
            + R"(,"anthropic_beta":["c-3","a-1","b-2"],)"
              R"("anthropic_version":"vertex-2023-10-16"})");
    EXPECT_EQ(header_text(attempt->outbound, "anthropic-beta"), "");
    EXPECT_EQ(header_text(attempt->outbound, "anthropic-version"), "");
    EXPECT_EQ(header_text(attempt->outbound, "x-own"), "1");
    EXPECT_EQ(attempt->api, Api::messages);

    request.body = R"({"model":"c","stream":true,)" + rest + "}";
    EXPECT_TRUE(prepare().outbound.path.ends_with(
        "/claude-opus-4-6@default:streamRawPredict"));
    EXPECT_TRUE(body_text(attempt->outbound)
                    .starts_with(R"({"stream":true,"max_tokens":9,)"));

    // What the operator adds to every chat is added to this one too.
    vertex.options.merge_consecutive_messages = true;
    prepare();
    EXPECT_EQ(attempt->api, Api::chat_completions);
}

TEST_F(ExchangeTest, AnswersOfClaudeOnVertexPass)
{
    auto& vertex = world.provider("vertex", "vertex", {});
    vertex.options.vertex_project_id = "p";
    vertex.options.vertex_region = "us";
    request.path = "/v1/messages";
    request.body = R"({"model":"claude-opus-4-6","max_tokens":9,)"
                   R"("messages":[{"role":"user","content":"hi"}]})";
    const std::string answer =
        R"({"id":"msg_vrtx_1","type":"message","role":"assistant",)"
        R"("model":"claude-opus-4-6","content":[{"type":"text","text":"Hi"}],)"
        R"("stop_reason":"stop_sequence","stop_sequence":"E",)"
        R"("usage":{"input_tokens":3,"output_tokens":2}})";
    policy::Response& response = *prepare().response;
    const std::vector<Header> headers{{"content-type", "application/json"}};
    std::string out;
    response.head(200, headers);
    response.feed(answer, out, 1);
    EXPECT_EQ(response.end(true, out, 2), policy::Response::State::whole);
    EXPECT_EQ(response.take_body(), answer);
    EXPECT_EQ(response.usage().completion, 2);

    policy::Response& refused = *prepare().response;
    refused.head(400, headers);
    refused.feed(R"([{"error":{"code":400,"message":"no such region",)"
                 R"("status":"INVALID_ARGUMENT"}}])",
        out, 1);
    refused.end(true, out, 2);
    EXPECT_EQ(refused.error().message, "no such region");
}

TEST_F(ExchangeTest, EachTryIsMadeForItsOwnProvider)
{
    world.provider("claude", "claude", {"claude-key"});
    auto& qwen = world.provider("qwen", "qwen", {"qwen-key"});
    ASSERT_TRUE(qwen.model_map.add("gpt-4o", "qwen-max"));
    world.route("main", {0, 1});
    request.body = kHello;
    prepare(0);
    EXPECT_EQ(header_text(attempt->outbound, "x-api-key"), "claude-key");
    const Try& second = again(1);
    EXPECT_EQ(second.outbound.path, "/compatible-mode/v1/chat/completions");
    EXPECT_EQ(body_text(second.outbound),
        R"({"model":"qwen-max","messages":[{"role":"user","content":"hi"}]})");
    EXPECT_EQ(header_text(second.outbound, "x-api-key"), "");
    EXPECT_EQ(header_text(second.outbound, "authorization"), "Bearer qwen-key");
}

TEST_F(ExchangeTest, ApiThatAProviderDoesNotHave)
{
    world.provider("claude", "claude");
    request.path = "/v1/embeddings";
    request.body = R"({"model":"m","input":"x"})";
    ASSERT_TRUE(receive());
    const auto made = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::unsupported_api);
    EXPECT_NE(made.error().message.find("claude"), std::string::npos);
}

// Requests of one worker share a parser; each sees its own body only.
TEST_F(ExchangeTest, SharedParserIsUsedByAnotherRequestMeanwhile)
{
    world.provider("relayed", "deepseek");
    world.provider("converted", "claude");
    world.route("main", {0, 1});
    json::Parser shared;
    const auto body_of = [](std::string_view text) {
        return R"({"model":"m","messages":[{"role":"developer","content":")"
            + std::string(text) + R"("},{"role":"user","content":"u"}]})";
    };
    ClientRequest requests[2];
    std::vector<std::unique_ptr<Exchange>> exchanges;
    for (ClientRequest& one : requests) {
        one.body = body_of(exchanges.empty() ? "first" : "second");
        exchanges.push_back(std::make_unique<Exchange>(
            world.gateway, world.site(), one.head(), 1, &shared));
        ASSERT_TRUE(exchanges.back()->receive(one.padded(), one.body.size()));
    }
    std::unique_ptr<Try> kept[2][2];
    for (size_t target = 0; target < 2; ++target) {
        for (size_t i = 0; i < 2; ++i) {
            const auto& targets = exchanges[i]->route().targets;
            auto made = exchanges[i]->make_try(targets[target], 0, 1, 2);
            ASSERT_TRUE(made) << made.error().message;
            kept[i][target] = std::move(*made);
        }
    }
    for (size_t i = 0; i < 2; ++i) {
        const std::string relayed = body_text(kept[i][0]->outbound);
        std::string expected = body_of(i == 0 ? "first" : "second");
        expected.replace(expected.find("developer"), 9, "system");
        EXPECT_EQ(relayed, expected);
        const std::string converted = body_text(kept[i][1]->outbound);
        EXPECT_EQ(converted.find("first") != std::string::npos, i == 0);
        EXPECT_EQ(converted.find("second") != std::string::npos, i == 1);
    }
}

} // namespace
} // namespace ai_proxy::policy
