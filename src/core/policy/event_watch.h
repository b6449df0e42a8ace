#pragma once

#include "core/base/result.h"
#include "core/chat/event.h"
#include "core/dialect/api.h"
#include "core/dialect/chat_relay.h"
#include "core/json/reader.h"
#include "core/wire/sse.h"

#include <cstdint>
#include <string>

namespace ai_proxy::policy {

// Passes the event stream of an API other than chat on as it came (Responses,
// Messages, images, ...) and reads in passing what the books need.  The
// beginning of a Message or a response says nothing yet: it is kept back and
// passed on with what follows.  Until then another provider may stand in.
class EventWatch {
public:
    explicit EventWatch(dialect::Api api) : api_(api) {}

    // Appends the event to out.  Error upstream_error when the provider
    // reports one: instead of output if nothing else was passed on, else as
    // well, told() then, for its error event ends the client's stream too.
    [[nodiscard]] Result<void> event(
        const wire::SseEvent& event, json::Parser& parser, std::string& out);
    // Was the event that ends the answer seen?  True for APIs without one.
    [[nodiscard]] bool whole() const noexcept;

    // The answer is over, whatever the provider still adds.
    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] bool told() const noexcept { return told_; }

    [[nodiscard]] bool begun() const noexcept { return begun_; }
    // Has a piece of the answer itself been passed on?
    [[nodiscard]] bool spoke() const noexcept { return spoke_; }
    // Events so far, with data.
    [[nodiscard]] uint32_t events() const noexcept { return events_; }
    [[nodiscard]] const chat::Usage& usage() const noexcept { return usage_; }
    [[nodiscard]] chat::Finish finish() const noexcept { return finish_; }

    // So much may be kept back.
    static constexpr size_t kMaxHeld = 8 * 1024;

private:
    void pass(std::string_view raw, std::string& out);
    void note(json::Node body);
    void note_usage(json::Node body);

    dialect::Api api_;
    bool begun_ = false, spoke_ = false, terminal_ = false;
    bool over_ = false, told_ = false;
    uint32_t events_ = 0;
    chat::Finish finish_ = chat::Finish::none;
    chat::Usage usage_;
    std::string held_; // events that do not say anything yet
};

// How a plain body of any API says that it ended, what it used, and whether it
// is an error.
[[nodiscard]] dialect::PlainFacts read_answer(
    dialect::Api api, json::Node body);

} // namespace ai_proxy::policy
