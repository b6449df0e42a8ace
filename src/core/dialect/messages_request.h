#pragma once

#include "core/dialect/caller.h"

// Anthropic Messages of a client, on the way to a provider that does not have
// them.
namespace ai_proxy::dialect {

[[nodiscard]] Result<void> messages_to_chat(
    const ClientRequest& request, std::string& out);

} // namespace ai_proxy::dialect
