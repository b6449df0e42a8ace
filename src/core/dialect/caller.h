#pragma once

#include "core/base/result.h"
#include "core/chat/dropped.h"
#include "core/dialect/answer_writer.h"
#include "core/dialect/api.h"
#include "core/json/reader.h"

#include <memory>
#include <string>
#include <string_view>

namespace ai_proxy::dialect {

// A request on its way into the hub.
struct ClientRequest {
    json::Node body;        // as the client sent it
    std::string_view model; // as the client named it
    bool stream = false;
    chat::Dropped& dropped;
};

// A dialect that clients speak and that can be converted: how it becomes the
// hub's, and the hub's answers its own.  A plain table of functions.
struct Caller {
    Api api;
    std::string_view id_prefix; // of the ids made here
    // What is wrong with a request whatever the provider; nullptr: nothing is
    // looked at before it is translated.
    Result<void> (*check)(json::Node body);
    // The request as the text of an OpenAI chat body.  What OpenAI cannot say
    // is written as read_chat() knows it (thinking_blocks, cache_control,
    // is_error, top_k, thinking, ...): encoders take of it what they can.
    // nullptr: it is one already.
    Result<void> (*to_chat)(const ClientRequest& request, std::string& out);
    // What the answer repeats of the request, as the text of an object;
    // nullptr: nothing.
    std::string (*echo)(json::Node body);
    std::unique_ptr<AnswerWriter> (*stream)(
        std::string& out, const AnswerContext& context);
    std::unique_ptr<AnswerWriter> (*plain)(const AnswerContext& context);
    // APIs that are answered here where the provider does not have them: the
    // answer's body.  nullptr: all others.
    void (*answer)(json::Node body, std::string& out);
};

// nullptr: requests of this API are only relayed.
[[nodiscard]] const Caller* find_caller(Api api) noexcept;

} // namespace ai_proxy::dialect
