#include "core/credential/tc3.h"

#include "core/credential/digest.h"

#include <algorithm>
#include <vector>

namespace ai_proxy::credential {

namespace {

constexpr std::string_view kAlgorithm = "TC3-HMAC-SHA256";

std::string lowered(std::string_view text)
{
    std::string out(trim(text));
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

} // namespace

Tc3Signature sign_tc3(const Tc3Request& request)
{
    std::vector<Header> all(request.headers.begin(), request.headers.end());
    all.push_back({"host", request.host});
    std::sort(all.begin(), all.end(),
        [](const Header& a, const Header& b) { return a.name < b.name; });
    std::string lines, names;
    for (const Header& header : all) {
        lines.append(header.name).append(":");
        lines.append(lowered(header.value)).append("\n");
        names.append(names.empty() ? "" : ";").append(header.name);
    }
    Tc3Signature out;
    out.canonical_request =
        "POST\n/\n\n" + lines + "\n" + names + "\n" + hex(sha256(request.body));

    const std::string time = basic_time(request.now_seconds);
    const std::string day =
        time.substr(0, 4) + "-" + time.substr(4, 2) + "-" + time.substr(6, 2);
    std::string scope = day + "/";
    scope.append(request.service).append("/tc3_request");
    out.string_to_sign = std::string(kAlgorithm) + "\n"
        + std::to_string(request.now_seconds) + "\n" + scope + "\n"
        + hex(sha256(out.canonical_request));

    const std::string first = "TC3" + std::string(request.secret_key);
    Digest key = hmac_sha256(first, day);
    key = hmac_sha256(bytes_of(key), request.service);
    key = hmac_sha256(bytes_of(key), "tc3_request");
    const std::string signature =
        hex(hmac_sha256(bytes_of(key), out.string_to_sign));

    out.authorization = std::string(kAlgorithm) + " Credential=";
    out.authorization.append(request.secret_id).append("/").append(scope);
    out.authorization.append(", SignedHeaders=").append(names);
    out.authorization.append(", Signature=").append(signature);
    return out;
}

} // namespace ai_proxy::credential
