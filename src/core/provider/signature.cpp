#include "core/credential/tc3.h"
#include "core/provider/registry.h"

#include <array>
#include <string>

// Credentials that are signatures of the whole request.
namespace ai_proxy::provider {

void sign(const Options& options, const Endpoint& endpoint, int64_t now_seconds,
    Outbound& out)
{
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
