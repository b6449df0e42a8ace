#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

// Cohere's chat, version 2 (providers.md 4.11).
namespace ai_proxy::provider {

[[nodiscard]] std::unique_ptr<Decoder> make_cohere_decoder(
    const EncodeContext& context);

} // namespace ai_proxy::provider
