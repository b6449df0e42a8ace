#pragma once

#include "core/chat/usage.h"
#include "core/json/reader.h"

// Usage that a stream tells in several events.
namespace ai_proxy::usage {

// Later totals replace earlier ones; a number that is not repeated stays.
[[nodiscard]] chat::Usage merge(const chat::Usage& a, const chat::Usage& b);
// Of answers that follow each other; saturating.
void add(chat::Usage& sum, const chat::Usage& next) noexcept;
// Anthropic's: later numbers replace earlier ones, smaller or not; a zero says
// that the number was told before.
void merge_anthropic(chat::Usage& sum, json::Node usage);

} // namespace ai_proxy::usage
