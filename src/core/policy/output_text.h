#pragma once

#include "core/dialect/api.h"
#include "core/json/reader.h"
#include "core/usage/token_count.h"

namespace ai_proxy::policy {

// Adds what an event of a relayed stream says: text, thoughts and arguments of
// tools, not the frame around them.
void tally_event(
    usage::TokenCounter& tally, dialect::Api api, json::Node event);

// The same of a plain answer.
void tally_answer(
    usage::TokenCounter& tally, dialect::Api api, json::Node answer);

} // namespace ai_proxy::policy
