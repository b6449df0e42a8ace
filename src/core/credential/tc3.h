#pragma once

#include "core/base/text.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// Tencent Cloud's signature, TC3-HMAC-SHA256, of a POST to "/".
namespace ai_proxy::credential {

struct Tc3Request {
    std::string_view secret_id;
    std::string_view secret_key;
    std::string_view service; // "hunyuan"
    std::string_view host;    // value of the Host header
    // In the order of their names, which are in small letters; content-type
    // must be one of them and host must not.
    std::span<const Header> headers;
    std::span<const std::string_view> body;
    int64_t now_seconds = 0; // also value of X-TC-Timestamp
};

struct Tc3Signature {
    std::string authorization;
    std::string canonical_request, string_to_sign;
};

[[nodiscard]] Tc3Signature sign_tc3(const Tc3Request& request);

} // namespace ai_proxy::credential
