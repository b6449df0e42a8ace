#include "core/wire/websocket.h"

#include "input.h"

#include <string>
#include <vector>

using namespace ai_proxy;

namespace {

struct Read {
    std::vector<std::string> texts;
    size_t held = 0;
    bool broken = false;

    bool operator==(const Read&) const = default;
};

Read read(std::string_view bytes, size_t longest)
{
    wire::WebSocketReader reader;
    Read all;
    fuzz::cut(bytes, longest, [&](std::string_view piece) {
        reader.feed(piece,
            [&](std::string_view text) { all.texts.emplace_back(text); });
        return true;
    });
    all.held = reader.buffered();
    all.broken = reader.broken();
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Read whole = read(bytes, size + 1);
    size_t sum = whole.held;
    for (const std::string& text : whole.texts) {
        sum += text.size();
    }
    fuzz::require(sum <= size, "nothing is made up");
    fuzz::require(read(bytes, size < 600 ? 1 : 100) == whole,
        "output does not depend on the cuts");
    return 0;
}
