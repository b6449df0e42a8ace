#include "core/config/plugin.h"
#include "core/config/status_regex.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using config::Plugins;

struct Loaded {
    config::Gateway gateway;
    Plugins plugins;
    config::yaml::Warnings warnings;
    std::string fault;

    [[nodiscard]] std::string active(const config::Subject& subject) const
    {
        const config::AiProxy* found = plugins.ai_proxy->find(subject);
        return found != nullptr ? found->provider : "off";
    }
    [[nodiscard]] const config::Provider& provider(size_t i = 0) const
    {
        return *gateway.providers[i];
    }
};

Loaded load(std::string_view text)
{
    Loaded loaded;
    auto document = config::yaml::Document::parse("p.yaml", text);
    if (!document) {
        loaded.fault = document.error().message;
        return loaded;
    }
    const config::SecretSource secrets =
        [](std::string_view spec) -> Result<std::string> {
        return "text of " + std::string(spec);
    };
    config::LoadContext context{
        *document, loaded.warnings, secrets, loaded.gateway};
    const auto done =
        config::find_plugin("ai-proxy")->load(context, loaded.plugins);
    loaded.fault = done ? "" : done.error().message;
    return loaded;
}

// Of a provider of the type that has more members.
Loaded provider(std::string_view type, std::string_view more,
    std::string_view token = "sk-1")
{
    std::string text = "provider:\n  type: " + std::string(type) + "\n";
    if (!token.empty()) {
        text += "  apiTokens: [" + std::string(token) + "]\n";
    }
    return load(text.append("  ").append(more).append("\n"));
}

