#pragma once

#include "core/dialect/caller.h"

// OpenAI Responses of a client, on the way to a provider that only has chat.
namespace ai_proxy::dialect {

[[nodiscard]] Result<void> responses_to_chat(
    const ClientRequest& request, std::string& out);
// What a response object repeats of its request.
[[nodiscard]] std::string responses_echo(json::Node body);

// An opaque reasoning block in encrypted_content, told from a signature by
// what it begins with.
inline constexpr std::string_view kRedactedMark = "redacted_thinking:";
// Before a provider's signature of its thoughts.  What is not marked another
// service encrypted: no provider behind chat can read it.
inline constexpr std::string_view kSignedMark = "signed_thinking:";

} // namespace ai_proxy::dialect
