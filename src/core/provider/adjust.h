#pragma once

#include "core/json/reader.h"
#include "core/json/splice.h"
#include "core/provider/protocol.h"

// Rewrites of a relayed JSON body, one per kind of vendor (Type::adjust).
// They act on what the body has and leave other APIs' bodies alone.
namespace ai_proxy::provider {

// Role developer -> system and stream_options, where the vendor lacks them.
[[nodiscard]] Result<void> adjust_relayed(
    json::Splice& body, json::Node parsed, const EncodeContext& context);
[[nodiscard]] Result<void> adjust_doubao(
    json::Splice& body, json::Node parsed, const EncodeContext& context);
[[nodiscard]] Result<void> adjust_zhipuai(
    json::Splice& body, json::Node parsed, const EncodeContext& context);
[[nodiscard]] Result<void> adjust_openrouter(
    json::Splice& body, json::Node parsed, const EncodeContext& context);
[[nodiscard]] Result<void> adjust_mistral(
    json::Splice& body, json::Node parsed, const EncodeContext& context);

} // namespace ai_proxy::provider
