#include "core/usage/estimate.h"

#include "core/usage/token_count.h"

#include <algorithm>
#include <array>
#include <string_view>

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
            : count_tokens(*text);
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
