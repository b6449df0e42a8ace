#pragma once

#include "core/base/secret.h"
#include "core/dialect/api.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ai_proxy::credential {
class ServiceAccount;
}

namespace ai_proxy::provider {

struct Type; // registry.h

// Where bedrock sets cache points by itself.
struct CachePoints {
    bool system_prompt = true;
    bool last_user_message = false;
    bool last_message = false;
};

// custom_setting: a member that requests get.
struct CustomSetting {
    std::vector<std::string> path; // names from the top of the body
    std::string value;             // JSON text
    bool overwrite = true;
};

// Where a provider lives.
struct Endpoint {
    bool tls = true;
    std::string host; // name or address, without brackets
    uint16_t port = 443;
    std::string path; // prefix, no trailing slash; "" for none
    // Value of the Host header (port only when not the scheme's default).
    [[nodiscard]] std::string authority() const;
};

struct Timeouts {                  // milliseconds, 0 = off
    uint64_t connect = 10'000;     // the handshake of TLS included, unless
    uint64_t tls = 0;              // it has a time of its own
    uint64_t first_byte = 120'000; // request sent to response header
    uint64_t first_token = 0;      // begin of the try to output of a stream
    uint64_t idle = 60'000;        // without progress of the body
    uint64_t total = 1'200'000;    // the whole try
};

// mock: what the built-in provider answers.
struct MockOptions {
    std::string reply;     // canned text; empty: echo the last user text
    uint64_t tokens = 0;   // n > 0: n words of filler instead
    uint64_t rate = 0;     // events per second; 0: all at once
    uint64_t delay_ms = 0; // before the first byte
    uint16_t status = 200; // anything else answers an error
    std::optional<uint64_t> cut_after; // close after n events, no terminator
};

// All fields of an ai_proxy_provider block (config/fields.cpp is the table
// that fills them).
struct Options {
    std::string name;
    const Type* type = nullptr;
    std::vector<Secret> api_tokens;
    bool anonymous = false; // api_token none: calls carry no credential
    std::optional<Endpoint> base_url;
    std::string location; // internal location that is the provider
    Timeouts timeouts;
    bool ssl_verify = true;
    std::string ssl_name;                // "" = host
    std::string ssl_trusted_certificate; // "" = system store
    uint32_t keepalive = 64;             // idle connections kept per worker
    std::vector<std::string> models;     // names known to exist here (labels)

    bool stream_options = true; // may send stream_options.include_usage
    std::vector<std::pair<std::string, std::string>> headers; // set_header

    // What is done to chat requests before anything else.
    std::vector<CustomSetting> custom_settings;
    std::vector<std::string> context_cleanup_commands;
    bool merge_consecutive_messages = false;
    std::optional<bool> developer_role; // the type knows
    std::string context;                // text of context_file
    // What is done to chat answers after all else.
    bool promote_thinking_on_empty = false;

    bool original = false; // protocol original: calls pass as they are
    // capability: paths of APIs that the type lacks or has elsewhere.
    std::vector<std::pair<dialect::Api, std::string>> capabilities;
    std::string base_path; // of the client's paths
    bool base_path_prepend = false;
    std::string provider_base_path;          // before the provider's paths
    std::optional<Endpoint> provider_domain; // host and port only

    std::string azure_service_url;
    std::string claude_version; // anthropic-version
    bool claude_code_mode = false;
    std::string api_version; // gemini path version
    std::vector<std::pair<std::string, std::string>> gemini_safety_setting;
    std::optional<int64_t> gemini_thinking_budget;
    bool qwen_enable_compatible = true;
    bool qwen_enable_search = false;
    std::string qwen_domain;
    std::vector<std::string> qwen_file_ids;
    std::string reasoning_content_mode = "passthrough";
    std::string ollama_server_host;
    uint16_t ollama_server_port = 0;
    std::string vllm_custom_url, vllm_server_host;
    std::string openai_custom_url;
    std::string moonshot_file_id; // its text is the context
    std::string zhipu_domain;
    bool zhipu_code_plan_mode = false;
    std::string doubao_domain;
    std::string generic_host;
    std::string cloudflare_account_id;
    bool cloudflare_native = false;
    bool baidu_native = false;
    bool ollama_native = false;
    bool minimax_pro = false;
    std::string minimax_group_id;
    std::optional<Secret> hunyuan_auth_id, hunyuan_auth_key;
    std::string coze_bot_id;
    std::string dify_api_url;
    std::string bot_type; // dify: chat, agent, completion, workflow
    std::string input_variable, output_variable;
    std::string target_lang; // deepl
    std::string triton_domain, triton_model_version;

    std::string aws_region;
    Secret aws_access_key, aws_secret_key, aws_session_token;
    // Members of additionalModelRequestFields: name and JSON text.
    std::vector<std::pair<std::string, std::string>> bedrock_additional_fields;
    bool bedrock_invoke = false; // Claude by InvokeModel
    std::string prompt_cache_retention;
    CachePoints bedrock_cache_points;

    std::shared_ptr<const credential::ServiceAccount> vertex_auth_key;
    std::string vertex_region, vertex_project_id;
    bool vertex_openai_compatible = false;
    uint64_t vertex_token_refresh_ahead = 60'000; // milliseconds
    // A token that its owner renews in a file (Microsoft Entra).
    std::string azure_token_file;
    MockOptions mock;
};

} // namespace ai_proxy::provider
