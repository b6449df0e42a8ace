#pragma once

#include "core/chat/request.h"
#include "core/base/result.h"

namespace ai_proxy::dialect {

// What every JSON request of OpenAI's APIs has, read before a route is known.
// Errors: invalid_request naming the field (model of a wrong type, ...).
struct Envelope {
    std::string_view model; // "" when absent
    bool has_model = false;
    bool stream = false;
    bool include_usage = false;
};
[[nodiscard]] Result<Envelope> read_envelope(json::Node body);

// Checks what OpenAI itself checks before it spends money: messages is a
// non-empty array of objects with known roles and content of a legal type,
// tools, stop, numbers have the right type.  Unknown fields pass.
// Errors: invalid_request, param like "messages[2].content".
[[nodiscard]] Result<void> check_chat(json::Node body);

// The full canonical request; body has passed check_chat().
[[nodiscard]] Result<chat::Request> read_chat(json::Node body);

} // namespace ai_proxy::dialect
