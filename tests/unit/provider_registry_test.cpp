#include "core/provider/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace {

using namespace ai_proxy;
using dialect::Api;
using provider::Credential;
using provider::Options;
using provider::Outbound;

Options typed(std::string_view type)
{
    Options options;
    options.name = "x";
    options.type = provider::find_type(type);
    EXPECT_NE(options.type, nullptr) << type;
    return options;
}

Options with_token(std::string_view type)
{
    Options options = typed(type);
    options.api_tokens.emplace_back("tok");
    return options;
}

std::string header(const Outbound& out, std::string_view name)
{
    std::string found = "(none)";
    for (const auto& [key, value] : out.headers)
        if (key == name)
            found = found == "(none)" ? value : found + "|" + value;
    return found;
}

Outbound credentials(
    const Options& options, size_t key = 0, std::string_view client = {})
{
    Outbound out;
    provider::add_credential(options, key, client, {}, out);
    return out;
}

std::string check_fault(const Options& options)
{
    auto done = provider::check(options);
    return done ? "" : done.error().message;
}

TEST(ProviderTypes, AreKnownByName)
{
    std::set<std::string_view> names;
    for (const provider::Type& type : provider::types()) {
        EXPECT_TRUE(names.insert(type.name).second) << type.name;
        EXPECT_EQ(provider::find_type(type.name), &type);
        EXPECT_NE(type.protocol, nullptr);
        EXPECT_FALSE(type.title.empty());
    }
    const std::set<std::string_view> kExpected = {"openai", "azure", "deepseek",
        "moonshot", "doubao", "zhipuai", "groq", "grok", "openrouter",
        "mistral", "together-ai", "ollama", "vllm", "generic", "claude",
        "gemini", "qwen", "mock", "baidu", "github", "fireworks", "longcat",
        "stepfun", "yi", "baichuan", "ai360", "cloudflare", "spark", "minimax",
        "hunyuan", "coze", "huggingface", "perplexity", "cerebras", "ai21",
        "avian", "crusoe", "writer", "snowflake", "vercel-gateway", "voyage",
        "lmstudio", "llama-cpp", "gpustack", "cohere", "dify", "deepl",
        "triton", "vertex", "bedrock"};
    EXPECT_EQ(names, kExpected);
    EXPECT_EQ(provider::find_type("OpenAI"), nullptr);
    EXPECT_EQ(provider::find_type(""), nullptr);
}

TEST(ProviderTypes, EachHasEveryApiOnce)
{
    for (const provider::Type& type : provider::types()) {
        std::set<Api> apis;
        for (const provider::ApiPath& row : type.paths) {
            EXPECT_TRUE(apis.insert(row.api).second)
                << type.name << " " << row.path;
            EXPECT_TRUE(row.path.starts_with('/')) << row.path;
        }
        // Voyage has no chat.
        EXPECT_EQ(provider::supports(typed(type.name), Api::chat_completions),
            type.name != "voyage")
            << type.name;
    }
}

TEST(ProviderTypes, SupportWhatTheVendorHas)
{
    EXPECT_TRUE(provider::supports(typed("openai"), Api::moderations));
    EXPECT_TRUE(provider::supports(typed("openai"), Api::unknown));
    EXPECT_FALSE(provider::supports(typed("openai"), Api::messages));
    EXPECT_FALSE(provider::supports(typed("deepseek"), Api::embeddings));
    EXPECT_TRUE(provider::supports(typed("deepseek"), Api::messages));
    EXPECT_TRUE(provider::supports(typed("groq"), Api::audio_transcriptions));
    EXPECT_TRUE(provider::supports(typed("together-ai"), Api::embeddings));
    EXPECT_TRUE(provider::supports(typed("openrouter"), Api::models));
    EXPECT_TRUE(provider::supports(typed("claude"), Api::messages));
    EXPECT_FALSE(provider::supports(typed("claude"), Api::embeddings));
    EXPECT_TRUE(provider::supports(typed("gemini"), Api::gemini_stream));
    EXPECT_TRUE(provider::supports(typed("gemini"), Api::embeddings));
    EXPECT_TRUE(provider::supports(typed("generic"), Api::realtime));
    EXPECT_TRUE(provider::supports(typed("mock"), Api::embeddings));
}

