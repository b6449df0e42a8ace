#include "core/config/gateway.h"
#include "core/provider/registry.h"

#include "exchange_fixture.h"
#include "google_key.h"

// Vertex AI and Bedrock as they are configured: hosts, paths, credentials.

namespace ai_proxy::testing {
namespace {

using config::Provider;
using config::ProviderBuilder;
using config::Words;

struct Built {
    std::unique_ptr<Provider> provider;
    std::string error;
};

Built build(std::string_view type, std::initializer_list<Words> lines)
{
    ProviderBuilder builder(
        "p", [](std::string_view spec) -> Result<std::string> {
            if (spec == "file:/key.json") {
                return service_account_json() + "\n";
            }
            return std::string("from-") + std::string(spec.substr(4));
        });
    if (auto done = builder.line({"type", type}); !done) {
        return {nullptr, done.error().message};
    }
    for (const Words& words : lines) {
        if (auto done = builder.line(words); !done) {
            return {nullptr, done.error().message};
        }
    }
    auto provider = builder.finish();
    if (!provider) {
        return {nullptr, provider.error().message};
    }
    return {std::move(*provider), ""};
}

// The request of a chat to a provider of these fields.
class Cloud : public ExchangeFixture {
protected:
    provider::Outbound& send(std::string_view type,
        std::initializer_list<Words> lines, std::string model,
        std::string_view access_token = {})
    {
        Built built = build(type, lines);
        EXPECT_EQ(built.error, "");
        (void)world.gateway.add(std::move(built.provider));
        world.route("main", {0}).targets[0].model = std::move(model);
        if (request.body.empty()) {
            request.body = kHello;
        }
        const auto received = receive();
        if (!received) {
            ADD_FAILURE() << received.error().message;
        }
        auto made = exchange->make_try(
            exchange->route().targets[0], 0, 1700000000, 2, access_token);
        if (!made) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        attempt = std::move(*made);
        return attempt->outbound;
    }
    static std::string header(
        const provider::Outbound& out, std::string_view name)
    {
        std::string found;
        for (const auto& [key, value] : out.headers) {
            if (iequals(key, name)) {
                found += found.empty() ? value : "|" + value;
            }
        }
        return found;
    }
};

TEST(CloudHosts, FollowTheRegion)
{
    const std::pair<std::string_view, std::string_view> hosts[] = {
        {"us-central1", "us-central1-aiplatform.googleapis.com"},
        {"global", "aiplatform.googleapis.com"},
        {"eu", "aiplatform.eu.rep.googleapis.com"}};
    for (const auto& [region, host] : hosts) {
        const Built built = build("vertex",
            {{"api_token", "none"}, {"vertex_region", region},
                {"vertex_project_id", "p"}});
        ASSERT_TRUE(built.provider) << built.error;
        EXPECT_EQ(built.provider->endpoint.host, host);
    }
    EXPECT_EQ(build("vertex", {{"api_token", "k"}}).provider->endpoint.host,
        "aiplatform.googleapis.com");
    EXPECT_EQ(
        build("bedrock", {{"api_token", "k"}, {"aws_region", "eu-west-1"}})
            .provider->endpoint.host,
        "bedrock-runtime.eu-west-1.amazonaws.com");
    EXPECT_EQ(
        build("bedrock", {{"api_token", "k"}, {"aws_region", "cn-north-1"}})
            .provider->endpoint.host,
        "bedrock-runtime.cn-north-1.amazonaws.com.cn");
}

TEST(CloudFields, WrongOnesAreNamed)
{
    struct Case {
        std::string_view type;
        std::vector<Words> lines;
        std::string_view says;
    };
    const Case cases[] = {
        {"bedrock", {{"api_token", "k"}}, "no \"aws_region\""},
        {"bedrock", {{"aws_region", "us east"}}, "\"us east\""},
        {"bedrock", {{"aws_region", "us-east-1"}}, "neither"},
        {"bedrock", {{"aws_region", "r"}, {"aws_access_key", "a"}},
            "go together"},
        {"bedrock",
            {{"aws_region", "r"}, {"api_token", "k"}, {"aws_access_key", "a"},
                {"aws_secret_key", "b"}},
            "exclude"},
        {"bedrock", {{"aws_session_token", "a b"}}, "aws_session_token"},
        {"bedrock", {{"bedrock_additional_fields", "[1]"}}, "JSON object"},
        {"bedrock", {{"bedrock_additional_fields", R"({"a":1,"a":2})"}},
            "twice"},
        {"bedrock", {{"prompt_cache_retention", "1y"}}, "24h"},
        {"bedrock", {{"bedrock_prompt_cache_point_positions", "here"}},
            "last_message"},
        {"bedrock", {{"bedrock_invoke", "yes"}}, "on"},
        {"vertex", {{"api_token", "none"}, {"vertex_project_id", "p"}},
            "no \"vertex_region\""},
        {"vertex", {{"api_token", "none"}, {"vertex_region", "us-central1"}},
            "no \"vertex_project_id\""},
        {"vertex", {{"vertex_region", "a/b"}}, "\"a/b\""},
        {"vertex", {{"vertex_region", "us-central1"}}, "neither"},
        {"openai", {{"aws_region", "us-east-1"}}, "does not belong"},
        {"vertex", {{"vertex_auth_key", "{}"}}, "client_email"},
        {"vertex", {{"vertex_token_refresh_ahead", "2h"}}, "30m"},
        {"vertex", {{"api_token", "k"}, {"vertex_openai_compatible", "on"}},
            "vertex_auth_key"},
        {"azure", {{"azure_token_file", "relative"}}, "absolute"},
        {"azure",
            {{"azure_service_url", "https://r.example/openai/v1"},
                {"api_token", "k"}, {"azure_token_file", "/t"}},
            "exclude"},
    };
    for (const Case& c : cases) {
        ProviderBuilder builder("p", {});
        std::string error;
        EXPECT_TRUE(builder.line({"type", c.type}));
        for (const Words& words : c.lines) {
            if (auto done = builder.line(words); !done && error.empty()) {
                error = done.error().message;
            }
        }
        if (error.empty()) {
            auto built = builder.finish();
            error = built ? "" : built.error().message;
        }
        EXPECT_NE(error.find(c.says), std::string::npos)
            << c.says << ": " << error;
    }
}

TEST_F(Cloud, BedrockWithAKeyOfItsOwn)
{
    const auto& out = send("bedrock",
        {{"api_token", "bedrock-key"}, {"aws_region", "us-east-1"}},
        "amazon.nova-lite-v1:0");
    EXPECT_EQ(header(out, "Authorization"), "Bearer bedrock-key");
    EXPECT_EQ(header(out, "X-Amz-Date"), "");
    EXPECT_EQ(out.path, "/model/amazon.nova-lite-v1%3A0/converse");
}

TEST_F(Cloud, BedrockSignsTheFinalRequest)
{
    const auto& out = send("bedrock",
        {{"aws_region", "us-east-1"}, {"aws_access_key", "AKIDEXAMPLE"},
            {"aws_secret_key", "env:SECRET"},
            {"aws_session_token", "SESSION/TOKEN=="}},
        "amazon.nova-lite-v1:0");
    EXPECT_EQ(header(out, "X-Amz-Date"), "20231114T221320Z");
    EXPECT_EQ(header(out, "X-Amz-Security-Token"), "SESSION/TOKEN==");
    const std::string authorization = header(out, "Authorization");
    EXPECT_TRUE(authorization.starts_with(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/us-east-1/bedrock/"
        "aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature="))
        << authorization;
    EXPECT_EQ(authorization.find('|'), std::string::npos);
    EXPECT_EQ(authorization.find("from-SECRET"), std::string::npos);
}

TEST_F(Cloud, BedrocksSignatureCoversTheBody)
{
    const std::initializer_list<Words> lines = {{"aws_region", "us-east-1"},
        {"aws_access_key", "a"}, {"aws_secret_key", "b"}};
    const std::string one =
        header(send("bedrock", lines, "m"), "Authorization");
    const std::string again = header(
        exchange->make_try(exchange->route().targets[0], 0, 1700000000, 7)
            .value()
            ->outbound,
        "Authorization");
    EXPECT_EQ(one, again);
    request.body =
        R"({"model":"x","messages":[{"role":"user","content":"other"}]})";
    ASSERT_TRUE(receive());
    const std::string other = header(
        exchange->make_try(exchange->route().targets[0], 0, 1700000000, 7)
            .value()
            ->outbound,
        "Authorization");
    EXPECT_NE(one, other);
}

TEST_F(Cloud, VertexGeminiInAProject)
{
    request.body = R"({"model":"x","stream":true,"messages":[)"
                   R"({"role":"user","content":"hi"}]})";
    const auto& out = send("vertex",
        {{"api_token", "none"}, {"vertex_region", "us-central1"},
            {"vertex_project_id", "my-project"}},
        "gemini-2.5-pro");
    EXPECT_EQ(out.path,
        "/v1/projects/my-project/locations/us-central1/publishers/google/"
        "models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    EXPECT_EQ(header(out, "Authorization"), "");
}

TEST_F(Cloud, VertexClaude)
{
    const auto& out = send("vertex",
        {{"api_token", "none"}, {"vertex_region", "global"},
            {"vertex_project_id", "p"}},
        "claude-sonnet-4-5@20250929");
    EXPECT_EQ(out.path,
        "/v1/projects/p/locations/global/publishers/anthropic/models/"
        "claude-sonnet-4-5@20250929:rawPredict");
    const std::string body(out.body.at(0));
    EXPECT_TRUE(
        body.starts_with(R"({"anthropic_version":"vertex-2023-10-16",)"))
        << body;
    EXPECT_EQ(body.find("\"model\""), std::string::npos);
    EXPECT_EQ(header(out, "anthropic-version"), "");
}

TEST_F(Cloud, VertexWithAServiceAccount)
{
    const auto& out = send("vertex",
        {{"vertex_auth_key", "file:/key.json"}, {"vertex_region", "eu"}},
        "gemini-2.5-pro", "ya29.token");
    // The project is the key's own.
    EXPECT_EQ(out.path,
        "/v1/projects/p/locations/eu/publishers/google/models/"
        "gemini-2.5-pro:generateContent");
    EXPECT_EQ(header(out, "Authorization"), "Bearer ya29.token");
    const config::Provider& provider = *world.gateway.providers[0];
    EXPECT_TRUE(provider::wants_access_token(provider.options));
    EXPECT_EQ(provider.token_endpoint.host, "oauth2.googleapis.com");
    EXPECT_EQ(provider.token_endpoint.path, "/token");
}

TEST_F(Cloud, VertexOpenaiCompatibleIsARelay)
{
    request.body =
        R"({"model":"x","temperature":1.50,"messages":[{"role":"user",)"
        R"("content":"hi"}]})";
    const auto& out = send("vertex",
        {{"vertex_auth_key", "file:/key.json"}, {"vertex_region", "global"},
            {"vertex_project_id", "q"}, {"vertex_openai_compatible", "on"}},
        "google/gemini-2.5-pro", "ya29.token");
    EXPECT_EQ(out.path,
        "/v1beta1/projects/q/locations/global/endpoints/openapi/chat/"
        "completions");
    std::string body;
    for (const std::string_view piece : out.body) {
        body += piece;
    }
    EXPECT_EQ(body,
        R"({"model":"google/gemini-2.5-pro","temperature":1.50,"messages":[)"
        R"({"role":"user","content":"hi"}]})");
    EXPECT_EQ(header(out, "Authorization"), "Bearer ya29.token");
}

TEST_F(Cloud, VertexExpressHasItsKeyInTheQuery)
{
    request.body = R"({"model":"x","stream":true,"messages":[)"
                   R"({"role":"user","content":"hi"}]})";
    const auto& out =
        send("vertex", {{"api_token", "k/1"}}, "google/gemini-2.5-flash");
    EXPECT_EQ(out.path,
        "/v1/publishers/google/models/"
        "gemini-2.5-flash:streamGenerateContent?alt=sse&key=k%2F1");
    EXPECT_EQ(header(out, "Authorization"), "");
}

TEST_F(Cloud, VertexRawPathsPass)
{
    request.path = "/any/v1beta1/projects/q/locations/r/publishers/google/"
                   "models/gemini-x:countTokens";
    request.query = "key=clients&a=1";
    request.body = R"({"contents":[]})";
    const auto& out = send("vertex", {{"api_token", "k"}}, "");
    EXPECT_EQ(out.path,
        "/v1beta1/projects/q/locations/r/publishers/google/models/"
        "gemini-x:countTokens?a=1&key=k");
    EXPECT_EQ(out.body.at(0), R"({"contents":[]})");
}

} // namespace
} // namespace ai_proxy::testing
