#pragma once

#include "core/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// One server-sent event.  All views are valid during the callback only.
struct SseEvent {
    std::string_view event; // "" when the field is absent
    std::string_view data;  // several data lines joined by LF
    std::string_view raw;   // the exact bytes received, blank line included
    bool has_data = false;  // false: comments, or event/id/retry lines only
    // Value of a ":HTTP_STATUS/nnn" comment (DashScope), else 0.
    int http_status = 0;
};

// Splits a byte stream into events by the rules of the WHATWG HTML standard
// 9.2.6 (LF, CR, CRLF; comments; one leading space after the colon; a leading
// BOM).  Fed any bytes: output does not depend on how they were cut.
class SseFramer {
public:
    // Largest event, in bytes, before feed() fails with upstream_too_large.
    static constexpr size_t kMaxEvent = 16 * 1024 * 1024;

    // Calls on_event(const SseEvent&) for each event completed by bytes, in
    // order; on_event returns false to stop (the rest of bytes is dropped).
    template <class F> Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: delivers a last event that lacks its blank line.
    template <class F> Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }

private:
    // Finds the end of the next event in text from the scan position;
    // npos when incomplete.
    size_t next_boundary(std::string_view text, bool at_end) noexcept;
    SseEvent parse(std::string_view raw);

    std::string carry_;  // bytes of an unfinished event
    std::string joined_; // data of an event with several data lines
    size_t scanned_ = 0; // how far carry_ was searched for a boundary
    bool begun_ = false; // the byte order mark was looked for
};

} // namespace ai_proxy::wire

#include "core/wire/sse_inl.h"
