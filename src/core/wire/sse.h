#pragma once

#include "core/base/result.h"
#include "core/wire/carry.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// One server-sent event.  All views are valid during the callback only.
struct SseEvent {
    std::string_view event; // "" when the field is absent
    std::string_view data;  // several data lines joined by LF
    std::string_view raw;   // the exact bytes received, blank line included
    bool has_data = false;  // false: comments, or event/id/retry lines only
    bool is_error = false;  // the framing itself says so (event_stream.h)
    // Value of a ":HTTP_STATUS/nnn" comment (DashScope), else 0.
    int http_status = 0;
};

// Splits a byte stream into events by the rules of the WHATWG HTML standard
// 9.2.6 (LF, CR, CRLF; comments; one leading space after the colon; a leading
// BOM).  Fed any bytes: output does not depend on how they were cut.
//
// All raw views in order make up the input: a blank line that ends nothing is
// an event without data.  A blank line's CR takes the LF behind it where the
// line before ended with CRLF too; elsewhere the event leaves at the CR, and
// the LF, if one comes, is the first byte of the next raw.
class SseFramer {
public:
    // Largest event, in bytes, before feed() fails with upstream_too_large.
    static constexpr size_t kMaxEvent = Carry::kMax;

    // Calls on_event(const SseEvent&) for each event completed by bytes, in
    // order; on_event returns false to stop (the rest of bytes is dropped).
    template <class F>
    Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: delivers a last event that lacks its blank line.
    template <class F>
    Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }

private:
    // What stands before the next byte.
    enum class Prior : uint8_t {
        start,  // nothing of this event
        inside, // part of a line
        lf,     // the end of a line ...
        crlf,
        cr,       // ... whose LF may follow
        blank_cr, // a CR on a blank line whose LF must be waited for
    };

    // The offset behind the blank line that ends the event, npos when bytes
    // end before it.
    size_t end_of(std::string_view bytes) noexcept;
    SseEvent parse(std::string_view raw);
    void field(std::string_view line, SseEvent& event, size_t& data_lines);

    Carry carry_{"an event"};
    std::string joined_; // data of an event with several data lines
    Prior prior_ = Prior::start;
    bool owed_lf_ = false; // a LF at the start belongs to the line before
    bool begun_ = false;   // the byte order mark was looked for
};

} // namespace ai_proxy::wire

#include "core/wire/sse_inl.h"
