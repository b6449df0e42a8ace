#include "core/metrics/peers.h"

#include "core/metrics/registry.h"

namespace ai_proxy::metrics {

namespace {

struct PeerMetric {
    std::string_view name, type, help;
    uint64_t (*value)(const PeerRow& row);
};

// clang-format off
constexpr PeerMetric kPeerMetrics[] = {
    {.name = "ai_proxy_peer_available",
     .type = "gauge",
     .help = "Whether requests for the model go to the provider.",
     .value = [](const PeerRow& row) {
         return uint64_t(!row.down && row.open == 0 && !row.half_open); }},
    {.name = "ai_proxy_peer_breaker_trips_total",
     .type = "counter",
     .help = "Times that the breaker of the model at the provider opened.",
     .value = [](const PeerRow& row) { return row.trips; }},
    {.name = "ai_proxy_peer_first_token_microseconds",
     .type = "gauge",
     .help = "Mean time to the first token, as least_latency knows it.",
     .value = [](const PeerRow& row) { return uint64_t(row.first_token); }},
    {.name = "ai_proxy_peer_duration_microseconds",
     .type = "gauge",
     .help = "Mean time of plain answers, as least_latency knows it.",
     .value = [](const PeerRow& row) { return uint64_t(row.duration); }},
};
// clang-format on

} // namespace

void append_peers(std::string& out, std::span<const PeerRow> peers)
{
    for (const PeerMetric& metric : kPeerMetrics) {
        if (peers.empty()) {
            return;
        }
        out.append("# HELP ").append(metric.name).append(" ");
        out.append(metric.help).append("\n# TYPE ").append(metric.name);
        out.append(" ").append(metric.type).append("\n");
        for (const PeerRow& row : peers) {
            out.append(metric.name).append("{provider=\"");
            out.append(row.provider).append("\",model=\"");
            append_label_value(out, row.model);
            out.append("\"} ").append(std::to_string(metric.value(row)));
            out.append("\n");
        }
    }
}

void write_peers(json::Writer& w, std::span<const PeerRow> peers)
{
    w.key("peers").begin_array();
    for (const PeerRow& row : peers) {
        w.begin_object();
        w.field("provider", row.provider);
        w.field("model", row.model);
        w.key("down").boolean(row.down);
        w.field("breaker",
            row.open != 0       ? "open"
                : row.half_open ? "half_open"
                                : "closed");
        if (row.open != 0) {
            w.key("seconds_open").integer((row.open + 999'999) / 1'000'000);
        }
        w.key("breaker_trips").integer(static_cast<int64_t>(row.trips));
        w.key("first_token_microseconds").integer(row.first_token);
        w.key("duration_microseconds").integer(row.duration);
        w.key("under_way").integer(static_cast<int64_t>(row.under_way));
        w.end_object();
    }
    w.end_array();
}

} // namespace ai_proxy::metrics
