#pragma once

#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// "/v1/projects/P/locations/R/publishers/google/models/M:ACTION"; without
// project and location in express mode.
[[nodiscard]] std::string vertex_model_path(
    const Options& options, std::string_view model, std::string_view action);

[[nodiscard]] bool vertex_is_claude(std::string_view model) noexcept;

// The part of a client's path that is Vertex AI's own, "/v1/projects/...";
// "" when there is none.
[[nodiscard]] std::string_view vertex_raw_path(
    std::string_view client_path) noexcept;

} // namespace ai_proxy::provider
