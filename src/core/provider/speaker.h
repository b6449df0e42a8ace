#pragma once

#include "core/chat/event.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::provider {

// What the decoders of plain protocols have in common: one choice, told in the
// order that chat/event.h asks for.
class Speaker {
public:
    // random: for the ids of calls that the vendor gives none.
    explicit Speaker(uint64_t random = 0) : random_(random) {}

    // Once; later ones say nothing.
    void begin(chat::Sink& sink, std::string_view id = {},
        std::string_view model = {}, int64_t created = 0);
    void text(chat::Sink& sink, std::string_view text);
    void reasoning(chat::Sink& sink, std::string_view text);
    // A whole call; arguments is JSON text, "" for none.
    void call(chat::Sink& sink, std::string_view id, std::string_view name,
        std::string_view arguments);
    // A call in pieces: open, any number of arguments, and the next call or
    // the finish closes it.
    void open_call(
        chat::Sink& sink, std::string_view id, std::string_view name);
    void arguments(chat::Sink& sink, std::string_view piece);
    void usage(chat::Sink& sink, const chat::Usage& usage);
    // stop after calls is tool_calls.  Once.
    void finish(chat::Sink& sink, chat::Finish finish, std::string_view word);
    void end(chat::Sink& sink);

    [[nodiscard]] bool begun() const noexcept { return begun_; }
    [[nodiscard]] bool finished() const noexcept { return finished_; }
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    [[nodiscard]] uint32_t calls() const noexcept { return calls_; }

private:
    void close_call(chat::Sink& sink);

    uint64_t random_;
    bool begun_ = false, finished_ = false, ended_ = false;
    bool open_ = false, any_arguments_ = false;
    uint32_t calls_ = 0;
};

} // namespace ai_proxy::provider
