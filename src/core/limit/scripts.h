#pragma once

#include "core/redis/command.h"

// What is counted inside Redis, where nobody can come in between.
namespace ai_proxy::limit {

struct Scripts {
    // KEYS: the counter.  ARGV: how many are allowed, seconds of the window.
    // Counts one more unless the limit was passed before; returns the limit,
    // the count and the seconds that are left.
    redis::Script count_request;

    Scripts();
};

} // namespace ai_proxy::limit
