#include "core/metrics/registry.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

using namespace ai_proxy;
using namespace ai_proxy::metrics;

namespace {

std::unique_ptr<Series> new_series()
{
    return std::make_unique<Series>();
}

policy::Books finished_stream()
{
    policy::Books books;
    books.stream = true;
    books.begin = 1'000'000;
    books.first_token = 1'200'000;
    books.end = 2'500'000;
    books.usage_source = policy::UsageSource::provider;
    books.usage.prompt = 30;
    books.usage.completion = 12;
    books.usage.cache_read = 20;
    books.usage.cache_write = 4;
    books.usage.reasoning = 7;
    return books;
}

std::string text_of(const Series& series, Labels labels, Totals totals = {})
{
    Row row{labels, &series, 1};
    return prometheus({&row, 1}, totals);
}

bool has_line(const std::string& text, const std::string& line)
{
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

constexpr Labels kLabels{"chat", "qwen", "qwen-max"};

TEST(MetricsPeers, InBothExpositions)
{
    const PeerRow rows[] = {
        {.provider = "one",
            .model = "m\"1",
            .trips = 3,
            .first_token = 1500,
            .duration = 2500,
            .under_way = 4},
        {.provider = "one", .model = "other", .open = 1'500'000, .trips = 1},
        {.provider = "two", .model = "other", .down = true},
        {.provider = "two", .model = "x", .half_open = true},
    };
    const std::string text = prometheus({}, {}, {}, rows);
    for (const char* line : {"# TYPE ai_proxy_peer_available gauge\n",
             "ai_proxy_peer_available{provider=\"one\",model=\"m\\\"1\"} 1\n",
             "ai_proxy_peer_available{provider=\"one\",model=\"other\"} 0\n",
             "ai_proxy_peer_available{provider=\"two\",model=\"other\"} 0\n",
             "ai_proxy_peer_available{provider=\"two\",model=\"x\"} 0\n",
             "ai_proxy_peer_breaker_trips_total{provider=\"one\","
             "model=\"other\"} 1\n",
             "ai_proxy_peer_first_token_microseconds{provider=\"one\","
             "model=\"m\\\"1\"} 1500\n"})
    {
        EXPECT_NE(text.find(line), std::string::npos) << line;
    }
    const std::string json = status_json({}, {}, {}, rows);
    EXPECT_NE(json.find(R"("peers":[{"provider":"one","model":"m\"1",)"
                        R"("down":false,"breaker":"closed",)"
                        R"("breaker_trips":3,)"
                        R"("first_token_microseconds":1500,)"
                        R"("duration_microseconds":2500,"under_way":4},)"),
        std::string::npos)
        << json;
    EXPECT_NE(
        json.find(R"("breaker":"open","seconds_open":2)"), std::string::npos);
    EXPECT_NE(
        json.find(R"("down":true,"breaker":"closed")"), std::string::npos);
    EXPECT_NE(json.find(R"("breaker":"half_open")"), std::string::npos);
}

} // namespace

