#include "core/metrics/registry.h"

#include "core/metrics/consumers.h"

#include "core/json/writer.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>

using namespace std::string_view_literals;

namespace ai_proxy::metrics {

namespace {

// clang-format off
constexpr Descriptor kDescriptors[] = {
    {.name = "ai_proxy_requests_total"sv,
     .help = "Requests that ended, by the provider that answered last."sv,
     .shape = Shape::counter, .counter = &Series::requests},
    {.name = "ai_proxy_stream_requests_total"sv,
     .help = "Requests that asked for a stream."sv,
     .shape = Shape::counter, .counter = &Series::stream_requests},
    {.name = "ai_proxy_errors_total"sv,
     .help = "Requests that ended with an error, by cause."sv,
     .shape = Shape::counter_by_cause, .causes = &Series::errors},
    {.name = "ai_proxy_tries_total"sv,
     .help = "Attempts to get an answer from a provider."sv,
     .shape = Shape::counter, .counter = &Series::tries},
    {.name = "ai_proxy_failed_tries_total"sv,
     .help = "Attempts that failed, by cause."sv,
     .shape = Shape::counter_by_cause, .causes = &Series::failed_tries},
    {.name = "ai_proxy_tokens_total"sv,
     .help = "Tokens used; cached and cache_write are part of prompt, "
             "reasoning is part of completion."sv,
     .shape = Shape::counter_by_kind},
    {.name = "ai_proxy_cost_usd_total"sv,
     .help = "Dollars that the tokens cost, by the prices of ai_proxy_price."sv,
     .shape = Shape::counter_of_money, .counter = &Series::cost},
    {.name = "ai_proxy_unpriced_requests_total"sv,
     .help = "Requests to a model without a price where others have one."sv,
     .shape = Shape::counter, .counter = &Series::unpriced},
    {.name = "ai_proxy_active_streams"sv,
     .help = "Streams that are running."sv,
     .shape = Shape::gauge, .gauge = &Row::active_streams},
    {.name = "ai_proxy_client_drains_total"sv,
     .help = "Answers that were read on after their client had left."sv,
     .shape = Shape::counter, .counter = &Series::drains},
    {.name = "ai_proxy_client_drains_cut_total"sv,
     .help = "Those of them that did not come to their end in the bounds."sv,
     .shape = Shape::counter, .counter = &Series::cut_drains},
    {.name = "ai_proxy_time_to_first_token_seconds"sv,
     .help = "Time from the request to the first token sent to the client."sv,
     .shape = Shape::histogram, .histogram = &Series::first_token},
    {.name = "ai_proxy_request_duration_seconds"sv,
     .help = "Time from the request to the end of its answer."sv,
     .shape = Shape::histogram, .histogram = &Series::duration},
    {.name = "ai_proxy_old_worker_streams"sv,
     .help = "Streams that still run in workers that are to leave."sv,
     .shape = Shape::total_gauge, .total = &Totals::held_streams},
    {.name = "ai_proxy_shutdown_cut_streams_total"sv,
     .help = "Streams that were ended because worker_shutdown_timeout was "
             "about to pass."sv,
     .shape = Shape::total_counter, .total = &Totals::cut_streams},
    {.name = "ai_proxy_zone_series"sv,
     .help = "Sets of labels that have numbers."sv,
     .shape = Shape::total_gauge, .total = &Totals::series},
    {.name = "ai_proxy_zone_overflow_total"sv,
     .help = "Numbers added under the label \"other\" because the zone was "
             "full."sv,
     .shape = Shape::total_counter, .total = &Totals::dropped_series},
    {.name = "ai_proxy_zone_lone_workers_total"sv,
     .help = "Workers that began to count concurrency alone because the zone "
             "was full."sv,
     .shape = Shape::total_counter, .total = &Totals::lone_workers},
    {.name = "ai_proxy_limit_keys"sv,
     .help = "Keys of limits that the zone counts for."sv,
     .shape = Shape::total_gauge, .total = &Totals::limit_keys},
    {.name = "ai_proxy_limit_evicted_keys_total"sv,
     .help = "Keys of limits that were forgotten because the zone was full."sv,
     .shape = Shape::total_counter, .total = &Totals::evicted_limit_keys},
    {.name = "ai_proxy_zone_size_bytes"sv,
     .help = "Size of the shared memory zone."sv,
     .shape = Shape::total_gauge, .total = &Totals::zone_bytes},
    {.name = "ai_proxy_zone_free_bytes"sv,
     .help = "Unused memory of the shared memory zone, in whole pages."sv,
     .shape = Shape::total_gauge, .total = &Totals::zone_bytes_free},
};

struct TokenKind {
    std::string_view name;
    Counter Series::*counter;
};
constexpr TokenKind kTokenKinds[] = {
    {"prompt"sv, &Series::prompt_tokens},
    {"completion"sv, &Series::completion_tokens},
    {"cached"sv, &Series::cached_tokens},
    {"cache_write"sv, &Series::cache_write_tokens},
    {"reasoning"sv, &Series::reasoning_tokens},
};
// clang-format on

constexpr unsigned kMoneyPlaces = 9;
constexpr std::string_view kPrefix = "ai_proxy_";

constexpr bool all_have_prefix() noexcept
{
    return std::all_of(std::begin(kDescriptors), std::end(kDescriptors),
        [](const Descriptor& d) { return d.name.starts_with(kPrefix); });
}
static_assert(all_have_prefix());

uint64_t read(const Counter& counter) noexcept
{
    return counter.load(std::memory_order_relaxed);
}

void append_number(std::string& out, uint64_t n)
{
    char text[20];
    auto end = std::to_chars(text, text + sizeof(text), n).ptr;
    out.append(text, end);
}

// Seconds without rounding and without trailing zeros.
void append_seconds(std::string& out, uint64_t micros)
{
    append_number(out, micros / 1'000'000);
    uint64_t rest = micros % 1'000'000;
    if (rest == 0) {
        return;
    }
    char digits[7] = {'.', '0', '0', '0', '0', '0', '0'};
    size_t length = sizeof(digits);
    for (size_t i = 6; i >= 1; i--, rest /= 10) {
        digits[i] = static_cast<char>('0' + rest % 10);
    }
    while (digits[length - 1] == '0') {
        length--;
    }
    out.append(digits, length);
}

struct HistogramReading {
    std::array<uint64_t, kBuckets.size() + 1> cumulative;
    uint64_t sum_micros;
    [[nodiscard]] uint64_t count() const noexcept { return cumulative.back(); }
};

// The count is taken from the buckets, so they always agree.
HistogramReading read(const Histogram& histogram) noexcept
{
    HistogramReading out{};
    uint64_t total = 0;
    for (size_t i = 0; i < histogram.buckets.size(); i++) {
        total += read(histogram.buckets[i]);
        out.cumulative[i] = total;
    }
    out.sum_micros = read(histogram.sum_micros);
    return out;
}

std::string label_text(const Labels& labels)
{
    std::string out = "route=\"";
    append_label_value(out, labels.route);
    out += "\",provider=\""sv;
    append_label_value(out, labels.provider);
    out += "\",model=\""sv;
    append_label_value(out, labels.model);
    out += '"';
    return out;
}

// Writes the samples of one metric after the other; labels of the series are
// spelled once.
class Text {
public:
    Text(std::string& out, std::span<const Row> rows) : out_(out), rows_(rows)
    {
        labels_.reserve(rows.size());
        for (const Row& row : rows) {
            labels_.push_back(label_text(row.labels));
        }
    }

