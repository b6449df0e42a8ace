#include "core/provider/registry.h"
#include "core/provider/url.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using provider::Endpoint;
using provider::Options;

Options options_of(std::string_view type)
{
    Options options;
    options.name = "x";
    options.type = provider::find_type(type);
    EXPECT_NE(options.type, nullptr) << type;
    return options;
}

std::string fault_of(std::string_view url)
{
    auto result = provider::parse_url(url);
    return result ? "" : result.error().message;
}

std::string where(const Options& options)
{
    auto e = provider::endpoint(options);
    if (!e)
        return "error: " + e.error().message;
    return (e->tls ? "https://" : "http://") + e->authority() + e->path;
}

TEST(ProviderUrl, TakesSchemeHostPortAndPath)
{
    auto e = provider::parse_url("http://Api.Example.com:9000/x/y/");
    ASSERT_TRUE(e.ok());
    EXPECT_FALSE(e->tls);
    EXPECT_EQ(e->host, "api.example.com");
    EXPECT_EQ(e->port, 9000);
    EXPECT_EQ(e->path, "/x/y");
    EXPECT_EQ(e->authority(), "api.example.com:9000");
}

TEST(ProviderUrl, HasTheDefaultPortOfItsScheme)
{
    auto https = provider::parse_url("https://h");
    auto http = provider::parse_url("http://h/");
    ASSERT_TRUE(https.ok() && http.ok());
    EXPECT_EQ(https->port, 443);
    EXPECT_EQ(http->port, 80);
    EXPECT_EQ(https->authority(), "h");
    EXPECT_EQ(http->authority(), "h");
    EXPECT_EQ(https->path, "");
    auto other = provider::parse_url("http://h:443");
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(other->authority(), "h:443");
}

TEST(ProviderUrl, TakesIpv6InBrackets)
{
    auto e = provider::parse_url("https://[2001:DB8::1]:8443/p");
    ASSERT_TRUE(e.ok());
    EXPECT_EQ(e->host, "2001:db8::1");
    EXPECT_EQ(e->port, 8443);
    EXPECT_EQ(e->authority(), "[2001:db8::1]:8443");
    EXPECT_EQ(
        fault_of("https://2001:db8::1/"), "an IPv6 address needs brackets");
    EXPECT_EQ(fault_of("https://[2001:db8::zz]/"), "invalid IPv6 address");
    EXPECT_EQ(fault_of("https://[::1"), "invalid IPv6 address");
    EXPECT_NE(fault_of("https://[::1]x"), "");
}

TEST(ProviderUrl, NamesTheFault)
{
    EXPECT_EQ(
        fault_of("host/x"), "the scheme must be \"http://\" or \"https://\"");
    EXPECT_EQ(fault_of("ftp://host"),
        "the scheme must be \"http://\" or \"https://\"");
    EXPECT_EQ(
        fault_of("https://u:geheim@host"), "user information is not allowed");
    EXPECT_EQ(fault_of("https://host/x?y=1"), "a query is not allowed");
    EXPECT_EQ(fault_of("https://host/x#y"), "a fragment is not allowed");
    EXPECT_EQ(fault_of("https:///x"), "no host");
    EXPECT_EQ(fault_of("https://ho st/"), "invalid host");
    EXPECT_EQ(fault_of("https://-host/"), "invalid host");
    for (std::string port : {"0", "65536", "8x", "", "99999999999999999999"})
        EXPECT_EQ(fault_of("https://host:" + port), "invalid port") << port;
    EXPECT_NE(fault_of("https://host/a/../b"), "");
    EXPECT_NE(fault_of("https://host/a b"), "");
    EXPECT_NE(fault_of("https://host/a\r\nX: y"), "");
}

