#include "core/provider/surface.h"
#include "core/provider/url.h"
#include "core/provider/vertex.h"

// Whether a caller's API is the provider's own.
namespace ai_proxy::provider {

namespace {

using dialect::Api;

// A URL of the operator's that serves every call as it stands: it is what its
// path says.
std::string_view fixed_path(const Options& options) noexcept
{
    if (options.type->name == "azure" && !options.base_url) {
        const std::string_view path = url_tail(options.azure_service_url).path;
        return azure_shape(path) == AzureShape::verbatim ? path
                                                         : std::string_view{};
    }
    const std::string_view path = url_tail(custom_url(options)).path;
    return dialect::recognise(path) != Api::unknown ? path : std::string_view{};
}

} // namespace

bool native(const Options& options, Api api, std::string_view model) noexcept
{
    if (api == Api::chat_completions) {
        return relays(options);
    }
    if (!capability(options, api).empty()) {
        return true;
    }
    if (options.type->mock) {
        return api == Api::completions;
    }
    // What a type that lists no path has: everything, as it came.
    if (options.type->paths.empty() || options.original) {
        return true;
    }
    if (const std::string_view path = fixed_path(options); !path.empty()) {
        return dialect::recognise(path) == api;
    }
    if (vertex_relays(options, api, model)) {
        return true;
    }
    // Vertex AI serves Claude by Anthropic's API alone.
    if ((api == Api::gemini_generate || api == Api::gemini_stream)
        && options.type->name == "vertex" && vertex_is_claude(model))
    {
        return false;
    }
    return !api_path(options, api).empty();
}

} // namespace ai_proxy::provider
