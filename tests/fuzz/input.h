#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace fuzz {

// Stops the run with the reason, as a crash that libFuzzer reports.
inline void require(bool holds, const char* what)
{
    if (!holds) {
        std::fprintf(stderr, "violated: %s\n", what);
        std::abort();
    }
}

// Cuts a text at places that follow from the text alone, so that a finding
// repeats.  Each piece is copied to memory of its own size.
template <class F>
void cut(std::string_view text, size_t longest, F&& on_piece)
{
    uint64_t state = text.size() * 0x9E3779B97F4A7C15U + 1;
    for (const char c : text.substr(0, 64)) {
        state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    }
    while (!text.empty()) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const size_t n = std::min(text.size(), 1 + (state >> 33) % longest);
        const std::vector<char> piece(text.begin(), text.begin() + long(n));
        if (!on_piece(std::string_view(piece.data(), n))) {
            return;
        }
        text.remove_prefix(n);
    }
}

} // namespace fuzz
