#include "core/provider/registry.h"

#include "core/provider/adjust.h"
#include "core/provider/compatible_paths.h"
#include "core/provider/spark.h"
#include "core/provider/surface.h"
#include "core/provider/translation_rows.h"

#include <algorithm>

namespace ai_proxy::provider {

namespace {

using dialect::Api;

// Paths: {id} stands for all that follows the collection in the client's
// path ("f-1/content"), {model} for the name sent, {version} for gemini's; "//"
// begins a path that stands beside the type's surface.
// clang-format off

constexpr ApiPath kOpenaiPaths[] = {
    {Api::chat_completions,     "/v1/chat/completions"},
    {Api::completions,          "/v1/completions"},
    {Api::embeddings,           "/v1/embeddings"},
    {Api::audio_speech,         "/v1/audio/speech"},
    {Api::audio_transcriptions, "/v1/audio/transcriptions"},
    {Api::audio_translations,   "/v1/audio/translations"},
    {Api::image_generations,    "/v1/images/generations"},
    {Api::image_variations,     "/v1/images/variations"},
    {Api::image_edits,          "/v1/images/edits"},
    {Api::batches,              "/v1/batches"},
    {Api::batch,                "/v1/batches/{id}"},
    {Api::batch_cancel,         "/v1/batches/{id}"},
    {Api::files,                "/v1/files"},
    {Api::file,                 "/v1/files/{id}"},
    {Api::file_content,         "/v1/files/{id}"},
    {Api::models,               "/v1/models"},
    {Api::model,                "/v1/models/{id}"},
    {Api::fine_tuning,          "/v1/fine_tuning/{id}"},
    {Api::responses,            "/v1/responses"},
    {Api::responses_compact,    "/v1/responses/compact"},
    {Api::responses_count,      "/v1/responses/input_tokens"},
    {Api::response,             "/v1/responses/{id}"},
    {Api::videos,               "/v1/videos"},
    {Api::video,                "/v1/videos/{id}"},
    {Api::moderations,          "/v1/moderations"},
    {Api::realtime,             "/v1/realtime"},
};

constexpr ApiPath kAzurePaths[] = {
    {Api::chat_completions,
        "/openai/deployments/{model}/chat/completions"},
    {Api::completions,       "/openai/deployments/{model}/completions"},
    {Api::embeddings,        "/openai/deployments/{model}/embeddings"},
    {Api::audio_speech,      "/openai/deployments/{model}/audio/speech"},
    {Api::audio_transcriptions,
        "/openai/deployments/{model}/audio/transcriptions"},
    {Api::audio_translations,
        "/openai/deployments/{model}/audio/translations"},
    {Api::image_generations,
        "/openai/deployments/{model}/images/generations"},
    {Api::image_variations,
        "/openai/deployments/{model}/images/variations"},
    {Api::image_edits,       "/openai/deployments/{model}/images/edits"},
    {Api::batches,           "/openai/batches"},
    {Api::batch,             "/openai/batches/{id}"},
    {Api::batch_cancel,      "/openai/batches/{id}"},
    {Api::files,             "/openai/files"},
    {Api::file,              "/openai/files/{id}"},
    {Api::file_content,      "/openai/files/{id}"},
    {Api::models,            "/openai/models"},
    {Api::model,             "/openai/models/{id}"},
    {Api::fine_tuning,       "/openai/fine_tuning/{id}"},
    {Api::responses,         "/openai/responses"},
    {Api::responses_compact, "/openai/responses/compact"},
    {Api::responses_count,   "/openai/responses/input_tokens"},
    {Api::response,          "/openai/responses/{id}"},
    {Api::videos,            "/openai/v1/videos"},
    {Api::video,             "/openai/v1/videos/{id}"},
    {Api::realtime,          "/openai/realtime"},
};

constexpr ApiPath kDeepseekPaths[] = {
    {Api::chat_completions, "/v1/chat/completions"},
    {Api::completions,      "/beta/completions"}, // fill in the middle
    {Api::models,           "/v1/models"},
    {Api::messages,         "/anthropic/v1/messages"},
};

constexpr ApiPath kMoonshotPaths[] = {
    {Api::chat_completions, "/v1/chat/completions"},
    {Api::models,           "/v1/models"},
    {Api::files,            "/v1/files"},
    {Api::file,             "/v1/files/{id}"},
    {Api::file_content,     "/v1/files/{id}"},
    {Api::messages,         "/anthropic/v1/messages"},
};

constexpr ApiPath kDoubaoPaths[] = {
    {Api::chat_completions,  "/api/v3/chat/completions"},
    {Api::embeddings,        "/api/v3/embeddings"},
    {Api::image_generations, "/api/v3/images/generations"},
    {Api::responses,         "/api/v3/responses"},
    {Api::response,          "/api/v3/responses/{id}"},
};

constexpr ApiPath kZhipuPaths[] = {
    {Api::chat_completions,  "/api/paas/v4/chat/completions"},
    {Api::embeddings,        "/api/paas/v4/embeddings"},
    {Api::image_generations, "/api/paas/v4/images/generations"},
    {Api::messages,          "/api/anthropic/v1/messages"},
};

constexpr ApiPath kGroqPaths[] = {
    {Api::chat_completions,     "/openai/v1/chat/completions"},
    {Api::responses,            "/openai/v1/responses"},
    {Api::models,               "/openai/v1/models"},
    {Api::model,                "/openai/v1/models/{id}"},
    {Api::audio_speech,         "/openai/v1/audio/speech"},
    {Api::audio_transcriptions, "/openai/v1/audio/transcriptions"},
    {Api::audio_translations,   "/openai/v1/audio/translations"},
    {Api::batches,              "/openai/v1/batches"},
    {Api::batch,                "/openai/v1/batches/{id}"},
    {Api::batch_cancel,         "/openai/v1/batches/{id}"},
    {Api::files,                "/openai/v1/files"},
    {Api::file,                 "/openai/v1/files/{id}"},
    {Api::file_content,         "/openai/v1/files/{id}"},
};

constexpr ApiPath kMistralPaths[] = {
    {Api::chat_completions,     "/v1/chat/completions"},
    {Api::embeddings,           "/v1/embeddings"},
    {Api::audio_transcriptions, "/v1/audio/transcriptions"},
    {Api::models,               "/v1/models"},
    {Api::model,                "/v1/models/{id}"},
    {Api::files,                "/v1/files"},
    {Api::file,                 "/v1/files/{id}"},
    {Api::file_content,         "/v1/files/{id}"},
    {Api::moderations,          "/v1/moderations"},
};

constexpr ApiPath kClaudePaths[] = {
    {Api::chat_completions, "/v1/messages"},
    {Api::messages,         "/v1/messages"},
    {Api::messages_count,   "/v1/messages/count_tokens"},
    {Api::complete,         "/v1/complete"},
    {Api::models,           "/v1/models"},
    {Api::model,            "/v1/models/{id}"},
    {Api::files,            "/v1/files"},
    {Api::file,             "/v1/files/{id}"},
    {Api::file_content,     "/v1/files/{id}"},
};

constexpr ApiPath kGeminiPaths[] = {
    {Api::chat_completions, "/{version}/models/{model}:generateContent"},
    {Api::gemini_generate,  "/{version}/models/{model}:generateContent"},
    {Api::gemini_stream,    "/{version}/models/{model}:streamGenerateContent"},
    {Api::gemini_count,     "/{version}/models/{model}:countTokens"},
    {Api::gemini_models,    "/{version}/models"},
    {Api::gemini_model,     "/{version}/models/{id}"},
    {Api::models,           "/{version}/models"},
    {Api::model,            "/{version}/models/{id}"},
};

constexpr ApiPath kVertexPaths[] = {
    {Api::chat_completions,
        "/v1/projects/{project}/locations/{region}/publishers/google/models/"
        "{model}:generateContent"},
    {Api::gemini_generate,
        "/v1/projects/{project}/locations/{region}/publishers/google/models/"
        "{model}:generateContent"},
    {Api::gemini_stream,
        "/v1/projects/{project}/locations/{region}/publishers/google/models/"
        "{model}:streamGenerateContent"},
};

constexpr ApiPath kVertexExpressPaths[] = {
    {Api::chat_completions, "/v1/publishers/google/models/"
        "{model}:generateContent"},
    {Api::gemini_generate, "/v1/publishers/google/models/"
        "{model}:generateContent"},
    {Api::gemini_stream, "/v1/publishers/google/models/"
        "{model}:streamGenerateContent"},
};

constexpr ApiPath kVertexCompatiblePaths[] = {
    {Api::chat_completions, "/v1beta1/projects/{project}/locations/{region}/"
        "endpoints/openapi/chat/completions"},
};

constexpr ApiPath kBedrockPaths[] = {
    {Api::chat_completions, "/model/{model}/converse"},
};

constexpr ApiPath kQwenPaths[] = {
    {Api::chat_completions, "/compatible-mode/v1/chat/completions"},
    {Api::completions,      "/compatible-mode/v1/completions"},
    {Api::embeddings,       "/compatible-mode/v1/embeddings"},
    {Api::models,           "/compatible-mode/v1/models"},
    {Api::responses,        "/compatible-mode/v1/responses"},
    {Api::response,         "/compatible-mode/v1/responses/{id}"},
    {Api::files,            "/compatible-mode/v1/files"},
    {Api::file,             "/compatible-mode/v1/files/{id}"},
    {Api::file_content,     "/compatible-mode/v1/files/{id}"},
    {Api::batches,          "/compatible-mode/v1/batches"},
    {Api::batch,            "/compatible-mode/v1/batches/{id}"},
    {Api::batch_cancel,     "/compatible-mode/v1/batches/{id}"},
    {Api::rerank,           "/compatible-api/v1/reranks"},
    {Api::messages,         "/apps/anthropic/v1/messages"},
};

// protocol, host, credential, paths
constexpr ApiPath kQwenNativePaths[] = {
    {Api::chat_completions,
        "/api/v1/services/aigc/text-generation/generation"},
    {Api::messages, "/apps/anthropic/v1/messages"},
};
constexpr Native kQwenNative =
    {&kQwen, "", Credential::bearer, kQwenNativePaths};
constexpr Native kOllamaNative =
    {&kOllama, "", Credential::bearer_optional, kOllamaPaths};

constexpr ApiPath kOwnChatPaths[] = {
    {Api::chat_completions, "/"},
};
constexpr Native kBaiduNative =
    {&kBaidu, "aip.baidubce.com", Credential::access_token, kOwnChatPaths};
constexpr Native kCloudflareNative =
    {&kCloudflare, "", Credential::bearer, kOwnChatPaths};
constexpr Native kMinimaxNative =
    {&kMinimaxPro, "api.minimax.chat", Credential::bearer, kOwnChatPaths};
constexpr Native kHunyuanNative =
    {&kHunyuan, "hunyuan.tencentcloudapi.com", Credential::tc3, kOwnChatPaths};
constexpr Native kCozeNative =
    {&kCoze, "", Credential::bearer, kOwnChatPaths};

// name, title, protocol, host, tls, credential, paths,
// relays_unknown, relay, stream_options, developer_role, mock, adjust,
// surface, translations, native
constexpr Type kTypes[] = {
    {"openai", "OpenAI", &kOpenai, "api.openai.com", true,
        Credential::bearer_or_client, kOpenaiPaths,
        true, true, true, true, false, adjust_relayed},
    {"azure", "Azure OpenAI", &kOpenai, "", true,
        Credential::api_key, kAzurePaths,
        true, true, true, true, false, adjust_relayed},
    {"deepseek", "DeepSeek", &kOpenai, "api.deepseek.com", true,
        Credential::bearer, kDeepseekPaths,
        true, true, true, false, false, adjust_relayed},
    {"moonshot", "Moonshot (Kimi)", &kOpenai, "api.moonshot.cn", true,
        Credential::bearer, kMoonshotPaths,
        true, true, true, false, false, adjust_relayed},
    {"doubao", "Doubao (Volcengine Ark)", &kOpenai,
        "ark.cn-beijing.volces.com", true,
        Credential::bearer, kDoubaoPaths,
        true, true, true, false, false, adjust_doubao},
    {"zhipuai", "Zhipu AI (Z.ai)", &kOpenai, "open.bigmodel.cn", true,
        Credential::bearer, kZhipuPaths,
        true, true, true, false, false, adjust_zhipuai},
    {"groq", "Groq", &kOpenai, "api.groq.com", true,
        Credential::bearer, kGroqPaths,
        true, true, true, false, false, adjust_relayed},
    {"grok", "Grok (xAI)", &kOpenai, "api.x.ai", true,
        Credential::bearer, kGrokPaths,
        true, true, true, false, false, adjust_relayed},
    {"openrouter", "OpenRouter", &kOpenai, "openrouter.ai", true,
        Credential::bearer, kOpenrouterPaths,
        true, true, true, false, false, adjust_openrouter},
    {"mistral", "Mistral AI", &kOpenai, "api.mistral.ai", true,
        Credential::bearer, kMistralPaths,
        true, true, false, false, false, adjust_mistral},
    {"together-ai", "Together AI", &kOpenai, "api.together.xyz", true,
        Credential::bearer, kTogetherPaths,
        true, true, true, false, false, adjust_relayed},
    {"ollama", "Ollama", &kOpenai, "", false,
        Credential::bearer_optional, kOllamaPaths,
        true, true, true, false, false, adjust_relayed,
        "", {}, &kOllamaNative},
    {"vllm", "vLLM", &kOpenai, "vllm-service.cluster.local", false,
        Credential::bearer_optional, kVllmPaths,
        true, true, true, false, false, adjust_relayed},
    {"baidu", "Baidu Qianfan", &kOpenai, "qianfan.baidubce.com", true,
        Credential::bearer, kBaiduPaths,
        true, true, true, false, false, adjust_relayed,
        "/v2", {}, &kBaiduNative},
    {"github", "GitHub Models (ended in July 2026)", &kOpenai, "models.github.ai", true,
        Credential::bearer, kGithubPaths,
        true, true, true, false, false, adjust_relayed,
        "/inference"},
    {"fireworks", "Fireworks AI", &kOpenai, "api.fireworks.ai", true,
        Credential::bearer, kFireworksPaths,
        true, true, true, false, false, adjust_relayed,
        "/inference"},
    {"longcat", "LongCat", &kOpenai, "api.longcat.chat", true,
        Credential::bearer, kLongcatPaths,
        true, true, true, false, false, adjust_relayed},
    {"stepfun", "StepFun", &kOpenai, "api.stepfun.com", true,
        Credential::bearer, kStepfunPaths,
        true, true, true, false, false, adjust_relayed},
    {"yi", "Yi (01.AI)", &kOpenai, "api.lingyiwanwu.com", true,
        Credential::bearer, kModelPaths,
        true, true, true, false, false, adjust_relayed},
    {"baichuan", "Baichuan", &kOpenai, "api.baichuan-ai.com", true,
        Credential::bearer, kChatPaths,
        true, true, true, false, false, adjust_relayed},
    {"ai360", "360 AI", &kOpenai, "api.360.cn", true,
        Credential::raw_authorization, kChatPaths,
        true, true, true, false, false, adjust_relayed},
    {"cloudflare", "Cloudflare Workers AI", &kOpenai,
        "api.cloudflare.com", true,
        Credential::bearer, kCloudflarePaths,
        true, true, true, false, false, adjust_relayed,
        "/client/v4/accounts/{account}/ai", kCloudflareTranslations,
        &kCloudflareNative},
    {"spark", "Spark (iFlytek)", &kOpenai, "spark-api-open.xf-yun.com", true,
        Credential::bearer, kSparkPaths,
        true, true, true, false, false, adjust_spark},
    {"minimax", "MiniMax", &kOpenai, "api.minimaxi.com", true,
        Credential::bearer, kMinimaxPaths,
        true, true, true, false, false, adjust_relayed,
        "", kMinimaxTranslations, &kMinimaxNative},
    {"hunyuan", "Hunyuan (Tencent TokenHub)", &kOpenai,
        "tokenhub.tencentmaas.com", true,
        Credential::bearer, kChatPaths,
        true, true, true, false, false, adjust_relayed,
        "", kHunyuanTranslations, &kHunyuanNative},
    {"coze", "Coze", &kOpenai, "api.coze.cn", true,
        Credential::bearer, {},
        true, true, false, false, false, nullptr,
        "", {}, &kCozeNative},
    {"huggingface", "Hugging Face, or a TGI server by base_url", &kOpenai,
        "router.huggingface.co", true,
        Credential::bearer, kHuggingfacePaths,
        true, true, true, false, false, adjust_relayed,
        "", kHuggingfaceTranslations},
    {"perplexity", "Perplexity", &kOpenai, "api.perplexity.ai", true,
        Credential::bearer, kPerplexityPaths,
        true, true, false, false, false, adjust_relayed},
    {"cerebras", "Cerebras", &kOpenai, "api.cerebras.ai", true,
        Credential::bearer, kTextPaths,
        true, true, true, false, false, adjust_relayed},
    {"ai21", "AI21 Labs", &kOpenai, "api.ai21.com", true,
        Credential::bearer, kModelPaths,
        true, true, false, false, false, adjust_relayed,
        "/studio"},
    {"avian", "Avian", &kOpenai, "api.avian.io", true,
        Credential::bearer, kTextPaths,
        true, true, true, false, false, adjust_relayed},
    {"crusoe", "Crusoe", &kOpenai, "api.inference.crusoecloud.com", true,
        Credential::bearer, kTextPaths,
        true, true, true, false, false, adjust_relayed},
    {"writer", "Writer", &kOpenai, "api.writer.com", true,
        Credential::bearer, kWriterPaths,
        true, true, true, false, false, adjust_relayed},
    {"snowflake", "Snowflake Cortex", &kOpenai, "", true,
        Credential::bearer, kSnowflakePaths,
        true, true, true, false, false, adjust_relayed,
        "/api/v2/cortex"},
    {"vercel-gateway", "Vercel AI Gateway", &kOpenai,
        "ai-gateway.vercel.sh", true,
        Credential::bearer, kServerPaths,
        true, true, true, false, false, adjust_relayed},
    {"voyage", "Voyage AI", &kOpenai, "api.voyageai.com", true,
        Credential::bearer, kVoyagePaths,
        true, true, false, false, false, adjust_relayed,
        "", kVoyageTranslations},
    {"lmstudio", "LM Studio", &kOpenai, "", false,
        Credential::bearer_optional, kServerPaths,
        true, true, true, false, false, adjust_relayed},
    {"llama-cpp", "llama.cpp server", &kOpenai, "", false,
        Credential::bearer_optional, kServerPaths,
        true, true, true, false, false, adjust_relayed},
    {"gpustack", "GPUStack", &kOpenai, "", false,
        Credential::bearer_optional, kServerPaths,
        true, true, true, false, false, adjust_relayed},
    {"generic", "Any OpenAI-compatible server, untouched", &kOpenai, "", true,
        Credential::bearer_or_client, {},
        true, true, false, true, false, nullptr},
    {"claude", "Claude (Anthropic)", &kClaude, "api.anthropic.com", true,
        Credential::x_api_key, kClaudePaths,
        true, false, false, false, false, nullptr},
    {"gemini", "Gemini (Google)", &kGemini,
        "generativelanguage.googleapis.com", true,
        Credential::x_goog_api_key, kGeminiPaths,
        true, false, false, false, false, nullptr,
        "", kGeminiTranslations},
    {"vertex", "Google Vertex AI", &kVertex, "", true,
        Credential::google, kVertexPaths,
        true, false, true, false, false, adjust_relayed,
        "", kVertexTranslations},
    {"bedrock", "Amazon Bedrock", &kBedrock, "", true,
        Credential::aws, kBedrockPaths,
        true, false, false, false, false, nullptr,
        "", kBedrockTranslations},
    {"qwen", "Qwen (DashScope)", &kOpenai, "dashscope.aliyuncs.com", true,
        Credential::bearer, kQwenPaths,
        true, true, true, false, false, adjust_relayed,
        "", kQwenTranslations, &kQwenNative},
    {"cohere", "Cohere", &kCohere, "api.cohere.com", true,
        Credential::bearer, kCoherePaths,
        true, false, false, false, false, nullptr,
        "", kCohereTranslations},
    {"dify", "Dify", &kDify, "api.dify.ai", true,
        Credential::bearer, kOwnChatPaths,
        false, false, false, false, false, nullptr},
    {"deepl", "DeepL", &kDeepl, "api.deepl.com", true,
        Credential::deepl, kOwnChatPaths,
        false, false, false, false, false, nullptr},
    {"triton", "Triton Inference Server", &kTriton, "", false,
        Credential::bearer_optional, kOwnChatPaths,
        false, false, false, false, false, nullptr},
    {"mock", "Built-in, answers without network", &kOpenai, "", false,
        Credential::none, {},
        true, true, true, true, true, nullptr},
};
// clang-format on

// What a type that lists no path has: everything, as it came.
bool transparent(const Options& options) noexcept
{
    return options.type->paths.empty() || options.original;
}

bool asks_for_native(const Options& options) noexcept
{
    const Protocol* own = options.type->native->protocol;
    return (own == &kQwen && !options.qwen_enable_compatible)
        || (own == &kBaidu && options.baidu_native)
        || (own == &kCloudflare && options.cloudflare_native)
        || (own == &kOllama && options.ollama_native)
        || (own == &kMinimaxPro && options.minimax_pro)
        || (own == &kHunyuan && options.hunyuan_auth_id.has_value())
        || (own == &kCoze && !options.coze_bot_id.empty());
}

} // namespace

std::span<const Type> types() noexcept
{
    return kTypes;
}

const Type* find_type(std::string_view name) noexcept
{
    auto found = std::find_if(std::begin(kTypes), std::end(kTypes),
        [name](const Type& t) { return t.name == name; });
    return found == std::end(kTypes) ? nullptr : &*found;
}

const Native* native_mode(const Options& options) noexcept
{
    return options.type->native != nullptr && asks_for_native(options)
        ? options.type->native
        : nullptr;
}

Credential credential_of(const Options& options) noexcept
{
    const Native* native = native_mode(options);
    return native != nullptr ? native->credential : options.type->credential;
}

bool relays(const Options& options) noexcept
{
    return options.original || options.vertex_openai_compatible
        || (options.type->relay && native_mode(options) == nullptr);
}

const Protocol& protocol(const Options& options) noexcept
{
    const Native* native = native_mode(options);
    return native != nullptr ? *native->protocol : *options.type->protocol;
}

std::string_view capability(const Options& options, Api api) noexcept
{
    for (const auto& [name, path] : options.capabilities)
        if (name == api)
            return path;
    return {};
}

std::string_view api_path(const Options& options, Api api) noexcept
{
    if (options.original)
        return {};
    if (const auto path = capability(options, api); !path.empty())
        return path;
    const Native* native = native_mode(options);
    std::span<const ApiPath> paths =
        native != nullptr ? native->paths : options.type->paths;
    if (options.type->protocol == &kVertex)
        paths = options.vertex_openai_compatible ? kVertexCompatiblePaths
            : options.api_tokens.empty()         ? paths
                                                 : kVertexExpressPaths;
    if (options.zhipu_code_plan_mode && api == Api::chat_completions
        && options.type->name == "zhipuai")
        return "/api/coding/paas/v4/chat/completions";
    for (const ApiPath& row : paths)
        if (row.api == api)
            return row.path;
    return {};
}

std::string_view surface(const Options& options) noexcept
{
    const std::string_view all = options.type->surface;
    const bool needs_account = all.find("{account}") != std::string_view::npos;
    return needs_account && options.cloudflare_account_id.empty()
        ? std::string_view()
        : all;
}

std::string_view custom_url(const Options& options) noexcept
{
    if (options.base_url)
        return {};
    if (options.type->name == "openai")
        return options.openai_custom_url;
    if (options.type->name == "vllm")
        return options.vllm_custom_url;
    return {};
}

const Translation* translation(const Options& options, Api api) noexcept
{
    if (options.original || !capability(options, api).empty())
        return nullptr;
    // A server of one's own embeds as OpenAI does.
    if (options.base_url
        && options.type->translations.data() == kHuggingfaceTranslations)
        return nullptr;
    for (const Translation& row : options.type->translations)
        if (row.api == api && (!row.native_only || !relays(options)))
            return &row;
    return nullptr;
}

bool supports(const Options& options, Api api) noexcept
{
    if (translation(options, api) != nullptr)
        return true;
    if (transparent(options))
        return true;
    if (api == Api::unknown)
        return options.type->relays_unknown;
    return !api_path(options, api).empty();
}

} // namespace ai_proxy::provider
