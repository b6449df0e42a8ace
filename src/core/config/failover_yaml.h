#pragma once

#include "core/config/gateway.h"
#include "core/config/yaml.h"

#include <optional>

namespace ai_proxy::config {

// "failover" and "retryOnFailure" of a provider of ai-proxy.
struct ProviderFailover {
    std::optional<route::KeyRules> keys;
    std::optional<route::HealthRules> health;
    Retry retry;
};
[[nodiscard]] Result<void> read_failover(
    yaml::Node object, ProviderFailover& to, yaml::Warnings& warnings);
[[nodiscard]] Result<void> read_retry(
    yaml::Node object, ProviderFailover& to, yaml::Warnings& warnings);
void apply(const ProviderFailover& failover, Provider& provider);

} // namespace ai_proxy::config
