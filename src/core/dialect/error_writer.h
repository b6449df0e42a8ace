#pragma once

#include "core/base/error.h"
#include "core/dialect/api.h"

#include <cstdint>
#include <string>

namespace ai_proxy::dialect {

// The error as a JSON body in the caller's dialect, appended to out.
// OpenAI: {"error":{"message","type","param","code"}}
// Anthropic: {"type":"error","error":{"type","message"}}
// Gemini: {"error":{"code","message","status"}}
void write_error_body(std::string& out, Dialect dialect, const Error& error);
// The error as one stream event ("data: {...}" + blank line; for Anthropic
// with "event: error").
void write_error_event(std::string& out, Dialect dialect, const Error& error);
// The same in a stream of the Responses API, whose events have a type and a
// number.  The error is there in the common form too: libraries raise by it.
void write_responses_error_event(
    std::string& out, const Error& error, int64_t sequence);

} // namespace ai_proxy::dialect
