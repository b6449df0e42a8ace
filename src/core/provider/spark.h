#pragma once

#include "core/json/splice.h"
#include "core/provider/protocol.h"

// iFlytek's Spark (providers.md 4.6): requests are OpenAI's, answers only
// nearly.
namespace ai_proxy::provider {

// How it answers.
extern const Protocol kSpark;
[[nodiscard]] bool is_spark(const Options& options) noexcept;

[[nodiscard]] Result<void> adjust_spark(
    json::Splice& body, json::Node parsed, const EncodeContext& context);

} // namespace ai_proxy::provider
