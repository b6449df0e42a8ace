#pragma once

#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// OpenAI chat for a caller of another dialect.
[[nodiscard]] Result<void> encode_openai(
    const chat::Request& request, const EncodeContext& context, Outbound& out);

} // namespace ai_proxy::provider
