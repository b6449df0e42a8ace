#pragma once

#include "core/config/gateway.h"

#include <optional>

namespace ai_proxy::config {

// The arguments of ai_proxy_redis: name, addresses, parameters.
[[nodiscard]] Result<Redis> parse_redis(
    const Words& words, const SecretSource& secrets);

// "allow", "deny" or "zone".
[[nodiscard]] std::optional<Redis::OnError> parse_on_error(
    std::string_view text) noexcept;

} // namespace ai_proxy::config