TEST(ProviderTypes, QwenDependsOnItsMode)
{
    Options qwen = typed("qwen");
    EXPECT_TRUE(provider::relays(qwen));
    EXPECT_EQ(&provider::protocol(qwen), &provider::kOpenai);
    EXPECT_TRUE(provider::supports(qwen, Api::embeddings));
    qwen.qwen_enable_compatible = false;
    EXPECT_FALSE(provider::relays(qwen));
    EXPECT_EQ(&provider::protocol(qwen), &provider::kQwen);
    EXPECT_TRUE(provider::supports(qwen, Api::chat_completions));
    EXPECT_TRUE(provider::supports(qwen, Api::embeddings));
    EXPECT_FALSE(provider::supports(qwen, Api::completions));

    EXPECT_FALSE(provider::relays(typed("claude")));
    EXPECT_EQ(&provider::protocol(typed("claude")), &provider::kClaude);
    EXPECT_EQ(&provider::protocol(typed("gemini")), &provider::kGemini);
    EXPECT_EQ(&provider::protocol(typed("mistral")), &provider::kOpenai);
}

TEST(Credentials, EachScheme)
{
    EXPECT_EQ(header(credentials(with_token("deepseek")), "Authorization"),
        "Bearer tok");
    EXPECT_EQ(header(credentials(with_token("azure")), "api-key"), "tok");
    EXPECT_EQ(
        header(credentials(with_token("azure")), "Authorization"), "(none)");
    EXPECT_EQ(header(credentials(with_token("claude")), "x-api-key"), "tok");
    EXPECT_EQ(
        header(credentials(with_token("gemini")), "x-goog-api-key"), "tok");
    EXPECT_EQ(header(credentials(with_token("ollama")), "Authorization"),
        "Bearer tok");
    EXPECT_TRUE(credentials(typed("ollama")).headers.empty());
    EXPECT_TRUE(credentials(with_token("mock")).headers.empty());
}

TEST(ProviderTypes, OwnWordsAreChosenByOptions)
{
    const auto expect = [](const Options& options,
                            const provider::Protocol& protocol,
                            std::string_view host) {
        EXPECT_EQ(&provider::protocol(options), &protocol);
        EXPECT_EQ(
            &provider::protocol(typed(options.type->name)), &provider::kOpenai);
        EXPECT_FALSE(provider::relays(options));
        EXPECT_EQ(provider::endpoint(options)->host, host);
    };
    Options options = typed("baidu");
    options.baidu_native = true;
    expect(options, provider::kBaidu, "aip.baidubce.com");
    options = typed("cloudflare");
    options.cloudflare_native = true;
    expect(options, provider::kCloudflare, "api.cloudflare.com");
    EXPECT_TRUE(provider::supports(options, Api::embeddings));
    options = typed("minimax");
    options.minimax_pro = true;
    expect(options, provider::kMinimaxPro, "api.minimax.chat");
    options = typed("hunyuan");
    options.hunyuan_auth_id.emplace("id");
    expect(options, provider::kHunyuan, "hunyuan.tencentcloudapi.com");
    EXPECT_EQ(
        provider::endpoint(typed("hunyuan"))->host, "tokenhub.tencentmaas.com");
    options = typed("coze");
    options.coze_bot_id = "1";
    expect(options, provider::kCoze, "api.coze.cn");
    options = typed("ollama");
    options.ollama_native = true;
    options.ollama_server_host = "gpu";
    options.ollama_server_port = 1;
    expect(options, provider::kOllama, "gpu");
    options = typed("deepl");
    EXPECT_EQ(provider::endpoint(options)->host, "api.deepl.com");
    options.api_tokens.emplace_back("0a1b:fx");
    EXPECT_EQ(provider::endpoint(options)->host, "api-free.deepl.com");
}

