#pragma once

#include "core/base/result.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::config {

// Resolves "env:NAME" and "file:PATH" for secrets; the caller does the I/O.
// Returns the text without trailing newline, or an error that names what is
// missing but not its content.
using SecretSource = std::function<Result<std::string>(std::string_view spec)>;

using Words = std::vector<std::string_view>; // directive name first

} // namespace ai_proxy::config