TEST(ProviderUrl, DotSegmentsAreFoundInEverySpelling)
{
    for (std::string_view bad : {"/..", "/a/../b", "/a/./b", "/%2e%2E/b",
             "/a/.%2e", "/a%2f..%2fb", "/a%2F%2e%2e", "/a%5c..%5cb",
             "/a\\..\\b", "/a b", "/a\tb", "/a#b", "/a\x7f"})
        EXPECT_FALSE(provider::check_path(bad).ok()) << bad;
    for (std::string_view good : {"/", "/a..b", "/...", "/a/.hidden",
             "/v1/files/f%20x", "/%", "/%2", "/a%zz", "/models/a:b"})
        EXPECT_TRUE(provider::check_path(good).ok()) << good;
}

TEST(ProviderEndpoint, IsTheTypesOwnHost)
{
    EXPECT_EQ(where(options_of("openai")), "https://api.openai.com");
    EXPECT_EQ(where(options_of("claude")), "https://api.anthropic.com");
    EXPECT_EQ(where(options_of("qwen")), "https://dashscope.aliyuncs.com");
    EXPECT_EQ(where(options_of("moonshot")), "https://api.moonshot.cn");
    EXPECT_EQ(where(options_of("together-ai")), "https://api.together.xyz");
    EXPECT_EQ(where(options_of("vllm")), "http://vllm-service.cluster.local");
    EXPECT_TRUE(where(options_of("generic")).starts_with("error: "));
}

TEST(ProviderEndpoint, BaseUrlWinsForEveryType)
{
    for (const provider::Type& type : provider::types()) {
        Options options = options_of(type.name);
        options.base_url = *provider::parse_url("http://127.0.0.1:9000/x");
        EXPECT_EQ(where(options), "http://127.0.0.1:9000/x") << type.name;
    }
}

TEST(ProviderEndpoint, FollowsTheTypesOptions)
{
    Options options = options_of("qwen");
    options.qwen_domain = "dashscope-intl.aliyuncs.com";
    EXPECT_EQ(where(options), "https://dashscope-intl.aliyuncs.com");
    options = options_of("zhipuai");
    options.zhipu_domain = "api.z.ai";
    EXPECT_EQ(where(options), "https://api.z.ai");
    options = options_of("doubao");
    options.doubao_domain = "ark.example:8443";
    EXPECT_EQ(where(options), "https://ark.example:8443");
    options = options_of("vllm");
    options.vllm_server_host = "gpu-1:8000";
    EXPECT_EQ(where(options), "http://gpu-1:8000");
    options = options_of("generic");
    options.generic_host = "http://intern.example";
    EXPECT_EQ(where(options), "http://intern.example");
    options = options_of("ollama");
    options.ollama_server_host = "::1";
    options.ollama_server_port = 11434;
    EXPECT_EQ(where(options), "http://[::1]:11434");
    options = options_of("openai");
    options.openai_custom_url = "http://proxy.example/compatible/v3";
    EXPECT_EQ(where(options), "http://proxy.example/compatible/v3");
    options = options_of("azure");
    options.azure_service_url =
        "https://r.openai.azure.com/openai/deployments/d?api-version=1";
    EXPECT_EQ(where(options), "https://r.openai.azure.com");
}

TEST(ProviderEndpoint, NamesTheFieldAndTheValue)
{
    Options options = options_of("qwen");
    options.qwen_domain = "host/path";
    EXPECT_EQ(where(options),
        "error: invalid value \"host/path\" in "
        "\"qwen_domain\": a path is not allowed");
    options = options_of("openai");
    options.openai_custom_url = "https://user:geheim@host/v1";
    EXPECT_EQ(where(options).find("geheim"), std::string::npos);
    EXPECT_NE(where(options).find("openai_custom_url"), std::string::npos);
}

TEST(ProviderEndpoint, AnOptionOfAnotherTypeDoesNotCount)
{
    Options options = options_of("openai");
    options.qwen_domain = "elsewhere.example";
    options.ollama_server_host = "elsewhere.example";
    options.ollama_server_port = 1;
    EXPECT_EQ(where(options), "https://api.openai.com");
}

} // namespace
