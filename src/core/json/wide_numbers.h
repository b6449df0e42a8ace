#pragma once

#include <string>

namespace ai_proxy::json {

// Numbers that are valid JSON but fit neither 64 bits nor a double: writes the
// nearest double that fits their place over each of them, padded with spaces,
// so that offsets hold.  True if there was one.  text need not be valid JSON.
[[nodiscard]] bool narrow_numbers(std::string& text);

} // namespace ai_proxy::json
