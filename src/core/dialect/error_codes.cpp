#include "core/dialect/error_codes.h"

namespace ai_proxy::dialect {

namespace {

struct Row {
    CodeFamily family;
    std::string_view code; // ending in '*': all that begin so
    uint16_t status;
};

using enum CodeFamily;

// From the vendors' documents.  The longest code that fits is the one.
// clang-format off
constexpr Row kRows[] = {
    {words, "authentication_error", 401}, {words, "invalid_api_key", 401},
    {words, "invalid_authentication*", 401}, {words, "invalid_iam_token", 401},
    {words, "unauthorized", 401}, {words, "UNAUTHENTICATED", 401},
    {words, "insufficient_balance", 402},
    {words, "exceeded_current_quota_error", 429},
    {words, "insufficient_quota", 429}, {words, "permission_error", 403},
    {words, "permission_denied*", 403}, {words, "access_denied", 403},
    {words, "PERMISSION_DENIED", 403}, {words, "not_found_error", 404},
    {words, "model_not_found", 404}, {words, "invalid_model", 404},
    {words, "NOT_FOUND", 404}, {words, "request_too_large", 413},
    {words, "request_timeout", 408}, {words, "rate_limit*", 429},
    {words, "rpm_rate_limit_exceeded", 429},
    {words, "tpm_rate_limit_exceeded", 429},
    {words, "preemptible_rate_limit_exceeded", 429}, {words, "tokens", 429},
    {words, "requests", 429}, {words, "too_many_requests", 429},
    {words, "RESOURCE_EXHAUSTED", 429}, {words, "server_error", 500},
    {words, "internal_error*", 500}, {words, "internal_server_error", 500},
    {words, "api_error", 500}, {words, "INTERNAL", 500},
    {words, "service_unavailable*", 503}, {words, "engine_overloaded*", 503},
    {words, "model_overloaded", 503}, {words, "server_overloaded", 503},
    {words, "UNAVAILABLE", 503}, {words, "timeout*", 504},
    {words, "DEADLINE_EXCEEDED", 504}, {words, "overloaded_error", 529},
    {words, "overloaded", 503}, {words, "invalid_request*", 400},
    {words, "invalid_prompt", 400}, {words, "context_length_exceeded", 400},
    {words, "content_filter", 400}, {words, "content_policy_violation", 400},
    {words, "tool_use_failed", 400}, {words, "bad_request", 400},
    {words, "validation*", 400}, {words, "INVALID_ARGUMENT", 400},
    {words, "FAILED_PRECONDITION", 400},
    {minimax, "1000", 500}, {minimax, "1001", 504}, {minimax, "1002", 429},
    {minimax, "1004", 401}, {minimax, "1008", 402}, {minimax, "1013", 500},
    {minimax, "1024", 500}, {minimax, "1026", 400}, {minimax, "1027", 400},
    {minimax, "1033", 500}, {minimax, "1039", 429}, {minimax, "1041", 429},
    {minimax, "1042", 400}, {minimax, "2013", 400}, {minimax, "20132", 400},
    {minimax, "2037", 400}, {minimax, "2039", 400}, {minimax, "2042", 403},
    {minimax, "2045", 429}, {minimax, "2048", 400}, {minimax, "2049", 401},
    {minimax, "2056", 429},
    {baidu, "1", 500}, {baidu, "2", 503}, {baidu, "3", 404}, {baidu, "4", 429},
    {baidu, "6", 403}, {baidu, "13", 401}, {baidu, "14", 401},
    {baidu, "15", 404}, {baidu, "17", 429}, {baidu, "18", 429},
    {baidu, "19", 429}, {baidu, "100", 401}, {baidu, "110", 401},
    {baidu, "111", 401}, {baidu, "336000", 500}, {baidu, "336001", 400},
    {baidu, "336002", 400}, {baidu, "336003", 400}, {baidu, "336004", 403},
    {baidu, "336005", 500}, {baidu, "336006", 400}, {baidu, "336007", 400},
    {baidu, "336100", 503}, {baidu, "336101", 403}, {baidu, "336103", 400},
    {baidu, "336104", 400}, {baidu, "336105", 400}, {baidu, "336106", 400},
    {baidu, "336117", 400}, {baidu, "336120", 400}, {baidu, "336122", 400},
    {baidu, "336123", 400}, {baidu, "336200", 500}, {baidu, "336303", 400},
    {baidu, "336400", 400}, {baidu, "336500", 500}, {baidu, "336501", 429},
    {baidu, "336502", 429}, {baidu, "336503", 500}, {baidu, "336504", 429},
    {baidu, "336505", 429}, {baidu, "336507", 400},
    {tencent, "AuthFailure.UnauthorizedOperation", 403},
    {tencent, "AuthFailure*", 401}, {tencent, "UnauthorizedOperation*", 403},
    {tencent, "InvalidParameter*", 400}, {tencent, "MissingParameter*", 400},
    {tencent, "UnknownParameter*", 400}, {tencent, "InvalidAction*", 404},
    {tencent, "UnsupportedOperation*", 400},
    {tencent, "ResourceNotFound*", 404},
    {tencent, "RequestLimitExceeded*", 429}, {tencent, "LimitExceeded*", 429},
    {tencent, "FailedOperation.EngineServerLimitExceeded", 429},
    {tencent, "FailedOperation.EngineRequestTimeout", 504},
    {tencent, "FailedOperation.ResourcePackExhausted", 402},
    {tencent, "FailedOperation.FreeResourcePackExhausted", 402},
    {tencent, "FailedOperation.PartnerAccountUnSupport", 403},
    {tencent, "FailedOperation.ServiceNotActivated", 403},
    {tencent, "FailedOperation.ServiceStop*", 403},
    {tencent, "FailedOperation.SetPayModeExceed", 403},
    {tencent, "FailedOperation.UserUnAuthError", 403},
    {tencent, "FailedOperation.ModelRequestLimit*", 429},
    {tencent, "FailedOperation*", 500}, {tencent, "OperationDenied*", 403},
    {tencent, "ResourceInsufficient*", 503},
    {tencent, "ResourceUnavailable*", 503}, {tencent, "RequestTimeout*", 504},
    {tencent, "InternalError*", 500}, {tencent, "20", 400},
    {tencent, "2001", 504}, {tencent, "2002", 500}, {tencent, "2003", 503},
    {dashscope, "InvalidApiKey*", 401}, {dashscope, "Throttling*", 429},
    {dashscope, "LimitRequests*", 429}, {dashscope, "Arrearage*", 403},
    {dashscope, "AccessDenied*", 403}, {dashscope, "Model.AccessDenied*", 403},
    {dashscope, "ModelNotFound*", 404}, {dashscope, "RequestTimeOut*", 504},
    {dashscope, "InternalError*", 500}, {dashscope, "SystemError*", 500},
    {dashscope, "ModelServingError*", 503},
    {dashscope, "ModelUnavailable*", 503},
    {dashscope, "InvalidParameter*", 400}, {dashscope, "BadRequest*", 400},
    {dashscope, "DataInspectionFailed*", 400},
    {spark, "10003", 400}, {spark, "10004", 400}, {spark, "10005", 400},
    {spark, "10006", 429}, {spark, "10007", 429}, {spark, "10008", 503},
    {spark, "10009", 503}, {spark, "10010", 503}, {spark, "10011", 500},
    {spark, "10012", 500}, {spark, "10013", 400}, {spark, "10014", 400},
    {spark, "10015", 403}, {spark, "10016", 403}, {spark, "10019", 400},
    {spark, "10110", 503}, {spark, "10163", 400}, {spark, "10222", 500},
    {spark, "10223", 503}, {spark, "10907", 400}, {spark, "10910", 400},
    {spark, "11200", 401}, {spark, "11201", 429}, {spark, "11202", 429},
    {spark, "11203", 429}, {spark, "11221", 400},
    {coze, "700012006", 401}, {coze, "702232*", 403}, {coze, "4000", 400},
    {coze, "4001", 400}, {coze, "4008", 429}, {coze, "4009", 504},
    {coze, "4010", 403}, {coze, "4011", 402}, {coze, "4013", 429},
    {coze, "4015", 400}, {coze, "4016", 409}, {coze, "4019", 402},
    {coze, "4020", 429}, {coze, "4024", 403}, {coze, "4027", 402},
    {coze, "4028", 402}, {coze, "4030", 402}, {coze, "4100", 401},
    {coze, "4101", 403}, {coze, "4200", 404}, {coze, "4315", 402},
    {coze, "5000", 500}, {coze, "7*", 500},
};
// clang-format on

bool fits(std::string_view pattern, std::string_view code) noexcept
{
    if (!pattern.ends_with('*')) {
        return pattern == code;
    }
    pattern.remove_suffix(1);
    return code.starts_with(pattern);
}

} // namespace

uint16_t status_of_code(CodeFamily family, std::string_view code) noexcept
{
    const Row* best = nullptr;
    for (const Row& row : kRows) {
        if (row.family == family && fits(row.code, code)
            && (best == nullptr || row.code.size() > best->code.size()))
        {
            best = &row;
        }
    }
    return best == nullptr ? 0 : best->status;
}

} // namespace ai_proxy::dialect
