#pragma once

#include "core/config/gateway.h"

namespace ai_proxy::config {

// Parses "key=TEXT rate=NUMBER/UNIT redis=NAME [status=STATUS]" of
// ai_proxy_request_limit; the number of the text is not known here.
[[nodiscard]] Result<RequestRule> parse_request_rule(
    const Words& words, const Gateway& gateway);

} // namespace ai_proxy::config
