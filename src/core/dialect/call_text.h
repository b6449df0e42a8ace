#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What the stream and the body writer of chat completions share.
namespace ai_proxy::dialect {

// OpenAI's own limit of n; a provider's larger index is noise.
inline constexpr uint32_t kMaxChoices = 128;
inline constexpr uint32_t kMaxCalls = 1024;

// The id of a tool call.  Clients refer to a call by it; for vendors that give
// none it is made of the answer's id and the call's index.
void append_call_id(std::string& out, std::string_view id,
    std::string_view response_id, uint32_t index);
// ,"extra_content":{...} of a tool call that has a signature.
void append_signature(std::string& out, std::string_view signature);

} // namespace ai_proxy::dialect
