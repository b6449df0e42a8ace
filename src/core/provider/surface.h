#pragma once

#include "core/provider/registry.h"

#include <string_view>

// How the paths of a configured provider are laid out: what relay_path(),
// supports() and check() share.
namespace ai_proxy::provider {

// The path template of an API, or "" when the provider does not have it.
[[nodiscard]] std::string_view api_path(
    const Options& options, dialect::Api api) noexcept;

// The path that the operator gave the API, or "".
[[nodiscard]] std::string_view capability(
    const Options& options, dialect::Api api) noexcept;

// What stands before each path of the type; "" when an option that it needs
// is missing and base_url has its place.
[[nodiscard]] std::string_view surface(const Options& options) noexcept;

// A custom URL (openai_custom_url, vllm_custom_url) in force, or "".
[[nodiscard]] std::string_view custom_url(const Options& options) noexcept;

// The fields of cloud providers that depend on each other.
[[nodiscard]] Result<void> check_cloud(const Options& options);
// The host that follows from the region; "" for other types.
[[nodiscard]] std::string cloud_host(const Options& options);

// Azure's URL shapes (providers.md 3.2 and the v1 surface).
enum class AzureShape : uint8_t {
    resource,   // host only: deployment = model
    deployment, // /openai/deployments/{d}
    version1,   // /openai/v1: deployment in the body's model
    verbatim,   // any other path: used for every call
};
[[nodiscard]] AzureShape azure_shape(std::string_view path) noexcept;
// Is api-version a matter of taste for this path?
[[nodiscard]] bool azure_version1(std::string_view path) noexcept;

} // namespace ai_proxy::provider
