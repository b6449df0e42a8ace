#pragma once

#include "core/base/error.h"
#include "core/chat/event.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace ai_proxy::dialect {

// What a writer of answers knows besides the events.
struct AnswerContext {
    std::string id;          // used when the provider gives none
    std::string model;       // the same
    int64_t created = 0;     // seconds, the same
    bool show_usage = false; // chat: the client asked for the usage chunk
    bool json_array = false; // gemini: a stream without alt=sse
    std::string echo;        // Caller::echo of the request
};

// Writes canonical events in one dialect: a stream piece by piece to the
// string it was made with, or a plain body gathered and written at the end.
class AnswerWriter : public chat::Sink {
public:
    AnswerWriter() = default;
    AnswerWriter(const AnswerWriter&) = delete;
    AnswerWriter& operator=(const AnswerWriter&) = delete;
    virtual ~AnswerWriter() = default;

    // Plain: appends the body, after the end event.
    virtual void write(std::string& out) const;
    // Stream: appends the event that ends an answer that has begun and will
    // not be whole.  False: the dialect's common error event does.
    virtual bool fail(std::string& out, const Error& error);
    // Stream: bytes of the answer that are kept for what is written later.
    // The policy ends an answer that makes a writer keep too much.
    [[nodiscard]] virtual size_t held() const noexcept { return 0; }
};

} // namespace ai_proxy::dialect
