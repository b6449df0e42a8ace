#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ai_proxy::consumer {

using SipKey = std::array<uint64_t, 2>;

// SipHash-2-4 (Aumasson, Bernstein): who does not know the key cannot choose
// texts that collide, nor learn from the place of a hash what was hashed.
[[nodiscard]] uint64_t siphash(
    const SipKey& key, std::string_view text) noexcept;

} // namespace ai_proxy::consumer