TEST(PluginAiProxyTest, TheFirstExampleLoadsAsItStands)
{
    const Loaded loaded = load(R"(provider:
  type: qwen
  apiTokens:
    - sk-xxxxxxxxxxxxxxxxxxxxxx
  timeout: 1200000
  modelMapping:
    'gpt-3.5-turbo': qwen-turbo
    'gpt-4': qwen-max
    '*': qwen-max
)");
    ASSERT_EQ(loaded.fault, "");
    EXPECT_TRUE(loaded.warnings.empty());
    EXPECT_EQ(loaded.active({}), "qwen");
    const auto& qwen = loaded.provider();
    EXPECT_EQ(qwen.options.type->name, "qwen");
    EXPECT_EQ(qwen.options.api_tokens.size(), 1u);
    EXPECT_EQ(qwen.model_map.map("gpt-3.5-turbo"), "qwen-turbo");
    EXPECT_EQ(qwen.model_map.map("other"), "qwen-max");
    EXPECT_EQ(qwen.options.timeouts.total, 1'200'000u);
    EXPECT_EQ(qwen.options.timeouts.first_byte, 120'000u);
}

TEST(PluginAiProxyTest, RulesChooseAmongProvidersOfTheGlobalPart)
{
    const Loaded loaded = load(R"(
providers:
- {id: a, type: openai, apiTokens: [k]}
- {id: b, type: deepseek, apiTokens: [k]}
activeProviderId: a
_rules_:
- _match_domain_: [b.com]
  activeProviderId: b
- _match_domain_: [c.com]
  provider: {type: claude, apiTokens: [k]}
- _match_domain_: [same.com]
)");
    ASSERT_EQ(loaded.fault, "");
    EXPECT_EQ(loaded.gateway.providers.size(), 3u);
    EXPECT_EQ(loaded.active({}), "a");
    EXPECT_EQ(loaded.active({"", "", "b.com", ""}), "b");
    EXPECT_EQ(loaded.active({"", "", "c.com", ""}), "claude");
    EXPECT_EQ(loaded.active({"", "", "same.com", ""}), "a");
}

TEST(PluginAiProxyTest, OnlyWhatIsActiveMustBeComplete)
{
    const Loaded inactive = load("providers:\n- {id: a, type: claude}\n");
    EXPECT_EQ(inactive.fault, "");
    ASSERT_EQ(inactive.warnings.size(), 1u);
    EXPECT_NE(
        inactive.warnings[0].find("\"a\" is left out"), std::string::npos);
    EXPECT_EQ(inactive.active({}), "");
    const Loaded active =
        load("activeProviderId: a\nproviders:\n- {id: a, type: claude}\n");
    EXPECT_EQ(active.fault.substr(0, 38),
        "p.yaml:3: field \"providers[0]\": no \"ap");
}

TEST(PluginAiProxyTest, SaysWhatIsWrongAndWhere)
{
    EXPECT_EQ(load("provider: {apiTokens: [k]}\n").fault,
        "p.yaml:1: field \"provider\": \"type\" is missing");
    EXPECT_EQ(load("providerz: {}\n").fault,
        "p.yaml:1: field \"providerz\": unknown field");
    EXPECT_EQ(provider("openai", "apiTokenz: [k]").fault,
        "p.yaml:4: field \"provider.apiTokenz\": unknown field");
    EXPECT_EQ(load("provider:\n  type: nosuch\n").fault.substr(0, 58),
        "p.yaml:2: field \"provider.type\": unknown type \"nosuch\" (kn");
    EXPECT_EQ(load("providers: [{type: openai}]\n").fault.substr(0, 42),
        "p.yaml:1: field \"providers[0]\": \"id\" must ");
    EXPECT_EQ(
        load("providers:\n- {id: a, type: mock}\n- {id: a, type: mock}").fault,
        "p.yaml:3: field \"providers[1].id\": duplicate name \"a\"");
    EXPECT_NE(provider("openai", "timeout: soon")
                  .fault.find("field \"provider.timeout\": a number from 0"),
        std::string::npos);
    EXPECT_NE(provider("openai", "modelMapping: [a]")
                  .fault.find("a mapping is expected"),
        std::string::npos);
    EXPECT_NE(
        provider("openai", "modelMapping: {'~(': b}")
            .fault.find("field \"provider.modelMapping.~(\": invalid regex"),
        std::string::npos);
}

TEST(PluginAiProxyTest, FieldsThatDoNothingSayIt)
{
    for (const char* dead : {"subPath: /x", "authHeaderKey: x",
             "vertexGeminiSafetySetting: {a: b}", "moonshotFileId: f",
             "vertexAuthServiceName: s", "qwenEnableSearch: true"})
    {
        const Loaded loaded = provider("openai", dead);
        EXPECT_EQ(loaded.fault, "") << dead;
        ASSERT_EQ(loaded.warnings.size(), 1u) << dead;
        EXPECT_NE(loaded.warnings[0].find("has no effect"), std::string::npos);
    }
}

TEST(PluginAiProxyTest, FieldsOfEveryTypeAreTheDirectives)
{
    EXPECT_EQ(provider("openai", "providerDomain: a.b:81")
                  .provider()
                  .options.provider_domain->port,
        81);
    EXPECT_TRUE(
        provider("openai", "protocol: original").provider().options.original);
    const auto options = provider("openai",
        "firstByteTimeout: 5000\n  basePath: /p\n  basePathHandling: prepend\n"
        "  providerBasePath: /up\n  reasoningContentMode: IGNORE\n"
        "  mergeConsecutiveMessages: 'true'\n  promoteThinkingOnEmpty: yes\n"
        "  contextCleanupCommands: [clean, clear]\n"
        "  capabilities: {openai/v1/embeddings: /e}");
    ASSERT_EQ(options.fault, "");
    const auto& o = options.provider().options;
    EXPECT_EQ(o.timeouts.first_byte, 5000u);
    EXPECT_EQ(o.base_path, "/p");
    EXPECT_TRUE(o.base_path_prepend);
    EXPECT_EQ(o.provider_base_path, "/up");
    EXPECT_EQ(o.reasoning_content_mode, "ignore");
    EXPECT_TRUE(o.merge_consecutive_messages);
    EXPECT_TRUE(o.promote_thinking_on_empty);
    EXPECT_EQ(o.context_cleanup_commands.size(), 2u);
    EXPECT_EQ(o.capabilities.size(), 1u);
    const auto hiclaw = provider("openai", "hiclawMode: true");
    EXPECT_TRUE(hiclaw.provider().options.merge_consecutive_messages);
    EXPECT_TRUE(hiclaw.provider().options.promote_thinking_on_empty);
}

TEST(PluginAiProxyTest, WhatHigressDoesNotHaveGoesByItsName)
{
    const Loaded loaded = provider("qwen",
        "base_url: 'http://127.0.0.1:9/x'\n"
        "  ssl_verify: false\n  models: [a, b]");
    ASSERT_EQ(loaded.fault, "");
    EXPECT_EQ(loaded.provider().options.base_url->port, 9);
    EXPECT_FALSE(loaded.provider().options.ssl_verify);
    EXPECT_EQ(loaded.provider().options.models.size(), 2u);
}

TEST(PluginAiProxyTest, CustomSettingsAndSchemasAreJson)
{
    const Loaded loaded = provider("openai",
        "customSettings:\n  - {name: max_tokens, value: 100}\n"
        "  - {name: a.b, value: {x: [1, 't']}, mode: raw, overwrite: false}\n"
        "  - {name: nosuch, value: 1}\n"
        "  responseJsonSchema: {type: json_object}");
    ASSERT_EQ(loaded.fault, "");
    const auto& settings = loaded.provider().options.custom_settings;
    ASSERT_EQ(settings.size(), 3u);
    EXPECT_EQ(settings[0].value, "100");
    EXPECT_EQ(settings[1].value, R"({"x":[1,"t"]})");
    EXPECT_EQ(settings[1].path.size(), 2u);
    EXPECT_FALSE(settings[1].overwrite);
    EXPECT_EQ(settings[2].path[0], "response_format");
    EXPECT_EQ(loaded.warnings.size(), 1u);
    EXPECT_NE(provider("openai", "customSettings: [{name: a}]").fault, "");
    EXPECT_NE(
        provider("openai", "customSettings: [{name: a, valve: 1}]").fault, "");
}

TEST(PluginAiProxyTest, FieldsOfTheTypes)
{
    const auto bedrock = provider("bedrock",
        "awsRegion: us-east-1\n  awsAccessKey: AK\n  awsSecretKey: SK\n"
        "  bedrockAdditionalFields: {top_k: 5}\n"
        "  bedrockPromptCachePointPositions: {systemPrompt: false, "
        "lastMessage: true}\n  promptCacheRetention: in_memory",
        "");
    ASSERT_EQ(bedrock.fault, "");
    const auto& b = bedrock.provider().options;
    EXPECT_EQ(b.bedrock_additional_fields.at(0).second, "5");
    EXPECT_FALSE(b.bedrock_cache_points.system_prompt);
    EXPECT_TRUE(b.bedrock_cache_points.last_message);
    const auto gemini = provider("gemini",
        "geminiSafetySetting: {HARM_CATEGORY_HARASSMENT: BLOCK_NONE}\n"
        "  geminiThinkingBudget: 0\n  apiVersion: v1");
    ASSERT_EQ(gemini.fault, "");
    EXPECT_EQ(gemini.provider().options.gemini_safety_setting.size(), 1u);
    EXPECT_FALSE(gemini.provider().options.gemini_thinking_budget.has_value());
    const auto ollama = provider("ollama",
        "ollamaServerHost: 127.0.0.1\n  ollamaServerPort: '11434'", "");
    ASSERT_EQ(ollama.fault, "");
    EXPECT_EQ(ollama.provider().options.ollama_server_port, 11434);
    const auto qwen =
        provider("qwen", "qwenEnableCompatible: false\n  qwenFileIds: [a, b]");
    ASSERT_EQ(qwen.fault, "");
    EXPECT_FALSE(qwen.provider().options.qwen_enable_compatible);
    EXPECT_EQ(qwen.provider().options.qwen_file_ids.size(), 2u);
}

TEST(PluginAiProxyTest, FailoverAndRetryBecomeKeyAndRouteRules)
{
    const Loaded loaded = provider("openai",
        "failover:\n    enabled: true\n    failureThreshold: 2\n"
        "    successThreshold: 3\n    healthCheckInterval: 7000\n"
        "    healthCheckTimeout: 1000\n    healthCheckModel: m\n"
        "    failoverOnStatus: ['401', '5.*']\n"
        "  retryOnFailure:\n    enabled: true\n    maxRetries: 4\n"
        "    retryTimeout: 9000\n    retryOnStatus: ['^5']");
    ASSERT_EQ(loaded.fault, "");
    const auto& p = loaded.provider();
    EXPECT_EQ(p.keys.fails, 2u);
    EXPECT_EQ(p.keys.passes, 3u);
    EXPECT_TRUE(p.keys.on.has(401));
    EXPECT_FALSE(p.keys.on.has(404));
    // "5.*" is found in "450" too.
    EXPECT_TRUE(p.keys.on.has(450));
    EXPECT_EQ(p.health.interval_ms, 7000u);
    EXPECT_EQ(p.health.timeout_ms, 1000u);
    EXPECT_EQ(p.health.model, "m");
    EXPECT_TRUE(p.health.only_keys);
    EXPECT_EQ(p.retry.count, 4u);
    EXPECT_EQ(p.retry.most_ms, 9000u);
    EXPECT_TRUE(p.retry.on->allows(ErrorCode::upstream_status, 503));
    EXPECT_FALSE(p.retry.on->allows(ErrorCode::upstream_status, 450));
    EXPECT_FALSE(p.retry.on->allows(ErrorCode::upstream_connect, 0));

    const Loaded standard =
        provider("openai", "failover: {enabled: true, healthCheckModel: m}");
    EXPECT_EQ(standard.provider().keys.fails, 3u);
    EXPECT_TRUE(standard.provider().keys.on.has(404));
    const Loaded off = provider("openai", "failover: {enabled: false}");
    EXPECT_EQ(off.fault, "");
    EXPECT_EQ(off.provider().health.interval_ms, 0u);
    EXPECT_NE(provider("openai", "failover: {enabled: true}")
                  .fault.find("\"healthCheckModel\" is missing"),
        std::string::npos);
    EXPECT_NE(provider("openai",
                  "retryOnFailure: {enabled: true, retryOnStatus: ['(']}")
                  .fault.find("invalid regex \"(\""),
        std::string::npos);
}

TEST(PluginAiProxyTest, StatusRegexesAreFoundAnywhere)
{
    const auto count = [](const char* pattern) {
        route::Statuses all;
        EXPECT_TRUE(config::add_statuses(all, pattern).ok());
        int n = 0;
        for (int status = 400; status < 600; ++status) {
            n += all.has(status) ? 1 : 0;
        }
        return n;
    };
    EXPECT_EQ(count("429"), 1);
    EXPECT_EQ(count("^4.*"), 100);
    EXPECT_EQ(count("^(429|5..)$"), 101);
    EXPECT_EQ(count("4.*"), 100 + 19);
    EXPECT_EQ(count("x"), 0);
}

TEST(PluginAiProxyTest, AContextFileIsOfThisMachine)
{
    const Loaded loaded =
        provider("openai", "context: {fileUrl: 'file:///c.txt'}");
    ASSERT_EQ(loaded.fault, "");
    EXPECT_EQ(loaded.provider().options.context, "text of file:/c.txt");
    EXPECT_NE(provider("openai",
                  "context: {fileUrl: 'http://x/c.txt', serviceName: x.dns, "
                  "servicePort: 80}")
                  .fault.find("is read when nginx starts"),
        std::string::npos);
}

} // namespace
