#pragma once

#include <cstdint>
#include <string_view>

// What vendors' own error codes mean, for errors that come under HTTP 200.
namespace ai_proxy::dialect {

// Whose codes: told by the shape of the body.
enum class CodeFamily : uint8_t {
    words,     // error.type, error.code: OpenAI, Anthropic, Google, Baidu v2
    minimax,   // base_resp.status_code
    baidu,     // error_code
    tencent,   // Response.Error.Code, ErrorMsg.Code
    dashscope, // code, message, request_id
    spark,     // code, message, sid
    coze,      // code, msg
};

// The HTTP status that an error code stands for; 0: unknown.
[[nodiscard]] uint16_t status_of_code(
    CodeFamily family, std::string_view code) noexcept;

} // namespace ai_proxy::dialect
