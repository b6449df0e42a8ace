#pragma once

#include "core/base/text.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// AWS Signature Version 4, in the headers of a request.
namespace ai_proxy::credential {

struct AwsKey {
    std::string_view access_key;
    std::string_view secret_key;
    std::string_view session_token; // "" for a lasting key
};

// What is signed.  path is as sent, with its query; headers do not hold Host,
// x-amz-date and x-amz-security-token: these are added.
struct AwsRequest {
    std::string_view method = "POST";
    std::string_view host; // value of the Host header
    std::string_view path;
    std::span<const Header> headers;
    std::span<const std::string_view> body;
    std::string_view region;
    std::string_view service;
    int64_t now_seconds = 0;
};

struct AwsSignature {
    std::string date;          // x-amz-date
    std::string authorization; // Authorization
    // The steps, as AWS shows them in its answer to a wrong signature.
    std::string canonical_request;
    std::string string_to_sign;
};

[[nodiscard]] AwsSignature sign_aws(
    const AwsKey& key, const AwsRequest& request);

} // namespace ai_proxy::credential
