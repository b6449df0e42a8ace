#include "core/config/fields.h"

#include "core/base/text.h"
#include "core/config/fields_clouds.h"
#include "core/config/fields_keys.h"
#include "core/config/fields_peer.h"
#include "core/config/fields_shape.h"
#include "core/config/fields_vendors.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace ai_proxy::config {

namespace {

using provider::Options;

constexpr size_t kMaxTokens = 256; // keys of a pool
constexpr size_t kMaxNames = 1000; // models
constexpr size_t kMaxHeaders = 64;
constexpr size_t kMaxValue = 8192;
constexpr uint64_t kMaxDuration = 7ull * 24 * 3600 * 1000;

bool has_control(std::string_view text) noexcept
{
    return std::any_of(text.begin(), text.end(), [](char c) {
        auto u = static_cast<unsigned char>(c);
        return u < 0x20 || u == 0x7f;
    });
}

Result<void> store_text(
    std::string& to, std::string_view value, std::string_view field)
{
    if (value.empty() || value.size() > kMaxValue || has_control(value))
        return invalid_value(value, field);
    to = value;
    return {};
}

template <std::string Options::*member>
Result<void> set_text(FieldContext& c, const Words& w)
{
    return store_text(c.provider.options.*member, w[1], w[0]);
}

Result<bool> on_off(std::string_view value, std::string_view field)
{
    if (value == "on")
        return true;
    if (value == "off")
        return false;
    return invalid_value(value, field, "it must be \"on\" or \"off\"");
}

template <bool Options::*member>
Result<void> set_flag(FieldContext& c, const Words& w)
{
    auto value = on_off(w[1], w[0]);
    if (!value)
        return value.error();
    c.provider.options.*member = *value;
    return {};
}

Result<uint64_t> number(std::string_view value, std::string_view field,
    uint64_t least, uint64_t most)
{
    auto n = parse_uint(value);
    if (!n || *n < least || *n > most)
        return invalid_value(value, field,
            "a number from " + std::to_string(least) + " to "
                + std::to_string(most) + " is expected");
    return *n;
}

Result<uint64_t> duration(std::string_view value, std::string_view field)
{
    auto ms = parse_duration_ms(value);
    if (!ms || *ms > kMaxDuration)
        return invalid_value(value, field,
            "a duration like \"30s\" is "
            "expected");
    return *ms;
}

Result<void> set_type(FieldContext& c, const Words& w)
{
    c.provider.options.type = provider::find_type(w[1]);
    if (c.provider.options.type != nullptr)
        return {};
    std::string text = "unknown type \"" + std::string(w[1]) + "\" (known:";
    for (const provider::Type& type : provider::types())
        text.append(" ").append(type.name);
    return config_error(text + ")");
}

Result<void> set_api_token(FieldContext& c, const Words& w)
{
    Options& options = c.provider.options;
    if (w[1].empty())
        return config_error("\"api_token\" is empty");
    if (options.anonymous || (w[1] == "none" && !options.api_tokens.empty()))
        return config_error("\"api_token none\" excludes other tokens");
    if (w[1] == "none") {
        options.anonymous = true;
        return {};
    }
    auto token = resolve_secret(w[1], c.secrets, w[0]);
    if (!token)
        return token.error();
    if (trim(*token).empty())
        return config_error("\"api_token\" is empty");
    if (has_control(*token) || token->size() > kMaxValue)
        return config_error("\"api_token\" holds a control character or is "
                            "too long");
    for (const Secret& known : options.api_tokens)
        if (known.equals(*token))
            return config_error("\"api_token\" is duplicate");
    if (options.api_tokens.size() == kMaxTokens)
        return config_error("too many \"api_token\"");
    options.api_tokens.emplace_back(std::move(*token));
    return {};
}

Result<void> set_model_map(FieldContext& c, const Words& w)
{
    return add_model_map(c.provider.model_map, w, 1);
}

Result<void> set_timeout(FieldContext& c, const Words& w)
{
    struct Part {
        std::string_view name;
        uint64_t provider::Timeouts::*member;
        bool seen = false;
    };
    Part parts[] = {{"connect", &provider::Timeouts::connect},
        {"tls", &provider::Timeouts::tls},
        {"first_byte", &provider::Timeouts::first_byte},
        {"first_token", &provider::Timeouts::first_token},
        {"idle", &provider::Timeouts::idle},
        {"total", &provider::Timeouts::total}};
    for (size_t i = 1; i < w.size(); ++i) {
        auto pair = split_pair(w[i]);
        auto part = std::find_if(std::begin(parts), std::end(parts),
            [&](const Part& p) { return pair && p.name == pair->name; });
        if (part == std::end(parts))
            return invalid_value(w[i], w[0],
                "connect=, tls=, first_byte=, first_token=, idle= or total= "
                "is expected");
        if (part->seen)
            return config_error("\"" + std::string(part->name)
                + "\" in \"timeout\" is duplicate");
        part->seen = true;
        auto ms = duration(pair->value, w[0]);
        if (!ms)
            return ms.error();
        c.provider.options.timeouts.*part->member = *ms;
    }
    return {};
}

Result<void> set_base_url(FieldContext& c, const Words& w)
{
    auto url = provider::parse_url(w[1]);
    if (!url)
        return invalid_value(w[1], w[0], url.error().message);
    c.provider.options.base_url = std::move(*url);
    return {};
}

Result<void> set_location(FieldContext& c, const Words& w)
{
    if (!w[1].starts_with('/')
        || w[1].find_first_of(" ?#") != std::string_view::npos)
        return invalid_value(w[1], w[0],
            "a path like \"/internal/x\" is "
            "expected");
    return store_text(c.provider.options.location, w[1], w[0]);
}

Result<void> set_keepalive(FieldContext& c, const Words& w)
{
    auto n = number(w[1], w[0], 0, 65535);
    if (!n)
        return n.error();
    c.provider.options.keepalive = static_cast<uint32_t>(*n);
    return {};
}

Result<void> append_names(std::vector<std::string>& to, const Words& w)
{
    for (size_t i = 1; i < w.size(); ++i) {
        std::string name;
        if (auto done = store_text(name, w[i], w[0]); !done)
            return done;
        if (std::find(to.begin(), to.end(), name) != to.end())
            return config_error("\"" + name + "\" in \"" + std::string(w[0])
                + "\" is duplicate");
        if (to.size() == kMaxNames)
            return config_error("too many \"" + std::string(w[0]) + "\"");
        to.push_back(std::move(name));
    }
    return {};
}

template <std::vector<std::string> Options::*member>
Result<void> set_names(FieldContext& c, const Words& w)
{
    return append_names(c.provider.options.*member, w);
}

// RFC 9110 5.6.2
bool is_token(std::string_view text) noexcept
{
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char ch) {
        char l = lower(ch);
        return (ch >= '0' && ch <= '9') || (l >= 'a' && l <= 'z')
            || kMarks.find(ch) != std::string_view::npos;
    });
}

