#pragma once

#include "core/chat/request.h"
#include "core/chat/signer.h"
#include "core/provider/options.h"

#include <optional>
#include <string_view>

namespace ai_proxy::provider {

// Who signs the model's reasoning; nullopt: it speaks a protocol without
// signatures, or one that does not tell whose they are.
[[nodiscard]] std::optional<chat::Signer> signer(
    const Options& options, std::string_view model) noexcept;

// Leaves out the reasoning that others signed, and the marks of what this one
// did.
void keep_own_reasoning(chat::Request& request, chat::Signer own);

} // namespace ai_proxy::provider
