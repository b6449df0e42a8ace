#pragma once

#include "core/json/writer.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {

// What is known of one model at a provider, at one moment.
struct PeerRow {
    std::string_view provider;
    std::string_view model;  // "other": all that have no row of their own
    bool down = false;       // by the health checks
    int64_t open = 0;        // microseconds that its breaker stays open
    bool half_open = false;  // it waits for a probe
    uint64_t trips = 0;      // how often the breaker opened
    int64_t first_token = 0; // means in microseconds, 0: not known
    int64_t duration = 0;
    uint64_t under_way = 0; // requests, of the whole provider
};

// Prometheus text, after what is in out.
void append_peers(std::string& out, std::span<const PeerRow> peers);
// The member "peers" of an object that is open.
void write_peers(json::Writer& w, std::span<const PeerRow> peers);

} // namespace ai_proxy::metrics
