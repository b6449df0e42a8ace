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

class ExchangeFormTest : public testing::ExchangeFixture {};

// ---- other bodies

TEST_F(ExchangeFormTest, FormModelIsRewritten)
{
    auto& one = world.provider("one", "openai");
    ASSERT_TRUE(one.model_map.add("whisper-1", "whisper-large"));
    request.path = "/v1/audio/transcriptions";
    request.content_type = "multipart/form-data; boundary=XX";
    const std::string before = "--XX\r\nContent-Disposition: form-data; "
                               "name=\"file\"; filename=\"a\"\r\n\r\n"
                               "\r\n--XXX\x01\r\n"
                               "\r\n--XX\r\nContent-Disposition: form-data; "
                               "name=\"model\"\r\n\r\n";
    request.body = before + "whisper-1\r\n--XX--\r\n";
    const Try& made = prepare();
    EXPECT_EQ(body_text(made.outbound), before + "whisper-large\r\n--XX--\r\n");
    EXPECT_EQ(header_text(made.outbound, "content-type"), request.content_type);
    EXPECT_EQ(exchange->books().request_model, "whisper-1");
}

TEST_F(ExchangeFormTest, FormWithoutModelGetsTheDefault)
{
    auto& one = world.provider("one", "openai");
    request.path = "/v1/images/edits";
    request.content_type = "multipart/form-data; boundary=XX";
    const std::string part = "--XX\r\nContent-Disposition: form-data; "
                             "name=\"prompt\"\r\n\r\na cat\r\n";
    request.body = part + "--XX--\r\n";
    EXPECT_EQ(body_text(prepare().outbound), request.body);

    ASSERT_TRUE(one.model_map.add("*", "gpt-image-1"));
    EXPECT_EQ(body_text(prepare().outbound),
        part
            + "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
              "gpt-image-1\r\n--XX--\r\n");
}

TEST_F(ExchangeFormTest, BrokenFormsAreRefused)
{
    request.path = "/v1/audio/transcriptions";
    request.content_type = "multipart/form-data";
    request.body = "--XX--";
    EXPECT_EQ(refused().code, ErrorCode::invalid_request);
    request.content_type = "multipart/form-data; boundary=XX";
    request.body = "--XX\r\n\r\ncut";
    EXPECT_NE(refused().message.find("cut short"), std::string::npos);
    const std::string model = "--XX\r\nContent-Disposition: form-data; "
                              "name=\"model\"\r\n\r\na\r\n";
    request.body = model + model + "--XX--";
    EXPECT_EQ(refused().param, "model");
}

TEST_F(ExchangeFormTest, UnknownPathsAreRelayedAsTheyCame)
{
    request.method = "PUT";
    request.path = "/v9/some/thing";
    request.query = "a=1&b=%20";
    request.content_type = "application/octet-stream";
    request.accept = "image/png";
    request.body = std::string("\0{not json", 10);
    const Try& made = prepare();
    EXPECT_EQ(made.outbound.method, "PUT");
    EXPECT_EQ(made.outbound.path, "/v9/some/thing?a=1&b=%20");
    EXPECT_EQ(body_text(made.outbound), request.body);
    EXPECT_EQ(
        header_text(made.outbound, "content-type"), "application/octet-stream");
    EXPECT_EQ(header_text(made.outbound, "accept"), "image/png");
    EXPECT_EQ(
        header_text(made.outbound, "authorization"), "Bearer sk-test-key-1");
}

TEST_F(ExchangeFormTest, MockAndLocationProvidersHaveAPathToo)
{
    world.provider("mock", "mock", {});
    auto& local = world.provider("local", "openai", {});
    local.options.location = "/internal";
    local.endpoint = {};
    world.route("main", {0, 1});
    request.path = "/prefix/v1/chat/completions";
    request.body = kHello;
    EXPECT_EQ(prepare(0).outbound.path, "/v1/chat/completions");
    EXPECT_EQ(again(1).outbound.path, "/v1/chat/completions");
}

// ---- books

TEST_F(ExchangeFormTest, RecordTakesWhatTheResponseSaw)
{
    request.body = kHello;
    Try& made = prepare();
    const Header header{"Content-Type", "application/json"};
    made.response->head(200, {&header, 1});
    std::string out;
    made.response->feed(
        R"({"id":"x","object":"chat.completion","created":1,"model":"m",)"
        R"("choices":[{"index":0,"message":{"role":"assistant",)"
        R"("content":"yo"},"finish_reason":"length"}],"usage":)"
        R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})",
        out, 500);
    made.response->end(true, out, 600);
    exchange->record(made, ErrorCode::none, 110, 610);

    const Books& books = exchange->books();
    ASSERT_EQ(books.tries.size(), 1u);
    EXPECT_EQ(books.tries[0].status, 200);
    EXPECT_EQ(books.tries[0].begin, 110);
    EXPECT_EQ(books.tries[0].end, 610);
    EXPECT_EQ(books.tries[0].code, ErrorCode::none);
    EXPECT_EQ(books.usage_source, UsageSource::provider);
    EXPECT_EQ(books.usage.prompt, 3);
    EXPECT_EQ(books.usage.completion, 4);
    EXPECT_EQ(books.finish, chat::Finish::length);
}

TEST_F(ExchangeFormTest, RecordWithoutAnAnswerInventsNothing)
{
    request.body = kHello;
    const Try& made = prepare();
    exchange->record(made, ErrorCode::upstream_connect, 1, 2);
    const Books& books = exchange->books();
    EXPECT_EQ(books.tries.at(0).status, 0);
    EXPECT_EQ(books.tries.at(0).code, ErrorCode::upstream_connect);
    EXPECT_EQ(books.usage_source, UsageSource::none);
    EXPECT_FALSE(books.usage.known);
    EXPECT_EQ(books.first_token, 0);
}

TEST_F(ExchangeFormTest, ReleasedBodyLeavesBooksAndErrors)
{
    request.body = kHello;
    prepare();
    exchange->release_body();
    EXPECT_EQ(exchange->books().request_model, "gpt-4o");
    const std::string event = exchange->error_event(
        make_error(ErrorCode::upstream_truncated, "cut short"));
    EXPECT_EQ(event.find("data: {\"error\":"), 0u);
    EXPECT_NE(event.find("cut short"), std::string::npos);
    EXPECT_EQ(event.substr(event.size() - 2), "\n\n");
    EXPECT_EQ(exchange->books().error, ErrorCode::upstream_truncated);
}

} // namespace
} // namespace ai_proxy::policy
