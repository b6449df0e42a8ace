#include "core/metrics/registry.h"

#include <algorithm>

namespace ai_proxy::metrics {

namespace {

void add(Counter& counter, int64_t n) noexcept
{
    if (n > 0) {
        counter.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    }
}

void add_tokens(Series& series, const chat::Usage& usage) noexcept
{
    add(series.prompt_tokens, usage.prompt);
    add(series.completion_tokens, usage.completion);
    add(series.cached_tokens, usage.cache_read);
    add(series.cache_write_tokens, usage.cache_write);
    add(series.reasoning_tokens, usage.reasoning);
}

} // namespace


void Histogram::observe(int64_t micros) noexcept
{
    micros = std::max<int64_t>(micros, 0);
    // A bound belongs to its bucket: "le".
    auto bound = std::lower_bound(kBuckets.begin(), kBuckets.end(), micros);
    auto index = static_cast<size_t>(bound - kBuckets.begin());
    add(buckets[index], 1);
    add(sum_micros, micros);
}


void account(Series& series, const policy::Books& books) noexcept
{
    add(series.requests, 1);
    if (books.stream) {
        add(series.stream_requests, 1);
    }
    if (books.error != ErrorCode::none) {
        add(series.errors[static_cast<size_t>(books.error)], 1);
    }
    if (books.drain != policy::Drain::none) {
        add(series.drains, 1);
        add(series.cut_drains, books.drain == policy::Drain::cut ? 1 : 0);
    }
    if (books.usage_source != policy::UsageSource::none) {
        add_tokens(series, books.usage);
        add(series.cost, policy::cost_of(books).value_or(0));
        add(series.unpriced, books.unpriced ? 1 : 0);
    }
    if (books.first_token != 0) {
        series.first_token.observe(books.first_token - books.begin);
    }
    if (books.end >= books.begin) {
        series.duration.observe(books.end - books.begin);
    }
}


void account_try(Series& series, const policy::TryRecord& record) noexcept
{
    add(series.tries, 1);
    if (record.code != ErrorCode::none) {
        add(series.failed_tries[static_cast<size_t>(record.code)], 1);
    }
}

} // namespace ai_proxy::metrics
