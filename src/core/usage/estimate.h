#pragma once

#include "core/json/reader.h"

#include <cstdint>
#include <optional>

// How many tokens a request will be, where nobody can be asked.
namespace ai_proxy::usage {

// Everything that a request of any dialect says, tools included; pictures and
// documents count as what they usually cost.
[[nodiscard]] int64_t estimate_request(json::Node body) noexcept;

// Most tokens that all answers to a request of any dialect may have together;
// nullopt: it does not say.
[[nodiscard]] std::optional<int64_t> answer_bound(json::Node body) noexcept;

} // namespace ai_proxy::usage
