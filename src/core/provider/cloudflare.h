#pragma once

#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// "/client/v4/accounts/{account}/ai/run/@cf/...": what Workers AI runs.  The
// account stands in base_url where the option is missing.
[[nodiscard]] Result<std::string> run_path(
    const Options& options, std::string_view model);

} // namespace ai_proxy::provider
