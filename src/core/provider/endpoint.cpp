#include "core/provider/registry.h"

#include "core/base/text.h"
#include "core/provider/surface.h"
#include "core/provider/url.h"

namespace ai_proxy::provider {

namespace {

Endpoint to_endpoint(Url url)
{
    Endpoint e;
    e.tls = url.tls;
    e.host = std::move(url.host);
    e.port = url.port;
    e.path = std::move(url.path);
    return e;
}

// An option that names a host, host:port or a URL.
struct HostOption {
    std::string_view type;
    std::string_view field;
    std::string Options::*value;
    bool path;  // a path may follow
    bool query; // and a query
};

constexpr HostOption kHostOptions[] = {
    {"openai", "openai_custom_url", &Options::openai_custom_url, true, true},
    {"vllm", "vllm_custom_url", &Options::vllm_custom_url, true, true},
    {"vllm", "vllm_server_host", &Options::vllm_server_host, false, false},
    {"azure", "azure_service_url", &Options::azure_service_url, true, true},
    {"zhipuai", "zhipu_domain", &Options::zhipu_domain, false, false},
    {"doubao", "doubao_domain", &Options::doubao_domain, false, false},
    {"qwen", "qwen_domain", &Options::qwen_domain, false, false},
    {"generic", "generic_host", &Options::generic_host, false, false},
    {"dify", "dify_api_url", &Options::dify_api_url, true, false},
    {"triton", "triton_domain", &Options::triton_domain, false, false},
};

Error bad_option(
    std::string_view field, std::string_view value, std::string_view fault)
{
    std::string text = "invalid value ";
    if (value.find('@') == std::string_view::npos) // may hold a password
        text.append("\"").append(value).append("\" ");
    text.append("in \"").append(field).append("\": ").append(fault);
    return make_error(ErrorCode::invalid_request, std::move(text));
}

Result<Endpoint> from_option(const Options& options, const HostOption& row)
{
    const std::string& value = options.*row.value;
    auto url = split_url(value, {false, options.type->tls, row.query});
    if (!url)
        return bad_option(row.field, value, url.error().message);
    if (!row.path && !url->path.empty())
        return bad_option(row.field, value, "a path is not allowed");
    Endpoint e = to_endpoint(std::move(*url));
    // What follows the host of Azure's URL is a shape, not a prefix.
    if (options.type->name == "azure")
        e.path.clear();
    return e;
}

// The host of the type in the mode that is configured.
std::string_view own_host(const Options& options) noexcept
{
    const Native* native = native_mode(options);
    if (native != nullptr && !native->host.empty())
        return native->host;
    // DeepL's keys say whose they are.
    if (options.type->protocol == &kDeepl && !options.api_tokens.empty()
        && options.api_tokens[0].reveal().ends_with(":fx"))
        return "api-free.deepl.com";
    return options.type->host;
}

Result<Endpoint> from_ollama(const Options& options)
{
    std::string text = options.ollama_server_host;
    if (text.find(':') != std::string::npos && !text.starts_with('['))
        text = "[" + text + "]";
    text += ":" + std::to_string(options.ollama_server_port);
    auto url = split_url(text, {false, false, false});
    if (!url || !url->path.empty())
        return bad_option("ollama_server_host", options.ollama_server_host,
            url ? "a path is not allowed" : url.error().message);
    return to_endpoint(std::move(*url));
}

Result<Endpoint> own_endpoint(const Options& options)
{
    if (options.base_url)
        return *options.base_url;
    for (const HostOption& row : kHostOptions)
        if (options.type->name == row.type && !(options.*row.value).empty())
            return from_option(options, row);
    if (options.type->name == "ollama" && !options.ollama_server_host.empty())
        return from_ollama(options);
    std::string host = cloud_host(options);
    if (host.empty())
        host = own_host(options);
    if (host.empty())
        return make_error(ErrorCode::invalid_request,
            "no \"base_url\" and type \"" + std::string(options.type->name)
                + "\" has no host of its own");
    Endpoint e;
    e.tls = options.type->tls;
    e.host = std::move(host);
    e.port = e.tls ? 443 : 80;
    return e;
}

} // namespace

std::string Endpoint::authority() const
{
    bool ipv6 = host.find(':') != std::string::npos;
    std::string text = ipv6 ? "[" + host + "]" : host;
    if (port != (tls ? 443 : 80))
        text += ":" + std::to_string(port);
    return text;
}

Result<Endpoint> parse_url(std::string_view url)
{
    auto parts = split_url(url, {});
    if (!parts)
        return std::move(parts).error();
    return to_endpoint(std::move(*parts));
}

Result<Endpoint> endpoint(const Options& options)
{
    auto place = own_endpoint(options);
    if (place && options.provider_domain) {
        place->host = options.provider_domain->host;
        if (options.provider_domain->port != 0)
            place->port = options.provider_domain->port;
    }
    return place;
}

} // namespace ai_proxy::provider
