#pragma once

#include "core/json/splice.h"

namespace ai_proxy::dialect {

// Takes reasoning that we marked as a chat provider's (kSignedMark,
// kRedactedMark) out of a Responses request to a service that has this API
// itself: it cannot read it, and refuses what it cannot read.
void drop_marked_reasoning(json::Splice& body);

} // namespace ai_proxy::dialect
