#pragma once

#include "core/base/result.h"
#include "core/dialect/api.h"
#include "core/json/reader.h"
#include "core/json/splice.h"
#include "core/prompt/rules.h"

namespace ai_proxy::prompt {

// Adds and replaces what the rules want in the body of a client's request, in
// its own dialect; what is not touched stays as sent.  Bodies without messages
// stay as they are, and so do other APIs.  Error internal: a pattern took too
// long.
[[nodiscard]] Result<void> decorate(const Decorations& rules, Values& values,
    dialect::Api api, json::Node body, json::Splice& splice);

} // namespace ai_proxy::prompt
