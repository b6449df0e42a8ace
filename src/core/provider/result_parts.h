#pragma once

#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// Pictures and files in results of tools, which only some protocols take
// there: for the others they follow in a message of the user's, behind the
// last result of the turn.
void move_result_parts(chat::Request& request, const Protocol& protocol);

} // namespace ai_proxy::provider