    void metric(const Descriptor& d, const Totals& totals)
    {
        head(d);
        if (d.total != nullptr) {
            out_ += d.name;
            value(totals.*d.total);
            return;
        }
        for (size_t i = 0; i < rows_.size(); i++) {
            series(d, rows_[i], labels_[i]);
        }
    }

private:
    static std::string_view type_name(Shape shape) noexcept
    {
        switch (shape) {
        case Shape::counter:
        case Shape::counter_by_cause:
        case Shape::counter_by_kind:
        case Shape::counter_of_money:
        case Shape::total_counter:
            return "counter"sv;
        case Shape::gauge:
        case Shape::total_gauge:
            return "gauge"sv;
        case Shape::histogram:
            return "histogram"sv;
        }
        return "untyped"sv;
    }

    void head(const Descriptor& d)
    {
        out_.append("# HELP "sv).append(d.name);
        out_.append(" "sv).append(d.help);
        out_.append("\n# TYPE "sv).append(d.name);
        out_.append(" "sv).append(type_name(d.shape)).append("\n"sv);
    }

    void value(uint64_t n)
    {
        out_ += ' ';
        append_number(out_, n);
        out_ += '\n';
    }

    void name_and_labels(std::string_view name, std::string_view suffix,
        std::string_view labels, std::string_view label = {},
        std::string_view label_value = {})
    {
        out_.append(name).append(suffix).append("{"sv).append(labels);
        if (!label.empty()) {
            out_.append(","sv).append(label).append("=\""sv);
            out_.append(label_value).append("\""sv);
        }
        out_ += '}';
    }

