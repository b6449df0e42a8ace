#pragma once

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/policy/exchange.h"

#include <memory>
#include <string>

namespace ai_proxy::policy {

// How a request ended, for the driver to act on after the coroutine returned.
struct Outcome {
    // reply: nothing was sent yet, send this.  streamed: the response has
    // begun; send tail (an error event, or empty) and end it.
    bool streamed = false;
    bool broken = false; // streamed: the answer is not whole; close after tail
    Reply reply;
    std::string tail;
    // Set: nothing was sent either way yet.  The driver sends this try's
    // request and joins the two connections (realtime).
    std::unique_ptr<Try> upgrade;
};

// What the client is told when the provider itself said nothing.
[[nodiscard]] std::string_view phrase(ErrorCode code) noexcept;

// The pipeline: tries until one answers, then its reply.  The exchange has
// received its body.  Every failure becomes an Outcome; books are filled.
[[nodiscard]] async::Task<Outcome> serve(
    async::Scope& scope, Exchange& exchange);

} // namespace ai_proxy::policy
