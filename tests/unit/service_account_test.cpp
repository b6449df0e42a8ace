#include "core/credential/service_account.h"

#include "core/credential/digest.h"

#include "google_key.h"

#include <gtest/gtest.h>

using namespace ai_proxy;
using ai_proxy::testing::service_account_json;
using credential::ServiceAccount;

namespace {

ServiceAccount account()
{
    auto parsed = ServiceAccount::parse(service_account_json());
    if (!parsed) {
        ADD_FAILURE() << parsed.error().message;
        std::abort();
    }
    return std::move(*parsed);
}

TEST(Base64url, PublishedVectors)
{
    const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
        {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
    for (const auto& [plain, coded] : vectors) {
        EXPECT_EQ(credential::base64url(plain), coded);
    }
}

TEST(BasicTime, KnownMoments)
{
    EXPECT_EQ(credential::basic_time(0), "19700101T000000Z");
    EXPECT_EQ(credential::basic_time(951827696), "20000229T123456Z");
    EXPECT_EQ(credential::basic_time(4102444799), "20991231T235959Z");
}

// Signed by openssl's command line over the same text.
TEST(ServiceAccount, AssertionAsOpensslSignsIt)
{
    auto made = account().assertion(1700000000);
    ASSERT_TRUE(made);
    EXPECT_EQ(*made,
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImtleS0xIn0.eyJpc3MiOi"
        "Jyb2JvdEBwLmlhbS5nc2VydmljZWFjY291bnQuY29tIiwic2NvcGUiOiJodHRwczov"
        "L3d3dy5nb29nbGVhcGlzLmNvbS9hdXRoL2Nsb3VkLXBsYXRmb3JtIiwiYXVkIjoiaH"
        "R0cHM6Ly9vYXV0aDIuZ29vZ2xlYXBpcy5jb20vdG9rZW4iLCJpYXQiOjE3MDAwMDAw"
        "MDAsImV4cCI6MTcwMDAwMzYwMH0.KA31Uf5LwHYQ0FC_uPX9WJkt25Bn1A_cb83jYu"
        "xQqernkPPTYTauxs96ZgHERC8LmQe6z_W_Wv5g7_CiCVVI94zlSBMOYDHNNw36AeDt"
        "_QRRDnd5_SGOn1VgVLDWc3DlUP0oNGpwDBB1karWzX4UB-sNQyM-hOq5oIxMVqTaY3"
        "xvi-8jkjqVedTQICSslDKlCMKOrvuBYTG-F8pr3nsQXx2t5zIUnF9ZvadcfmxxFQG_"
        "QlAedcb3p-b923pBuDvUGjjL4blRyvK7SDXA046qpk1psuq38sArRuy0hVH_xhrx9i"
        "9T5UM1mhljQdbXbBK-RJbF-q5CcMWuhFprYMTQSA");
}

TEST(ServiceAccount, RequestIsAForm)
{
    auto form = account().token_request(1700000000);
    ASSERT_TRUE(form);
    EXPECT_TRUE(form->starts_with(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        "&assertion=eyJ"));
}

TEST(ServiceAccount, FieldsOfTheKey)
{
    const ServiceAccount own = account();
    EXPECT_EQ(own.email(), "robot@p.iam.gserviceaccount.com");
    EXPECT_EQ(own.token_uri(), "https://oauth2.googleapis.com/token");
    auto elsewhere = ServiceAccount::parse(service_account_json(
        ai_proxy::testing::kRsaKey, "http://127.0.0.1:1/token"));
    ASSERT_TRUE(elsewhere);
    EXPECT_EQ(elsewhere->token_uri(), "http://127.0.0.1:1/token");
}

TEST(ServiceAccount, BadKeysAreNamedButNotShown)
{
    struct Case {
        std::string text;
        std::string_view says;
    };
    const Case cases[] = {{"", "no JSON object"}, {"[]", "no JSON object"},
        {"{}", "client_email"},
        {R"({"client_email":"secret-a"})", "private_key"},
        {service_account_json("secret-b"), "no RSA key"},
        {service_account_json("-----BEGIN PRIVATE KEY-----\\nAAAA\\n"
                              "-----END PRIVATE KEY-----\\n"),
            "no RSA key"},
        {service_account_json(ai_proxy::testing::kCurveKey), "no RSA key"},
        {service_account_json(ai_proxy::testing::kShortRsaKey), "2048"}};
    for (const Case& c : cases) {
        auto parsed = ServiceAccount::parse(c.text);
        ASSERT_FALSE(parsed) << c.text;
        const std::string& said = parsed.error().message;
        EXPECT_NE(said.find(c.says), std::string::npos) << said;
        EXPECT_EQ(said.find("secret"), std::string::npos) << said;
    }
}

TEST(TokenAnswer, TokenAndLifetime)
{
    auto read = credential::read_token_answer(
        200, R"({"access_token":"ya29.x","expires_in":1800,"token_type":"B"})");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->token, "ya29.x");
    EXPECT_EQ(read->expires_in, 1800);
    read = credential::read_token_answer(200, R"({"access_token":"t"})");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->expires_in, 3600);
    read = credential::read_token_answer(
        200, R"({"access_token":"t","expires_in":-5})");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->expires_in, 0);
}

TEST(TokenAnswer, AnythingElseIsAnError)
{
    for (const std::string_view body :
        {"", "{}", "nonsense", R"({"access_token":""})",
            R"({"access_token":7})", R"({"access_token":"a\r\nb"})"})
    {
        auto read = credential::read_token_answer(200, body);
        ASSERT_FALSE(read) << body;
        EXPECT_EQ(read.error().code, ErrorCode::upstream_unavailable);
    }
    auto read = credential::read_token_answer(
        400, R"({"error":"invalid_grant","error_description":"secret-text"})");
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("status 400"), std::string::npos);
    EXPECT_NE(read.error().message.find("invalid_grant"), std::string::npos);
    EXPECT_EQ(read.error().message.find("secret"), std::string::npos);
}

} // namespace
