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

std::optional<int64_t> answer_bound(json::Node body) noexcept
{
    // More than any model says; so that products stay in range.
    constexpr int64_t kMost = 1'000'000'000;
    constexpr int64_t kMostAnswers = 1024;
    std::optional<int64_t> bound;
    for (const std::string_view name :
        {"max_completion_tokens", "max_tokens", "max_output_tokens"})
    {
        if (!bound) {
            bound = body[name].integer();
        }
    }
    for (const std::string_view config :
        {"generationConfig", "generation_config"}) {
        for (const std::string_view name :
            {"maxOutputTokens", "max_output_tokens"}) {
            if (!bound) {
                bound = body[config][name].integer();
            }
        }
    }
    if (!bound) {
        return std::nullopt;
    }
    const int64_t answers =
        std::clamp<int64_t>(body["n"].integer().value_or(1), 1, kMostAnswers);
    return std::clamp<int64_t>(*bound, 0, kMost) * answers;
}

} // namespace ai_proxy::usage
