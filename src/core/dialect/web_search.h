#pragma once

#include "core/json/writer.h"

namespace ai_proxy::dialect {

// The search tool of another dialect (Anthropic's, that of Responses, Google's)
// as chat's web_search_options.  What chat has no word for stands beside in
// that tool's own: filters, allowed_domains, blocked_domains, max_uses.
void write_web_search(json::Writer& w, json::Node tool);

} // namespace ai_proxy::dialect
