#pragma once

#include "core/json/reader.h"

#include <cstddef>
#include <cstdint>

namespace ai_proxy::policy {

// A number of what the prompt of a request begins with, in whatever dialect:
// its tools, what stands before the first question, and that, up to so many
// bytes.  It is the same for all turns of a conversation, and for all
// conversations that begin with that many equal bytes.  0: no prompt.
[[nodiscard]] uint64_t prompt_prefix(json::Node body, size_t bytes) noexcept;

} // namespace ai_proxy::policy