    void series(const Descriptor& d, const Row& row, std::string_view labels)
    {
        const Series& s = *row.series;
        switch (d.shape) {
        case Shape::counter:
            name_and_labels(d.name, {}, labels);
            value(read(s.*d.counter));
            break;
        case Shape::counter_of_money:
            name_and_labels(d.name, {}, labels);
            out_ += ' ';
            usage::append_decimal(out_, read(s.*d.counter), kMoneyPlaces);
            out_ += '\n';
            break;
        case Shape::gauge:
            name_and_labels(d.name, {}, labels);
            value(row.*d.gauge);
            break;
        case Shape::counter_by_cause:
            causes(d, s.*d.causes, labels);
            break;
        case Shape::counter_by_kind:
            for (const TokenKind& kind : kTokenKinds) {
                name_and_labels(d.name, {}, labels, "kind"sv, kind.name);
                value(read(s.*kind.counter));
            }
            break;
        case Shape::histogram:
            histogram(d, read(s.*d.histogram), labels);
            break;
        case Shape::total_counter:
        case Shape::total_gauge:
            break;
        }
    }

    void causes(const Descriptor& d,
        const std::array<Counter, kErrorCodes>& counters,
        std::string_view labels)
    {
        for (size_t i = 0; i < kErrorCodes; i++) {
            uint64_t n = read(counters[i]);
            if (n != 0) {
                name_and_labels(d.name, {}, labels, "cause"sv,
                    describe(static_cast<ErrorCode>(i)).name);
                value(n);
            }
        }
    }

    void histogram(
        const Descriptor& d, const HistogramReading& h, std::string_view labels)
    {
        std::string bound;
        for (size_t i = 0; i < h.cumulative.size(); i++) {
            bound.clear();
            if (i < kBuckets.size()) {
                append_seconds(bound, static_cast<uint64_t>(kBuckets[i]));

            } else {
                bound = "+Inf";
            }
            name_and_labels(d.name, "_bucket"sv, labels, "le"sv, bound);
            value(h.cumulative[i]);
        }
        name_and_labels(d.name, "_sum"sv, labels);
        out_ += ' ';
        append_seconds(out_, h.sum_micros);
        out_ += '\n';
        name_and_labels(d.name, "_count"sv, labels);
        value(h.count());
    }

