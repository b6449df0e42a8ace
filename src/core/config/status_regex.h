#pragma once

#include "core/base/result.h"
#include "core/route/key_pool.h"

#include <string>

namespace ai_proxy::config {

// Adds the statuses from 400 to 599 in whose text the regex is found ("4.*",
// "429").
[[nodiscard]] Result<void> add_statuses(
    route::Statuses& to, const std::string& pattern);

} // namespace ai_proxy::config
