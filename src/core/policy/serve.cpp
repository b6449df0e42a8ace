#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "core/policy/journey.h"
#include "core/policy/request_limits.h"

#include <utility>

namespace ai_proxy::policy {

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
