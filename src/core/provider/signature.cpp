#include "core/base/text.h"
#include "core/credential/sigv4.h"
#include "core/credential/tc3.h"
#include "core/provider/header_fields.h"
#include "core/provider/registry.h"

#include <algorithm>
#include <array>
#include <string>

// Credentials that are signatures of the whole request.
namespace ai_proxy::provider {

namespace {

void sign_bedrock(const Options& options, const Endpoint& endpoint,
    int64_t now_seconds, Outbound& out)
{
    // A header the operator set stands.
    if (options.aws_access_key.empty() || has_header(out, "authorization"))
        return;
    const credential::AwsKey key{options.aws_access_key.reveal(),
        options.aws_secret_key.reveal(), options.aws_session_token.reveal()};
    // A location has no endpoint of its own: AWS wants its own host's name.
    const auto own = provider::endpoint(options);
    const std::string host =
        endpoint.host.empty() && own ? own->authority() : endpoint.authority();
    for (std::string_view name : {"x-amz-date", "x-amz-security-token"})
        set_header(out, name, {});
    credential::AwsRequest request;
    request.method = out.method;
    request.host = host;
    request.path = out.path;
    request.body = out.body;
    request.region = options.aws_region;
    request.service = "bedrock";
    request.now_seconds = now_seconds;
    credential::AwsSignature made = credential::sign_aws(key, request);
    out.header("X-Amz-Date", made.date);
    if (!key.session_token.empty())
        out.header("X-Amz-Security-Token", key.session_token);
    out.header("Authorization", made.authorization);
}

} // namespace

void sign(const Options& options, const Endpoint& endpoint, int64_t now_seconds,
    Outbound& out)
{
    if (credential_of(options) == Credential::aws)
        return sign_bedrock(options, endpoint, now_seconds, out);
    if (credential_of(options) != Credential::tc3 || !options.hunyuan_auth_id
        || !options.hunyuan_auth_key)
        return;
    std::string action, content_type;
    for (const auto& [name, value] : out.headers) {
        if (iequals(name, "x-tc-action"))
            action = value;
        if (iequals(name, "content-type"))
            content_type = value;
    }
    const std::string host = endpoint.authority();
    const std::array<Header, 2> headers{
        {{"content-type", content_type}, {"x-tc-action", action}}};
    credential::Tc3Request request;
    request.secret_id = options.hunyuan_auth_id->reveal();
    request.secret_key = options.hunyuan_auth_key->reveal();
    request.service = "hunyuan";
    request.host = host;
    request.headers = headers;
    request.body = out.body;
    request.now_seconds = now_seconds;
    out.header("X-TC-Timestamp", std::to_string(now_seconds));
    out.header("Authorization", credential::sign_tc3(request).authorization);
}

} // namespace ai_proxy::provider
