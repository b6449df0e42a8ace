#include "core/config/route_rules.h"

#include "core/base/text.h"
#include "core/config/fields.h"

#include <algorithm>
#include <iterator>

namespace ai_proxy::config {

namespace {

constexpr uint64_t kMaxRetries = 10;
constexpr uint64_t kMaxBackoff = 60'000;
constexpr uint64_t kLongestHedge = 600'000;
constexpr uint64_t kLongestDeadline = 24 * 3600 * 1000;
constexpr uint32_t kMaxPrefix = 1024 * 1024;

Error wrong_count(std::string_view field)
{
    return config_error(
        "invalid number of arguments in \"" + std::string(field) + "\"");
}

bool set_bytes(void* route, std::string_view value)
{
    const auto n = parse_count(value, kMaxPrefix);
    static_cast<route::Route*>(route)->prefix_bytes = n.value_or(0);
    return n.has_value();
}

constexpr Parameter kPrefix[] = {
    {"bytes", set_bytes, "a number from 1 to 1048576 is expected"}};

Result<void> set_hash(route::Route& route, const Words& words)
{
    if (words.size() != 3) {
        return wrong_count(words[0]);
    }
    if (words[2].find('$') == std::string_view::npos) {
        return invalid_value(words[2], words[0], "a variable is expected");
    }
    route.hash_text = words[2];
    return {};
}

struct BalanceName {
    std::string_view name;
    route::Balance balance;
};
constexpr BalanceName kBalances[] = {
    {"weighted", route::Balance::weighted},
    {"round_robin", route::Balance::round_robin},
    {"least_conn", route::Balance::least_conn},
    {"least_latency", route::Balance::least_latency},
    {"hash", route::Balance::hash},
    {"prefix", route::Balance::prefix},
};

Result<void> set_balance(route::Route& route, const Words& words)
{
    if (words.size() < 2) {
        return wrong_count(words[0]);
    }
    const auto* found = std::find_if(std::begin(kBalances), std::end(kBalances),
        [&](const BalanceName& b) { return b.name == words[1]; });
    if (found == std::end(kBalances)) {
        return invalid_value(words[1], words[0],
            "weighted, round_robin, least_conn, least_latency, hash or prefix "
            "is expected");
    }
    route.balance = found->balance;
    if (found->balance == route::Balance::hash) {
        return set_hash(route, words);
    }
    if (found->balance == route::Balance::prefix) {
        return take_parameters(kPrefix, &route, words, 2);
    }
    return words.size() == 2 ? Result<void>() : wrong_count(words[0]);
}

bool set_backoff(void* route, std::string_view value)
{
    const auto range = parse_duration_range(value, kMaxBackoff);
    if (range) {
        static_cast<route::Route*>(route)->backoff_min_ms = range->least;
        static_cast<route::Route*>(route)->backoff_max_ms = range->most;
    }
    return range.has_value();
}

bool set_budget(void* route, std::string_view value)
{
    const auto percent = parse_percent(value);
    static_cast<route::Route*>(route)->budget_percent = percent.value_or(0);
    return percent.has_value();
}

bool set_retry_on(void* route, std::string_view value)
{
    auto on = route::On::parse(value);
    if (on) {
        static_cast<route::Route*>(route)->retry_on = std::move(*on);
    }
    return on.ok();
}

constexpr Parameter kRetry[] = {
    {"on", set_retry_on, "causes as of a fallback are expected"},
    {"backoff", set_backoff,
        "a range like \"200ms..5s\" up to 60s is expected"},
    {"budget", set_budget, "a share like \"20%\" is expected"},
};

Result<void> set_retry(route::Route& route, const Words& words)
{
    if (words.size() < 2) {
        return wrong_count(words[0]);
    }
    const auto n = parse_uint(words[1]);
    if (!n || *n > kMaxRetries) {
        return invalid_value(
            words[1], words[0], "a number from 0 to 10 is expected");
    }
    route.retries = static_cast<uint32_t>(*n);
    return take_parameters(kRetry, &route, words, 2);
}

// A time, or "p95".
bool set_after(void* route, std::string_view value)
{
    route::HedgeRules& hedge = static_cast<route::Route*>(route)->hedge;
    if (value.starts_with('p')) {
        const auto n = parse_uint(value.substr(1));
        if (!n || *n < 50 || *n > 99) {
            return false;
        }
        hedge.quantile = static_cast<double>(*n) / 100;
        return true;
    }
    const auto ms = parse_duration_ms(value);
    hedge.after_ms = ms.value_or(0);
    return ms && *ms != 0 && *ms <= kLongestHedge;
}

bool set_share(void* route, std::string_view value)
{
    const auto percent = parse_percent(value);
    static_cast<route::Route*>(route)->hedge.percent = percent.value_or(0);
    return percent.has_value();
}

constexpr Parameter kHedge[] = {
    {"after", set_after, "a time up to 10m, or p50 to p99, is expected"},
    {"budget", set_share, "a share like \"5%\" is expected"},
};

Result<void> set_hedge(route::Route& route, const Words& words)
{
    if (words.size() < 2) {
        return wrong_count(words[0]);
    }
    route.hedge.percent = 5;
    if (auto done = take_parameters(kHedge, &route, words, 1); !done) {
        return done;
    }
    if (route.hedge.after_ms == 0 && route.hedge.quantile == 0) {
        return config_error("\"hedge\" needs \"after\"");
    }
    return {};
}

Result<void> set_deadline(route::Route& route, const Words& words)
{
    if (words.size() != 2) {
        return wrong_count(words[0]);
    }
    const auto ms = parse_duration_ms(words[1]);
    if (!ms || *ms == 0 || *ms > kLongestDeadline) {
        return invalid_value(
            words[1], words[0], "a time up to 24h is expected");
    }
    route.deadline_ms = *ms;
    return {};
}

constexpr RouteRule kRules[] = {
    {"balance", set_balance},
    {"retry", set_retry},
    {"deadline", set_deadline},
    {"hedge", set_hedge},
};

} // namespace

const RouteRule* find_route_rule(std::string_view name) noexcept
{
    const auto* found = std::find_if(std::begin(kRules), std::end(kRules),
        [name](const RouteRule& rule) { return rule.name == name; });
    return found != std::end(kRules) ? found : nullptr;
}

} // namespace ai_proxy::config