TEST(Credentials, OfVendorsOwnProtocols)
{
    EXPECT_EQ(header(credentials(with_token("deepl")), "Authorization"),
        "DeepL-Auth-Key tok");
    Options baidu = with_token("baidu");
    baidu.baidu_native = true;
    Outbound out;
    out.path = "/rpc";
    provider::add_credential(baidu, 0, {}, {}, out);
    EXPECT_EQ(out.path, "/rpc?access_token=tok");
    EXPECT_EQ(header(out, "Authorization"), "(none)");
}

TEST(Credentials, TencentsSignatureIsOfTheWholeRequest)
{
    Options options = typed("hunyuan");
    options.hunyuan_auth_id.emplace(std::string(36, 'i'));
    options.hunyuan_auth_key.emplace(std::string(32, 'k'));
    const auto signature = [&options](std::string body) {
        Outbound out;
        out.header("Content-Type", "application/json");
        out.header("X-TC-Action", "ChatCompletions");
        out.own_body(std::move(body));
        provider::sign(
            options, *provider::endpoint(options), 1'551'113'065, out);
        EXPECT_EQ(header(out, "X-TC-Timestamp"), "1551113065");
        return header(out, "Authorization");
    };
    const std::string one = signature("{}");
    EXPECT_TRUE(
        one.starts_with("TC3-HMAC-SHA256 Credential=" + std::string(36, 'i')
            + "/2019-02-25/hunyuan/tc3_request, "
              "SignedHeaders=content-type;host;x-tc-action, Signature="))
        << one;
    EXPECT_NE(one, signature("{ }"));
}

TEST(Credentials, RawToken)
{
    provider::Type type = *provider::find_type("deepseek");
    type.credential = Credential::raw_authorization;
    Options options = with_token("deepseek");
    options.type = &type;
    EXPECT_EQ(header(credentials(options), "Authorization"), "tok");
}

TEST(Credentials, TheClientsOwnOnlyWhereTheTypeSaysSo)
{
    EXPECT_EQ(
        header(credentials(typed("openai"), 0, "Bearer c"), "Authorization"),
        "Bearer c");
    EXPECT_EQ(header(credentials(typed("openai"), 0, "c"), "Authorization"),
        "Bearer c");
    EXPECT_EQ(header(credentials(with_token("openai"), 0, "Bearer c"),
                  "Authorization"),
        "Bearer tok");
    EXPECT_TRUE(credentials(typed("deepseek"), 0, "Bearer c").headers.empty());
    EXPECT_TRUE(credentials(typed("vllm"), 0, "Bearer c").headers.empty());
    Options none = typed("openai");
    none.anonymous = true;
    EXPECT_TRUE(credentials(none, 0, "Bearer c").headers.empty());
}

TEST(Credentials, KeysByIndex)
{
    Options options = with_token("deepseek");
    options.api_tokens.emplace_back("two");
    EXPECT_EQ(header(credentials(options, 1), "Authorization"), "Bearer two");
    EXPECT_EQ(header(credentials(options, 2), "Authorization"), "Bearer tok");
}

TEST(Credentials, NeverEndTheirLine)
{
    Options options = typed("deepseek");
    options.api_tokens.emplace_back("a\r\nX-Evil: 1");
    EXPECT_TRUE(credentials(options).headers.empty());
    EXPECT_TRUE(credentials(typed("openai"), 0, "Bearer a\nb").headers.empty());
}

TEST(Credentials, ClaudeCarriesItsVersionOnce)
{
    EXPECT_EQ(header(credentials(with_token("claude")), "anthropic-version"),
        "2023-06-01");
    Options options = with_token("claude");
    options.claude_version = "2024-01-01";
    EXPECT_EQ(header(credentials(options), "anthropic-version"), "2024-01-01");
    Outbound out;
    out.header("Anthropic-Version", "from-client");
    provider::add_credential(options, 0, "", {}, out);
    EXPECT_EQ(header(out, "anthropic-version"), "(none)");
}

TEST(ProviderEndpoint, ExpressModeOfVertexKnowsNoRegions)
{
    Options options = with_token("vertex");
    options.vertex_region = "europe-west1";
    EXPECT_EQ(provider::endpoint(options)->host, "aiplatform.googleapis.com");
    options.api_tokens.clear();
    EXPECT_EQ(provider::endpoint(options)->host,
        "europe-west1-aiplatform.googleapis.com");
}

TEST(Credentials, ClaudeCodeUsesBearer)
{
    Options options = with_token("claude");
    options.claude_code_mode = true;
    EXPECT_EQ(header(credentials(options), "Authorization"), "Bearer tok");
    EXPECT_EQ(header(credentials(options), "x-api-key"), "(none)");
}

TEST(ProviderCheck, TokenIsNeededWhereTheVendorRefusesWithout)
{
    for (std::string_view type :
        {"deepseek", "moonshot", "doubao", "zhipuai", "groq", "grok",
            "openrouter", "mistral", "together-ai", "claude", "gemini", "qwen"})
    {
        EXPECT_EQ(check_fault(typed(type)),
            "no \"api_token\" and type \"" + std::string(type)
                + "\" needs one (\"api_token none\" sends none)");
        EXPECT_EQ(check_fault(with_token(type)), "");
        Options none = typed(type);
        none.anonymous = true;
        EXPECT_EQ(check_fault(none), "");
        Options location = typed(type);
        location.location = "/internal/x";
        EXPECT_EQ(check_fault(location), "");
    }
    EXPECT_EQ(check_fault(typed("openai")), "");
    EXPECT_EQ(check_fault(typed("vllm")), "");
    EXPECT_EQ(check_fault(typed("mock")), "");
}

TEST(ProviderCheck, AzureNeedsItsVersion)
{
    Options azure = with_token("azure");
    EXPECT_EQ(check_fault(azure), "no \"azure_service_url\"");
    azure.azure_service_url = "https://r.openai.azure.com/";
    EXPECT_EQ(
        check_fault(azure), "no \"api-version\" in \"azure_service_url\"");
    azure.azure_service_url = "https://r.openai.azure.com/?api-version=";
    EXPECT_NE(check_fault(azure), "");
    azure.azure_service_url = "https://r.openai.azure.com/?api-version=1";
    EXPECT_EQ(check_fault(azure), "");
    azure.azure_service_url = "https://r.openai.azure.com/openai/v1";
    EXPECT_EQ(check_fault(azure), "");
    azure.azure_service_url = "https://r.openai.azure.com/openai/v12";
    EXPECT_NE(check_fault(azure), "");
    azure.azure_service_url = "";
    azure.base_url = *provider::parse_url("https://h/openai/v1");
    EXPECT_EQ(check_fault(azure), "");
    azure.base_url = *provider::parse_url("https://h/x");
    EXPECT_NE(check_fault(azure), "");
}

TEST(ProviderCheck, OneAddressIsEnough)
{
    Options options = with_token("openai");
    options.base_url = *provider::parse_url("https://h");
    options.openai_custom_url = "https://h";
    EXPECT_NE(check_fault(options), "");
    options.openai_custom_url = "";
    options.location = "/x";
    EXPECT_NE(check_fault(options), "");
    Options ollama = typed("ollama");
    EXPECT_NE(check_fault(ollama), "");
    ollama.ollama_server_host = "h";
    EXPECT_EQ(check_fault(ollama),
        "\"ollama_server_host\" and \"ollama_server_port\" go together");
    ollama.ollama_server_port = 11434;
    EXPECT_EQ(check_fault(ollama), "");
    EXPECT_NE(check_fault(typed("generic")), "");
    Options mock = typed("mock");
    mock.location = "/x";
    EXPECT_NE(check_fault(mock), "");
    EXPECT_EQ(check_fault(Options()), "no \"type\"");
}

} // namespace
