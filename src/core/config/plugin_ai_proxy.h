#pragma once

#include "core/config/plugin.h"

namespace ai_proxy::config {

// features.md 1: the providers of the file join the gateway, the rules say
// which of them is active.
[[nodiscard]] Result<Rules<AiProxy>> read_ai_proxy(LoadContext& context);

} // namespace ai_proxy::config
