#pragma once

#include "core/json/writer.h"
#include "core/metrics/registry.h"

#include <span>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {

// The numbers of one consumer, in memory that several processes share.  There
// are as many as the configuration names, whatever clients send.
struct ConsumerCounts {
    Counter requests, errors;
    Counter prompt_tokens, completion_tokens, cached_tokens;
    Counter cost; // in 10^-9 dollars
};

struct ConsumerRow {
    std::string_view name;
    const ConsumerCounts* counts = nullptr;
};

// Adds a finished request.
void account(ConsumerCounts& counts, const policy::Books& books) noexcept;

// Prometheus text, after what is in out.
void append_consumers(std::string& out, std::span<const ConsumerRow> consumers);
// The member "consumers" of an object that is open.
void write_consumers(json::Writer& w, std::span<const ConsumerRow> consumers);

} // namespace ai_proxy::metrics
