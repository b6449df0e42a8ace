#include "core/usage/counted_texts.h"

#include "core/usage/token_count.h"

#include <cstring>

namespace ai_proxy::usage {

namespace {

__extension__ using Product = unsigned __int128;

// Both halves of a product, each of which depends on all bits.
uint64_t fold(uint64_t a, uint64_t b) noexcept
{
    const Product product = static_cast<Product>(a) * b;
    return static_cast<uint64_t>(product)
        ^ static_cast<uint64_t>(product >> 64);
}

uint64_t word_at(const char* at) noexcept
{
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

// Of 16 bytes at least; 16 in each step, the last step may have some again.
uint64_t hash_of(std::string_view text, uint64_t seed) noexcept
{
    constexpr uint64_t kFirst = 0x9e3779b97f4a7c15,
                       kSecond = 0xbf58476d1ce4e5b9;
    uint64_t hash = seed ^ fold(text.size() ^ kFirst, kSecond);
    const char* const last = text.data() + text.size() - 16;
    for (const char* at = text.data(); at < last; at += 16) {
        hash = fold(word_at(at) ^ hash, word_at(at + 8) ^ kFirst);
    }
    hash = fold(word_at(last) ^ hash, word_at(last + 8) ^ kSecond);
    return fold(hash ^ seed, kFirst);
}

} // namespace

int64_t CountedTexts::tokens(std::string_view text) noexcept
{
    if (text.size() < kLeast) {
        return count_tokens(text);
    }
    const uint64_t hash = hash_of(text, seed_);
    Entry& entry = entries_[hash % entries_.size()];
    if (entry.hash != hash) {
        entry = {hash, count_tokens(text)};
    }
    return entry.tokens;
}

} // namespace ai_proxy::usage
