#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

// DashScope's native API, spoken to an OpenAI client (providers.md 4.5).
namespace ai_proxy::provider {

[[nodiscard]] std::unique_ptr<Decoder> make_qwen_decoder(
    const EncodeContext& context);
[[nodiscard]] Error qwen_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
