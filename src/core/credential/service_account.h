#pragma once

#include "core/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st; // OpenSSL's EVP_PKEY

// A Google service account: a private key that signs requests for access
// tokens (RFC 7523).
namespace ai_proxy::credential {

class ServiceAccount {
public:
    // text: the JSON key file of Google Cloud.  Errors are phrases for the
    // configuration log and repeat nothing of the text.
    [[nodiscard]] static Result<ServiceAccount> parse(std::string_view text);

    [[nodiscard]] const std::string& email() const noexcept { return email_; }
    [[nodiscard]] const std::string& token_uri() const noexcept
    {
        return token_uri_;
    }
    // "" when the key names none.
    [[nodiscard]] const std::string& project_id() const noexcept
    {
        return project_id_;
    }
    // A signed assertion that holds for an hour; Error internal when OpenSSL
    // cannot sign.
    [[nodiscard]] Result<std::string> assertion(int64_t now_seconds) const;
    // The form that asks token_uri for an access token.
    [[nodiscard]] Result<std::string> token_request(int64_t now_seconds) const;

private:
    std::string email_;
    std::string key_id_;
    std::string project_id_;
    std::string token_uri_;
    std::shared_ptr<evp_pkey_st> key_;
};

// What a token endpoint answered.
struct AccessToken {
    std::string token;
    int64_t expires_in = 3600; // seconds
};
// Errors: upstream_unavailable with the endpoint's own words where they are
// no secret.
[[nodiscard]] Result<AccessToken> read_token_answer(
    int status, std::string_view body);

} // namespace ai_proxy::credential
