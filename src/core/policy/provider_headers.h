#pragma once

#include "core/base/text.h"

#include <string_view>

// What of a provider's header fields means something to us or the client.
namespace ai_proxy::policy {

// May this field go on to the client?  untouched: so does the body.
[[nodiscard]] bool passes(const Header& header, bool untouched) noexcept;

// Media type without parameters: "text/event-stream; charset=utf-8".
[[nodiscard]] std::string_view media_type(std::string_view value) noexcept;
[[nodiscard]] bool is_json_type(std::string_view media) noexcept;
// JSON texts line by line.
[[nodiscard]] bool is_ndjson_type(std::string_view media) noexcept;

} // namespace ai_proxy::policy
