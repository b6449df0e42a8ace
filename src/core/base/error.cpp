#include "core/base/error.h"

#include <array>

namespace ai_proxy {
namespace {

constexpr std::string_view kRequest = "invalid_request_error";
constexpr std::string_view kLimit = "rate_limit_error";
constexpr std::string_view kApi = "api_error";
constexpr std::string_view kTimeout = "timeout_error";

using enum ErrorCode;

// clang-format off
constexpr std::array<ErrorRow, kErrorCodes> kRows{{
    {none,                 "none",                 200, ""},
    {invalid_json,         "invalid_json",         400, kRequest},
    {invalid_request,      "invalid_request",      400, kRequest},
    {unsupported_api,      "unsupported_api",      404, kRequest},
    {model_not_found,      "model_not_found",      404, kRequest},
    {request_too_large,    "request_too_large",    413, kRequest},
    {no_credential,        "no_credential",        401, kRequest},
    {invalid_credential,   "invalid_credential",   401, kRequest},
    {expired_credential,   "expired_credential",   401, kRequest},
    {consumer_forbidden,   "consumer_forbidden",   403, kRequest},
    {model_forbidden,      "model_forbidden",      404, kRequest},
    {concurrency_limit,    "concurrency_limit",    429, kLimit},
    {request_limit,        "request_limit",        429, kLimit},
    {token_limit,          "token_limit",          429, kLimit},
    {breaker_open,         "breaker_open",         503, kApi},
    {upstream_unavailable, "upstream_unavailable", 502, kApi},
    {upstream_connect,     "upstream_connect",     502, kApi},
    {upstream_tls,         "upstream_tls",         502, kApi},
    {timeout_connect,      "timeout_connect",      504, kTimeout},
    {timeout_tls,          "timeout_tls",          504, kTimeout},
    {timeout_first_byte,   "timeout_first_byte",   504, kTimeout},
    {timeout_first_token,  "timeout_first_token",  504, kTimeout},
    {timeout_idle,         "timeout_idle",         504, kTimeout},
    {timeout_total,        "timeout_total",        504, kTimeout},
    {upstream_closed,      "upstream_closed",      502, kApi},
    {upstream_invalid,     "upstream_invalid",     502, kApi},
    {upstream_truncated,   "upstream_truncated",   502, kApi},
    {upstream_too_large,   "upstream_too_large",   502, kApi},
    {upstream_status,      "upstream_status",      502, kApi},
    {upstream_error,       "upstream_error",       502, kApi},
    {superseded,           "superseded",           502, kApi},
    {redis_unavailable,    "redis_unavailable",    503, kApi},
    {redis_timeout,        "redis_timeout",        503, kApi},
    {redis_busy,           "redis_busy",           503, kApi},
    {redis_error,          "redis_error",          503, kApi},
    {client_closed,        "client_closed",        499, kApi},
    {shutdown,             "shutdown",             503, kApi},
    {internal,             "internal",             500, kApi},
}};
// clang-format on

consteval bool in_order()
{
    for (size_t i = 0; i < kRows.size(); i++) {
        if (size_t(kRows[i].code) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order());

} // namespace

const ErrorRow& describe(ErrorCode code) noexcept
{
    const auto index = size_t(code);
    return kRows[index < kRows.size() ? index : size_t(internal)];
}

} // namespace ai_proxy
