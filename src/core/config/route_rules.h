#pragma once

#include "core/config/gateway.h"

// Fields of a route that stand once and name no provider.
namespace ai_proxy::config {

struct RouteRule {
    std::string_view name;
    // words[0] is the name.
    Result<void> (*set)(route::Route& route, const Words& words);
};

// nullptr: there is none with this name.
[[nodiscard]] const RouteRule* find_route_rule(std::string_view name) noexcept;

} // namespace ai_proxy::config
