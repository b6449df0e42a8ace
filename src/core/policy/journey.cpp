#include "core/json/splice.h"

#include "core/policy/journey.h"

#include "core/base/text.h"
#include "core/policy/refusal.h"
#include "core/provider/registry.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::policy {

namespace {

// The codec knows most; a failure of the connection is known to Io alone.
Error error_of(const Response& response, ErrorCode code)
{
    if (response.state() == Response::State::failed
        && response.error().code != ErrorCode::none)
    {
        return response.error();
    }
    return make_error(code, std::string(phrase(code)));
}

bool is_event_stream(const Response& response) noexcept
{
    return response.streaming()
        && istarts_with(response.content_type(), "text/event-stream");
}


// Clients that are turned away come again a little later.
constexpr std::string_view kComeAgain = "1";

route::Asked asked(Exchange& exchange, async::Io& io)
{
    const route::Route& route = exchange.route();
    route::Asked made;
    made.model = exchange.routed_model();
    made.stream = exchange.books().stream;
    made.affinity = exchange.affinity();
    made.turn = route.turn++;
    if (made.affinity != route::Affinity::none) {
        made.random = exchange.client_number();
        return made;
    }
    uint64_t number = 0;
    if (route.balance == route::Balance::hash) {
        const std::string text = io.text(route.hash_value);
        number = text.empty() ? 0 : in_flight_id("hash", text);
    } else if (route.balance == route::Balance::prefix) {
        number = exchange.prompt_prefix(route.prefix_bytes);
    }
    made.random = number;
    if (number != 0) {
        made.affinity = route::Affinity::first;
    } else {
        made.random = io.random();
    }
    return made;
}

} // namespace

Journey::Journey(Exchange& exchange, async::Io& io)
    : exchange_(exchange), io_(io),
      attempts_(exchange.route(),
          {exchange.gateway().keys, exchange.gateway().peers, io.in_flight()},
          asked(exchange, io), io.now())
{
    if (const uint64_t ms = exchange.route().deadline_ms; ms != 0) {
        deadline_ = io.now() + static_cast<int64_t>(ms) * 1000;
    }
    TokenLimits* limits = exchange.limits();
    begin(limits != nullptr ? limits->admit(io) : std::nullopt);
}

// What the location's limits say comes first.
void Journey::begin(TokenLimits::Admission admission)
{
    if (admission) {
        failure_ = std::make_unique<Failure>();
        failure_->error = std::move(admission->error);
        failure_->headers = std::move(admission->headers);
        give_up();
    } else if (!asks_redis()) {
        set_out(attempts_.first(io_.now()));
    }
}

bool Journey::asks_redis() const noexcept
{
    const TokenLimits* limits = exchange_.limits();
    return limits != nullptr && !over_ && limits->asks_redis();
}

uint16_t Journey::redis() const noexcept
{
    return exchange_.limits()->redis();
}

std::vector<redis::Command> Journey::commands()
{
    return exchange_.limits()->commands();
}

void Journey::take_replies(async::RedisReplies replies)
{
    begin(exchange_.limits()->take(io_, std::move(replies)));
}

std::optional<uint64_t> Journey::time_left() noexcept
{
    if (deadline_ == 0) {
        return std::nullopt;
    }
    return static_cast<uint64_t>(
        std::max<int64_t>(deadline_ - io_.now(), 0) / 1000);
}

// A try ends with the time that the request has in all.
void Journey::bound(Try& attempt) noexcept
{
    if (const auto left = time_left()) {
        const uint64_t most = std::max<uint64_t>(*left, 1);
        attempt.most = attempt.most == 0 ? most : std::min(attempt.most, most);
    }
}

