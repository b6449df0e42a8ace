#pragma once

#include "core/redis/command.h"
#include "core/redis/reply.h"

#include <cstdint>
#include <optional>

// What is counted inside Redis, where nobody can come in between.
namespace ai_proxy::limit {

struct Scripts {
    // KEYS: the counter.  ARGV: how many are allowed, seconds of the window.
    // Counts one more unless the limit was passed before; returns the limit,
    // the count and the seconds that are left.
    redis::Script count_request;
    // The same arguments.  Counts nothing; returns the same three.
    redis::Script check_tokens;
    // And how many tokens were used: they count unless the limit was passed
    // before.  Returns the count.
    redis::Script charge_tokens;

    Scripts();
};

// What a window has come to, as the first two say.
struct WindowCount {
    int64_t most = 0, count = 0, seconds = 0;

    [[nodiscard]] bool passed() const noexcept { return count > most; }
};
// nullopt: it is no such answer.
[[nodiscard]] std::optional<WindowCount> read_count(const redis::Reply& reply);

} // namespace ai_proxy::limit
