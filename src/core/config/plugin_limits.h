#pragma once

#include "core/config/plugin.h"

namespace ai_proxy::config {

// Settings of cluster-key-rate-limit, ai-token-ratelimit and ai-quota
// (features.md 5 to 7).
[[nodiscard]] Result<KeyLimit> read_request_limit(
    yaml::Node settings, LoadContext& context);
[[nodiscard]] Result<KeyLimit> read_token_limit(
    yaml::Node settings, LoadContext& context);
[[nodiscard]] Result<Quota> read_quota(
    yaml::Node settings, LoadContext& context);

} // namespace ai_proxy::config
