#include "core/credential/tc3.h"

#include <gtest/gtest.h>

using namespace ai_proxy;

namespace {

// The example of Tencent's own documentation, asterisks included.
credential::Tc3Signature example(std::span<const Header> headers,
    std::string_view id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******",
    std::string_view key = "Gu5t9xGARNpq86cd98joQYCN3*******")
{
    const std::string_view body =
        R"({"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], )"
        R"("Name": "instance-name"}]})";
    credential::Tc3Request request;
    request.secret_id = id;
    request.secret_key = key;
    request.service = "cvm";
    request.host = "cvm.tencentcloudapi.com";
    request.headers = headers;
    request.body = std::span(&body, 1);
    request.now_seconds = 1551113065;
    return credential::sign_tc3(request);
}

TEST(Tc3, PublishedExample)
{
    const Header headers[] = {
        {"content-type", "application/json; charset=utf-8"}};
    const auto made = example(headers);
    EXPECT_EQ(made.canonical_request,
        "POST\n/\n\ncontent-type:application/json; charset=utf-8\n"
        "host:cvm.tencentcloudapi.com\n\ncontent-type;host\n"
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
    EXPECT_EQ(made.string_to_sign,
        "TC3-HMAC-SHA256\n1551113065\n2019-02-25/cvm/tc3_request\n"
        "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031");
    EXPECT_EQ(made.authorization,
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/"
        "2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "
        "Signature="
        "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c");
}

// The later text of the documentation signs the action too.
TEST(Tc3, PublishedExampleWithAction)
{
    const Header headers[] = {
        {"content-type", "application/json; charset=utf-8"},
        {"x-tc-action", "DescribeInstances"}};
    const auto made = example(headers, "AKID********************************",
        "********************************");
    EXPECT_TRUE(made.string_to_sign.ends_with(
        "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"));
    EXPECT_TRUE(made.authorization.ends_with(
        "SignedHeaders=content-type;host;x-tc-action, Signature="
        "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"))
        << made.authorization;
}

} // namespace