// Fields that belong to the connection or to the message framing, and
// Accept-Encoding: answers must come uncompressed to be read.
bool is_reserved(std::string_view name) noexcept
{
    constexpr std::string_view kReserved[] = {"connection", "keep-alive",
        "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
        "trailer", "transfer-encoding", "upgrade", "host", "content-length",
        "expect", "accept-encoding"};
    return std::any_of(std::begin(kReserved), std::end(kReserved),
        [name](std::string_view r) { return iequals(r, name); });
}

Result<void> set_header(FieldContext& c, const Words& w)
{
    auto& headers = c.provider.options.headers;
    if (!is_token(w[1]))
        return invalid_value(w[1], w[0], "no header name");
    if (is_reserved(w[1]))
        return invalid_value(w[1], w[0], "this header cannot be set");
    // The value may be a secret: it is not repeated.
    if (has_control(w[2]) || w[2].size() > kMaxValue)
        return config_error("invalid value of header \"" + std::string(w[1])
            + "\" in \"set_header\"");
    for (const auto& header : headers)
        if (iequals(header.first, w[1]))
            return config_error("header \"" + std::string(w[1])
                + "\" in \"set_header\" is duplicate");
    if (headers.size() == kMaxHeaders)
        return config_error("too many \"set_header\"");
    headers.emplace_back(w[1], w[2]);
    return {};
}

