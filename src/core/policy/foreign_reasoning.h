#pragma once

#include "core/dialect/api.h"
#include "core/json/splice.h"
#include "core/provider/protocol.h"

namespace ai_proxy::policy {

// Takes out of a request that is relayed what its service cannot read: the
// reasoning that other vendors' models made earlier in the conversation.
void drop_foreign_reasoning(dialect::Api api,
    const provider::EncodeContext& context, json::Splice& body);

} // namespace ai_proxy::policy
