#include "core/redis/reply.h"

#include <charconv>

namespace ai_proxy::redis {

std::optional<int64_t> Reply::number() const noexcept
{
    if (kind == Kind::integer) {
        return integer;
    }
    if (kind != Kind::string) {
        return std::nullopt;
    }
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return value;
}

std::string_view Reply::error_kind() const noexcept
{
    if (kind != Kind::error) {
        return {};
    }
    return std::string_view(text).substr(0, text.find(' '));
}

} // namespace ai_proxy::redis
