#include "core/config/fields_peer.h"

#include "core/base/text.h"

namespace ai_proxy::config {

namespace {

constexpr uint64_t kHour = 3600 * 1000;
constexpr uint32_t kMaxQueue = 1'000'000;
constexpr uint64_t kStandardWait = 10'000;

bool take_number(std::string_view text, uint32_t most, uint32_t& to) noexcept
{
    const auto n = parse_count(text, most);
    to = n.value_or(0);
    return n.has_value();
}

bool take_time(
    std::string_view text, uint64_t least, uint64_t most, uint64_t& to) noexcept
{
    const auto ms = parse_duration_ms(text);
    if (!ms || *ms < least || *ms > most) {
        return false;
    }
    to = *ms;
    return true;
}

struct QueueRules {
    uint32_t limit = 0, length = 0;
    uint64_t most_ms = 0;
};

bool set_limit(void* rules, std::string_view value)
{
    return take_number(
        value, kMaxQueue, static_cast<QueueRules*>(rules)->limit);
}

bool set_queue(void* rules, std::string_view value)
{
    return take_number(
        value, kMaxQueue, static_cast<QueueRules*>(rules)->length);
}

bool set_wait(void* rules, std::string_view value)
{
    return take_time(value, 1, kHour, static_cast<QueueRules*>(rules)->most_ms);
}

bool set_window(void* rules, std::string_view value)
{
    return take_time(value, 1000, kHour,
        static_cast<route::BreakerRules*>(rules)->window_ms);
}

bool set_requests(void* rules, std::string_view value)
{
    return take_number(value, kMaxQueue,
        static_cast<route::BreakerRules*>(rules)->least_calls);
}

bool set_open(void* rules, std::string_view value)
{
    auto& breaker = *static_cast<route::BreakerRules*>(rules);
    const auto range = parse_duration_range(value, kHour);
    if (range) {
        breaker.open_least_ms = range->least;
        breaker.open_most_ms = range->most;
    }
    return range.has_value();
}

bool set_model(void* rules, std::string_view value)
{
    static_cast<route::HealthRules*>(rules)->model = value;
    return !value.empty();
}

bool set_interval(void* rules, std::string_view value)
{
    return take_time(value, 100, 24 * kHour,
        static_cast<route::HealthRules*>(rules)->interval_ms);
}

bool set_timeout(void* rules, std::string_view value)
{
    return take_time(
        value, 1, kHour, static_cast<route::HealthRules*>(rules)->timeout_ms);
}

bool set_fails(void* rules, std::string_view value)
{
    return take_number(
        value, 1000, static_cast<route::HealthRules*>(rules)->fails);
}

bool set_passes(void* rules, std::string_view value)
{
    return take_number(
        value, 1000, static_cast<route::HealthRules*>(rules)->passes);
}

constexpr std::string_view kNumber = "a number from 1 to 1000000 is expected";

constexpr Parameter kQueue[] = {
    {"limit", set_limit, kNumber},
    {"queue", set_queue, kNumber},
    {"timeout", set_wait, "a time up to 1h is expected"},
};

constexpr Parameter kBreaker[] = {
    {"window", set_window, "a time from 1s to 1h is expected"},
    {"requests", set_requests, kNumber},
    {"open", set_open, "a range like \"10s..5m\" up to 1h is expected"},
};

constexpr Parameter kHealth[] = {
    {"model", set_model, "a name is expected"},
    {"interval", set_interval, "a time from 100ms to 24h is expected"},
    {"timeout", set_timeout, "a time up to 1h is expected"},
    {"fails", set_fails, "a number from 1 to 1000 is expected"},
    {"passes", set_passes, "a number from 1 to 1000 is expected"},
};

Result<QueueRules> parse_queue(
    std::span<const Parameter> table, const Words& words, size_t first)
{
    QueueRules rules;
    if (auto done = take_parameters(table, &rules, words, first); !done) {
        return done.error();
    }
    if (rules.most_ms != 0 && rules.length == 0) {
        return config_error("\"timeout\" needs \"queue\"");
    }
    if (rules.length != 0 && rules.most_ms == 0) {
        rules.most_ms = kStandardWait;
    }
    return rules;
}

} // namespace

Result<void> set_concurrency(FieldContext& c, const Words& w)
{
    uint32_t limit = 0;
    if (!take_number(w[1], kMaxQueue, limit)) {
        return invalid_value(w[1], w[0], kNumber);
    }
    const auto queue = parse_queue(std::span(kQueue).subspan(1), w, 2);
    if (!queue) {
        return queue.error();
    }
    c.provider.concurrency = limit;
    c.provider.queue = queue->length;
    c.provider.queue_ms = queue->most_ms;
    return {};
}

Result<ConcurrencyRule> parse_concurrency_rule(const Words& words)
{
    if (words[0].find('$') == std::string_view::npos) {
        return invalid_value(words[0], "key", "a variable is expected");
    }
    const auto queue = parse_queue(kQueue, words, 1);
    if (!queue) {
        return queue.error();
    }
    if (queue->limit == 0) {
        return config_error("\"limit\" is missing");
    }
    ConcurrencyRule rule;
    rule.text = words[0];
    rule.limit = queue->limit;
    rule.queue = queue->length;
    rule.queue_ms = queue->most_ms;
    return rule;
}

Result<void> set_breaker(FieldContext& c, const Words& w)
{
    route::BreakerRules& rules = c.provider.breaker;
    if (w[1] == "off" && w.size() == 2) {
        rules.percent = 0;
        return {};
    }
    const auto percent = parse_percent(w[1]);
    if (!percent) {
        return invalid_value(
            w[1], w[0], "a share like \"50%\", or off, is expected");
    }
    rules.percent = *percent;
    return take_parameters(kBreaker, &rules, w, 2);
}

Result<void> set_health_check(FieldContext& c, const Words& w)
{
    route::HealthRules& rules = c.provider.health;
    if (w[1] == "off" && w.size() == 2) {
        rules.interval_ms = 0;
        return {};
    }
    rules.interval_ms = 10'000;
    if (auto done = take_parameters(kHealth, &rules, w, 1); !done) {
        return done;
    }
    if (rules.model.empty()) {
        return config_error("\"health_check\" needs \"model\"");
    }
    return {};
}

} // namespace ai_proxy::config