TEST(MetricsHistogram, BoundsAreInclusive)
{
    auto h = std::make_unique<Histogram>();
    h->observe(5'000);
    h->observe(5'001);
    h->observe(300'000'000);
    h->observe(300'000'001);
    EXPECT_EQ(h->buckets[0], 1u);
    EXPECT_EQ(h->buckets[1], 1u);
    EXPECT_EQ(h->buckets[kBuckets.size() - 1], 1u);
    EXPECT_EQ(h->buckets[kBuckets.size()], 1u);
    EXPECT_EQ(h->sum_micros, 600'010'002u);
}

TEST(MetricsHistogram, ClockThatWentBackCountsAsZero)
{
    auto h = std::make_unique<Histogram>();
    h->observe(-1);
    EXPECT_EQ(h->buckets[0], 1u);
    EXPECT_EQ(h->sum_micros, 0u);
}

TEST(MetricsAccount, StreamWithUsage)
{
    auto s = new_series();
    account(*s, finished_stream());
    EXPECT_EQ(s->requests, 1u);
    EXPECT_EQ(s->stream_requests, 1u);
    EXPECT_EQ(s->prompt_tokens, 30u);
    EXPECT_EQ(s->completion_tokens, 12u);
    EXPECT_EQ(s->cached_tokens, 20u);
    EXPECT_EQ(s->cache_write_tokens, 4u);
    EXPECT_EQ(s->reasoning_tokens, 7u);
    EXPECT_EQ(s->first_token.sum_micros, 200'000u);
    EXPECT_EQ(s->duration.sum_micros, 1'500'000u);
    for (const Counter& errors : s->errors) {
        EXPECT_EQ(errors, 0u);
    }
}

TEST(MetricsAccount, UsageNobodyReportedIsNotCounted)
{
    auto s = new_series();
    policy::Books books = finished_stream();
    books.usage_source = policy::UsageSource::none;
    account(*s, books);
    EXPECT_EQ(s->prompt_tokens, 0u);
    EXPECT_EQ(s->requests, 1u);
}

TEST(MetricsAccount, FailureBeforeTheFirstToken)
{
    auto s = new_series();
    policy::Books books;
    books.begin = 10;
    books.end = 20;
    books.error = ErrorCode::timeout_first_byte;
    account(*s, books);
    EXPECT_EQ(s->errors[size_t(ErrorCode::timeout_first_byte)], 1u);
    EXPECT_EQ(s->first_token.buckets[0], 0u);
    EXPECT_EQ(s->duration.buckets[0], 1u);
    EXPECT_EQ(s->stream_requests, 0u);
}

TEST(MetricsAccount, TriesAreCountedApartFromRequests)
{
    auto s = new_series();
    policy::TryRecord failed;
    failed.code = ErrorCode::upstream_connect;
    account_try(*s, failed);
    account_try(*s, policy::TryRecord{});
    EXPECT_EQ(s->tries, 2u);
    EXPECT_EQ(s->failed_tries[size_t(ErrorCode::upstream_connect)], 1u);
    EXPECT_EQ(s->failed_tries[size_t(ErrorCode::none)], 0u);
    EXPECT_EQ(s->requests, 0u);
}

TEST(MetricsPrometheus, SamplesOfOneSeries)
{
    auto s = new_series();
    policy::Books books = finished_stream();
    books.error = ErrorCode::timeout_idle;
    account(*s, books);
    std::string text = text_of(*s, kLabels, {.zone_bytes = 65536});

    const std::string labels =
        R"(route="chat",provider="qwen",model="qwen-max")";
    EXPECT_TRUE(has_line(text, "ai_proxy_requests_total{" + labels + "} 1"));
    EXPECT_TRUE(has_line(text,
        "ai_proxy_errors_total{" + labels + R"(,cause="timeout_idle"} 1)"));
    EXPECT_TRUE(has_line(
        text, "ai_proxy_tokens_total{" + labels + R"(,kind="cache_write"} 4)"));
    EXPECT_TRUE(has_line(text, "ai_proxy_active_streams{" + labels + "} 1"));
    const std::string ttft = "ai_proxy_time_to_first_token_seconds";
    EXPECT_TRUE(has_line(text, ttft + "_bucket{" + labels + R"(,le="0.1"} 0)"));
    EXPECT_TRUE(
        has_line(text, ttft + "_bucket{" + labels + R"(,le="0.25"} 1)"));
    EXPECT_TRUE(
        has_line(text, ttft + "_bucket{" + labels + R"(,le="0.005"} 0)"));
    EXPECT_TRUE(has_line(text, ttft + "_bucket{" + labels + R"(,le="300"} 1)"));
    EXPECT_TRUE(
        has_line(text, ttft + "_bucket{" + labels + R"(,le="+Inf"} 1)"));
    EXPECT_TRUE(has_line(text, ttft + "_sum{" + labels + "} 0.2"));
    EXPECT_TRUE(has_line(text, ttft + "_count{" + labels + "} 1"));
    EXPECT_TRUE(has_line(
        text, "ai_proxy_request_duration_seconds_sum{" + labels + "} 1.5"));
    EXPECT_TRUE(has_line(text, "ai_proxy_zone_size_bytes 65536"));
}

TEST(MetricsPrometheus, CausesThatNeverHappenedAreLeftOut)
{
    auto s = new_series();
    account(*s, finished_stream());
    std::string text = text_of(*s, kLabels);
    EXPECT_EQ(text.find("cause="), std::string::npos);
    // The family is there all the same.
    EXPECT_TRUE(has_line(text, "# TYPE ai_proxy_errors_total counter"));
}

TEST(MetricsPrometheus, HeadOncePerFamilyBeforeItsSamples)
{
    auto a = new_series();
    auto b = new_series();
    Row rows[] = {
        {kLabels, a.get(), 0}, {{"chat", "claude", "other"}, b.get(), 0}};
    std::string text = prometheus(rows, {});

    std::set<std::string> typed;
    std::string current;
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        ASSERT_NE(end, std::string::npos) << "last line is not ended";
        std::string line = text.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("# TYPE ")) {
            current = line.substr(7, line.find(' ', 7) - 7);
            EXPECT_TRUE(typed.insert(current).second) << line;

        } else if (!line.starts_with("# HELP ")) {
            EXPECT_TRUE(line.starts_with(current)) << line;
        }
    }
    EXPECT_EQ(typed.size(), descriptors().size());
}

TEST(MetricsPrometheus, LabelValuesAreEscaped)
{
    auto s = new_series();
    std::string text = text_of(*s, {"a\"b", "c\\d", "e\nf"});
    EXPECT_TRUE(has_line(text,
        R"(ai_proxy_requests_total{route="a\"b",provider="c\\d",model="e\nf"} )"
        "0"));
}

