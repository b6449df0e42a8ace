#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ai_proxy::limit {

// The first value of a name in a form or a query string, decoded; nullopt: it
// is not there.
[[nodiscard]] std::optional<std::string> form_value(
    std::string_view form, std::string_view name);

} // namespace ai_proxy::limit
