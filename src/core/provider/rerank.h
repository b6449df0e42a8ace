#pragma once

#include "core/provider/protocol.h"

// Cohere's rerank, spoken to vendors that have their own; each three are a
// Translation.
namespace ai_proxy::provider {

extern const Vocabulary kQwenRerank;
extern const Vocabulary kVoyageRerank;

[[nodiscard]] Result<void> encode_qwen_rerank(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_qwen_rerank(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] Result<void> encode_voyage_rerank(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_voyage_rerank(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);

} // namespace ai_proxy::provider
