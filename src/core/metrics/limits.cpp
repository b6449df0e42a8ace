#include "core/metrics/limits.h"

#include "core/metrics/registry.h"
#include "core/usage/price.h"

namespace ai_proxy::metrics {

namespace {

struct LimitMetric {
    std::string_view name, help;
    std::string_view result; // of a request
    std::string_view member; // of the status
    std::atomic<uint64_t> LimitCounts::*counter;
    bool is_money = false;
};

constexpr std::string_view kRequests = "ai_proxy_limit_requests_total";
constexpr std::string_view kRequestsHelp =
    "Requests that a limit held for, by what became of them.";

// Lines of one metric stand together.
// clang-format off
constexpr LimitMetric kLimitMetrics[] = {
    {kRequests, kRequestsHelp, "passed",
        "passed", &LimitCounts::passed},
    {kRequests, kRequestsHelp, "rejected",
        "rejected", &LimitCounts::rejected},
    {kRequests, kRequestsHelp, "logged",
        "logged", &LimitCounts::logged},
    {kRequests, kRequestsHelp, "ended",
        "ended", &LimitCounts::ended},
    {"ai_proxy_limit_charged_tokens_total",
        "Tokens that the budgets of a limit were charged.", "",
        "charged_tokens", &LimitCounts::tokens},
    {"ai_proxy_limit_charged_usd_total",
        "Dollars that the budgets of a limit were charged.", "",
        "charged_usd", &LimitCounts::micro_dollars, true},
    {"ai_proxy_limit_store_errors_total",
        "Requests that Redis did not count for a limit.", "",
        "store_errors", &LimitCounts::store_errors},
};
// clang-format on

std::string number(const LimitMetric& metric, const LimitRow& row)
{
    const uint64_t value =
        (row.counts->*metric.counter).load(std::memory_order_relaxed);
    if (!metric.is_money) {
        return std::to_string(value);
    }
    std::string text;
    usage::append_decimal(text, value, 6);
    return text;
}

} // namespace

void append_limits(std::string& out, std::span<const LimitRow> limits)
{
    if (limits.empty()) {
        return;
    }
    std::string_view last;
    for (const LimitMetric& metric : kLimitMetrics) {
        if (metric.name != last) {
            out.append("# HELP ").append(metric.name).append(" ");
            out.append(metric.help).append("\n# TYPE ").append(metric.name);
            out.append(" counter\n");
            last = metric.name;
        }
        for (const LimitRow& row : limits) {
            out.append(metric.name).append("{limit=\"");
            append_label_value(out, row.name);
            if (!metric.result.empty()) {
                out.append("\",result=\"").append(metric.result);
            }
            out.append("\"} ").append(number(metric, row)).append("\n");
        }
    }
}

void write_limits(json::Writer& w, std::span<const LimitRow> limits)
{
    if (limits.empty()) {
        return;
    }
    w.key("limits").begin_array();
    for (const LimitRow& row : limits) {
        w.begin_object().field("limit", row.name);
        for (const LimitMetric& metric : kLimitMetrics) {
            w.key(metric.member).raw(number(metric, row));
        }
        w.end_object();
    }
    w.end_array();
}

} // namespace ai_proxy::metrics
