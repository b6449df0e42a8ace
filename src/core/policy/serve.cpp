#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "core/policy/journey.h"

#include <optional>
#include <utility>

namespace ai_proxy::policy {

namespace {

// What the location's limits say before a provider is chosen.
std::optional<Outcome> admit(Exchange& exchange, async::Io& io)
{
    TokenLimits* limits = exchange.limits();
    if (limits == nullptr) {
        return std::nullopt;
    }
    auto refusal = limits->admit(io);
    if (!refusal) {
        return std::nullopt;
    }
    Outcome outcome;
    outcome.reply = exchange.error_reply(refusal->error);
    for (Response::Field& field : refusal->headers) {
        outcome.reply.headers.push_back(std::move(field));
    }
    return outcome;
}

} // namespace

async::Task<Outcome> serve(async::Scope& s, Exchange& exchange)
{
    if (auto refused = admit(exchange, s.io)) {
        co_return std::move(*refused);
    }
    Journey journey(exchange, s.io);
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

} // namespace ai_proxy::policy
