#pragma once

#include "core/config/gateway.h"
#include "core/config/yaml.h"

#include <memory>
#include <string>

namespace ai_proxy::config {

// A provider object of ai-proxy (features.md 1.2) by the table of the fields
// of ai_proxy_provider.
[[nodiscard]] Result<std::unique_ptr<Provider>> read_provider(yaml::Node object,
    std::string name, const SecretSource& secrets, yaml::Warnings& warnings);

} // namespace ai_proxy::config