void Journey::set_out(const route::Attempts::Step& step)
{
    leg_ = Leg();
    if (!step.give_up) {
        const uint16_t provider = step.target->provider;
        leg_ = Leg(exchange_.gateway().peers[provider],
            exchange_.gateway().keys[provider], step);
        // What could only begin after the deadline is not waited for.
        const auto left = time_left();
        if (failure_ == nullptr || !left || *left > step.delay_ms) {
            return;
        }
        leg_.drop();
    }
    if (step.give_up && step.blocked != ErrorCode::none && failure_ == nullptr)
    {
        failure_ = std::make_unique<Failure>();
        failure_->error =
            make_error(step.blocked, std::string(phrase(step.blocked)));
        const uint64_t seconds = (step.retry_after_ms + 999) / 1000;
        failure_->headers.push_back(
            {"Retry-After", std::to_string(std::max<uint64_t>(seconds, 1))});
    }
    give_up();
}

// The rules of the location come first: what they turn away is no try.
async::PlaceOp::Wanted Journey::next_wanted()
{
    const auto& rules = exchange_.site().concurrency;
    while (site_rule_ < rules.size()) {
        const config::ConcurrencyRule& rule = rules[site_rule_];
        const std::string value = io_.text(rule.value);
        if (!value.empty()) {
            return {in_flight_id(rule.text, value), rule.limit, rule.queue,
                rule.queue_ms};
        }
        ++site_rule_;
    }
    return leg_.wanted();
}

bool Journey::wants_place()
{
    while (!over_ && !refused_) {
        wanted_ = next_wanted();
        if (wanted_.limit == 0) {
            return false;
        }
        if (const auto left = time_left()) {
            wanted_.most_ms = std::min(wanted_.most_ms, *left);
        }
        Place place =
            ai_proxy::take_place(io_.in_flight(), wanted_.id, wanted_.limit);
        if (!place && wanted_.limit == Leg::kUnlimited) {
            leg_.take({}); // not counted, for want of room
            continue;
        }
        if (!place && wanted_.most_ms != 0) {
            return true;
        }
        take_place(std::move(place));
    }
    return false;
}

void Journey::take_place(Place place)
{
    const bool of_site = site_rule_ < exchange_.site().concurrency.size();
    if (place) {
        if (of_site) {
            ++site_rule_;
            site_places_.push_back(std::move(place));
        } else {
            leg_.take(std::move(place));
        }
        return;
    }
    Error error = make_error(ErrorCode::concurrency_limit,
        std::string(phrase(ErrorCode::concurrency_limit)));
    if (of_site) {
        failure_ = std::make_unique<Failure>();
        failure_->error = std::move(error);
        failure_->headers.push_back({"Retry-After", std::string(kComeAgain)});
        give_up();
        return;
    }
    refused_ = true;
    refuse(std::move(error));
}

bool Journey::wants_token() const noexcept
{
    return provider::wants_access_token(
        exchange_.gateway().providers[provider()]->options);
}

bool Journey::take_token(Result<std::string> token)
{
    if (!token) {
        refuse(std::move(token).error(), true);
        return false;
    }
    access_token_ = std::move(*token);
    return true;
}

bool Journey::prepare_file()
{
    auto attempt = exchange_.make_file_try(
        provider(), leg_.step().key, io_.now_seconds(), io_.random());
    if (!attempt) {
        refuse(std::move(attempt).error());
        return false;
    }
    attempt_ = std::move(*attempt);
    return true;
}

bool Journey::take_file(const async::TryEnd& end)
{
    Error error;
    if (end.code == ErrorCode::none) {
        auto taken = exchange_.take_file(*attempt_);
        if (taken) {
            return true;
        }
        error = std::move(taken).error();
    } else {
        error = error_of(*attempt_->response, end.code);
    }
    if (end.code == ErrorCode::client_closed) {
        failure_ = std::make_unique<Failure>();
        failure_->error = std::move(error);
        give_up();
        return false;
    }
    refuse(std::move(error), true);
    return false;
}

