#pragma once

#include "core/json/splice.h"

#include <string_view>

// Reasoning of another vendor's in a request that is relayed: the service that
// gets it cannot read it, and refuses what it cannot read.
namespace ai_proxy::dialect {

// Takes reasoning that we marked as a chat provider's (kSignedMark,
// kRedactedMark) out of a Responses request to a service that has this API
// itself.
void drop_marked_reasoning(json::Splice& body);

// Takes thoughts out of a Messages request that are marked as another
// vendor's, and those without a signature if the service signs all of them.
// Thinking ends where the turn that goes on has lost it.
void drop_foreign_thinking(json::Splice& body, bool signs_all);

// Takes signatures that are marked as another vendor's out of a request in
// Google's dialect; calls get stand_in instead, if there is one.
void drop_foreign_signatures(json::Splice& body, std::string_view stand_in);

} // namespace ai_proxy::dialect
