#pragma once

#include <cstdint>
#include <string_view>

namespace ai_proxy::redis {

inline constexpr uint16_t kSlots = 16384;

// Where a Redis Cluster keeps this key: by its hash tag ("{user1}:x") when it
// has one.  Keys of one command must have the same slot.
[[nodiscard]] uint16_t key_slot(std::string_view key) noexcept;

} // namespace ai_proxy::redis
