#pragma once

#include "core/chat/usage.h"
#include "core/json/reader.h"

// Reading a vendor's usage object into the canonical one: one table of field
// paths per vendor family.  A missing or absurd number (negative, not
// integral) counts as absent; sums saturate.
namespace ai_proxy::usage {

// OpenAI chat, completions, embeddings, responses (input_tokens/output_tokens)
// and the vendors that copy it: DeepSeek's prompt_cache_hit_tokens, Moonshot's
// cached_tokens, xAI's reasoning outside completion, ...
[[nodiscard]] chat::Usage read_openai(json::Node usage);
// Anthropic: input_tokens excludes cache reads and writes.
[[nodiscard]] chat::Usage read_anthropic(json::Node usage);
// Gemini usageMetadata: thoughts are added to completion.
[[nodiscard]] chat::Usage read_gemini(json::Node usage_metadata);
// DashScope native: input_tokens, output_tokens, total_tokens, details.
[[nodiscard]] chat::Usage read_dashscope(json::Node usage);

// Cohere v2: tokens (billed_units when it is missing), cached_tokens.
[[nodiscard]] chat::Usage read_cohere(json::Node usage);

// Bedrock Converse: inputTokens excludes cache reads and writes.
[[nodiscard]] chat::Usage read_bedrock(json::Node usage);

// OpenAI's usage object with details, as JSON text appended to out.
void write_openai(std::string& out, const chat::Usage& usage);

} // namespace ai_proxy::usage
