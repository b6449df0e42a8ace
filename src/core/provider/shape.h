#pragma once

#include "core/base/result.h"
#include "core/json/reader.h"
#include "core/provider/options.h"

#include <string>

// What an operator wants done to every chat request of a provider, whoever
// sent it: it is the client's OpenAI body that is edited, before any
// conversion.
namespace ai_proxy::provider {

// Does the configuration ask for any of it?
[[nodiscard]] bool shapes(const Options& options) noexcept;

// The edited body; what is not touched stays as sent.  text is padded as for
// json::Parser, body its document; context goes in behind the system messages.
// Error invalid_request when no message is left.
[[nodiscard]] Result<std::string> shape_chat(const Options& options,
    std::string_view context, std::string_view text, json::Node body);

} // namespace ai_proxy::provider
