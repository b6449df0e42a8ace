#pragma once

#include "core/json/splice.h"
#include "core/provider/protocol.h"

namespace ai_proxy::provider {

// "/v1/projects/P/locations/R/publishers/google/models/M:ACTION"; without
// project and location in express mode.
[[nodiscard]] std::string vertex_model_path(
    const Options& options, std::string_view model, std::string_view action);

[[nodiscard]] bool vertex_is_claude(std::string_view model) noexcept;

// Is this a Messages call for Claude, who speaks that API there too, with the
// model in the path?  It is converted where the operator's options change it.
[[nodiscard]] bool vertex_relays(
    const Options& options, dialect::Api api, std::string_view model) noexcept;
// The path of Claude's calls.
[[nodiscard]] std::string vertex_claude_path(
    const Options& options, std::string_view model, bool stream);
// What stands in headers and in the path elsewhere, and what is not known here.
void adapt_vertex_messages(json::Splice& body, Outbound& out);

// The part of a client's path that is Vertex AI's own, "/v1/projects/...";
// "" when there is none.
[[nodiscard]] std::string_view vertex_raw_path(
    std::string_view client_path) noexcept;

} // namespace ai_proxy::provider