Result<void> set_safety(FieldContext& c, const Words& w)
{
    auto& settings = c.provider.options.gemini_safety_setting;
    std::string category, threshold;
    if (auto done = store_text(category, w[1], w[0]); !done)
        return done;
    if (auto done = store_text(threshold, w[2], w[0]); !done)
        return done;
    for (const auto& setting : settings)
        if (setting.first == category)
            return config_error("\"" + category
                + "\" in \"gemini_safety_setting\" is duplicate");
    if (settings.size() == kMaxNames)
        return config_error("too many \"gemini_safety_setting\"");
    settings.emplace_back(std::move(category), std::move(threshold));
    return {};
}

Result<void> set_thinking_budget(FieldContext& c, const Words& w)
{
    int64_t budget = 0;
    const char* end = w[1].data() + w[1].size();
    auto [stop, code] = std::from_chars(w[1].data(), end, budget);
    if (code != std::errc() || stop != end || budget < -1
        || budget > 10'000'000)
        return invalid_value(w[1], w[0],
            "-1 (the model decides), 0 (off) or "
            "a number of tokens is expected");
    c.provider.options.gemini_thinking_budget = budget;
    return {};
}

Result<void> set_reasoning_mode(FieldContext& c, const Words& w)
{
    for (std::string_view mode : {"passthrough", "ignore", "concat"})
        if (iequals(mode, w[1])) {
            c.provider.options.reasoning_content_mode = mode;
            return {};
        }
    return invalid_value(
        w[1], w[0], "passthrough, ignore or concat is expected");
}

Result<void> set_ollama_port(FieldContext& c, const Words& w)
{
    auto n = number(w[1], w[0], 1, 65535);
    if (!n)
        return n.error();
    c.provider.options.ollama_server_port = static_cast<uint16_t>(*n);
    return {};
}

template <uint64_t provider::MockOptions::*member, uint64_t most>
Result<void> set_mock_number(FieldContext& c, const Words& w)
{
    auto n = number(w[1], w[0], 0, most);
    if (!n)
        return n.error();
    c.provider.options.mock.*member = *n;
    return {};
}

Result<void> set_mock_reply(FieldContext& c, const Words& w)
{
    if (w[1].empty())
        return invalid_value(w[1], w[0]);
    c.provider.options.mock.reply = w[1];
    return {};
}

Result<void> set_mock_delay(FieldContext& c, const Words& w)
{
    auto ms = duration(w[1], w[0]);
    if (!ms)
        return ms.error();
    c.provider.options.mock.delay_ms = *ms;
    return {};
}

Result<void> set_mock_status(FieldContext& c, const Words& w)
{
    auto n = parse_uint(w[1]);
    if (!n || (*n != 200 && (*n < 400 || *n > 599)))
        return invalid_value(
            w[1], w[0], "200 or a status from 400 to 599 is expected");
    c.provider.options.mock.status = static_cast<uint16_t>(*n);
    return {};
}

Result<void> set_mock_cut(FieldContext& c, const Words& w)
{
    auto n = number(w[1], w[0], 0, 1'000'000);
    if (!n)
        return n.error();
    c.provider.options.mock.cut_after = *n;
    return {};
}

