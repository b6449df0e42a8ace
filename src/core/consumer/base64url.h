#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ai_proxy::consumer {

// RFC 4648 section 5 without padding, as RFC 7515 wants it: one text for one
// value, so no blank, no '=', no bits behind the last byte.
[[nodiscard]] std::optional<std::string> decode_base64url(
    std::string_view text);

} // namespace ai_proxy::consumer
