#include "core/usage/estimate.h"

#include "core/usage/token_count.h"

#include <algorithm>
#include <array>
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

int64_t estimate(json::Node node, bool media) noexcept
{
    if (const auto text = node.string(); text) {
        return count_tokens(*text);
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

// How many answers a request asks for.
int64_t answers(json::Node body) noexcept
{
    constexpr int64_t kMost = 1024;
    int64_t each = 1;
    for (const json::Node from :
        {body, body["generationConfig"], body["generation_config"]})
    {
        for (const std::string_view name :
            {"n", "best_of", "candidateCount", "candidate_count"})
        {
            each = std::max(each, from[name].integer().value_or(1));
        }
    }
    // Several prompts in one call; numbers are the tokens of one.
    const json::Node prompt = body["prompt"];
    const bool several =
        prompt.size() > 1 && !prompt.at(0).number().has_value();
    const auto prompts = several
        ? static_cast<int64_t>(std::min<size_t>(prompt.size(), 1024))
        : 1;
    return std::min(std::min(each, kMost) * prompts, kMost);
}

} // namespace

int64_t estimate_request(json::Node body) noexcept
{
    int64_t sum = 0;
    for (const std::string_view part : {"system", "messages", "tools",
             "systemInstruction", "system_instruction", "contents",
             "instructions", "input", "prompt"})
    {
        sum += estimate(body[part], true);
    }
    return std::max<int64_t>(sum, 1);
}

std::optional<int64_t> answer_bound(json::Node body) noexcept
{
    // More than any model says; so that products stay in range.
    constexpr int64_t kMost = 1'000'000'000;
    int64_t bound = 0;
    // Of several names, of several dialects, one will hold: the largest.
    const auto widen = [&bound](json::Node from, const auto& names) {
        for (const std::string_view name : names) {
            bound = std::max(bound, from[name].integer().value_or(0));
        }
    };
    constexpr std::array<std::string_view, 4> kNames{"max_completion_tokens",
        "max_tokens", "max_output_tokens", "maxOutputTokens"};
    widen(body, kNames);
    widen(body["generationConfig"], kNames);
    widen(body["generation_config"], kNames);
    if (bound <= 0) {
        return std::nullopt; // negative ones mean "no bound" to some
    }
    return std::min(bound, kMost) * answers(body);
}

} // namespace ai_proxy::usage