TEST(MetricsPrometheus, LabelValuesAreAlwaysUtf8)
{
    auto s = new_series();
    std::string text = text_of(*s, {"\xc3\xa9t\xc3\xa9", "x\xff", "m"});
    EXPECT_NE(text.find("route=\"\xc3\xa9t\xc3\xa9\""), std::string::npos);
    EXPECT_NE(text.find("provider=\"x?\""), std::string::npos);
}

TEST(MetricsStatus, SameNumbersAsJson)
{
    auto s = new_series();
    policy::Books books = finished_stream();
    books.error = ErrorCode::client_closed;
    books.drain = policy::Drain::cut;
    account(*s, books);
    Row row{{"chat", "q\"w", "m\n"}, s.get(), 2};
    std::string text = status_json({&row, 1},
        {.dropped_series = 3,
            .zone_bytes_free = 4096,
            .zone_bytes = 65536,
            .series = 1});

    EXPECT_EQ(text,
        R"({"old_worker_streams":0,"shutdown_cut_streams_total":0,)"
        R"("zone_series":1,"zone_overflow_total":3,)"
        R"("zone_lone_workers_total":0,"limit_keys":0,)"
        R"("limit_evicted_keys_total":0,"zone_size_bytes":65536,)"
        R"("zone_free_bytes":4096,"keys":[],"peers":[],"consumers":[],"series":[{"route":"chat",)"
        R"("provider":"q\"w","model":"m\n","requests_total":1,)"
        R"("stream_requests_total":1,"errors_total":{"client_closed":1},)"
        R"("tries_total":0,"failed_tries_total":{},"tokens_total":)"
        R"({"prompt":30,"completion":12,"cached":20,"cache_write":4,)"
        R"("reasoning":7},"cost_usd_total":0,"unpriced_requests_total":0,)"
        R"("active_streams":2,"client_drains_total":1,)"
        R"("client_drains_cut_total":1,)"
        R"("time_to_first_token_seconds":{"count":1,"sum":0.2,"buckets":[)"
        R"({"le":0.005,"count":0},{"le":0.01,"count":0},)"
        R"({"le":0.025,"count":0},{"le":0.05,"count":0},)"
        R"({"le":0.1,"count":0},{"le":0.25,"count":1},)"
        R"({"le":0.5,"count":1},{"le":1,"count":1},{"le":2.5,"count":1},)"
        R"({"le":5,"count":1},{"le":10,"count":1},{"le":30,"count":1},)"
        R"({"le":60,"count":1},{"le":300,"count":1}]},)"
        R"("request_duration_seconds":{"count":1,"sum":1.5,"buckets":[)"
        R"({"le":0.005,"count":0},{"le":0.01,"count":0},)"
        R"({"le":0.025,"count":0},{"le":0.05,"count":0},)"
        R"({"le":0.1,"count":0},{"le":0.25,"count":0},)"
        R"({"le":0.5,"count":0},{"le":1,"count":0},{"le":2.5,"count":1},)"
        R"({"le":5,"count":1},{"le":10,"count":1},{"le":30,"count":1},)"
        R"({"le":60,"count":1},{"le":300,"count":1}]}}]})");
}

TEST(MetricsStatus, EmptyZone)
{
    EXPECT_EQ(status_json({}, {}),
        R"({"old_worker_streams":0,"shutdown_cut_streams_total":0,)"
        R"("zone_series":0,"zone_overflow_total":0,)"
        R"("zone_lone_workers_total":0,"limit_keys":0,)"
        R"("limit_evicted_keys_total":0,"zone_size_bytes":0,)"
        R"("zone_free_bytes":0,"keys":[],"peers":[],"consumers":[],"series":[]})");
}