// clang-format off
constexpr Field kFields[] = {
    {"type", "type", "NAME", "", 1, 1, false, set_type},
    {"api_token", "apiTokens", "TOKEN | env:NAME | file:PATH | none", "",
        1, 1, true, set_api_token},
    {"key_select", "", "random | least_used", "", 1, 1, false, set_key_select},
    {"key_cooldown", "", "off | min..max [fails=NUMBER] [on=STATUS,...]", "",
        1, 3, false,
        set_key_cooldown},
    {"key_concurrency", "", "NUMBER", "", 1, 1, false, set_key_concurrency},
    {"concurrency", "", "NUMBER [queue=NUMBER] [timeout=TIME]", "",
        1, 3, false, set_concurrency},
    {"breaker", "", "off | PERCENT% [window=TIME] [requests=NUMBER] "
        "[open=min..max]", "", 1, 4, false, set_breaker},
    {"health_check", "", "off | model=NAME [interval=TIME] [timeout=TIME] "
        "[fails=NUMBER] [passes=NUMBER]", "", 1, 5, false, set_health_check},
    {"model_map", "modelMapping", "FROM TO | \"FROM TO\"", "",
        1, 2, true, set_model_map},
    {"timeout", "", "[connect=TIME] [tls=TIME] [first_byte=TIME] "
        "[first_token=TIME] [idle=TIME] [total=TIME]", "", 1, 6, false,
        set_timeout},
    {"base_url", "", "URL", "", 1, 1, false, set_base_url},
    {"location", "", "PATH", "", 1, 1, false, set_location},
    {"ssl_verify", "", "on | off", "", 1, 1, false,
        set_flag<&Options::ssl_verify>},
    {"ssl_name", "", "NAME", "", 1, 1, false,
        set_text<&Options::ssl_name>},
    {"ssl_trusted_certificate", "", "FILE", "", 1, 1, false,
        set_text<&Options::ssl_trusted_certificate>},
    {"keepalive", "", "NUMBER", "", 1, 1, false, set_keepalive},
    {"models", "", "NAME ...", "", 1, kAnyNumber, true,
        set_names<&Options::models>},
    {"stream_options", "", "on | off", "", 1, 1, false,
        set_flag<&Options::stream_options>},
    {"set_header", "", "NAME VALUE", "", 2, 2, true, set_header},

    {"protocol", "protocol", "openai | original", "", 1, 1, false,
        set_protocol},
    {"capability", "capabilities", "API PATH", "", 2, 2, true,
        set_capability},
    {"base_path", "basePath", "PATH", "", 1, 1, false, set_base_path},
    {"base_path_handling", "basePathHandling", "remove_prefix | prepend", "",
        1, 1, false, set_base_path_handling},
    {"provider_base_path", "providerBasePath", "PATH", "", 1, 1, false,
        set_provider_base_path},
    {"provider_domain", "providerDomain", "HOST", "", 1, 1, false,
        set_provider_domain},
    {"custom_setting", "customSettings",
        "NAME VALUE [mode=auto|raw] [overwrite=on|off]", "", 2, 4, true,
        set_custom_setting},
    {"reasoning_content_mode", "reasoningContentMode",
        "passthrough | ignore | concat", "", 1, 1, false,
        set_reasoning_mode},
    {"promote_thinking_on_empty", "promoteThinkingOnEmpty", "on | off", "",
        1, 1, false, set_flag<&Options::promote_thinking_on_empty>},
    {"merge_consecutive_messages", "mergeConsecutiveMessages", "on | off", "",
        1, 1, false, set_flag<&Options::merge_consecutive_messages>},
    {"context_cleanup_commands", "contextCleanupCommands", "TEXT ...", "",
        1, kAnyNumber, true, set_names<&Options::context_cleanup_commands>},
    {"context_file", "context", "FILE", "", 1, 1, false, set_context_file},
    {"developer_role", "", "on | off", "", 1, 1, false, set_developer_role},

    {"azure_service_url", "azureServiceUrl", "URL", "azure", 1, 1, false,
        set_text<&Options::azure_service_url>},
    {"azure_token_file", "", "PATH", "azure", 1, 1, false,
        set_azure_token_file},
    {"claude_version", "claudeVersion", "VERSION", "claude", 1, 1, false,
        set_text<&Options::claude_version>},
    {"claude_code_mode", "claudeCodeMode", "on | off", "claude", 1, 1, false,
        set_flag<&Options::claude_code_mode>},
    {"api_version", "apiVersion", "VERSION", "claude gemini", 1, 1, false,
        set_text<&Options::api_version>},
    {"gemini_safety_setting", "geminiSafetySetting", "CATEGORY THRESHOLD",
        "gemini vertex", 2, 2, true, set_safety},
    {"gemini_thinking_budget", "geminiThinkingBudget", "NUMBER",
        "gemini vertex",
        1, 1, false, set_thinking_budget},
    {"qwen_enable_compatible", "qwenEnableCompatible", "on | off", "qwen",
        1, 1, false, set_flag<&Options::qwen_enable_compatible>},
    {"qwen_enable_search", "qwenEnableSearch", "on | off", "qwen",
        1, 1, false, set_flag<&Options::qwen_enable_search>},
    {"qwen_domain", "qwenDomain", "HOST", "qwen", 1, 1, false,
        set_text<&Options::qwen_domain>},
    {"qwen_file_ids", "qwenFileIds", "ID ...", "qwen", 1, kAnyNumber, true,
        set_names<&Options::qwen_file_ids>},
    {"moonshot_file_id", "moonshotFileId", "ID", "moonshot", 1, 1, false,
        set_text<&Options::moonshot_file_id>},
    {"ollama_server_host", "ollamaServerHost", "HOST", "ollama", 1, 1, false,
        set_text<&Options::ollama_server_host>},
    {"ollama_server_port", "ollamaServerPort", "PORT", "ollama", 1, 1, false,
        set_ollama_port},
    {"vllm_custom_url", "vllmCustomUrl", "URL", "vllm", 1, 1, false,
        set_text<&Options::vllm_custom_url>},
    {"vllm_server_host", "vllmServerHost", "HOST", "vllm", 1, 1, false,
        set_text<&Options::vllm_server_host>},
    {"openai_custom_url", "openaiCustomUrl", "URL", "openai", 1, 1, false,
        set_text<&Options::openai_custom_url>},
    {"zhipu_domain", "zhipuDomain", "HOST", "zhipuai", 1, 1, false,
        set_text<&Options::zhipu_domain>},
    {"zhipu_code_plan_mode", "zhipuCodePlanMode", "on | off", "zhipuai",
        1, 1, false, set_flag<&Options::zhipu_code_plan_mode>},
    {"doubao_domain", "doubaoDomain", "HOST", "doubao", 1, 1, false,
        set_text<&Options::doubao_domain>},
    {"baidu_native", "", "on | off", "baidu", 1, 1, false,
        set_flag<&Options::baidu_native>},
    {"bot_type", "botType", "chat | agent | completion | workflow", "dify",
        1, 1, false, set_bot_type},
    {"cloudflare_native", "", "on | off", "cloudflare", 1, 1, false,
        set_flag<&Options::cloudflare_native>},
    {"coze_bot_id", "", "ID", "coze", 1, 1, false,
        set_text<&Options::coze_bot_id>},
    {"dify_api_url", "difyApiUrl", "URL", "dify", 1, 1, false,
        set_text<&Options::dify_api_url>},
    {"hunyuan_auth_id", "hunyuanAuthId", "ID | env:NAME | file:PATH",
        "hunyuan", 1, 1, false,
        set_hunyuan_auth_id},
    {"hunyuan_auth_key", "hunyuanAuthKey", "KEY | env:NAME | file:PATH",
        "hunyuan", 1, 1, false,
        set_hunyuan_auth_key},
    {"input_variable", "inputVariable", "NAME", "dify", 1, 1, false,
        set_text<&Options::input_variable>},
    {"minimax_api_type", "minimaxApiType", "v2 | pro", "minimax", 1, 1, false,
        set_minimax_type},
    {"minimax_group_id", "minimaxGroupId", "ID", "minimax", 1, 1, false,
        set_text<&Options::minimax_group_id>},
    {"ollama_native", "", "on | off", "ollama", 1, 1, false,
        set_flag<&Options::ollama_native>},
    {"output_variable", "outputVariable", "NAME", "dify", 1, 1, false,
        set_text<&Options::output_variable>},
    {"target_lang", "targetLang", "LANGUAGE", "deepl", 1, 1, false,
        set_text<&Options::target_lang>},
    {"triton_domain", "tritonDomain", "HOST", "triton", 1, 1, false,
        set_text<&Options::triton_domain>},
    {"triton_model_version", "tritonModelVersion", "VERSION", "triton",
        1, 1, false, set_text<&Options::triton_model_version>},
    {"cloudflare_account_id", "cloudflareAccountId", "ID", "cloudflare",
        1, 1, false, set_account},
    {"generic_host", "genericHost", "HOST", "generic", 1, 1, false,
        set_text<&Options::generic_host>},

    {"aws_region", "awsRegion", "REGION", "bedrock", 1, 1, false,
        set_aws_region},
    {"aws_access_key", "awsAccessKey", "KEY | env:NAME | file:PATH",
        "bedrock", 1, 1, false, set_aws_access_key},
    {"aws_secret_key", "awsSecretKey", "KEY | env:NAME | file:PATH",
        "bedrock", 1, 1, false, set_aws_secret_key},
    {"aws_session_token", "", "TOKEN | env:NAME | file:PATH", "bedrock",
        1, 1, false, set_aws_session_token},
    {"bedrock_additional_fields", "bedrockAdditionalFields", "JSON",
        "bedrock", 1, 1, false, set_additional_fields},
    {"bedrock_invoke", "", "on | off", "bedrock", 1, 1, false,
        set_flag<&Options::bedrock_invoke>},
    {"prompt_cache_retention", "promptCacheRetention", "in_memory | 24h",
        "bedrock", 1, 1, false, set_cache_retention},
    {"bedrock_prompt_cache_point_positions",
        "bedrockPromptCachePointPositions", "POSITION ... | none", "bedrock",
        1, 3, false, set_cache_points},

    {"vertex_auth_key", "vertexAuthKey", "JSON | env:NAME | file:PATH",
        "vertex", 1, 1, false, set_vertex_auth_key},
    {"vertex_openai_compatible", "vertexOpenAICompatible", "on | off",
        "vertex", 1, 1, false, set_flag<&Options::vertex_openai_compatible>},
    {"vertex_token_refresh_ahead", "vertexTokenRefreshAhead", "TIME",
        "vertex", 1, 1, false, set_refresh_ahead},
    {"vertex_region", "vertexRegion", "REGION", "vertex", 1, 1, false,
        set_vertex_region},
    {"vertex_project_id", "vertexProjectId", "PROJECT", "vertex", 1, 1, false,
        set_vertex_project},

    {"reply", "", "TEXT", "mock", 1, 1, false, set_mock_reply},
    {"tokens", "", "NUMBER", "mock", 1, 1, false,
        set_mock_number<&provider::MockOptions::tokens, 1'000'000>},
    {"rate", "", "NUMBER", "mock", 1, 1, false,
        set_mock_number<&provider::MockOptions::rate, 1'000'000>},
    {"delay", "", "TIME", "mock", 1, 1, false, set_mock_delay},
    {"status", "", "STATUS", "mock", 1, 1, false, set_mock_status},
    {"cut_after", "", "NUMBER", "mock", 1, 1, false, set_mock_cut},
};
// clang-format on

} // namespace

