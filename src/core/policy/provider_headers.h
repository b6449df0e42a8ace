#pragma once

#include "core/base/text.h"

#include <cstdint>
#include <string_view>

// What of a provider's header fields means something to us or the client.
namespace ai_proxy::policy {

// May this field go on to the client?  untouched: so does the body.
[[nodiscard]] bool passes(const Header& header, bool untouched) noexcept;

// Value of Retry-After (seconds or HTTP date) or retry-after-ms in
// milliseconds; 0 when it is neither, or in the past.
[[nodiscard]] uint64_t parse_retry_after(
    std::string_view value, int64_t now_seconds) noexcept;
[[nodiscard]] uint64_t parse_retry_after_ms(std::string_view value) noexcept;

// Media type without parameters: "text/event-stream; charset=utf-8".
[[nodiscard]] std::string_view media_type(std::string_view value) noexcept;
[[nodiscard]] bool is_json_type(std::string_view media) noexcept;
// JSON texts line by line.
[[nodiscard]] bool is_ndjson_type(std::string_view media) noexcept;

} // namespace ai_proxy::policy
