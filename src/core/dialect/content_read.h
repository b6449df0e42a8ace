#pragma once

#include "core/base/result.h"
#include "core/chat/request.h"
#include "core/json/reader.h"

#include <vector>

// The content parts of a chat request.
namespace ai_proxy::dialect {

// A replayed reasoning block (Anthropic's form or Mistral's); false when block
// is none.
bool read_reasoning_block(json::Node block, std::vector<chat::Part>& parts);
// One content part; message and index say where it is.  Error invalid_request
// for a part that only a relay can carry.
[[nodiscard]] Result<void> read_part(json::Node node,
    std::vector<chat::Part>& parts, size_t message, size_t index);

} // namespace ai_proxy::dialect
