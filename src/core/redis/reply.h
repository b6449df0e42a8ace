#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a Redis server says, as plain data that owns its memory.  Servers are
// never asked for RESP3, so these are all kinds there are.
namespace ai_proxy::redis {

struct Reply {
    enum class Kind : uint8_t { nil, integer, string, status, error, array };

    Kind kind = Kind::nil;
    int64_t integer = 0;
    std::string text;            // of a string, a status, an error
    std::vector<Reply> elements; // of an array

    [[nodiscard]] bool is(Kind which) const noexcept { return kind == which; }
    // Of an integer, or of a string that is one as a whole: a counter comes as
    // either, by the command that asks for it.
    [[nodiscard]] std::optional<int64_t> number() const noexcept;
    // Of an error: its first word ("NOSCRIPT"); else "".
    [[nodiscard]] std::string_view error_kind() const noexcept;

    [[nodiscard]] static Reply of(int64_t value)
    {
        Reply reply;
        reply.kind = Kind::integer;
        reply.integer = value;
        return reply;
    }
    [[nodiscard]] static Reply of(std::string value)
    {
        return of(Kind::string, std::move(value));
    }
    [[nodiscard]] static Reply of(std::vector<Reply> values)
    {
        Reply reply;
        reply.kind = Kind::array;
        reply.elements = std::move(values);
        return reply;
    }
    // A string, a status or an error.
    [[nodiscard]] static Reply of(Kind kind, std::string value)
    {
        Reply reply;
        reply.kind = kind;
        reply.text = std::move(value);
        return reply;
    }
};

} // namespace ai_proxy::redis
