#pragma once

#include "core/config/plugin.h"

namespace ai_proxy::config {

// features.md 3
[[nodiscard]] Result<route::ModelMapper> read_model_mapper(
    yaml::Node settings, LoadContext& context);

} // namespace ai_proxy::config
