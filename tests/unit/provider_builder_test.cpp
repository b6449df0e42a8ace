#include "core/config/gateway.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace {

using namespace ai_proxy;
using config::Provider;
using config::ProviderBuilder;
using config::Words;

Result<std::string> secret_of(std::string_view spec)
{
    if (spec == "env:KEY")
        return std::string("from-env");
    if (spec == "file:/keys/a")
        return std::string("from-file\r\n");
    if (spec == "env:EMPTY")
        return std::string("\n");
    if (spec == "env:TWO_LINES")
        return std::string("geheim\nX-Evil: 1");
    return make_error(ErrorCode::invalid_request,
        "environment variable \"" + std::string(spec.substr(4))
            + "\" is not set");
}

struct Built {
    std::unique_ptr<Provider> provider;
    std::string error;
};

Built build(std::initializer_list<Words> lines)
{
    ProviderBuilder builder("p", secret_of);
    for (const Words& words : lines)
        if (auto done = builder.line(words); !done)
            return {nullptr, done.error().message};
    auto provider = builder.finish();
    if (!provider)
        return {nullptr, provider.error().message};
    return {std::move(*provider), ""};
}

std::string build_fault(std::initializer_list<Words> lines)
{
    return build(lines).error;
}

// The error of one line after "type".
std::string field_fault(std::string_view type, const Words& words)
{
    return build_fault({{"type", type}, words, {"api_token", "k"}});
}

