#pragma once

#include "core/base/error.h"
#include "core/metrics/keys.h"
#include "core/metrics/limits.h"
#include "core/metrics/peers.h"
#include "core/metrics/redis.h"
#include "core/policy/books.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Counters and histograms in plain memory that several processes share, and
// their exposition.  The glue owns the memory; this code knows its meaning.
namespace ai_proxy::metrics {

struct ConsumerRow;

using Counter = std::atomic<uint64_t>;
static_assert(Counter::is_always_lock_free);

// Upper bounds in microseconds; the last bucket is +Inf.
inline constexpr std::array<int64_t, 14> kBuckets = {5'000, 10'000, 25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000,
    10'000'000, 30'000'000, 60'000'000, 300'000'000};

struct Histogram {
    std::array<Counter, kBuckets.size() + 1> buckets;
    Counter sum_micros;
    void observe(int64_t micros) noexcept;
};

// One series: the numbers of one (route, provider, model).
struct Series {
    Counter requests; // requests that ended here
    Counter stream_requests;
    Counter tries;
    std::array<Counter, kErrorCodes> errors;       // by ErrorCode, of requests
    std::array<Counter, kErrorCodes> failed_tries; // by ErrorCode, of tries
    Counter prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens,
        reasoning_tokens;
    Counter cost;     // in 10^-9 dollars
    Counter unpriced; // requests that used tokens of a model without a price
    // answers read on for clients that had left; those not to the end
    Counter drains, cut_drains;
    Histogram first_token, duration;
};

struct Labels {
    std::string_view route, provider, model;
};

// What the zone knows besides the series.
struct Totals {
    // lookups answered with "other" because the zone was full
    uint64_t dropped_series = 0;
    uint64_t held_streams = 0; // of workers that are to leave
    uint64_t cut_streams = 0;  // when such a worker's time was over
    uint64_t lone_workers = 0; // that began without room for their counts
    uint64_t zone_bytes_free = 0, zone_bytes = 0;
    uint64_t series = 0;
    uint64_t limit_keys = 0, evicted_limit_keys = 0;
};

// Adds a finished request to the series it ended in and its tries to theirs is
// the caller's business: account() is for the request, account_try() for one.
void account(Series& series, const policy::Books& books) noexcept;
void account_try(Series& series, const policy::TryRecord& record) noexcept;

struct Row {
    Labels labels;
    const Series* series;
    uint64_t active_streams = 0;
};

// One row of the table both expositions are written from.
enum class Shape : uint8_t {
    counter,
    counter_by_cause, // ErrorCode, zeros are left out
    counter_by_kind,  // of token
    counter_of_money, // 10^-9 dollars, shown as dollars
    gauge,
    histogram,
    total_counter, // of Totals, without labels
    total_gauge,
};
struct Descriptor {
    std::string_view name; // for Prometheus; JSON drops "ai_proxy_"
    std::string_view help; // one line, no backslash
    Shape shape = Shape::counter;
    Counter Series::*counter = nullptr;
    std::array<Counter, kErrorCodes> Series::*causes = nullptr;
    Histogram Series::*histogram = nullptr;
    uint64_t Totals::*total = nullptr;
    uint64_t Row::*gauge = nullptr;
};
[[nodiscard]] std::span<const Descriptor> descriptors() noexcept;

// A label's value, escaped; bytes that are no UTF-8 become '?'.
void append_label_value(std::string& out, std::string_view text);

// Prometheus text format 0.0.4: HELP and TYPE once each, label values escaped.
[[nodiscard]] std::string prometheus(std::span<const Row> rows,
    const Totals& totals, std::span<const KeyRow> keys = {},
    std::span<const PeerRow> peers = {}, std::span<const RedisRow> redis = {},
    std::span<const ConsumerRow> consumers = {},
    std::span<const LimitRow> limits = {});
// The same numbers as one JSON object.
[[nodiscard]] std::string status_json(std::span<const Row> rows,
    const Totals& totals, std::span<const KeyRow> keys = {},
    std::span<const PeerRow> peers = {}, std::span<const RedisRow> redis = {},
    std::span<const ConsumerRow> consumers = {},
    std::span<const LimitRow> limits = {});

} // namespace ai_proxy::metrics
