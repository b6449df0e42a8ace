#pragma once

#include "core/dialect/api.h"

#include <string_view>

namespace ai_proxy::policy {

// What may stand between two events of a client's stream to show that it
// lives: a comment for OpenAI's kind, a ping for Messages.  "": nothing may.
[[nodiscard]] std::string_view sign_of_life(dialect::Api api) noexcept;

} // namespace ai_proxy::policy
