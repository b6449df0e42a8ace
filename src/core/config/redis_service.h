#pragma once

#include "core/config/plugin.h"

namespace ai_proxy::config {

// "redis" of a plugin's file: a service, how to log in, and which database.
// Adds it to the gateway; its index in Gateway::redis.
[[nodiscard]] Result<uint16_t> read_redis_service(
    yaml::Node node, LoadContext& context);

} // namespace ai_proxy::config
