#pragma once

#include <string_view>
#include <vector>

namespace ai_proxy::json {

// The raw texts of an array's elements, in order.  array: the text of a value
// that a Parser has accepted; no array has none.
[[nodiscard]] std::vector<std::string_view> elements(std::string_view array);

} // namespace ai_proxy::json
