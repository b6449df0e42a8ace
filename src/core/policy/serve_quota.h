#pragma once

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/policy/serve.h"

#include <string_view>

namespace ai_proxy::policy {

// The calls by which ai-quota's administrator sees and sets what consumers have
// left (features.md 7).

// Is the request one of them, whoever sent it?
[[nodiscard]] bool administers_quota(const Exchange& exchange) noexcept;

// Answers it.  body: of the request, which the exchange has not received.
[[nodiscard]] async::Task<Outcome> serve_quota(
    async::Scope& scope, Exchange& exchange, std::string_view body);

} // namespace ai_proxy::policy
