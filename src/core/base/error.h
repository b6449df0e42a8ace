#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy {

// Every way a request can go wrong, as $ai_proxy_error, the metrics and the
// status page name it.  The table in error.cpp is the only place that knows
// their names, statuses and client-visible types.
enum class ErrorCode : uint8_t {
    none,
    invalid_json,
    invalid_request,
    unsupported_api,
    model_not_found,
    request_too_large,
    no_credential,      // nobody says who asks
    invalid_credential, // somebody who is not known
    expired_credential, // somebody who was, or will be
    consumer_forbidden, // somebody who may not come here
    model_forbidden,    // or may not use this model
    concurrency_limit,  // no place was free in time
    request_limit,      // too many requests with the same key
    token_limit,        // a budget of tokens is spent
    breaker_open,       // all providers are down or behind open breakers
    upstream_unavailable,
    upstream_connect,
    upstream_tls,
    timeout_connect,
    timeout_tls,
    timeout_first_byte,
    timeout_first_token,
    timeout_idle,
    timeout_total,
    upstream_closed,
    upstream_invalid,
    upstream_truncated,
    upstream_too_large,
    upstream_status,
    upstream_error,
    superseded,        // another try of the same request was faster
    redis_unavailable, // and the policy is to refuse then
    redis_timeout,
    redis_busy,  // too many commands wait for it
    redis_error, // it refused a command
    client_closed,
    shutdown,
    internal,
};

inline constexpr size_t kErrorCodes = size_t(ErrorCode::internal) + 1;

struct ErrorRow {
    ErrorCode code;
    std::string_view name; // closed vocabulary: [a-z_]+, never changes
    uint16_t status;       // HTTP status the client sees
    std::string_view type; // OpenAI's error.type
};

// The row of a code; total, never fails.
[[nodiscard]] const ErrorRow& describe(ErrorCode code) noexcept;

// A failure as a value.  message is for the client: no secret, no prompt.
// status 0 means the status of the code's row.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    std::string param; // JSON path of the offending request field, or ""
    std::string type;  // provider's own error type, or ""
    std::string provider_code; // provider's own error code, or ""
    uint16_t status = 0;

    [[nodiscard]] uint16_t http_status() const noexcept
    {
        return status != 0 ? status : describe(code).status;
    }
};

[[nodiscard]] inline Error make_error(
    ErrorCode code, std::string message, std::string param = {})
{
    Error e;
    e.code = code;
    e.message = std::move(message);
    e.param = std::move(param);
    return e;
}

} // namespace ai_proxy
