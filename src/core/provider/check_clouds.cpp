#include "core/provider/surface.h"

#include "core/base/text.h"

#include <algorithm>
#include <string>

// What the blocks of cloud providers must say.
namespace ai_proxy::provider {
namespace {

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

Result<void> check_bedrock(const Options& options)
{
    const bool key = !options.aws_access_key.empty();
    if (key == options.aws_secret_key.empty())
        return fault("\"aws_access_key\" and \"aws_secret_key\" go together");
    if (!options.aws_session_token.empty() && !key)
        return fault("\"aws_session_token\" without \"aws_access_key\"");
    const bool token = !options.api_tokens.empty();
    if (key && (token || options.anonymous))
        return fault("\"api_token\" and \"aws_access_key\" exclude each other");
    if (options.location.empty() && !key && !token && !options.anonymous)
        return fault("neither \"api_token\" nor \"aws_access_key\" "
                     "(\"api_token none\" sends no credential)");
    if (options.aws_region.empty()
        && (key || (!options.base_url && options.location.empty())))
        return fault("no \"aws_region\"");
    return {};
}

Result<void> check_vertex(const Options& options)
{
    const bool express = !options.api_tokens.empty();
    if (express && options.vertex_auth_key != nullptr)
        return fault(
            "\"api_token\" and \"vertex_auth_key\" exclude each other");
    if (express && options.vertex_openai_compatible)
        return fault("\"vertex_openai_compatible\" needs \"vertex_auth_key\", "
                     "not \"api_token\"");
    if (express)
        return {};
    if (options.vertex_auth_key == nullptr && !options.anonymous
        && options.location.empty())
        return fault("neither \"api_token\" nor \"vertex_auth_key\" "
                     "(\"api_token none\" sends no credential)");
    if (options.vertex_region.empty())
        return fault("no \"vertex_region\"");
    if (options.vertex_project_id.empty())
        return fault("no \"vertex_project_id\"");
    return {};
}

} // namespace

Result<void> check_cloud(const Options& options)
{
    if (options.type->name == "bedrock")
        return check_bedrock(options);
    if (options.type->name == "vertex")
        return check_vertex(options);
    if (!options.azure_token_file.empty() && !options.api_tokens.empty())
        return fault(
            "\"api_token\" and \"azure_token_file\" exclude each other");
    return {};
}

std::string cloud_host(const Options& options)
{
    if (options.type->name == "bedrock" && !options.aws_region.empty()) {
        const bool china = options.aws_region.starts_with("cn-");
        return "bedrock-runtime." + options.aws_region
            + (china ? ".amazonaws.com.cn" : ".amazonaws.com");
    }
    if (options.type->name != "vertex")
        return {};
    const std::string& region = options.vertex_region;
    // Express mode (with a key) knows no regions.
    if (region.empty() || region == "global" || !options.api_tokens.empty())
        return "aiplatform.googleapis.com";
    // Whole continents.
    if (region == "us" || region == "eu")
        return "aiplatform." + region + ".rep.googleapis.com";
    return region + "-aiplatform.googleapis.com";
}

} // namespace ai_proxy::provider
