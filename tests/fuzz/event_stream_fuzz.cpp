#include "core/wire/event_stream.h"

#include "input.h"

#include <string>
#include <vector>

using namespace ai_proxy;

// The framer over any bytes; the same bytes once more as the parts of a
// message, so that headers and payloads are reached behind the checksums.

namespace {

struct Seen {
    std::string event, data, raw;
    bool has_data, is_error;

    bool operator==(const Seen&) const = default;
};

struct Framed {
    std::vector<Seen> events;
    ErrorCode error = ErrorCode::none;

    bool operator==(const Framed&) const = default;
};

Framed frame(std::string_view text, size_t longest)
{
    wire::EventStreamFramer framer;
    Framed all;
    const auto collect = [&](const wire::SseEvent& e) {
        all.events.push_back({std::string(e.event), std::string(e.data),
            std::string(e.raw), e.has_data, e.is_error});
        return true;
    };
    fuzz::cut(text, longest, [&](std::string_view piece) {
        auto fed = framer.feed(piece, collect);
        all.error = fed ? ErrorCode::none : fed.error().code;
        return fed.ok();
    });
    if (all.error == ErrorCode::none) {
        auto done = framer.finish(collect);
        all.error = done ? ErrorCode::none : done.error().code;
    }
    return all;
}

Framed check(std::string_view text)
{
    const Framed whole = frame(text, text.size() + 1);
    std::string raw;
    for (const Seen& event : whole.events) {
        raw += event.raw;
    }
    fuzz::require(text.starts_with(raw), "the raw views are the input");
    fuzz::require(whole.error != ErrorCode::none || raw == text,
        "all of the input is read, or it fails");
    fuzz::require(frame(text, text.size() < 600 ? 1 : 100) == whole,
        "output does not depend on the cuts");
    return whole;
}

std::string with_headers(std::string_view headers, std::string_view payload)
{
    std::string out;
    const auto u32 = [&out](size_t n) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            out += static_cast<char>(n >> shift);
        }
    };
    u32(wire::EventStreamFramer::kOverhead + headers.size() + payload.size());
    u32(headers.size());
    u32(wire::crc32(out));
    out.append(headers).append(payload);
    u32(wire::crc32(out));
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text);
    if (size == 0) {
        return 0;
    }
    const size_t cut = data[0] % size;
    check(with_headers(text.substr(0, cut), text.substr(cut)));

    std::string made;
    wire::append_event_stream_event(
        made, text.substr(0, cut), text.substr(cut));
    const Framed got = check(made);
    fuzz::require(got.error == ErrorCode::none && got.events.size() == 1,
        "what is written is read");
    fuzz::require(
        got.events[0].data == text.substr(cut), "the payload is the same");
    return 0;
}
