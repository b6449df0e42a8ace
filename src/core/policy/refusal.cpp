#include "core/policy/refusal.h"

#include "core/base/text.h"

#include <algorithm>
#include <string_view>

namespace ai_proxy::policy {

namespace {

using route::Refusal;

struct Word {
    std::string_view text;
    Refusal refusal;
};

// Codes and types, whole; of OpenAI and Azure, DashScope, Zhipu, DeepSeek.
constexpr Word kCodes[] = {
    {"content_filter", Refusal::content_filter},
    {"content_policy_violation", Refusal::content_filter},
    {"ResponsibleAIPolicyViolation", Refusal::content_filter},
    {"DataInspectionFailed", Refusal::content_filter},
    {"data_inspection_failed", Refusal::content_filter},
    {"1301", Refusal::content_filter},
    {"context_length_exceeded", Refusal::context_length},
    {"string_above_max_length", Refusal::context_length},
    {"1261", Refusal::context_length},
};

// Parts of messages, where the code says no more than "invalid request".
constexpr Word kPhrases[] = {
    {"content management policy", Refusal::content_filter},
    {"content filtering policy", Refusal::content_filter},
    {"content exists risk", Refusal::content_filter},
    {"inappropriate content", Refusal::content_filter},
    {"maximum context length", Refusal::context_length},
    {"context_length_exceeded", Refusal::context_length},
    {"context length", Refusal::context_length},
    {"context window", Refusal::context_length},
    {"context limit", Refusal::context_length},
    {"prompt is too long", Refusal::context_length},
    {"input is too long", Refusal::context_length},
    {"range of input length", Refusal::context_length},
    {"exceeds the maximum number of tokens", Refusal::context_length},
    {"too many tokens", Refusal::context_length},
};

bool contains(std::string_view text, std::string_view words) noexcept
{
    return std::search(text.begin(), text.end(), words.begin(), words.end(),
               [](char a, char b) { return lower(a) == lower(b); })
        != text.end();
}

} // namespace

Refusal refusal_of(const Error& error) noexcept
{
    for (const Word& code : kCodes) {
        if (error.provider_code == code.text || error.type == code.text) {
            return code.refusal;
        }
    }
    // Limits of rates speak of tokens too.
    if (error.status == 429) {
        return Refusal::none;
    }
    for (const Word& phrase : kPhrases) {
        if (contains(error.message, phrase.text)) {
            return phrase.refusal;
        }
    }
    return Refusal::none;
}

} // namespace ai_proxy::policy