    std::string& out_;
    std::span<const Row> rows_;
    std::vector<std::string> labels_;
};

void write_number(json::Writer& w, uint64_t n)
{
    w.integer(static_cast<int64_t>(std::min(
        n, static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))));
}

void write_seconds(json::Writer& w, uint64_t micros)
{
    std::string text;
    append_seconds(text, micros);
    w.raw(text);
}

void write_histogram(json::Writer& w, const HistogramReading& h)
{
    w.begin_object();
    w.key("count"sv);
    write_number(w, h.count());
    w.key("sum"sv);
    write_seconds(w, h.sum_micros);
    w.key("buckets"sv).begin_array();
    for (size_t i = 0; i < kBuckets.size(); i++) {
        w.begin_object();
        w.key("le"sv);
        write_seconds(w, static_cast<uint64_t>(kBuckets[i]));
        w.key("count"sv);
        write_number(w, h.cumulative[i]);
        w.end_object();
    }
    w.end_array();
    w.end_object();
}

void write_metric(json::Writer& w, const Descriptor& d, const Row& row)
{
    const Series& s = *row.series;
    w.key(d.name.substr(kPrefix.size()));
    switch (d.shape) {
    case Shape::counter:
        write_number(w, read(s.*d.counter));
        break;
    case Shape::counter_of_money: {
        std::string text;
        usage::append_decimal(text, read(s.*d.counter), kMoneyPlaces);
        w.raw(text);
        break;
    }
    case Shape::gauge:
        write_number(w, row.*d.gauge);
        break;
    case Shape::counter_by_cause:
        w.begin_object();
        for (size_t i = 0; i < kErrorCodes; i++) {
            uint64_t n = read((s.*d.causes)[i]);
            if (n != 0) {
                w.key(describe(static_cast<ErrorCode>(i)).name);
                write_number(w, n);
            }
        }
        w.end_object();
        break;
    case Shape::counter_by_kind:
        w.begin_object();
        for (const TokenKind& kind : kTokenKinds) {
            w.key(kind.name);
            write_number(w, read(s.*kind.counter));
        }
        w.end_object();
        break;
    case Shape::histogram:
        write_histogram(w, read(s.*d.histogram));
        break;
    case Shape::total_counter:
    case Shape::total_gauge:
        w.null();
        break;
    }
}

} // namespace


void append_label_value(std::string& out, std::string_view text)
{
    bool utf8 = simdjson::validate_utf8(text.data(), text.size());
    for (char c : text) {
        if (c == '\\' || c == '"') {
            out += '\\';
            out += c;

        } else if (c == '\n') {
            out += "\\n"sv;

        } else {
            bool ascii = static_cast<unsigned char>(c) < 0x80;
            out += utf8 || ascii ? c : '?';
        }
    }
}


std::span<const Descriptor> descriptors() noexcept
{
    return kDescriptors;
}


std::string prometheus(std::span<const Row> rows, const Totals& totals,
    std::span<const KeyRow> keys, std::span<const PeerRow> peers,
    std::span<const RedisRow> redis, std::span<const ConsumerRow> consumers,
    std::span<const LimitRow> limits)
{
    std::string out;
    Text text(out, rows);
    for (const Descriptor& d : kDescriptors) {
        text.metric(d, totals);
    }
    append_keys(out, keys);
    append_peers(out, peers);
    append_redis(out, redis);
    append_consumers(out, consumers);
    append_limits(out, limits);
    return out;
}


std::string status_json(std::span<const Row> rows, const Totals& totals,
    std::span<const KeyRow> keys, std::span<const PeerRow> peers,
    std::span<const RedisRow> redis, std::span<const ConsumerRow> consumers,
    std::span<const LimitRow> limits)
{
    std::string out;
    json::Writer w(out);
    w.begin_object();
    for (const Descriptor& d : kDescriptors) {
        if (d.total != nullptr) {
            w.key(d.name.substr(kPrefix.size()));
            write_number(w, totals.*d.total);
        }
    }
    write_keys(w, keys);
    write_peers(w, peers);
    write_redis(w, redis);
    write_consumers(w, consumers);
    write_limits(w, limits);
    w.key("series"sv).begin_array();
    for (const Row& row : rows) {
        w.begin_object();
        w.field("route"sv, row.labels.route);
        w.field("provider"sv, row.labels.provider);
        w.field("model"sv, row.labels.model);
        for (const Descriptor& d : kDescriptors) {
            if (d.total == nullptr) {
                write_metric(w, d, row);
            }
        }
        w.end_object();
    }
    w.end_array();
    w.end_object();
    return out;
}

} // namespace ai_proxy::metrics
