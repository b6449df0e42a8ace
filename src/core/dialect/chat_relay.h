#pragma once

#include "core/chat/event.h"
#include "core/json/reader.h"
#include "core/wire/sse.h"
#include "core/base/result.h"

#include <string>

namespace ai_proxy::dialect {

// Watches a stream that already speaks the client's dialect (OpenAI chat or
// completions) and passes its bytes on untouched.  Only these are changed:
// the usage chunk is withheld when the client did not ask for it; [DONE] is
// written exactly once, also when the provider leaves it out; a usage chunk
// is made when the client asked and the provider reported usage elsewhere
// (Moonshot's choices[0].usage, Groq's x_groq.usage).
// What comes before the answer says anything (a role alone, Azure's filter
// results) is kept back and passed on with what does: until then another
// provider may still stand in.
// Parses only events that can matter (finish, usage, error, first content).
class ChatRelay {
public:
    explicit ChatRelay(bool show_usage) : show_usage_(show_usage) {}

    // Appends what the client gets to out.  Error upstream_error when the
    // event is a provider error object (nothing is appended then).
    [[nodiscard]] Result<void> event(
        const wire::SseEvent& event, json::Parser& parser, std::string& out);
    // The provider's stream ended cleanly.  Writes a missing usage chunk and
    // [DONE] when the answer is whole; Error upstream_truncated when not.
    [[nodiscard]] Result<void> end(std::string& out);

    [[nodiscard]] bool ended() const noexcept { return done_; }  // [DONE] seen
    [[nodiscard]] bool spoke() const noexcept { return spoke_; } // first token
    [[nodiscard]] chat::Finish finish() const noexcept { return finish_; }
    [[nodiscard]] const chat::Usage& usage() const noexcept { return usage_; }

    // So much may be kept back.
    static constexpr size_t kMaxHeld = 8 * 1024;

private:
    [[nodiscard]] bool may_show() const noexcept
    {
        return begun_ || spoke_ || finished_ || held_.size() > kMaxHeld;
    }
    void show(std::string& out);
    Result<void> interesting(
        const wire::SseEvent& event, json::Parser& parser, std::string& out);
    void note(json::Node chunk);
    void note_choices(json::Node chunk);
    void close(std::string& out);

    bool show_usage_;
    bool done_ = false, spoke_ = false, finished_ = false, usage_shown_ = false;
    bool begun_ = false;  // something was relayed
    bool legacy_ = false; // /v1/completions
    chat::Finish finish_ = chat::Finish::none;
    chat::Usage usage_;
    std::string id_, model_;
    std::string held_; // events that do not say anything yet
    int64_t created_ = 0;
};

// The last event of a stream may lack its blank line.
void end_event(std::string& out);

// The usage object of a body or chunk, wherever the vendor puts it.
[[nodiscard]] json::Node find_usage(json::Node body);

// Reads usage, finish and error out of a plain OpenAI body that is relayed.
struct PlainFacts {
    chat::Usage usage;
    chat::Finish finish = chat::Finish::none;
    bool is_error = false; // an error object under a 2xx status
};
[[nodiscard]] PlainFacts read_plain(json::Node body);

// An OpenAI-shaped error body as an Error (message, type, code, param kept);
// tolerant: {"error":"text"}, {"message"}, {"detail"}, plain text.
[[nodiscard]] Error read_openai_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::dialect
