#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ai_proxy::json {

// Why text is no JSON that Parser accepts, and where: "cut short at byte 17".
// For people; runs only after Parser has refused the text.  Shows none of the
// text's content.
[[nodiscard]] std::string describe_fault(std::string_view text);

// Whether brackets and braces outside of strings nest deeper than limit.
[[nodiscard]] bool nests_deeper(std::string_view text, size_t limit) noexcept;

} // namespace ai_proxy::json
