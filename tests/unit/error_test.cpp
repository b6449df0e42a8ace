#include "core/base/error.h"
#include "core/base/result.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

using namespace ai_proxy;

namespace {

TEST(ErrorTable, NamesAreAClosedSnakeCaseVocabulary)
{
    std::set<std::string_view> names;
    for (size_t i = 0; i < kErrorCodes; i++) {
        const ErrorRow& row = describe(ErrorCode(i));
        EXPECT_EQ(size_t(row.code), i);
        EXPECT_FALSE(row.name.empty());
        EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"),
            std::string_view::npos)
            << row.name;
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
    }
}

TEST(ErrorTable, StatusAndTypeFitTheFault)
{
    const auto status = [](ErrorCode c) { return describe(c).status; };
    EXPECT_EQ(status(ErrorCode::invalid_json), 400);
    EXPECT_EQ(status(ErrorCode::model_not_found), 404);
    EXPECT_EQ(status(ErrorCode::request_too_large), 413);
    EXPECT_EQ(status(ErrorCode::upstream_connect), 502);
    EXPECT_EQ(status(ErrorCode::timeout_idle), 504);
    EXPECT_EQ(status(ErrorCode::timeout_tls), 504);
    EXPECT_EQ(status(ErrorCode::timeout_first_token), 504);
    EXPECT_EQ(status(ErrorCode::client_closed), 499);
    EXPECT_EQ(status(ErrorCode::shutdown), 503);
    EXPECT_EQ(status(ErrorCode::internal), 500);
    EXPECT_EQ(
        describe(ErrorCode::unsupported_api).type, "invalid_request_error");
    EXPECT_EQ(describe(ErrorCode::timeout_tls).type, "timeout_error");
    EXPECT_EQ(describe(ErrorCode::timeout_first_token).type, "timeout_error");
    EXPECT_EQ(describe(ErrorCode::timeout_total).type, "timeout_error");
    EXPECT_EQ(describe(ErrorCode::upstream_closed).type, "api_error");
}

TEST(ErrorTable, UnknownCodeIsInternal)
{
    EXPECT_EQ(describe(ErrorCode(250)).code, ErrorCode::internal);
}

TEST(ErrorValue, OwnStatusOverridesTheRow)
{
    Error error = make_error(ErrorCode::upstream_status, "busy");
    EXPECT_EQ(error.http_status(), 502);
    error.status = 429;
    EXPECT_EQ(error.http_status(), 429);
}

TEST(ResultValue, HoldsValueOrError)
{
    Result<std::string> good(std::string("x"));
    ASSERT_TRUE(good.ok());
    EXPECT_EQ(*good, "x");
    Result<std::string> bad(make_error(ErrorCode::internal, "no", "a.b"));
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().param, "a.b");
    EXPECT_TRUE(Result<void>().ok());
    EXPECT_FALSE(Result<void>(make_error(ErrorCode::internal, "no")).ok());
}

} // namespace
