#pragma once

#include <cstdint>

// Arithmetic on random numbers that somebody else drew.
namespace ai_proxy {

// splitmix64: many independent numbers of one state.
[[nodiscard]] constexpr uint64_t mix(uint64_t& state) noexcept
{
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Uniform in [0, bound): the high half of the 128-bit product.
[[nodiscard]] constexpr uint64_t below(uint64_t random, uint64_t bound) noexcept
{
    const uint64_t low = (random & 0xffffffff) * bound;
    const uint64_t high = (random >> 32) * bound + (low >> 32);
    return high >> 32;
}

} // namespace ai_proxy
