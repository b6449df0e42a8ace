#pragma once

#include "core/base/error.h"
#include "core/route/route.h"

namespace ai_proxy::policy {

// What kind of refusal a provider's error is, told from its code, its type and
// the words that vendors use; none of the known ones: Refusal::none.
[[nodiscard]] route::Refusal refusal_of(const Error& error) noexcept;

} // namespace ai_proxy::policy