TEST(MetricsAccount, Cost)
{
    usage::Price price;
    price.input = 1'000'000; // a dollar for a million tokens
    price.cached = price.cache_write = 500'000;
    price.output = 2'500'000;
    auto s = new_series();
    policy::Books books = finished_stream();
    books.price = &price;
    account(*s, books);
    // 6 of 30 are neither read from a cache nor written to it.
    EXPECT_EQ(s->cost, 6u * 1000 + 24u * 500 + 12u * 2500);
    EXPECT_EQ(s->unpriced, 0u);
    books.price = nullptr;
    books.unpriced = true;
    account(*s, books);
    EXPECT_EQ(s->cost, 48'000u);
    EXPECT_EQ(s->unpriced, 1u);
    const std::string text = text_of(*s, kLabels);
    EXPECT_TRUE(has_line(text, "# TYPE ai_proxy_cost_usd_total counter"));
    EXPECT_TRUE(has_line(text,
        R"(ai_proxy_cost_usd_total{route="chat",provider="qwen",)"
        R"(model="qwen-max"} 0.000048)"));
    const Row row{kLabels, s.get(), 0};
    EXPECT_NE(status_json({&row, 1}, {}).find(R"("cost_usd_total":0.000048,)"),
        std::string::npos);
}

TEST(MetricsLimits, InBothExpositions)
{
    LimitCounts counts{};
    counts.passed = 4;
    counts.rejected = 3;
    counts.ended = 1;
    counts.tokens = 70;
    counts.micro_dollars = 1'250'000;
    counts.store_errors = 2;
    const LimitRow rows[] = {{"per \"user\"", &counts}};
    const std::string text = prometheus({}, {}, {}, {}, {}, {}, rows);
    for (const char* line : {"# TYPE ai_proxy_limit_requests_total counter\n",
             R"(ai_proxy_limit_requests_total{limit="per \"user\"",)"
             "result=\"passed\"} 4\n",
             "result=\"rejected\"} 3\n", "result=\"logged\"} 0\n",
             "result=\"ended\"} 1\n",
             R"(ai_proxy_limit_charged_tokens_total{limit="per \"user\""} 70)"
             "\n",
             R"(ai_proxy_limit_charged_usd_total{limit="per \"user\""} 1.25)"
             "\n",
             R"(ai_proxy_limit_store_errors_total{limit="per \"user\""} 2)"
             "\n"})
    {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
    EXPECT_NE(status_json({}, {}, {}, {}, {}, {}, rows)
                  .find(R"("limits":[{"limit":"per \"user\"","passed":4,)"
                        R"("rejected":3,"logged":0,"ended":1,)"
                        R"("charged_tokens":70,"charged_usd":1.25,)"
                        R"("store_errors":2}])"),
        std::string::npos);
    EXPECT_EQ(prometheus({}, {}).find("limit_requests"), std::string::npos);
}

TEST(MetricsKeys, ShowNoMoreThanTheEndOfALongKey)
{
    EXPECT_EQ(key_ends("sk-0123456789abcdefWXYZ"), "WXYZ");
    EXPECT_EQ(key_ends("sk-0123456789abcdef"), "");
    EXPECT_EQ(key_ends(""), "");
}

TEST(MetricsKeys, InBothExpositions)
{
    const KeyRow rows[] = {
        {"one", 0, "WXYZ", 0, 0, 7, 0}, {"one", 1, "", 1'500'000, 429, 9, 2}};
    EXPECT_EQ(status_json({}, {}, rows),
        R"({"old_worker_streams":0,"shutdown_cut_streams_total":0,)"
        R"("zone_series":0,"zone_overflow_total":0,)"
        R"("zone_lone_workers_total":0,"limit_keys":0,)"
        R"("limit_evicted_keys_total":0,"zone_size_bytes":0,)"
        R"("zone_free_bytes":0,"keys":[{"provider":"one","key":0,)"
        R"("ends":"WXYZ","available":true,"last_status":null,"tries":7,)"
        R"("failures":0},{"provider":"one","key":1,"available":false,)"
        R"("seconds_away":2,"last_status":429,"tries":9,"failures":2}],)"
        R"("peers":[],"consumers":[],"series":[]})");
    const std::string text = prometheus({}, {}, rows);
    for (const char* line : {"# TYPE ai_proxy_key_available gauge\n",
             "ai_proxy_key_available{provider=\"one\",key=\"0\"} 1\n",
             "ai_proxy_key_available{provider=\"one\",key=\"1\"} 0\n",
             "# TYPE ai_proxy_key_tries_total counter\n",
             "ai_proxy_key_tries_total{provider=\"one\",key=\"0\"} 7\n",
             "ai_proxy_key_failures_total{provider=\"one\",key=\"1\"} 2\n"})
    {
        EXPECT_NE(text.find(line), std::string::npos) << line;
    }
}

TEST(MetricsDescriptors, NamesFollowPrometheusRules)
{
    std::set<std::string_view> names;
    for (const Descriptor& d : descriptors()) {
        EXPECT_TRUE(names.insert(d.name).second) << d.name;
        EXPECT_FALSE(d.help.empty()) << d.name;
        EXPECT_EQ(d.help.find_first_of("\\\n"), d.help.npos) << d.name;
        bool counter = d.shape == Shape::counter
            || d.shape == Shape::counter_by_cause
            || d.shape == Shape::counter_by_kind
            || d.shape == Shape::counter_of_money
            || d.shape == Shape::total_counter;
        EXPECT_EQ(d.name.ends_with("_total"), counter) << d.name;
    }
}
