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
