#pragma once

#include "core/json/reader.h"

#include <cstdint>

// How many tokens a request will be, where nobody can be asked.
namespace ai_proxy::usage {

// Everything that a request of any dialect says, tools included; pictures and
// documents count as what they usually cost.
[[nodiscard]] int64_t estimate_request(json::Node body) noexcept;

} // namespace ai_proxy::usage
