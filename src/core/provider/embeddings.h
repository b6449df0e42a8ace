#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// OpenAI's embeddings, spoken to vendors that have their own.
namespace ai_proxy::provider {

struct EmbeddingsRequest {
    std::vector<std::string_view> inputs;
    std::optional<int64_t> dimensions;
    json::Node raw;
};

// Error invalid_request for what only OpenAI can embed: arrays of tokens.
[[nodiscard]] Result<EmbeddingsRequest> read_embeddings(json::Node body);

// What is to be embedded, as Cohere's models are told it everywhere.
void write_cohere_texts(json::Writer& w, const EmbeddingsRequest& asked);

// Writes OpenAI's list of embeddings.
class EmbeddingsWriter {
public:
    // base64: each vector as its little-endian 32-bit floats.
    EmbeddingsWriter(std::string& out, bool base64);
    // Error upstream_invalid when the vector is no array of numbers.
    [[nodiscard]] Result<void> add(int64_t index, json::Node vector);
    // Error upstream_invalid when there was no vector.
    [[nodiscard]] Result<void> finish(
        std::string_view model, const chat::Usage& usage);

private:
    std::string& out_;
    bool base64_;
    bool any_ = false;
};

// The vendors, each the three of a Translation.
extern const Vocabulary kQwenEmbeddings;
extern const Vocabulary kCohereEmbeddings;
extern const Vocabulary kMinimaxEmbeddings;
extern const Vocabulary kHunyuanEmbeddings;
extern const Vocabulary kCloudflareEmbeddings;
extern const Vocabulary kHuggingfaceEmbeddings;
extern const Vocabulary kGeminiEmbeddings;
extern const Vocabulary kVertexEmbeddings;
extern const Vocabulary kBedrockEmbeddings;

[[nodiscard]] Result<void> encode_qwen_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_qwen_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_cohere_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_cohere_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_minimax_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_minimax_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_hunyuan_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_hunyuan_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_cloudflare_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_cloudflare_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_huggingface_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_huggingface_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_gemini_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_gemini_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_vertex_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_vertex_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_bedrock_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_bedrock_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);

} // namespace ai_proxy::provider
