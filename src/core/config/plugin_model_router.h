#pragma once

#include "core/config/plugin.h"

namespace ai_proxy::config {

// features.md 2
[[nodiscard]] Result<route::ModelRouter> read_model_router(
    yaml::Node settings, LoadContext& context);

// The lines of ai_proxy_model_router: "model_header=NAME",
// "provider_header=NAME", "auto=NAME", "default=MODEL"; and of
// ai_proxy_model_rule: "REGEX MODEL".
[[nodiscard]] Result<void> set_model_router(
    route::ModelRouter& to, const Words& words);
[[nodiscard]] Result<void> add_model_rule(
    route::ModelRouter& to, const Words& words);

} // namespace ai_proxy::config
