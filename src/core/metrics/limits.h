#pragma once

#include "core/json/writer.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {

// The numbers of the limits of one name, in memory that several processes
// share; zeroed memory is its first state.
struct LimitCounts {
    // Requests, by what became of them.
    std::atomic<uint64_t> passed, rejected, logged, ended;
    // What was charged: tokens, and 10^-6 dollars.
    std::atomic<uint64_t> tokens, micro_dollars;
    std::atomic<uint64_t> store_errors; // requests that Redis did not count
};

inline void count(std::atomic<uint64_t> LimitCounts::*which,
    LimitCounts* counts, int64_t n = 1) noexcept
{
    if (counts != nullptr && n > 0) {
        (counts->*which)
            .fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    }
}

struct LimitRow {
    std::string_view name;
    const LimitCounts* counts = nullptr;
};

// Prometheus text, after what is in out.
void append_limits(std::string& out, std::span<const LimitRow> limits);
// The member "limits" of an object that is open, if there are any.
void write_limits(json::Writer& w, std::span<const LimitRow> limits);

} // namespace ai_proxy::metrics
