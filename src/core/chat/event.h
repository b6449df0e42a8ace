#pragma once

#include "core/base/error.h"
#include "core/chat/usage.h"

#include <cstdint>
#include <string_view>

// The canonical answer as a sequence of events: a provider's decoder emits
// them for a stream event by event, for a plain body all at once; a dialect's
// writer consumes them.  Views live during the call.
namespace ai_proxy::chat {

enum class Finish : uint8_t {
    none,
    stop,
    length,
    tool_calls,
    content_filter,
    function_call,
    error,
    // Finer than OpenAI's words: to_text() says stop, stop and length.
    stop_sequence,
    pause, // of a turn with the vendor's own tools; the client may go on
    context_window,
};

// OpenAI's spelling; "" for none.
[[nodiscard]] std::string_view to_text(Finish finish) noexcept;
// A vendor's word, of whatever dialect; one that nobody knows is stop, "" is
// none.
[[nodiscard]] Finish finish_of(std::string_view word) noexcept;

enum class EventKind : uint8_t {
    begin,          // id, model, created; once, before all others
    text,           // text of choice
    reasoning,      // text of choice
    signature,      // text: opaque signature of the reasoning before it
    redacted,       // text: opaque reasoning block
    refusal,        // text
    annotations,    // text: JSON array (citations) in OpenAI's shape
    logprobs,       // text: JSON array of OpenAI's, of the text before it
    audio,          // text: JSON object, a piece of OpenAI's message.audio
    service_tier,   // text: in OpenAI's words
    tool_begin,     // index, id, name (and signature in text) of choice
    tool_arguments, // index, text: next piece of the arguments' JSON text
    finish,         // finish of choice; vendor's own word in text, the stop
                    // sequence that was met in name
    usage,          // usage: totals so far, later ones replace earlier ones
    end,            // the answer is whole; nothing follows
};

struct Event {
    EventKind kind = EventKind::text;
    uint32_t choice = 0;
    uint32_t index = 0; // of the tool call within the choice, from 0
    std::string_view id;
    std::string_view model;
    std::string_view name;
    std::string_view text;
    int64_t created = 0; // seconds; 0: unknown
    Finish finish = Finish::none;
    Usage usage;
};

class Sink {
public:
    virtual void on(const Event& event) = 0;

protected:
    ~Sink() = default;
};

} // namespace ai_proxy::chat
