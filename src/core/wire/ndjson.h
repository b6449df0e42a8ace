#pragma once

#include "core/base/result.h"
#include "core/wire/carry.h"
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
    static constexpr size_t kMaxLine = Carry::kMax;

    // As SseFramer's; data is the line without its end.
    template <class F>
    Result<void> feed(std::string_view bytes, F&& on_event);
    // End of input: delivers a last line that lacks its end.
    template <class F>
    Result<void> finish(F&& on_event);

    [[nodiscard]] size_t buffered() const noexcept { return carry_.size(); }

private:
    [[nodiscard]] static SseEvent parse(std::string_view raw) noexcept;

    Carry carry_{"a line"};
};

// A line for text, which holds no line break.
void append_ndjson(std::string& out, std::string_view text);

template <class F>
Result<void> NdjsonFramer::feed(std::string_view bytes, F&& on_event)
{
    const auto end_of = [](std::string_view rest) {
        const size_t lf = rest.find('\n');
        return lf == std::string_view::npos ? lf : lf + 1;
    };
    return carry_.split(bytes, end_of, parse, on_event);
}

template <class F>
Result<void> NdjsonFramer::finish(F&& on_event)
{
    carry_.finish(parse, on_event);
    return {};
}

} // namespace ai_proxy::wire