Result<std::string> resolve_secret(
    std::string_view spec, const SecretSource& secrets, std::string_view field)
{
    bool indirect = spec.starts_with("env:") || spec.starts_with("file:");
    if (!indirect)
        return std::string(spec);
    if (spec.ends_with(':') || !secrets)
        return invalid_value(spec, field);
    auto text = secrets(spec);
    if (!text)
        return text;
    std::string_view value = *text;
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r'))
        value.remove_suffix(1);
    if (value.empty())
        return config_error("\"" + std::string(field) + "\" "
            + std::string(spec) + " is empty");
    return std::string(value);
}

std::span<const Field> fields() noexcept
{
    return kFields;
}

const Field* find_field(std::string_view name) noexcept
{
    auto found = std::find_if(std::begin(kFields), std::end(kFields),
        [name](const Field& f) { return f.name == name; });
    return found == std::end(kFields) ? nullptr : &*found;
}

bool belongs(const Field& field, std::string_view type) noexcept
{
    std::string_view rest = field.types;
    if (rest.empty())
        return true;
    while (!rest.empty()) {
        size_t end = std::min(rest.find(' '), rest.size());
        if (rest.substr(0, end) == type)
            return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

std::vector<FieldDescription> provider_fields()
{
    std::vector<FieldDescription> all;
    for (const Field& field : kFields)
        all.push_back({field.name, field.yaml_name, field.syntax});
    return all;
}

} // namespace ai_proxy::config
