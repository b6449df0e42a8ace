#include "core/wire/chunked.h"

#include "input.h"

#include <string>

using ai_proxy::wire::ChunkedDecoder;

namespace {

struct Decoded {
    ChunkedDecoder::State state = ChunkedDecoder::State::more;
    std::string body;
    size_t used = 0;

    bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view text, size_t longest)
{
    ChunkedDecoder decoder;
    Decoded out;
    fuzz::cut(text, longest, [&](std::string_view in) {
        while (!in.empty() && out.state == ChunkedDecoder::State::more) {
            const size_t before = in.size();
            std::string_view payload;
            out.state = decoder.next(in, payload);
            out.body += payload;
            out.used += before - in.size();
            fuzz::require(
                in.size() < before || out.state != ChunkedDecoder::State::more,
                "each call takes bytes");
        }
        return out.state == ChunkedDecoder::State::more;
    });
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Decoded whole = decode(text, size + 1);
    fuzz::require(whole.used <= size && whole.body.size() <= whole.used,
        "nothing is invented");
    for (const size_t longest : {size < 600 ? size_t(1) : 100, size_t(2000)}) {
        fuzz::require(decode(text, longest) == whole,
            "output does not depend on the cuts");
    }
    return 0;
}
