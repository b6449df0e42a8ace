#include "core/metrics/keys.h"

#include "core/base/text.h"

namespace ai_proxy::metrics {

namespace {

struct KeyMetric {
    std::string_view name, type, help;
    uint64_t (*value)(const KeyRow& row);
};

// clang-format off
constexpr KeyMetric kKeyMetrics[] = {
    {.name = "ai_proxy_key_available",
     .type = "gauge",
     .help = "Whether the key is in its provider's pool.",
     .value = [](const KeyRow& row) { return uint64_t(row.away == 0); }},
    {.name = "ai_proxy_key_tries_total",
     .type = "counter",
     .help = "Tries that were given the key.",
     .value = [](const KeyRow& row) { return row.tries; }},
    {.name = "ai_proxy_key_failures_total",
     .type = "counter",
     .help = "Tries that the provider refused because of the key.",
     .value = [](const KeyRow& row) { return row.failures; }},
};
// clang-format on

} // namespace

std::string key_ends(std::string_view key)
{
    constexpr size_t kShown = 4, kLongEnough = 20;
    return std::string(
        key.size() < kLongEnough ? "" : key.substr(key.size() - kShown));
}

void append_keys(std::string& out, std::span<const KeyRow> keys)
{
    for (const KeyMetric& metric : kKeyMetrics) {
        if (keys.empty()) {
            return;
        }
        out.append("# HELP ").append(metric.name).append(" ");
        out.append(metric.help).append("\n# TYPE ").append(metric.name);
        out.append(" ").append(metric.type).append("\n");
        for (const KeyRow& row : keys) {
            // The names of providers need no escaping.
            out.append(metric.name).append("{provider=\"");
            out.append(row.provider).append("\",key=\"");
            out.append(std::to_string(row.key)).append("\"} ");
            out.append(std::to_string(metric.value(row))).append("\n");
        }
    }
}

void write_keys(json::Writer& w, std::span<const KeyRow> keys)
{
    w.key("keys").begin_array();
    for (const KeyRow& row : keys) {
        w.begin_object();
        w.field("provider", row.provider);
        w.key("key").integer(row.key);
        if (!row.ends.empty()) {
            w.field("ends", row.ends);
        }
        w.key("available").boolean(row.away == 0);
        if (row.away != 0) {
            w.key("seconds_away").integer((row.away + 999'999) / 1'000'000);
        }
        w.key("last_status");
        if (row.status != 0) {
            w.integer(row.status);
        } else {
            w.null();
        }
        w.key("tries").integer(static_cast<int64_t>(row.tries));
        w.key("failures").integer(static_cast<int64_t>(row.failures));
        w.end_object();
    }
    w.end_array();
}

} // namespace ai_proxy::metrics
