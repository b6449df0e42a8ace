#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

// DashScope's native API, spoken to an OpenAI client (providers.md 4.5).
namespace ai_proxy::provider {

// Does the call need the interface for pictures and sound, by its model or by
// its messages?
[[nodiscard]] bool qwen_is_multimodal(
    const chat::Request& request, std::string_view model);
// The member "messages" of the input.
[[nodiscard]] Result<void> write_qwen_messages(json::Writer& w,
    const chat::Request& request, bool multimodal,
    const std::vector<std::string>& file_ids);

[[nodiscard]] std::unique_ptr<Decoder> make_qwen_decoder(
    const EncodeContext& context);
[[nodiscard]] Error qwen_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