bool Journey::prepare()
{
    auto attempt = exchange_.make_try(*leg_.step().target, leg_.step().key,
        io_.now_seconds(), io_.random(), access_token_);
    if (!attempt) {
        refuse(std::move(attempt).error());
        return false;
    }
    attempt_ = std::move(*attempt);
    attempt_->most = leg_.step().most_ms;
    bound(*attempt_);
    if (attempt_->reply) {
        outcome_.reply = std::move(*attempt_->reply);
        exchange_.books().status = outcome_.reply.status;
        over_ = true;
        return false;
    }
    return true;
}

bool Journey::upgrades()
{
    if (!exchange_.is_upgrade()) {
        return false;
    }
    outcome_.upgrade = std::move(attempt_);
    for (Place& place : site_places_) {
        leg_.take(std::move(place));
    }
    outcome_.upgrade->places = leg_.release_places();
    over_ = true;
    return true;
}

// Only of calls that cost nothing but tokens when they are made twice.
async::Second* Journey::second() noexcept
{
    const route::HedgeRules& rules = exchange_.route().hedge;
    // At most ten minutes.
    second_ms_ = static_cast<uint32_t>(rules.after_ms);
    if (rules.percent == 0 || !exchange_.may_race() || wants_token()) {
        return nullptr;
    }
    if (rules.quantile != 0) {
        const route::PeerState* state = leg_.step().state;
        const int64_t micros = state == nullptr ? 0
            : exchange_.books().stream
            ? state->first_tokens.quantile(rules.quantile)
            : state->durations.quantile(rules.quantile);
        if (micros == 0) {
            return nullptr;
        }
        second_ms_ = static_cast<uint32_t>(
            std::clamp<int64_t>(micros / 1000, 0, UINT32_MAX));
    }
    return this;
}

Try* Journey::make()
{
    const auto step = attempts_.hedge(io_.random(), io_.now());
    if (step.give_up) {
        return nullptr;
    }
    const uint16_t provider = step.target->provider;
    const auto& gateway = exchange_.gateway();
    Leg leg(gateway.peers[provider], gateway.keys[provider], step);
    const provider::Options& options = gateway.providers[provider]->options;
    if (provider::wants_access_token(options) || !options.location.empty()
        || exchange_.wants_file(provider))
    {
        return nullptr;
    }
    for (auto wanted = leg.wanted(); wanted.limit != 0; wanted = leg.wanted()) {
        Place place =
            ai_proxy::take_place(io_.in_flight(), wanted.id, wanted.limit);
        if (!place && wanted.limit != Leg::kUnlimited) {
            return nullptr;
        }
        leg.take(std::move(place));
    }
    auto attempt = exchange_.make_try(
        *step.target, step.key, io_.now_seconds(), io_.random(), {});
    if (!attempt || (*attempt)->reply) {
        return nullptr;
    }
    rival_ = std::make_unique<Rival>();
    rival_->leg = std::move(leg);
    rival_->attempt = std::move(*attempt);
    bound(*rival_->attempt);
    return rival_->attempt.get();
}

// A provider that cannot take the request counts as a failed try.
void Journey::refuse(Error error, bool from_network)
{
    Try record;
    record.provider_index = leg_.step().target->provider;
    record.key = leg_.step().key;
    record.model = exchange_.books().model;
    const Micros now = io_.now();
    exchange_.record(record, error.code, now, now);

    // unsupported_api: this provider will not do it, the next one may.
    route::TryResult result;
    result.code = error.code;
    if (error.code != ErrorCode::unsupported_api) {
        result.status = error.http_status();
    }
    if (!failure_ || from_network || !failure_->from_network) {
        failure_ = std::make_unique<Failure>();
        failure_->from_network = from_network;
        if (error.code == ErrorCode::concurrency_limit) {
            failure_->headers.push_back(
                {"Retry-After", std::string(kComeAgain)});
        }
        failure_->error = std::move(error);
    }
    go_on(result);
}

void Journey::settle(const async::RaceEnd& race)
{
    if (race.raced) {
        if (race.second) {
            std::swap(leg_, rival_->leg);
            std::swap(attempt_, rival_->attempt);
        }
        exchange_.record(*rival_->attempt, race.other.code, race.other.begin,
            race.other.end);
        rival_->leg.settle(*rival_->attempt, race.other);
    }
    rival_.reset();
    settle_one(race.end);
}

