#pragma once

#include <cstdint>

namespace ai_proxy::chat {

// Token counts in OpenAI's convention, each >= 0 and saturating:
// prompt = uncached + cache_read + cache_write, total = prompt + completion,
// reasoning is part of completion.
struct Usage {
    bool known = false; // the provider reported something
    int64_t prompt = 0;
    int64_t completion = 0;
    int64_t total = 0;
    int64_t cache_read = 0;
    int64_t cache_write = 0;
    int64_t reasoning = 0;
    int64_t audio_prompt = 0;
    int64_t audio_completion = 0;

    friend bool operator==(const Usage&, const Usage&) = default;
};

} // namespace ai_proxy::chat
