#include "core/chat/event.h"

#include <array>

namespace ai_proxy::chat {
namespace {

using enum Finish;

constexpr std::array<std::string_view, size_t(error) + 1> kNames{"", "stop",
    "length", "tool_calls", "content_filter", "function_call", "error"};

} // namespace

std::string_view to_text(Finish finish) noexcept
{
    const auto index = size_t(finish);
    return index < kNames.size() ? kNames[index] : std::string_view{};
}

Finish finish_from_text(std::string_view text) noexcept
{
    for (size_t i = 0; i < kNames.size(); i++) {
        if (text == kNames[i]) {
            return Finish(i);
        }
    }
    return stop;
}

} // namespace ai_proxy::chat
