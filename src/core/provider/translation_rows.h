#pragma once

#include "core/provider/embeddings.h"
#include "core/provider/images.h"
#include "core/provider/minimax.h"
#include "core/provider/registry.h"
#include "core/provider/rerank.h"

// APIs that vendors serve in words of their own: what registry.cpp has rows
// for.
namespace ai_proxy::provider {

// clang-format off

inline constexpr Translation kQwenTranslations[] = {
    {dialect::Api::embeddings, true, kQwenEmbeddings,
        encode_qwen_embeddings, answer_qwen_embeddings},
    {dialect::Api::rerank, true, kQwenRerank,
        encode_qwen_rerank, answer_qwen_rerank},
};

inline constexpr Translation kCohereTranslations[] = {
    {dialect::Api::embeddings, false, kCohereEmbeddings,
        encode_cohere_embeddings, answer_cohere_embeddings},
};

inline constexpr Translation kMinimaxTranslations[] = {
    {dialect::Api::embeddings, false, kMinimaxEmbeddings,
        encode_minimax_embeddings, answer_minimax_embeddings},
    {dialect::Api::image_generations, false, kMinimaxImages,
        encode_minimax_images, answer_minimax_images},
    {dialect::Api::audio_speech, false, kMinimaxSpeech,
        encode_minimax_speech, answer_minimax_speech, minimax_sound_type},
};

inline constexpr Translation kVoyageTranslations[] = {
    {dialect::Api::rerank, false, kVoyageRerank,
        encode_voyage_rerank, answer_voyage_rerank},
};

inline constexpr Translation kHuggingfaceTranslations[] = {
    {dialect::Api::embeddings, false, kHuggingfaceEmbeddings,
        encode_huggingface_embeddings,
        answer_huggingface_embeddings},
};

inline constexpr Translation kHunyuanTranslations[] = {
    {dialect::Api::embeddings, true, kHunyuanEmbeddings,
        encode_hunyuan_embeddings, answer_hunyuan_embeddings},
};

inline constexpr Translation kCloudflareTranslations[] = {
    {dialect::Api::embeddings, true, kCloudflareEmbeddings,
        encode_cloudflare_embeddings, answer_cloudflare_embeddings},
};

inline constexpr Translation kGeminiTranslations[] = {
    {dialect::Api::embeddings, false, kGeminiEmbeddings,
        encode_gemini_embeddings, answer_gemini_embeddings},
    {dialect::Api::image_generations, false, kGoogleImages,
        encode_gemini_images, answer_google_images},
    {dialect::Api::image_edits, false, kGoogleImages,
        encode_gemini_images, answer_google_images},
    {dialect::Api::image_variations, false, kGoogleImages,
        encode_gemini_images, answer_google_images},
};

inline constexpr Translation kVertexTranslations[] = {
    {dialect::Api::embeddings, false, kVertexEmbeddings,
        encode_vertex_embeddings, answer_vertex_embeddings},
    {dialect::Api::image_generations, false, kGoogleImages,
        encode_vertex_images, answer_google_images},
    {dialect::Api::image_edits, false, kGoogleImages,
        encode_vertex_images, answer_google_images},
    {dialect::Api::image_variations, false, kGoogleImages,
        encode_vertex_images, answer_google_images},
};

inline constexpr Translation kBedrockTranslations[] = {
    {dialect::Api::embeddings, false, kBedrockEmbeddings,
        encode_bedrock_embeddings, answer_bedrock_embeddings},
    {dialect::Api::image_generations, false, kBedrockImages,
        encode_bedrock_images, answer_bedrock_images},
    {dialect::Api::image_edits, false, kBedrockImages,
        encode_bedrock_images, answer_bedrock_images},
    {dialect::Api::image_variations, false, kBedrockImages,
        encode_bedrock_images, answer_bedrock_images},
};

// clang-format on

} // namespace ai_proxy::provider
