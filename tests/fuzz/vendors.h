#pragma once

#include "core/config/gateway.h"

#include "input.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// One provider of each protocol, for the targets that go through them.
namespace fuzz {

struct VendorRow {
    std::string_view type;
    std::vector<std::vector<std::string_view>> fields;
};

inline std::unique_ptr<ai_proxy::config::Provider> build(const VendorRow& row)
{
    using namespace ai_proxy;
    config::ProviderBuilder builder(
        "fuzzed", [](std::string_view spec) -> Result<std::string> {
            return std::string(spec);
        });
    require(builder.line({"type", row.type}).ok(), "the type is known");
    require(builder.line({"api_token", "token"}).ok(), "a token is taken");
    for (const auto& field : row.fields) {
        const auto known = builder.line(field);
        require(known.ok(), known ? "" : known.error().message.c_str());
    }
    auto built = builder.finish();
    require(built.ok(), "the provider is complete");
    return std::move(built).value();
}

// The order is known to seeds.py.
inline std::vector<std::unique_ptr<ai_proxy::config::Provider>> vendors()
{
    const VendorRow rows[] = {
        {"openai", {}},
        {"claude", {}},
        {"gemini", {}},
        {"qwen", {{"qwen_enable_compatible", "off"}}},
        {"groq", {}},
        {"moonshot", {}},
        {"cohere", {}},
        {"bedrock", {{"aws_region", "us-east-1"}}},
        {"bedrock", {{"aws_region", "us-east-1"}, {"bedrock_invoke", "on"}}},
        {"vertex", {}},
        {"ollama",
            {{"ollama_native", "on"}, {"ollama_server_host", "127.0.0.1"},
                {"ollama_server_port", "11434"}}},
        {"cloudflare",
            {{"cloudflare_account_id", "a"}, {"cloudflare_native", "on"}}},
        {"baidu", {{"baidu_native", "on"}}},
        {"minimax", {{"minimax_api_type", "pro"}, {"minimax_group_id", "g"}}},
        {"hunyuan",
            {{"hunyuan_auth_id", "AKID0123456789012345678901234567890a"},
                {"hunyuan_auth_key", "01234567890123456789012345678901"}}},
        {"coze", {{"coze_bot_id", "b"}}},
        {"dify", {{"bot_type", "chat"}}},
        {"dify",
            {{"bot_type", "workflow"}, {"input_variable", "in"},
                {"output_variable", "out"}}},
        {"deepl", {{"target_lang", "DE"}}},
        {"triton", {{"triton_domain", "127.0.0.1"}}},
        {"mistral", {}},
        {"voyage", {}},
        {"huggingface", {}},
        {"openai",
            {{"reasoning_content_mode", "concat"},
                {"promote_thinking_on_empty", "on"}}},
    };
    std::vector<std::unique_ptr<ai_proxy::config::Provider>> all;
    for (const VendorRow& row : rows) {
        all.push_back(build(row));
    }
    return all;
}

} // namespace fuzz
