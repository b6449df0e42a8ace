#pragma once

#include "core/provider/protocol.h"

// OpenAI's image generations, edits and variations, spoken to vendors that have their own.  Images
// come as base64: there is no place to put them for a URL.
namespace ai_proxy::provider {

extern const Vocabulary kGoogleImages;
extern const Vocabulary kBedrockImages;

// Imagen by predict, Gemini's image models by generateContent.
[[nodiscard]] Result<void> encode_gemini_images(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> encode_vertex_images(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_google_images(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
// Titan and Nova Canvas, and Stability's models, by InvokeModel.
[[nodiscard]] Result<void> encode_bedrock_images(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_bedrock_images(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);

} // namespace ai_proxy::provider
