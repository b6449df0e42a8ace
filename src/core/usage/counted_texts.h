#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ai_proxy::usage {

// Tokens of texts that were counted before: each request of a conversation
// brings again all that was said so far, and most have the same system prompt
// and tools.  Texts are known by their hashes alone.
class CountedTexts {
public:
    // The seed is nobody else's to know: two texts of one hash would be taken
    // for each other.
    explicit CountedTexts(uint64_t seed) noexcept : seed_(seed) {}

    // As count_tokens() counts them.
    [[nodiscard]] int64_t tokens(std::string_view text) noexcept;

    // Bytes; shorter ones are counted as soon as found.
    static constexpr size_t kLeast = 64;

private:
    struct Entry {
        uint64_t hash = 0;
        int64_t tokens = 0;
    };

    uint64_t seed_;
    std::array<Entry, 4096> entries_{};
};

} // namespace ai_proxy::usage
