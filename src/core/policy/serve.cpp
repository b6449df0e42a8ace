#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "core/policy/journey.h"
#include "core/policy/request_limits.h"

#include <utility>

namespace ai_proxy::policy {

std::string_view phrase(ErrorCode code) noexcept
{
    switch (code) {
    case ErrorCode::concurrency_limit:
        return "too many requests are under way, try again later";
    case ErrorCode::request_limit:
        return "too many requests, try again later";
    case ErrorCode::token_limit:
        return "the budget of tokens is spent, try again later";
    case ErrorCode::breaker_open:
    case ErrorCode::upstream_unavailable:
        return "no provider is available";
    case ErrorCode::upstream_connect:
        return "cannot connect to the provider";
    case ErrorCode::upstream_tls:
        return "the TLS handshake with the provider failed";
    case ErrorCode::timeout_connect:
        return "connecting to the provider timed out";
    case ErrorCode::timeout_tls:
        return "the TLS handshake with the provider timed out";
    case ErrorCode::timeout_first_token:
        return "the provider did not say anything in time";
    case ErrorCode::timeout_first_byte:
        return "the provider did not begin to answer in time";
    case ErrorCode::timeout_idle:
        return "the provider stopped answering";
    case ErrorCode::timeout_total:
        return "the provider took too long";
    case ErrorCode::upstream_closed:
        return "the provider closed the connection";
    case ErrorCode::upstream_invalid:
        return "the provider sent an invalid answer";
    case ErrorCode::upstream_truncated:
        return "the answer of the provider was cut short";
    case ErrorCode::upstream_too_large:
        return "the answer of the provider is too large";
    case ErrorCode::upstream_status:
    case ErrorCode::upstream_error:
        return "the provider reported an error";
    case ErrorCode::redis_unavailable:
    case ErrorCode::redis_timeout:
    case ErrorCode::redis_busy:
    case ErrorCode::redis_error:
        return "limits cannot be checked, try again later";
    case ErrorCode::shutdown:
        return "the gateway is being restarted, try again";
    case ErrorCode::superseded:
        return "another try was faster";
    case ErrorCode::client_closed:
        return "the client closed the connection";
    case ErrorCode::none:
    case ErrorCode::invalid_json:
    case ErrorCode::invalid_request:
    case ErrorCode::unsupported_api:
    case ErrorCode::model_not_found:
    case ErrorCode::request_too_large:
    case ErrorCode::no_credential:
    case ErrorCode::invalid_credential:
    case ErrorCode::expired_credential:
    case ErrorCode::consumer_forbidden:
    case ErrorCode::model_forbidden:
    case ErrorCode::internal:
        break;
    }
    return "internal error";
}

namespace {

// In a frame of its own: few requests have one.
async::Task<void> ask_redis(async::Scope& s, Journey& journey)
{
    while (journey.asks_redis()) {
        async::RedisReplies replies =
            co_await s.io.redis(journey.redis(), journey.commands());
        journey.take_replies(std::move(replies));
    }
}

// The same.
async::Task<bool> fetch_file(async::Scope& s, Journey& journey)
{
    if (!journey.prepare_file()) {
        co_return false;
    }
    const async::RaceEnd got = co_await s.io.attempt(journey.attempt());
    co_return journey.take_file(got.end);
}

async::Task<Outcome> travel(async::Scope& s, Exchange& exchange)
{
    Journey journey(exchange, s.io);
    if (journey.asks_redis()) {
        co_await ask_redis(s, journey);
    }
    while (!journey.over()) {
        if (journey.delay_ms() != 0) {
            co_await s.io.sleep(journey.delay_ms());
        }
        while (journey.wants_place()) {
            Place place = co_await s.io.place(journey.wanted());
            journey.take_place(std::move(place));
        }
        if (!journey.ready()) {
            journey.skip();
            continue;
        }
        if (journey.wants_token()) {
            Result<std::string> token = co_await s.io.token(journey.provider());
            if (!journey.take_token(std::move(token))) {
                continue;
            }
        }
        if (journey.wants_file()) {
            const bool fetched = co_await fetch_file(s, journey);
            if (!fetched) {
                continue;
            }
        }
        if (!journey.prepare() || journey.upgrades()) {
            continue;
        }
        async::Second* second = journey.second();
        const async::RaceEnd race = co_await s.io.attempt(
            journey.attempt(), second, journey.second_ms());
        journey.settle(race);
    }
    co_return journey.take();
}

async::Task<Outcome> travel_limited(async::Scope& s, Exchange& exchange)
{
    std::optional<Outcome> refused = co_await limit_requests(s, exchange);
    if (refused) {
        co_return std::move(*refused);
    }
    Outcome outcome = co_await travel(s, exchange);
    co_return std::move(outcome);
}

} // namespace

async::Task<Outcome> serve(async::Scope& s, Exchange& exchange)
{
    return has_request_limits(exchange) ? travel_limited(s, exchange)
                                        : travel(s, exchange);
}

} // namespace ai_proxy::policy