TEST(ProviderBuilderTest, TheExampleOfTheDesign)
{
    Built built = build({{"type", "qwen"}, {"api_token", "env:KEY"},
        {"model_map", "gpt-4o", "qwen-max"}, {"model_map", "*", "qwen-plus"},
        {"timeout", "first_byte=30s", "idle=60s", "total=20m", "connect=5s",
            "tls=2s", "first_token=45s"}});
    ASSERT_EQ(built.error, "");
    const Provider& p = *built.provider;
    EXPECT_EQ(p.options.name, "p");
    EXPECT_EQ(p.options.type->name, "qwen");
    ASSERT_EQ(p.options.api_tokens.size(), 1u);
    EXPECT_EQ(p.options.api_tokens[0].reveal(), "from-env");
    EXPECT_EQ(p.endpoint.host, "dashscope.aliyuncs.com");
    EXPECT_TRUE(p.endpoint.tls);
    EXPECT_EQ(p.options.timeouts.connect, 5'000u);
    EXPECT_EQ(p.options.timeouts.tls, 2'000u);
    EXPECT_EQ(p.options.timeouts.first_byte, 30'000u);
    EXPECT_EQ(p.options.timeouts.first_token, 45'000u);
    EXPECT_EQ(p.options.timeouts.idle, 60'000u);
    EXPECT_EQ(p.options.timeouts.total, 1'200'000u);
    EXPECT_EQ(p.model_map.map("gpt-4o"), "qwen-max");
    EXPECT_EQ(p.model_map.map("x"), "qwen-plus");
}

TEST(ProviderBuilderTest, EveryFieldIsStored)
{
    Built built = build({{"type", "generic"}, {"base_url", "http://h:1/x"},
        {"ssl_verify", "off"}, {"ssl_name", "n.example"},
        {"ssl_trusted_certificate", "/ca.pem"}, {"keepalive", "0"},
        {"models", "a", "b"}, {"models", "c"}, {"stream_options", "off"},
        {"key_select", "least_used"}, {"key_cooldown", "2s..5m"},
        {"set_header", "X-Title", "my app"}, {"set_header", "X-Gone", ""},
        {"model_map", "~^gpt-(.*)$ qwen-$1"}});
    ASSERT_EQ(built.error, "");
    const auto& o = built.provider->options;
    EXPECT_EQ(built.provider->endpoint.authority(), "h:1");
    EXPECT_EQ(built.provider->endpoint.path, "/x");
    EXPECT_FALSE(o.ssl_verify);
    EXPECT_EQ(o.ssl_name, "n.example");
    EXPECT_EQ(o.ssl_trusted_certificate, "/ca.pem");
    EXPECT_EQ(o.keepalive, 0u);
    EXPECT_EQ(built.provider->keys.select, route::KeySelect::least_used);
    EXPECT_EQ(built.provider->keys.cooldown_least_ms, 2'000u);
    EXPECT_EQ(built.provider->keys.cooldown_most_ms, 300'000u);
    EXPECT_EQ(o.models, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_FALSE(o.stream_options);
    ASSERT_EQ(o.headers.size(), 2u);
    EXPECT_EQ(o.headers[0].first, "X-Title");
    EXPECT_EQ(o.headers[0].second, "my app");
    EXPECT_EQ(built.provider->model_map.map("gpt-4"), "qwen-4");
}

TEST(ProviderBuilderTest, FieldsOfTheTypes)
{
    Built gemini = build({{"type", "gemini"}, {"api_token", "k"},
        {"api_version", "v1"}, {"gemini_thinking_budget", "-1"},
        {"gemini_safety_setting", "HARM", "BLOCK_NONE"}});
    ASSERT_EQ(gemini.error, "");
    EXPECT_EQ(gemini.provider->options.api_version, "v1");
    EXPECT_EQ(gemini.provider->options.gemini_thinking_budget, -1);
    EXPECT_EQ(
        gemini.provider->options.gemini_safety_setting[0].second, "BLOCK_NONE");

    Built qwen = build({{"type", "qwen"}, {"api_token", "k"},
        {"qwen_enable_compatible", "off"}, {"qwen_enable_search", "on"},
        {"qwen_domain", "h.example"}, {"qwen_file_ids", "a", "b"},
        {"reasoning_content_mode", "Concat"}});
    ASSERT_EQ(qwen.error, "");
    EXPECT_FALSE(qwen.provider->options.qwen_enable_compatible);
    EXPECT_TRUE(qwen.provider->options.qwen_enable_search);
    EXPECT_EQ(qwen.provider->endpoint.host, "h.example");
    EXPECT_EQ(qwen.provider->options.qwen_file_ids.size(), 2u);
    EXPECT_EQ(qwen.provider->options.reasoning_content_mode, "concat");

    Built claude = build({{"type", "claude"}, {"api_token", "k"},
        {"claude_code_mode", "on"}, {"api_version", "2024-01-01"}});
    ASSERT_EQ(claude.error, "");
    EXPECT_TRUE(claude.provider->options.claude_code_mode);
    EXPECT_EQ(claude.provider->options.claude_version, "2024-01-01");

    Built zhipu = build({{"type", "zhipuai"}, {"api_token", "k"},
        {"base_url", "https://api.z.ai/api/coding/paas/v4"}});
    ASSERT_EQ(zhipu.error, "");
    EXPECT_TRUE(zhipu.provider->options.zhipu_code_plan_mode);

    Built ollama = build({{"type", "ollama"},
        {"ollama_server_host", "127.0.0.1"}, {"ollama_server_port", "11434"}});
    ASSERT_EQ(ollama.error, "");
    EXPECT_EQ(ollama.provider->endpoint.authority(), "127.0.0.1:11434");
    EXPECT_FALSE(ollama.provider->endpoint.tls);

    Built mock = build({{"type", "mock"}, {"reply", "hi there"},
        {"tokens", "5"}, {"rate", "20"}, {"delay", "100ms"}, {"status", "503"},
        {"cut_after", "0"}});
    ASSERT_EQ(mock.error, "");
    const auto& m = mock.provider->options.mock;
    EXPECT_EQ(m.reply, "hi there");
    EXPECT_EQ(m.tokens, 5u);
    EXPECT_EQ(m.rate, 20u);
    EXPECT_EQ(m.delay_ms, 100u);
    EXPECT_EQ(m.status, 503);
    EXPECT_EQ(m.cut_after, 0u);
}

TEST(ProviderBuilderTest, ApiTokens)
{
    Built pool = build({{"type", "deepseek"}, {"api_token", "one"},
        {"api_token", "env:KEY"}, {"api_token", "file:/keys/a"}});
    ASSERT_EQ(pool.error, "");
    ASSERT_EQ(pool.provider->options.api_tokens.size(), 3u);
    EXPECT_EQ(pool.provider->options.api_tokens[2].reveal(), "from-file");

    Built none = build({{"type", "deepseek"}, {"api_token", "none"}});
    ASSERT_EQ(none.error, "");
    EXPECT_TRUE(none.provider->options.api_tokens.empty());
    EXPECT_TRUE(none.provider->options.anonymous);

    EXPECT_EQ(build_fault({{"type", "deepseek"}}),
        "no \"api_token\" and type \"deepseek\" needs one "
        "(\"api_token none\" sends none)");
    EXPECT_EQ(
        field_fault("deepseek", {"api_token", ""}), "\"api_token\" is empty");
    EXPECT_EQ(
        field_fault("deepseek", {"api_token", "  "}), "\"api_token\" is empty");
    EXPECT_EQ(field_fault("deepseek", {"api_token", "env:EMPTY"}),
        "\"api_token\" env:EMPTY is empty");
    EXPECT_EQ(field_fault("deepseek", {"api_token", "env:"}),
        "invalid value \"env:\" in \"api_token\"");
    EXPECT_EQ(field_fault("deepseek", {"api_token", "env:NOPE"}),
        "environment variable \"NOPE\" is not set");
    EXPECT_EQ(build_fault({{"api_token", "k"}, {"api_token", "none"}}),
        "\"api_token none\" excludes other tokens");
    EXPECT_EQ(build_fault({{"api_token", "none"}, {"api_token", "k"}}),
        "\"api_token none\" excludes other tokens");
}

TEST(ProviderBuilderTest, ASecretIsNeverInAnError)
{
    for (const std::string& error :
        {field_fault("deepseek", {"api_token", "env:TWO_LINES"}),
            field_fault("deepseek", {"api_token", "geheim\x01"}),
            field_fault("deepseek", {"api_token", "geheim\n"}),
            build_fault({{"api_token", "geheim"}, {"api_token", "geheim"}}),
            field_fault("openai", {"base_url", "https://u:geheim@h/"}),
            field_fault("openai", {"set_header", "X-Key", "geheim\r\nA: b"}),
            build_fault({{"type", "openai"},
                {"openai_custom_url", "https://u:geheim@h/"}})})
    {
        EXPECT_NE(error, "");
        EXPECT_EQ(error.find("geheim"), std::string::npos) << error;
    }
    EXPECT_EQ(build_fault({{"api_token", "a"}, {"api_token", "a"}}),
        "\"api_token\" is duplicate");
}

TEST(ProviderBuilderTest, UnknownWords)
{
    EXPECT_EQ(build_fault({{"tpye", "openai"}}), "unknown field \"tpye\"");
    std::string error = build_fault({{"type", "opnai"}});
    EXPECT_TRUE(error.starts_with("unknown type \"opnai\" (known: openai "));
    EXPECT_NE(error.find(" together-ai "), std::string::npos);
    EXPECT_TRUE(error.ends_with(" mock)"));
    EXPECT_EQ(build_fault({}), "no \"type\"");
    EXPECT_EQ(build_fault({{}}), "unknown field \"\"");
}

TEST(ProviderBuilderTest, Duplicates)
{
    EXPECT_EQ(build_fault({{"type", "openai"}, {"type", "openai"}}),
        "\"type\" is duplicate");
    EXPECT_EQ(build_fault({{"timeout", "idle=1s"}, {"timeout", "total=1s"}}),
        "\"timeout\" is duplicate");
    EXPECT_EQ(build_fault({{"timeout", "idle=1s", "idle=2s"}}),
        "\"idle\" in \"timeout\" is duplicate");
    EXPECT_EQ(build_fault({{"model_map", "a", "b"}, {"model_map", "a", "c"}}),
        "model \"a\" is duplicate");
    EXPECT_EQ(build_fault({{"models", "a", "a"}}),
        "\"a\" in \"models\" is duplicate");
    EXPECT_EQ(
        build_fault({{"set_header", "X-A", "b"}, {"set_header", "x-a", "c"}}),
        "header \"x-a\" in \"set_header\" is duplicate");
}

TEST(ProviderBuilderTest, AFieldOfAnotherTypeIsRefusedInEitherOrder)
{
    EXPECT_EQ(build_fault({{"type", "claude"}, {"qwen_domain", "h"}}),
        "field \"qwen_domain\" does not belong to type \"claude\"");
    EXPECT_EQ(build_fault({{"qwen_domain", "h"}, {"type", "claude"}}),
        "field \"qwen_domain\" does not belong to type \"claude\"");
    EXPECT_EQ(build_fault({{"type", "openai"}, {"reply", "x"}}),
        "field \"reply\" does not belong to type \"openai\"");
}

TEST(ProviderBuilderTest, NumbersOfArguments)
{
    EXPECT_EQ(
        build_fault({{"type"}}), "invalid number of arguments in \"type\"");
    EXPECT_EQ(build_fault({{"type", "openai", "x"}}),
        "invalid number of arguments in \"type\"");
    EXPECT_EQ(build_fault({{"model_map", "abc"}}),
        "invalid number of arguments in \"model_map\"");
    EXPECT_EQ(build_fault({{"model_map", "a", "b", "c"}}),
        "invalid number of arguments in \"model_map\"");
    EXPECT_EQ(build_fault({{"set_header", "X-A"}}),
        "invalid number of arguments in \"set_header\"");
}

TEST(ProviderBuilderTest, BadValuesAreNamedWithTheirField)
{
    const std::pair<Words, std::string_view> kBad[] = {
        {{"timeout", "idle=abc"}, "openai"},
        {{"timeout", "idle"}, "openai"},
        {{"timeout", "read=5s"}, "openai"},
        {{"timeout", "tls"}, "openai"},
        {{"timeout", "idle="}, "openai"},
        {{"timeout", "total=99999999999d"}, "openai"},
        {{"base_url", "ftp://h"}, "openai"},
        {{"base_url", "https://h?x=1"}, "openai"},
        {{"base_url", "https://h:0"}, "openai"},
        {{"location", "internal"}, "openai"},
        {{"location", "/a?b"}, "openai"},
        {{"ssl_verify", "yes"}, "openai"},
        {{"ssl_name", ""}, "openai"},
        {{"keepalive", "-1"}, "openai"},
        {{"key_select", "least"}, "openai"},
        {{"key_cooldown", "0..1s"}, "openai"},
        {{"key_cooldown", "1s..25h"}, "openai"},
        {{"key_cooldown", "1s.."}, "openai"},
        {{"keepalive", "70000"}, "openai"},
        {{"models", ""}, "openai"},
        {{"set_header", "Bad Name", "v"}, "openai"},
        {{"set_header", "", "v"}, "openai"},
        {{"gemini_thinking_budget", "-2"}, "gemini"},
        {{"gemini_thinking_budget", "1x"}, "gemini"},
        {{"reasoning_content_mode", "loud"}, "qwen"},
        {{"ollama_server_port", "0"}, "ollama"},
        {{"ollama_server_port", "65536"}, "ollama"},
        {{"tokens", "1000001"}, "mock"},
        {{"rate", "x"}, "mock"},
        {{"delay", "soon"}, "mock"},
        {{"status", "302"}, "mock"},
        {{"cut_after", ""}, "mock"},
        {{"reply", ""}, "mock"},
    };
    for (const auto& [words, type] : kBad) {
        std::string value(words.size() > 1 ? words[1] : "");
        if (words[0] == "timeout" && value.starts_with("idle=")
            && value != "idle=abc")
            value = value.substr(5);
        if (value == "idle=abc")
            value = "abc";
        if (value.starts_with("total="))
            value = value.substr(6);
        std::string start = "invalid value \"" + value + "\" in \""
            + std::string(words[0]) + "\"";
        std::string error = field_fault(type, words);
        EXPECT_TRUE(error.starts_with(start)) << error << "\n" << start;
    }
}

TEST(ProviderBuilderTest, HeadersOfTheConnectionAreRefused)
{
    for (std::string_view name : {"Host", "content-length", "Connection",
             "Transfer-Encoding", "TE", "Upgrade", "Trailer", "Keep-Alive",
             "Proxy-Authorization", "Accept-Encoding", "Expect"})
        EXPECT_EQ(field_fault("openai", {"set_header", name, "v"}),
            "invalid value \"" + std::string(name)
                + "\" in \"set_header\": this header cannot be set");
}

TEST(ProviderBuilderTest, BadAddressesAreFoundAtTheEnd)
{
    EXPECT_EQ(build_fault({{"type", "qwen"}, {"api_token", "k"},
                  {"qwen_domain", "ho st"}}),
        "invalid value \"ho st\" in \"qwen_domain\": invalid host");
    EXPECT_EQ(build_fault({{"type", "azure"}, {"api_token", "k"},
                  {"azure_service_url", "https://r.example/x"}}),
        "no \"api-version\" in \"azure_service_url\"");
    EXPECT_EQ(build_fault({{"type", "generic"}}),
        "no \"base_url\" and type \"generic\" has no host of its own");
}

TEST(ProviderBuilderTest, ALocationNeedsNoAddress)
{
    Built built = build({{"type", "claude"}, {"location", "/internal/claude"}});
    ASSERT_EQ(built.error, "");
    EXPECT_EQ(built.provider->options.location, "/internal/claude");
    EXPECT_EQ(built.provider->endpoint.host, "");
}

TEST(ProviderFields, AreDescribedOnce)
{
    std::set<std::string_view> names, yaml;
    for (const auto& field : config::provider_fields()) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name;
        EXPECT_TRUE(
            field.yaml_name.empty() || yaml.insert(field.yaml_name).second)
            << field.yaml_name;
        EXPECT_FALSE(field.syntax.empty()) << field.name;
    }
    EXPECT_TRUE(names.contains("azure_service_url"));
    EXPECT_TRUE(yaml.contains("modelMapping"));
}

// The camelCase name is the snake_case one but for these, whose YAML value
// has another shape.
TEST(ProviderFields, YamlNamesFollow)
{
    const std::set<std::string_view> kOther = {"api_token", "model_map",
        "capability", "custom_setting", "context_file",
        "vertex_openai_compatible"};
    for (const auto& field : config::provider_fields()) {
        if (field.yaml_name.empty() || kOther.contains(field.name))
            continue;
        std::string camel;
        bool upper = false;
        for (char c : field.name) {
            if (c == '_') {
                upper = true;
                continue;
            }
            camel += upper ? static_cast<char>(c - 'a' + 'A') : c;
            upper = false;
        }
        EXPECT_EQ(camel, field.yaml_name);
    }
}

} // namespace
