#include "core/metrics/consumers.h"

#include <algorithm>

namespace ai_proxy::metrics {

namespace {

struct ConsumerMetric {
    std::string_view name, help;
    std::string_view kind;   // of token
    std::string_view member; // of the status
    Counter ConsumerCounts::*counter;
    bool is_money = false;
};

constexpr std::string_view kTokens = "ai_proxy_consumer_tokens_total";
constexpr std::string_view kTokensHelp = "Tokens by consumer and kind.";

// Lines of one metric stand together.
// clang-format off
constexpr ConsumerMetric kConsumerMetrics[] = {
    {"ai_proxy_consumer_requests_total", "Requests by consumer.", "",
        "requests", &ConsumerCounts::requests},
    {"ai_proxy_consumer_errors_total", "Failed requests by consumer.", "",
        "errors", &ConsumerCounts::errors},
    {"ai_proxy_consumer_tokens_total", kTokensHelp, "prompt",
        "prompt_tokens", &ConsumerCounts::prompt_tokens},
    {kTokens, kTokensHelp, "completion",
        "completion_tokens", &ConsumerCounts::completion_tokens},
    {kTokens, kTokensHelp, "cached",
        "cached_tokens", &ConsumerCounts::cached_tokens},
    {"ai_proxy_consumer_cost_usd_total", "Cost in dollars by consumer.", "",
        "cost_usd", &ConsumerCounts::cost, true},
};
// clang-format on

void add(Counter& counter, int64_t n) noexcept
{
    if (n > 0) {
        counter.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    }
}

std::string number(const ConsumerMetric& metric, const ConsumerRow& row)
{
    const uint64_t value =
        (row.counts->*metric.counter).load(std::memory_order_relaxed);
    if (!metric.is_money) {
        return std::to_string(value);
    }
    std::string text;
    usage::append_decimal(text, value, 9);
    return text;
}

} // namespace

void account(ConsumerCounts& counts, const policy::Books& books) noexcept
{
    add(counts.requests, 1);
    add(counts.errors, books.error != ErrorCode::none ? 1 : 0);
    if (books.usage_source != policy::UsageSource::none) {
        add(counts.prompt_tokens, books.usage.prompt);
        add(counts.completion_tokens, books.usage.completion);
        add(counts.cached_tokens, books.usage.cache_read);
        add(counts.cost, policy::cost_of(books).value_or(0));
    }
}

void append_consumers(std::string& out, std::span<const ConsumerRow> consumers)
{
    if (consumers.empty()) {
        return;
    }
    std::string_view last;
    for (const ConsumerMetric& metric : kConsumerMetrics) {
        if (metric.name != last) {
            out.append("# HELP ").append(metric.name).append(" ");
            out.append(metric.help).append("\n# TYPE ").append(metric.name);
            out.append(" counter\n");
            last = metric.name;
        }
        for (const ConsumerRow& row : consumers) {
            out.append(metric.name).append("{consumer=\"");
            append_label_value(out, row.name);
            if (!metric.kind.empty()) {
                out.append("\",kind=\"").append(metric.kind);
            }
            out.append("\"} ");
            out.append(number(metric, row)).append("\n");
        }
    }
}

void write_consumers(json::Writer& w, std::span<const ConsumerRow> consumers)
{
    w.key("consumers").begin_array();
    for (const ConsumerRow& row : consumers) {
        w.begin_object();
        w.field("consumer", row.name);
        for (const ConsumerMetric& metric : kConsumerMetrics) {
            w.key(metric.member).raw(number(metric, row));
        }
        w.end_object();
    }
    w.end_array();
}

} // namespace ai_proxy::metrics
