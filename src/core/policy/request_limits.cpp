#include "core/json/splice.h"

#include "core/policy/request_limits.h"

#include "core/limit/scripts.h"
#include "core/metrics/limits.h"
#include "core/policy/plugin_limits.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ai_proxy::policy {

namespace {

using config::Redis;
using config::RequestRule;

constexpr std::string_view kOwnPrefix = "ai_proxy_request_limit:";

// A rule that holds for this request, and where it is counted.
struct Counting {
    const RequestRule* rule;
    std::string value;
};

redis::Command count_command(const Exchange& exchange, std::string_view key,
    const limit::KeyWindow& window)
{
    return redis::call(exchange.gateway().scripts.count_request, {key},
        window.most, window.seconds);
}

Outcome refuse(Exchange& exchange, const RequestRule& rule, int64_t seconds)
{
    metrics::count(&metrics::LimitCounts::rejected, rule.counts);
    Error error = make_error(ErrorCode::request_limit,
        std::string(phrase(ErrorCode::request_limit)));
    error.status = rule.status;
    Outcome outcome;
    outcome.reply = exchange.error_reply(error);
    outcome.reply.headers.push_back(
        {"Retry-After", std::to_string(std::max<int64_t>(seconds, 1))});
    return outcome;
}

// Redis could not be asked, or said something else.
std::optional<Outcome> without_redis(Exchange& exchange, async::Io& io,
    const std::vector<Counting>& countings, const Error& error)
{
    const uint16_t redis = countings.front().rule->redis;
    for (const Counting& counting : countings) {
        metrics::count(
            &metrics::LimitCounts::store_errors, counting.rule->counts);
    }
    switch (exchange.gateway().redis[redis].on_error) {
    case Redis::OnError::allow:
        break;
    case Redis::OnError::deny: {
        Outcome outcome;
        outcome.reply = exchange.error_reply(error);
        return outcome;
    }
    case Redis::OnError::zone:
        for (const Counting& counting : countings) {
            const limit::Taken taken = io.counters().take(
                counting.rule->local, counting.value, 1, false);
            if (!taken.granted) {
                return refuse(exchange, *counting.rule,
                    static_cast<int64_t>((taken.retry_ms + 999) / 1000));
            }
        }
        break;
    }
    return std::nullopt;
}

std::optional<Outcome> judge(Exchange& exchange, async::Io& io,
    const std::vector<Counting>& countings, const async::RedisReplies& replies)
{
    if (!replies) {
        return without_redis(exchange, io, countings, replies.error());
    }
    for (size_t i = 0; i < replies->size(); i++) {
        const auto count = limit::read_count((*replies)[i]);
        if (!count) {
            return without_redis(exchange, io, countings,
                make_error(ErrorCode::redis_error,
                    std::string(phrase(ErrorCode::redis_error))));
        }
        if (count->passed()) {
            return refuse(exchange, *countings[i].rule, count->seconds);
        }
    }
    for (const Counting& counting : countings) {
        metrics::count(&metrics::LimitCounts::passed, counting.rule->counts);
    }
    return std::nullopt;
}

// The rules from first on that are counted in the same Redis.
std::vector<Counting> next_countings(
    Exchange& exchange, async::Io& io, size_t& first)
{
    const std::vector<RequestRule>& rules = exchange.site().request_limits;
    std::vector<Counting> found;
    for (; first < rules.size(); first++) {
        const RequestRule& rule = rules[first];
        if (!found.empty() && rule.redis != found.front().rule->redis) {
            break;
        }
        std::string value = io.text(rule.value);
        if (!value.empty()) {
            found.push_back({&rule, std::move(value)});
        }
    }
    return found;
}

std::vector<redis::Command> commands_of(
    const Exchange& exchange, const std::vector<Counting>& countings)
{
    std::vector<redis::Command> commands;
    for (const Counting& counting : countings) {
        const RequestRule& rule = *counting.rule;
        std::string key(kOwnPrefix);
        key.append(rule.text).append(":");
        key.append(std::to_string(rule.window.seconds)).append(":");
        key.append(counting.value);
        commands.push_back(count_command(exchange, key, rule.window));
    }
    return commands;
}

} // namespace

bool has_request_limits(const Exchange& exchange) noexcept
{
    return !exchange.site().request_limits.empty()
        || exchange.plugin_limits() != nullptr;
}

async::Task<std::optional<Outcome>> limit_requests(
    async::Scope& s, Exchange& exchange)
{
    size_t next = 0;
    while (next < exchange.site().request_limits.size()) {
        const std::vector<Counting> countings =
            next_countings(exchange, s.io, next);
        if (countings.empty()) {
            continue;
        }
        const uint16_t redis = countings.front().rule->redis;
        std::vector<redis::Command> commands = commands_of(exchange, countings);
        async::RedisReplies replies =
            co_await s.io.redis(redis, std::move(commands));
        std::optional<Outcome> refused =
            judge(exchange, s.io, countings, replies);
        if (refused) {
            co_return std::move(*refused);
        }
    }
    if (exchange.plugin_limits() != nullptr) {
        co_return co_await limit_by_plugins(s, exchange);
    }
    co_return std::nullopt;
}

} // namespace ai_proxy::policy
