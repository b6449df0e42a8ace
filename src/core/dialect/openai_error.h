#pragma once

#include "core/json/reader.h"

// Errors that OpenAI-compatible providers report inside an answer.
namespace ai_proxy::dialect {

// Does a body or stream event under a 2xx status report an error instead of
// an answer?  OpenAI's error object or text, OpenRouter's per-choice error and
// finish_reason "error", Groq's x_groq.error, MiniMax's base_resp, Baidu's
// error_code, Tencent's Response.Error, Cloudflare's errors, and the bare code
// and message of DashScope, Spark and Coze.  error_codes.h has their statuses.
[[nodiscard]] bool reports_error(json::Node body);

} // namespace ai_proxy::dialect
