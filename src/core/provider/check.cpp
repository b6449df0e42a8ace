#include "core/provider/registry.h"

#include "core/base/text.h"
#include "core/provider/surface.h"
#include "core/provider/url.h"

#include <string>

namespace ai_proxy::provider {

namespace {

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

// Vendors that refuse every call without a key.
bool needs_token(Credential credential) noexcept
{
    switch (credential) {
    case Credential::none:
    case Credential::tc3:
    case Credential::bearer_optional:
    case Credential::bearer_or_client:
    case Credential::aws: // check_cloud()
    case Credential::google:
        return false;
    case Credential::bearer:
    case Credential::raw_authorization:
    case Credential::api_key:
    case Credential::x_api_key:
    case Credential::x_goog_api_key:
    case Credential::deepl:
    case Credential::access_token:
    case Credential::query_key:
    case Credential::basic:
        return true;
    }
    return true;
}

Result<void> check_token(const Options& options)
{
    if (!options.api_tokens.empty() || options.anonymous
        || !options.location.empty() || wants_access_token(options)
        || !needs_token(credential_of(options)))
        return {};
    return fault("no \"api_token\" and type \""
        + std::string(options.type->name)
        + "\" needs one (\"api_token none\" sends none)");
}

Result<void> check_account(const Options& options)
{
    const bool asked =
        options.type->surface.find("{account}") != std::string_view::npos;
    if (!asked || !options.cloudflare_account_id.empty() || options.base_url
        || !options.location.empty())
        return {};
    return fault("no \"cloudflare_account_id\"");
}

Result<void> check_own(const Options& options)
{
    const std::string_view type = options.type->name;
    if (options.hunyuan_auth_id.has_value()
        != options.hunyuan_auth_key.has_value())
        return fault("\"hunyuan_auth_id\" and \"hunyuan_auth_key\" go "
                     "together");
    if (type == "minimax" && options.minimax_pro
        && options.minimax_group_id.empty())
        return fault("no \"minimax_group_id\" and \"minimax_api_type pro\" "
                     "needs one");
    if (!options.moonshot_file_id.empty() && !options.context.empty())
        return fault("\"moonshot_file_id\" and \"context_file\" exclude each "
                     "other");
    if (type == "deepl" && options.target_lang.empty())
        return fault("no \"target_lang\"");
    if (type == "dify") {
        if (options.bot_type.empty())
            return fault("no \"bot_type\"");
        const bool workflow = options.bot_type == "workflow";
        if (workflow
            && (options.input_variable.empty()
                || options.output_variable.empty()))
            return fault("\"bot_type workflow\" needs \"input_variable\" and "
                         "\"output_variable\"");
    }
    return {};
}

Result<void> check_azure(const Options& options)
{
    if (options.azure_service_url.empty()) {
        if (!options.location.empty())
            return {};
        if (!options.base_url)
            return fault("no \"azure_service_url\"");
        if (!azure_version1(options.base_url->path))
            return fault("no \"azure_service_url\" (only a \"base_url\" that "
                         "ends in \"/openai/v1\" goes without)");
        return {};
    }
    UrlTail url = url_tail(options.azure_service_url);
    auto version = query_value(url.query, "api-version");
    bool optional = azure_version1(url.path)
        || (options.base_url && azure_version1(options.base_url->path));
    if ((!version || version->empty()) && !optional)
        return fault("no \"api-version\" in \"azure_service_url\"");
    return {};
}

Result<void> check_address(const Options& options)
{
    int given = (options.base_url ? 1 : 0)
        + (options.openai_custom_url.empty() ? 0 : 1)
        + (options.vllm_custom_url.empty() ? 0 : 1)
        + (options.generic_host.empty() ? 0 : 1)
        + (options.vllm_server_host.empty() ? 0 : 1)
        + (options.ollama_server_host.empty() ? 0 : 1)
        + (options.dify_api_url.empty() ? 0 : 1)
        + (options.triton_domain.empty() ? 0 : 1)
        + (options.location.empty() ? 0 : 1);
    if (given > 1)
        return fault("more than one of \"base_url\", \"location\" and the "
                     "type's own host or URL");
    if (options.type->name == "ollama"
        && options.ollama_server_host.empty()
            != (options.ollama_server_port == 0))
        return fault("\"ollama_server_host\" and \"ollama_server_port\" "
                     "go together");
    return {};
}

} // namespace

Result<void> check(const Options& options)
{
    if (options.type == nullptr)
        return fault("no \"type\"");
    if (options.type->mock) {
        if (options.base_url || !options.location.empty())
            return fault("type \"mock\" has no \"base_url\" or \"location\"");
        return {};
    }
    if (auto done = check_address(options); !done)
        return done;
    if (options.type->name == "azure")
        if (auto done = check_azure(options); !done)
            return done;
    if (auto done = check_cloud(options); !done)
        return done;
    if (auto done = check_account(options); !done)
        return done;
    if (auto done = check_own(options); !done)
        return done;
    if (auto done = check_token(options); !done)
        return done;
    if (!options.location.empty())
        return {};
    auto place = endpoint(options);
    return place ? Result<void>() : Result<void>(place.error());
}

} // namespace ai_proxy::provider