void Journey::settle_one(const async::TryEnd& end)
{
    const Response& response = *attempt_->response;
    exchange_.record(*attempt_, end.code, end.begin, end.end);
    leg_.settle(*attempt_, end);
    if (!std::exchange(access_token_, {}).empty() && response.status() == 401) {
        io_.drop_token(attempt_->provider_index);
    }
    if (end.code == ErrorCode::none) {
        finish(end.committed);
        if (filtered(end)) {
            over_ = false;
            has_answer_ = true;
            go_on({ErrorCode::none, response.status(), 0,
                route::Refusal::content_filter});
        }
        return;
    }
    if (end.committed) {
        break_off(end);
        return;
    }
    failure_ = std::make_unique<Failure>();
    failure_->from_network = true;
    failure_->error = error_of(response, end.code);
    if (response.status() != 0) {
        failure_->headers = response.headers();
    }
    if (end.code == ErrorCode::client_closed) {
        give_up();
        return;
    }
    route::TryResult result;
    result.code = end.code;
    // An error under a 200 has no status unless it says one itself.
    result.status = failure_->error.status;
    if (result.status == 0 && response.status() >= 400) {
        result.status = response.status();
    }
    result.retry_after_ms = response.retry_after_ms();
    result.refusal = refusal_of(failure_->error);
    go_on(result);
}

// Is it an answer that a filter cut, and somebody stands in for such?
bool Journey::filtered(const async::TryEnd& end) const noexcept
{
    return !end.committed
        && attempt_->response->finish() == chat::Finish::content_filter
        && attempts_.may_follow(route::Refusal::content_filter);
}

void Journey::finish(bool committed)
{
    Response& response = *attempt_->response;
    Books& books = exchange_.books();
    books.status = response.client_status();
    books.error = ErrorCode::none;
    over_ = true;
    outcome_.streamed = committed;
    if (committed) {
        return;
    }
    Reply& reply = outcome_.reply;
    reply.status = response.client_status();
    reply.content_type = response.content_type();
    reply.headers = response.headers();
    if (!response.streaming()) {
        reply.body = response.take_body();
    }
}

// The client has the beginning of an answer that will not be whole.
void Journey::break_off(const async::TryEnd& end)
{
    Response& response = *attempt_->response;
    Books& books = exchange_.books();
    // What the client saw; the failed codec would tell another one.
    if (books.status == 0) {
        books.status = response.status();
    }
    books.error = end.code;
    over_ = true;
    outcome_.streamed = true;
    outcome_.broken = response.state() != Response::State::whole;
    if (end.code == ErrorCode::client_closed || response.told()) {
        return;
    }
    const Error error = error_of(response, end.code);
    outcome_.tail = response.error_event(error);
    if (!outcome_.tail.empty()) {
        books.error = error.code;
    } else if (is_event_stream(response)) {
        outcome_.tail = exchange_.error_event(error);
    }
}

void Journey::go_on(const route::TryResult& result)
{
    // What the step held is free before the next one is chosen.
    leg_.drop();
    set_out(attempts_.next(result, io_.random(), io_.now()));
}

void Journey::give_up()
{
    over_ = true;
    if (has_answer_) {
        exchange_.books().status = outcome_.reply.status;
        exchange_.books().error = ErrorCode::none;
        return;
    }
    outcome_.reply = exchange_.error_reply(failure_->error);
    switch (failure_->error.code) {
    case ErrorCode::upstream_status:
    case ErrorCode::upstream_error:
    case ErrorCode::concurrency_limit:
    case ErrorCode::token_limit:
    case ErrorCode::breaker_open:
        outcome_.reply.headers = std::move(failure_->headers);
        break;
    default:
        break;
    }
}

} // namespace ai_proxy::policy
