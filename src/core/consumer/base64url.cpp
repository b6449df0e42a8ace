#include "core/consumer/base64url.h"

#include "core/base/text.h"

#include <cstdint>

namespace ai_proxy::consumer {

std::optional<std::string> decode_base64url(std::string_view text)
{
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::string out;
    out.reserve(text.size() * 3 / 4);
    uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const int value = base64url_digit(c);
        if (value < 0) {
            return std::nullopt;
        }
        bits = bits << 6 | static_cast<uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(bits >> held & 0xffU);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0) {
        return std::nullopt;
    }
    return out;
}

} // namespace ai_proxy::consumer
