#include "core/wire/ndjson.h"

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

std::vector<Seen> frame(std::string_view text, size_t longest)
{
    wire::NdjsonFramer framer;
    std::vector<Seen> all;
    const auto collect = [&](const wire::SseEvent& e) {
        all.push_back({std::string(e.data), std::string(e.raw), e.has_data});
        return true;
    };
    fuzz::cut(text, longest, [&](std::string_view piece) {
        fuzz::require(framer.feed(piece, collect).ok(), "feed succeeds");
        return true;
    });
    fuzz::require(framer.finish(collect).ok(), "finish succeeds");
    fuzz::require(framer.buffered() == 0, "nothing is left");
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto whole = frame(text, size + 1);
    std::string raw;
    for (const Seen& line : whole) {
        fuzz::require(
            line.data.find('\n') == std::string::npos, "a line is one line");
        raw += line.raw;
    }
    fuzz::require(raw == text, "the raw views make up the input");
    fuzz::require(frame(text, size < 600 ? 1 : 100) == whole,
        "output does not depend on the cuts");
    return 0;
}
