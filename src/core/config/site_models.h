#pragma once

#include "core/config/gateway.h"

#include <string_view>
#include <vector>

// Which models a location has.
namespace ai_proxy::config {

// The models that the configuration names and that clients may ask for:
// patterns of routes without "*", exact names of model maps, "models" of
// providers.  In order of configuration, each once.
[[nodiscard]] std::vector<dialect::Model> own_models(
    const Gateway& gateway, const Site& site);

// Would a request for this model come to this provider under this name?
[[nodiscard]] bool reaches(const Gateway& gateway, const Site& site,
    std::string_view model, uint16_t provider);

} // namespace ai_proxy::config
