#pragma once

#include "core/provider/registry.h"

// The paths of vendors that imitate OpenAI: what registry.cpp has rows for.
namespace ai_proxy::provider {

// clang-format off

inline constexpr ApiPath kChatPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
};

inline constexpr ApiPath kModelPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
};

inline constexpr ApiPath kTextPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::completions,      "/v1/completions"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
};

// Servers and gateways that serve many models and most dialects.
inline constexpr ApiPath kServerPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::completions,      "/v1/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
    {dialect::Api::rerank,           "/v1/rerank"},
    {dialect::Api::responses,        "/v1/responses"},
    {dialect::Api::response,         "/v1/responses/{id}"},
    {dialect::Api::messages,         "/v1/messages"},
};

inline constexpr ApiPath kHuggingfacePaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
    {dialect::Api::responses,        "/v1/responses"},
    {dialect::Api::response,         "/v1/responses/{id}"},
};

// No version in the path at all.
inline constexpr ApiPath kGithubPaths[] = {
    {dialect::Api::chat_completions, "/chat/completions"},
    {dialect::Api::embeddings,       "/embeddings"},
    {dialect::Api::models,           "//catalog/models"},
};

inline constexpr ApiPath kBaiduPaths[] = {
    {dialect::Api::chat_completions,  "/chat/completions"},
    {dialect::Api::embeddings,        "/embeddings"},
    {dialect::Api::rerank,            "/rerank"},
    {dialect::Api::models,            "/models"},
    {dialect::Api::image_generations, "/images/generations"},
};

inline constexpr ApiPath kFireworksPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::completions,      "/v1/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::rerank,           "/v1/rerank"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::responses,        "/v1/responses"},
    {dialect::Api::response,         "/v1/responses/{id}"},
    {dialect::Api::messages,         "/v1/messages"},
};

inline constexpr ApiPath kLongcatPaths[] = {
    {dialect::Api::chat_completions, "/openai/v1/chat/completions"},
    {dialect::Api::models,           "/openai/v1/models"},
    {dialect::Api::model,            "/openai/v1/models/{id}"},
    {dialect::Api::messages,         "/anthropic/v1/messages"},
};

inline constexpr ApiPath kStepfunPaths[] = {
    {dialect::Api::chat_completions,     "/v1/chat/completions"},
    {dialect::Api::models,               "/v1/models"},
    {dialect::Api::model,                "/v1/models/{id}"},
    {dialect::Api::audio_speech,         "/v1/audio/speech"},
    {dialect::Api::audio_transcriptions, "/v1/audio/transcriptions"},
    {dialect::Api::image_generations,    "/v1/images/generations"},
    {dialect::Api::image_edits,          "/v1/images/edits"},
    {dialect::Api::files,                "/v1/files"},
    {dialect::Api::file,                 "/v1/files/{id}"},
    {dialect::Api::file_content,         "/v1/files/{id}"},
};

inline constexpr ApiPath kCloudflarePaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::responses,        "/v1/responses"},
};

inline constexpr ApiPath kSparkPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
};

inline constexpr ApiPath kMinimaxPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
    {dialect::Api::messages,         "/anthropic/v1/messages"},
};

inline constexpr ApiPath kPerplexityPaths[] = {
    {dialect::Api::chat_completions, "/chat/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::responses,        "/v1/responses"},
};

inline constexpr ApiPath kWriterPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat"},
    {dialect::Api::models,           "/v1/models"},
};

inline constexpr ApiPath kSnowflakePaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::messages,         "/v1/messages"},
};

inline constexpr ApiPath kCoherePaths[] = {
    {dialect::Api::chat_completions, "/v2/chat"},
    {dialect::Api::embeddings,       "/v2/embed"},
    {dialect::Api::rerank,           "/v2/rerank"},
};

inline constexpr ApiPath kVoyagePaths[] = {
    {dialect::Api::embeddings, "/v1/embeddings"},
    {dialect::Api::rerank,     "/v1/rerank"},
};
inline constexpr ApiPath kTogetherPaths[] = {
    {dialect::Api::chat_completions,     "/v1/chat/completions"},
    {dialect::Api::completions,          "/v1/completions"},
    {dialect::Api::embeddings,           "/v1/embeddings"},
    {dialect::Api::image_generations,    "/v1/images/generations"},
    {dialect::Api::audio_speech,         "/v1/audio/speech"},
    {dialect::Api::audio_transcriptions, "/v1/audio/transcriptions"},
    {dialect::Api::rerank,               "/v1/rerank"},
    {dialect::Api::models,               "/v1/models"},
};

inline constexpr ApiPath kOllamaPaths[] = {
    {dialect::Api::chat_completions, "/v1/chat/completions"},
    {dialect::Api::completions,      "/v1/completions"},
    {dialect::Api::embeddings,       "/v1/embeddings"},
    {dialect::Api::models,           "/v1/models"},
    {dialect::Api::model,            "/v1/models/{id}"},
    {dialect::Api::responses,        "/v1/responses"},
    {dialect::Api::messages,         "/v1/messages"},
};

inline constexpr ApiPath kVllmPaths[] = {
    {dialect::Api::chat_completions,     "/v1/chat/completions"},
    {dialect::Api::completions,          "/v1/completions"},
    {dialect::Api::embeddings,           "/v1/embeddings"},
    {dialect::Api::models,               "/v1/models"},
    {dialect::Api::rerank,               "/v1/rerank"},
    {dialect::Api::responses,            "/v1/responses"},
    {dialect::Api::response,             "/v1/responses/{id}"},
    {dialect::Api::audio_transcriptions, "/v1/audio/transcriptions"},
};

inline constexpr ApiPath kOpenrouterPaths[] = {
    {dialect::Api::chat_completions, "/api/v1/chat/completions"},
    {dialect::Api::completions,      "/api/v1/completions"},
    {dialect::Api::embeddings,       "/api/v1/embeddings"},
    {dialect::Api::models,           "/api/v1/models"},
    {dialect::Api::responses,        "/api/v1/responses"},
    {dialect::Api::messages,         "/api/v1/messages"},
};

inline constexpr ApiPath kGrokPaths[] = {
    {dialect::Api::chat_completions,  "/v1/chat/completions"},
    {dialect::Api::embeddings,        "/v1/embeddings"},
    {dialect::Api::image_generations, "/v1/images/generations"},
    {dialect::Api::models,            "/v1/models"},
    {dialect::Api::model,             "/v1/models/{id}"},
    {dialect::Api::responses,         "/v1/responses"},
    {dialect::Api::response,          "/v1/responses/{id}"},
    {dialect::Api::messages,          "/v1/messages"},
};
// clang-format on

} // namespace ai_proxy::provider
