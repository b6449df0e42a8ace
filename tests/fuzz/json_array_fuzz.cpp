#include "core/wire/json_array.h"

#include "input.h"

#include <string>
#include <vector>

using namespace ai_proxy;

namespace {

struct Seen {
    std::string data, raw;
    bool has_data;

    bool operator==(const Seen&) const = default;
};

struct Framed {
    std::vector<Seen> events;
    ErrorCode fault = {};
    bool ok = true;

    bool operator==(const Framed&) const = default;
};

Framed frame(std::string_view text, size_t longest)
{
    wire::JsonArrayFramer framer;
    Framed all;
    const auto note = [&](const Result<void>& done) {
        all.ok = done.ok();
        all.fault = done.ok() ? ErrorCode() : done.error().code;
        return all.ok;
    };
    const auto collect = [&](const wire::SseEvent& e) {
        all.events.push_back(
            {std::string(e.data), std::string(e.raw), e.has_data});
        return true;
    };
    fuzz::cut(text, longest, [&](std::string_view piece) {
        return note(framer.feed(piece, collect));
    });
    if (all.ok && note(framer.finish(collect))) {
        fuzz::require(framer.buffered() == 0, "nothing is left");
        fuzz::require(!framer.open(), "what has ended is not open");
    }
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Framed whole = frame(text, size + 1);
    std::string raw;
    for (const Seen& event : whole.events) {
        if (event.has_data) {
            fuzz::require(
                event.data.front() == '{', "an event's data is an object");
            fuzz::require(
                event.raw.ends_with(event.data), "an object ends its raw view");
        }
        raw += event.raw;
    }
    fuzz::require(text.starts_with(raw), "the raw views are the input");
    fuzz::require(!whole.ok || raw == text, "no byte of it is missing");
    for (const size_t longest : {size < 600 ? size_t(1) : 100, size_t(2000)}) {
        fuzz::require(frame(text, longest) == whole,
            "output does not depend on the cuts");
    }
    return 0;
}
