#include "core/json/splice.h"

#include "core/policy/request_limits.h"

#include "core/limit/scripts.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ai_proxy::policy {

namespace {

using config::Redis;
using config::RequestRule;

constexpr std::string_view kOwnPrefix = "ai_proxy_request_limit:";
constexpr std::string_view kPluginPrefix = "higress-cluster-key-rate-limit:";

// A rule that holds for this request, and where it is counted.
struct Counting {
    const RequestRule* rule;
    std::string value;
};

// What a window has come to.
struct Count {
    int64_t most = 0, count = 0, seconds = 0;

    [[nodiscard]] bool passed() const noexcept { return count > most; }
};

std::optional<Count> read_count(const redis::Reply& reply)
{
    if (reply.elements.size() != 3) {
        return std::nullopt;
    }
    const auto most = reply.elements[0].number();
    const auto count = reply.elements[1].number();
    const auto seconds = reply.elements[2].number();
    if (!most || !count || !seconds) {
        return std::nullopt;
    }
    return Count{*most, *count, std::max<int64_t>(*seconds, 0)};
}

redis::Command count_command(const Exchange& exchange, std::string_view key,
    const limit::KeyWindow& window)
{
    return redis::call(exchange.gateway().scripts.count_request, {key},
        window.most, window.seconds);
}

Outcome refuse(Exchange& exchange, const RequestRule& rule, int64_t seconds)
{
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
        const auto count = read_count((*replies)[i]);
        if (!count) {
            return without_redis(exchange, io, countings,
                make_error(ErrorCode::redis_error,
                    std::string(phrase(ErrorCode::redis_error))));
        }
        if (count->passed()) {
            return refuse(exchange, *countings[i].rule, count->seconds);
        }
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

std::optional<limit::KeyCounter> plugin_counter(const Exchange& exchange)
{
    const config::KeyLimit* plugin = exchange.site().key_limit.get();
    if (plugin == nullptr) {
        return std::nullopt;
    }
    limit::KeyFacts facts;
    facts.headers = exchange.head().headers;
    facts.query = exchange.head().query;
    facts.address = exchange.head().address;
    if (const consumer::Consumer* caller = exchange.consumer();
        caller != nullptr) {
        facts.consumer = caller->name;
    }
    return limit::find_counter(plugin->rules, facts);
}

// As Higress has it: who cannot be counted goes on.
std::optional<Outcome> judge_plugin(
    Exchange& exchange, const async::RedisReplies& replies)
{
    const config::KeyLimit& plugin = *exchange.site().key_limit;
    const auto count = replies && replies->size() == 1
        ? read_count((*replies)[0])
        : std::nullopt;
    if (!count || !count->passed()) {
        return std::nullopt;
    }
    Outcome outcome;
    outcome.reply.status = plugin.rejected_code;
    outcome.reply.content_type = "text/plain; charset=utf-8";
    outcome.reply.body = plugin.rejected_msg;
    auto& headers = outcome.reply.headers;
    headers.push_back({"X-RateLimit-Reset", std::to_string(count->seconds)});
    if (plugin.show_limit_quota_header) {
        headers.push_back({"X-RateLimit-Limit", std::to_string(count->most)});
        headers.push_back({"X-RateLimit-Remaining", "0"});
    }
    exchange.books().status = plugin.rejected_code;
    exchange.books().error = ErrorCode::request_limit;
    return outcome;
}

} // namespace

bool has_request_limits(const Exchange& exchange) noexcept
{
    return !exchange.site().request_limits.empty()
        || exchange.site().key_limit != nullptr;
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
    std::optional<limit::KeyCounter> counter = plugin_counter(exchange);
    if (counter) {
        std::vector<redis::Command> commands;
        commands.push_back(count_command(exchange,
            std::string(kPluginPrefix) + counter->key, counter->window));
        async::RedisReplies replies = co_await s.io.redis(
            exchange.site().key_limit->redis, std::move(commands));
        std::optional<Outcome> refused = judge_plugin(exchange, replies);
        if (refused) {
            co_return std::move(*refused);
        }
    }
    co_return std::nullopt;
}

} // namespace ai_proxy::policy
