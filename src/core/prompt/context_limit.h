#pragma once

#include "core/base/result.h"
#include "core/dialect/api.h"
#include "core/json/reader.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ai_proxy::prompt {

// How long a prompt may be before anybody is asked.
struct ContextLimit {
    int64_t tokens = 0; // 0: as long as it likes
    double ratio = 1.1; // what the estimate is multiplied by
    uint16_t status = 400;
};

// Bodies above this are not counted.
inline constexpr size_t kMaxCounted = 8 * 1024 * 1024;

// "NUMBER [ratio=NUMBER] [status=NUMBER]", or "off".  Error: a phrase for the
// configuration log.
[[nodiscard]] Result<ContextLimit> read_context_limit(
    const std::vector<std::string_view>& words);

// Error invalid_request, in OpenAI's words, when the prompt of a conversation
// is too long.  What holds pictures, sound or files is let through: their
// tokens are the model's secret.
[[nodiscard]] Result<void> check_context(
    const ContextLimit& limit, dialect::Api api, json::Node body);

} // namespace ai_proxy::prompt
