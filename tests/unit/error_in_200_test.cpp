#include "gateway_fixture.h"

#include "core/dialect/error_codes.h"
#include "core/route/route.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using policy::Response;

struct Case {
    std::string_view body;
    int status; // that the error stands for
    std::string_view message;
};

// One error of each shape; the statuses are those of the vendors' documents.
constexpr Case kCases[] = {
    {R"({"base_resp":{"status_code":1002,"status_msg":"rate limit"}})", 429,
        "rate limit"},
    {R"({"id":"","choices":null,"base_resp":{"status_code":1008,)"
     R"("status_msg":"insufficient balance"}})",
        402, "insufficient balance"},
    {R"({"base_resp":{"status_code":2013,"status_msg":"bad"}})", 400, "bad"},
    {R"({"Response":{"Error":{"Code":"LimitExceeded","Message":"slow"},)"
     R"("RequestId":"r"}})",
        429, "slow"},
    {R"({"Response":{"Error":{"Code":"AuthFailure.SignatureExpire",)"
     R"("Message":"old"},"RequestId":"r"}})",
        401, "old"},
    {R"({"Response":{"Error":{"Code":"FailedOperation.EngineServerError",)"
     R"("Message":"broken"}}})",
        500, "broken"},
    {R"({"error_code":336100,"error_msg":"try again"})", 503, "try again"},
    {R"({"error_code":"18","error_msg":"qps"})", 429, "qps"},
    {R"({"code":"Throttling.RateQuota","message":"limit","request_id":"r"})",
        429, "limit"},
    {R"({"code":"InvalidApiKey","message":"key","request_id":"r"})", 401,
        "key"},
    {R"({"code":10007,"message":"busy","sid":"cht1"})", 429, "busy"},
    {R"({"code":4100,"msg":"token","detail":{"logid":"l"}})", 401, "token"},
    {R"({"error":{"code":429,"message":"later"}})", 429, "later"},
    {R"({"error":{"code":503,"message":"none left"},"user_id":"u"})", 503,
        "none left"},
    {R"({"error":{"type":"rate_limit_exceeded","message":"wait"}})", 429,
        "wait"},
    {R"({"error":{"type":"overloaded_error","message":"full"}})", 529, "full"},
    {R"({"error":{"code":"invalid_api_key","message":"no"}})", 401, "no"},
    {R"({"choices":[{"index":0,"finish_reason":"error","error":{"code":502,)"
     R"("message":"upstream"}}]})",
        502, "upstream"},
    {R"({"success":false,"errors":[{"code":10000,"message":"who"}],)"
     R"("result":null})",
        502, "who"}, // unknown code: the provider's fault
    {R"({"error":"it broke"})", 502, "it broke"},
};

policy::ResponseContext context_of(config::Provider& provider, bool stream)
{
    policy::ResponseContext context;
    context.provider = &provider;
    context.api = dialect::Api::chat_completions;
    context.stream = stream;
    context.model = "m";
    return context;
}

void expect_error(Response& response, const Case& c)
{
    ASSERT_EQ(response.state(), Response::State::failed) << c.body;
    const Error& error = response.error();
    EXPECT_EQ(error.code, ErrorCode::upstream_error) << c.body;
    EXPECT_EQ(error.http_status(), c.status) << c.body;
    EXPECT_NE(error.message.find(c.message), std::string::npos) << c.body;
    // Retried exactly when a provider that answers so would be.
    EXPECT_EQ(route::retryable(error.code, error.http_status()),
        c.status == 429 || c.status >= 500)
        << c.body;
}

class ErrorIn200 : public ::testing::Test {
protected:
    ai_proxy::testing::GatewayFixture fixture_;
    config::Provider& provider_ = fixture_.provider("p", "openai");
};

TEST_F(ErrorIn200, PlainIsAnErrorOfItsStatus)
{
    for (const Case& c : kCases) {
        Response response(context_of(provider_, false));
        const Header kHead[] = {{"content-type", "application/json"}};
        response.head(200, kHead);
        std::string out;
        response.feed(c.body, out, 1);
        response.end(true, out, 2);
        expect_error(response, c);
        EXPECT_TRUE(out.empty());
    }
}

TEST_F(ErrorIn200, AtTheStartOfAStreamLeavesRoomForAnotherTry)
{
    for (const Case& c : kCases) {
        Response response(context_of(provider_, true));
        const Header kHead[] = {{"content-type", "text/event-stream"}};
        response.head(200, kHead);
        std::string out;
        const std::string event = "data: " + std::string(c.body) + "\n\n";
        response.feed(event, out, 1);
        expect_error(response, c);
        EXPECT_TRUE(out.empty()) << out;
        // Or the vendor calls it JSON.
        Response plain(context_of(provider_, true));
        const Header kJson[] = {{"content-type", "application/json"}};
        plain.head(200, kJson);
        plain.feed(c.body, out, 1);
        plain.end(true, out, 2);
        expect_error(plain, c);
        EXPECT_TRUE(out.empty()) << out;
    }
}

TEST_F(ErrorIn200, AfterOutputEndsTheStreamWithoutAFinish)
{
    constexpr std::string_view kFirst =
        "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"content\":\"Hi\"}}]}\n\n";
    for (const Case& c : kCases) {
        Response response(context_of(provider_, true));
        const Header kHead[] = {{"content-type", "text/event-stream"}};
        response.head(200, kHead);
        std::string out;
        response.feed(kFirst, out, 1);
        response.feed("data: " + std::string(c.body) + "\n\n", out, 2);
        expect_error(response, c);
        EXPECT_EQ(out, kFirst);
    }
}

TEST_F(ErrorIn200, AnswersAreNone)
{
    for (std::string_view body : {
             R"({"base_resp":{"status_code":0,"status_msg":""},)"
             R"("choices":[{"index":0,"message":{"content":"a"},)"
             R"("finish_reason":"stop"}]})",
             R"({"code":0,"message":"Success","sid":"c","choices":[{"index":0,)"
             R"("message":{"content":"a"},"finish_reason":"stop"}]})",
             R"({"code":200,"message":"ok","choices":[{"index":0,)"
             R"("message":{"content":"a"},"finish_reason":"stop"}]})",
             R"({"id":"1","code":"x","message":"y"})",
         })
    {
        Response response(context_of(provider_, false));
        const Header kHead[] = {{"content-type", "application/json"}};
        response.head(200, kHead);
        std::string out;
        response.feed(body, out, 1);
        response.end(true, out, 2);
        EXPECT_EQ(response.state(), Response::State::whole) << body;
    }
}

TEST(ErrorCodes, TheLongestPatternIsTheOne)
{
    using dialect::CodeFamily;
    using dialect::status_of_code;
    EXPECT_EQ(status_of_code(CodeFamily::tencent, "AuthFailure"), 401);
    EXPECT_EQ(status_of_code(
                  CodeFamily::tencent, "AuthFailure.UnauthorizedOperation"),
        403);
    EXPECT_EQ(status_of_code(CodeFamily::tencent, "FailedOperation.X"), 500);
    EXPECT_EQ(status_of_code(CodeFamily::minimax, "110"), 0);
    EXPECT_EQ(status_of_code(CodeFamily::baidu, "110"), 401);
    EXPECT_EQ(status_of_code(CodeFamily::words, ""), 0);
}

} // namespace
