#include "core/usage/merge.h"

#include "core/usage/reading.h"

#include <algorithm>

namespace ai_proxy::usage {

chat::Usage merge(const chat::Usage& a, const chat::Usage& b)
{
    chat::Usage out;
    out.known = a.known || b.known;
    out.cache_read = std::max(a.cache_read, b.cache_read);
    out.cache_write = std::max(a.cache_write, b.cache_write);
    out.prompt = std::max(a.prompt, b.prompt);
    out.completion = std::max(a.completion, b.completion);
    out.reasoning = std::max(a.reasoning, b.reasoning);
    out.total = out.prompt + out.completion;
    return out;
}

void add(chat::Usage& sum, const chat::Usage& next) noexcept
{
    // Each half fits, so that prompt and completion still have a sum.
    static constexpr int64_t kMost = INT64_MAX / 2;
    const auto both = [](int64_t a, int64_t b) {
        return a > kMost - std::min(b, kMost) ? kMost : a + b;
    };
    sum.known = sum.known || next.known;
    sum.prompt = both(sum.prompt, next.prompt);
    sum.completion = both(sum.completion, next.completion);
    sum.cache_read = both(sum.cache_read, next.cache_read);
    sum.cache_write = both(sum.cache_write, next.cache_write);
    sum.reasoning = both(sum.reasoning, next.reasoning);
    sum.audio_prompt = both(sum.audio_prompt, next.audio_prompt);
    sum.audio_completion = both(sum.audio_completion, next.audio_completion);
    sum.total = sum.prompt + sum.completion;
}

void merge_anthropic(chat::Usage& sum, json::Node usage)
{
    const chat::Usage next = read_anthropic(usage);
    if (!next.known) {
        return;
    }
    const auto replace = [](int64_t old, int64_t now) {
        return now > 0 ? now : old;
    };
    const int64_t uncached =
        replace(sum.prompt - sum.cache_read - sum.cache_write,
            next.prompt - next.cache_read - next.cache_write);
    sum.known = true;
    sum.cache_read = replace(sum.cache_read, next.cache_read);
    sum.cache_write = replace(sum.cache_write, next.cache_write);
    sum.prompt = uncached + sum.cache_read + sum.cache_write;
    sum.completion = replace(sum.completion, next.completion);
    sum.reasoning =
        std::min(replace(sum.reasoning, next.reasoning), sum.completion);
    sum.total = sum.prompt + sum.completion;
}

} // namespace ai_proxy::usage
