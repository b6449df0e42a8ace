#include "core/usage/estimate.h"

#include "core/usage/counted_texts.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>

namespace ai_proxy::usage {

namespace {

// What a picture of the usual size costs (Anthropic: width * height / 750).
constexpr int64_t kPicture = 1600;
// A text that is longer may be data, not words.
constexpr size_t kLongestName = 512;
// Opaque, and not billed as what it looks like.
constexpr std::array<std::string_view, 4> kOpaque{
    "signature", "encrypted_content", "thoughtSignature", "model"};

template <class Names>
bool holds(const Names& names, std::string_view name) noexcept
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

// A picture, a sound or a file in place of words.
bool is_medium(json::Node part, const json::Member& member) noexcept
{
    const auto text = member.value.string();
    if (!text || text->size() <= kLongestName) {
        return false;
    }
    const std::string_view type = part["type"].string_or();
    if (member.key == "data") {
        return type == "base64" || type == "redacted_thinking"
            || part["format"].is_string() || part["mimeType"].is_string()
            || part["mime_type"].is_string();
    }
    if (member.key == "result") {
        return type == "image_generation_call";
    }
    return member.key == "file_data"
        || ((member.key == "url" || member.key == "image_url")
            && (text->starts_with("data:") || text->starts_with("http")));
}

// What was said to a tool and by it is words, whatever it calls them.
bool is_of_tool(json::Node part, std::string_view key) noexcept
{
    constexpr std::array<std::string_view, 5> kOfTools{
        "args", "response", "arguments", "parameters", "input_schema"};
    return holds(kOfTools, key) || (key == "input" && part["name"].is_string());
}

// Of this worker.
CountedTexts& counted_texts()
{
    static CountedTexts texts(
        (uint64_t{std::random_device()()} << 32) | std::random_device()());
    return texts;
}

int64_t estimate(json::Node node, bool media) noexcept
{
    if (const auto text = node.string(); text) {
        return counted_texts().tokens(*text);
    }
    int64_t sum = 0;
    for (const json::Node one : node.items()) {
        sum += 2 + estimate(one, media);
    }
    for (const json::Member member : node.members()) {
        ++sum;
        if (media && is_medium(node, member)) {
            sum += kPicture;
        } else if (!member.value.is_string() || !holds(kOpaque, member.key)) {
            sum +=
                estimate(member.value, media && !is_of_tool(node, member.key));
        }
    }
    return sum;
}

// What a request says of its answers.
struct Asked {
    int64_t tokens = 0; // of one; not above 0: as many as the model likes
    int64_t answers = 1;
    int64_t prompts = 1;
};

// Of several names, of several dialects, one will hold: the largest.
void note(Asked& asked, const json::Member& member) noexcept
{
    constexpr std::array<std::string_view, 4> kTokens{"max_completion_tokens",
        "max_tokens", "max_output_tokens", "maxOutputTokens"};
    constexpr std::array<std::string_view, 4> kAnswers{
        "n", "best_of", "candidateCount", "candidate_count"};
    if (holds(kTokens, member.key)) {
        asked.tokens =
            std::max(asked.tokens, member.value.integer().value_or(0));
    } else if (holds(kAnswers, member.key)) {
        asked.answers =
            std::max(asked.answers, member.value.integer().value_or(1));
    }
}

// Several in one call; numbers are the tokens of one.
int64_t prompts(json::Node prompt) noexcept
{
    return prompt.size() > 1 && !prompt.at(0).number().has_value()
        ? static_cast<int64_t>(std::min<size_t>(prompt.size(), 1024))
        : 1;
}

} // namespace

int64_t estimate_request(json::Node body) noexcept
{
    constexpr std::array<std::string_view, 9> kParts{"system", "messages",
        "tools", "systemInstruction", "system_instruction", "contents",
        "instructions", "input", "prompt"};
    int64_t sum = 0;
    for (const json::Member member : body.members()) {
        if (holds(kParts, member.key)) {
            sum += estimate(member.value, true);
        }
    }
    return std::max<int64_t>(sum, 1);
}

std::optional<int64_t> answer_bound(json::Node body) noexcept
{
    // More than any model says; so that products stay in range.
    constexpr int64_t kMost = 1'000'000'000;
    constexpr int64_t kMostAnswers = 1024;
    Asked asked;
    for (const json::Member member : body.members()) {
        note(asked, member);
        if (member.key == "generationConfig"
            || member.key == "generation_config") {
            for (const json::Member inner : member.value.members()) {
                note(asked, inner);
            }
        } else if (member.key == "prompt") {
            asked.prompts = prompts(member.value);
        }
    }
    if (asked.tokens <= 0) {
        return std::nullopt; // negative ones mean "no bound" to some
    }
    const int64_t answers = std::min(asked.answers, kMostAnswers);
    return std::min(asked.tokens, kMost)
        * std::min(answers * asked.prompts, kMostAnswers);
}

} // namespace ai_proxy::usage
