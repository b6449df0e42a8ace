#pragma once

#include "core/chat/event.h"
#include "core/json/reader.h"

#include <cstdint>

// Logprobs of the vendors in OpenAI's words: {token, logprob, bytes,
// top_logprobs} for each token, told as one event; none for an empty list.
namespace ai_proxy::provider {

// A list of OpenAI's own objects (also Ollama's and DashScope's).
void tell_openai_logprobs(json::Node tokens, uint32_t choice, chat::Sink& sink);
// Google's logprobsResult.
void tell_gemini_logprobs(json::Node result, uint32_t choice, chat::Sink& sink);
// Cohere's {text, token_ids, logprobs}, one or a list: a text of several
// tokens has the sum of theirs.
void tell_cohere_logprobs(json::Node pieces, chat::Sink& sink);

} // namespace ai_proxy::provider
