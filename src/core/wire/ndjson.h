#pragma once

#include "core/base/result.h"
#include "core/wire/sse.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace ai_proxy::wire {

// Splits a byte stream into lines, one JSON text each (NDJSON, JSON lines).
// Fed any bytes: output does not depend on how they were cut.  Lines end with
// LF or CRLF; a blank one is an event without data.  All raw views in order
// make up the input.
class NdjsonFramer {
public:
    // Longest line, in bytes, before feed() fails with upstream_too_large.
    static constexpr size_t kMaxLine = SseFramer::kMaxEvent;

    // As SseFramer's; data is the line without its end.
    template <class F>
    Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: delivers a last line that lacks its end.
    template <class F>
    Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }

private:
    [[nodiscard]] static SseEvent parse(std::string_view raw) noexcept;
    [[nodiscard]] Result<void> keep(std::string_view piece);
    void release() noexcept;

    std::string carry_; // bytes of an unfinished line
};

// A line for text, which holds no line break.
void append_ndjson(std::string& out, std::string_view text);

template <class F>
Result<void> NdjsonFramer::feed(std::string_view bytes, F&& on_event)
{
    while (!bytes.empty()) {
        const size_t lf = bytes.find('\n');
        if (lf == std::string_view::npos) {
            return keep(bytes);
        }
        std::string_view raw = bytes.substr(0, lf + 1);
        bytes.remove_prefix(raw.size());
        // A line that lies within bytes is not copied.
        if (!carry_.empty() || raw.size() > kMaxLine) {
            if (auto kept = keep(raw); !kept) {
                return kept;
            }
            raw = carry_;
        }
        const bool more = on_event(parse(raw));
        release();
        if (!more) {
            break;
        }
    }
    return {};
}

template <class F>
Result<void> NdjsonFramer::finish(F&& on_event)
{
    if (!carry_.empty()) {
        on_event(parse(carry_));
        release();
    }
    return {};
}

} // namespace ai_proxy::wire
