#include "core/usage/estimate.h"

#include <algorithm>
#include <array>

namespace ai_proxy::usage {

namespace {

// What a picture of the usual size costs (Anthropic: width * height / 750).
constexpr int64_t kPicture = 1600;
// A text longer than this under one of kBinary is data, not words.
constexpr size_t kLongestName = 512;
constexpr std::array<std::string_view, 4> kBinary{
    "data", "url", "image_url", "file_data"};
// Opaque, and not billed as what it looks like.
constexpr std::array<std::string_view, 4> kOpaque{
    "signature", "encrypted_content", "thoughtSignature", "model"};

template <class Names>
bool holds(const Names& names, std::string_view name) noexcept
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

int64_t estimate(std::string_view key, json::Node node) noexcept
{
    if (const auto text = node.string(); text) {
        if (holds(kOpaque, key)) {
            return 0;
        }
        return holds(kBinary, key) && text->size() > kLongestName
            ? kPicture
            : estimate_text(*text);
    }
    int64_t sum = 0;
    for (const json::Node one : node.items()) {
        sum += 2 + estimate(key, one);
    }
    for (const json::Member member : node.members()) {
        sum += 1 + estimate(member.key, member.value);
    }
    return sum;
}

} // namespace

void Tally::add(std::string_view text) noexcept
{
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            ++ascii_;
        } else if (byte >= 0xE0) {
            ++other_; // begins a character of three bytes or four
        } else if (byte >= 0xC0) {
            ++latin_; // Latin with accents, Greek, Cyrillic, Hebrew, Arabic
        }
    }
}

int64_t Tally::tokens() const noexcept
{
    return (ascii_ + 3) / 4 + (latin_ + 1) / 2 + other_;
}

int64_t estimate_text(std::string_view text) noexcept
{
    Tally tally;
    tally.add(text);
    return tally.tokens();
}

int64_t estimate_request(json::Node body) noexcept
{
    int64_t sum = 0;
    for (const std::string_view part : {"system", "messages", "tools",
             "systemInstruction", "system_instruction", "contents",
             "instructions", "input", "prompt"})
    {
        sum += estimate(part, body[part]);
    }
    return std::max<int64_t>(sum, 1);
}

} // namespace ai_proxy::usage
