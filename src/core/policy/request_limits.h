#pragma once

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/policy/serve.h"

#include <optional>
#include <string>

namespace ai_proxy::policy {

// How often something may be asked for: ai_proxy_request_limit and Higress'
// cluster-key-rate-limit.  Counted in Redis, in windows that begin with their
// first request.

// Must the request be counted anywhere?
[[nodiscard]] bool has_request_limits(const Exchange& exchange) noexcept;

// Counts it; the refusal when a limit has been reached.
[[nodiscard]] async::Task<std::optional<Outcome>> limit_requests(
    async::Scope& scope, Exchange& exchange);

} // namespace ai_proxy::policy
