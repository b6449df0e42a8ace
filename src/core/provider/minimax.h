#pragma once

#include "core/provider/protocol.h"

#include <string>
#include <string_view>

// MiniMax's own APIs besides chat.
namespace ai_proxy::provider {

// Accounts of old name their group in the path.
[[nodiscard]] std::string minimax_path(
    const Options& options, std::string_view path);

extern const Vocabulary kMinimaxImages;
extern const Vocabulary kMinimaxSpeech;

// https://platform.minimax.io/docs/api-reference/image-generation-t2i
[[nodiscard]] Result<void> encode_minimax_images(
    json::Node request, const EncodeContext& context, Outbound& out);
[[nodiscard]] Result<void> answer_minimax_images(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);

// https://platform.minimax.io/docs/api-reference/speech-t2a-http
[[nodiscard]] Result<void> encode_minimax_speech(
    json::Node request, const EncodeContext& context, Outbound& out);
// The sound itself.
[[nodiscard]] Result<void> answer_minimax_speech(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage);
[[nodiscard]] std::string_view minimax_sound_type(json::Node body) noexcept;

} // namespace ai_proxy::provider
