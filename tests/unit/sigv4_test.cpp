#include "core/credential/sigv4.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ai_proxy;
using credential::AwsKey;
using credential::AwsRequest;
using credential::AwsSignature;

namespace {

constexpr AwsKey kKey{
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", {}};

std::string signature(const AwsSignature& made)
{
    const size_t at = made.authorization.find("Signature=");
    return made.authorization.substr(at + 10);
}

// The settings of AWS's test suite for Signature Version 4.
AwsSignature suite(std::string_view method, std::string_view path,
    std::vector<Header> headers = {}, std::string_view body = {})
{
    AwsRequest request;
    request.method = method;
    request.host = "example.amazonaws.com";
    request.path = path;
    request.headers = headers;
    request.body = std::span(&body, 1);
    request.region = "us-east-1";
    request.service = "service";
    request.now_seconds = 1440938160; // 20150830T123600Z
    return credential::sign_aws(kKey, request);
}

TEST(Sigv4, SuiteGetVanillaStepByStep)
{
    const AwsSignature made = suite("GET", "/");
    EXPECT_EQ(made.date, "20150830T123600Z");
    EXPECT_EQ(made.canonical_request,
        "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
        "host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(made.string_to_sign,
        "AWS4-HMAC-SHA256\n20150830T123600Z\n"
        "20150830/us-east-1/service/aws4_request\n"
        "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
    EXPECT_EQ(made.authorization,
        "AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature="
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Sigv4, SuitePaths)
{
    struct Case {
        std::string_view path, wanted;
    };
    const std::string_view vanilla =
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    const Case cases[] = {{"/example/..", vanilla},
        {"/example1/example2/../..", vanilla}, {"//", vanilla},
        {"/./", vanilla},
        {"/./example",
            "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
        {"//example//",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
        {"/example space/",
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
        {"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        {"/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf250"
            "0"}};
    for (const Case& c : cases) {
        EXPECT_EQ(signature(suite("GET", c.path)), c.wanted) << c.path;
    }
}

TEST(Sigv4, SuiteHeadersAndBodies)
{
    EXPECT_EQ(signature(suite("POST", "/")),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    EXPECT_EQ(signature(suite("GET", "/",
                  {{"My-Header1", "value2"}, {"My-Header1", "value2"},
                      {"My-Header1", "value1"}})),
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    EXPECT_EQ(
        signature(suite("GET", "/",
            {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}})),
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    EXPECT_EQ(signature(suite("POST", "/",
                  {{"Content-Type", "application/x-www-form-urlencoded"}},
                  "Param1=value1")),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

// Made with botocore 1.43: the path is encoded once more than it is sent.
AwsSignature bedrock(std::string_view path, std::string_view session)
{
    const std::string_view body[] = {R"({"mess)", "", R"(ages":[]})"};
    AwsKey key = kKey;
    key.session_token = session;
    AwsRequest request;
    request.host = "bedrock-runtime.us-east-1.amazonaws.com";
    request.path = path;
    request.body = body;
    request.region = "us-east-1";
    request.service = "bedrock";
    request.now_seconds = 1700000000;
    return credential::sign_aws(key, request);
}

TEST(Sigv4, BedrockModelsAsBotocoreSignsThem)
{
    struct Case {
        std::string_view path, plain, session;
    };
    const Case cases[] = {
        {"/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            "71ef4df12a98129f03764f5cf08dbf3ed8fb025cdabd03f211474e52f97f8231",
            "53d88183ce576ae157ae6303939ade09c0a647f37b38c8cd2cd7c0c5f051170c"},
        {"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
         "inference-profile%2Fabc/converse-stream",
            "60624dcdfa2fb56b21fabb3abe0581db420d0c1e006cad8027c6a5ed53d117ed",
            "bec31169ddb80695f86af592d8393f80de86e26d866f985084ae5641003ad2e"
            "2"}};
    for (const Case& c : cases) {
        EXPECT_EQ(signature(bedrock(c.path, "")), c.plain);
        EXPECT_EQ(signature(bedrock(c.path, "SESSION/TOKEN==")), c.session);
    }
    EXPECT_NE(bedrock("/", "x").authorization.find(
                  "SignedHeaders=host;x-amz-date;x-amz-security-token,"),
        std::string::npos);
}

} // namespace
