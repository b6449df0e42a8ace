#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "core/base/text.h"
#include "core/provider/registry.h"

#include <memory>
#include <utility>

namespace ai_proxy::policy {

std::string_view phrase(ErrorCode code) noexcept
{
    switch (code) {
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
    case ErrorCode::timeout_first_byte:
        return "the provider did not begin to answer in time";
    case ErrorCode::timeout_first_token:
        return "the provider did not say anything in time";
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
    case ErrorCode::client_closed:
        return "the client closed the connection";
    case ErrorCode::shutdown:
        return "the gateway is being restarted, try again";
    case ErrorCode::none:
    case ErrorCode::invalid_json:
    case ErrorCode::invalid_request:
    case ErrorCode::unsupported_api:
    case ErrorCode::model_not_found:
    case ErrorCode::request_too_large:
    case ErrorCode::internal:
        break;
    }
    return "internal error";
}

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

// One request on its way through the providers: all decisions, no waiting.
class Journey {
public:
    Journey(Exchange& exchange, async::Io& io)
        : exchange_(exchange), io_(io),
          attempts_(exchange.route(), exchange.gateway().keys,
              exchange.affinity() == route::Affinity::none
                  ? io.random()
                  : exchange.consumer(),
              exchange.route().turn++, exchange.affinity()),
          step_(attempts_.first(io.now()))
    {
    }

    [[nodiscard]] uint64_t delay_ms() const noexcept { return step_.delay_ms; }
    [[nodiscard]] Try& attempt() noexcept { return *attempt_; }
    [[nodiscard]] Outcome take() noexcept { return std::move(outcome_); }

    // Must the next try wait for an access token, and whose?
    [[nodiscard]] bool wants_token() const noexcept;
    [[nodiscard]] uint16_t provider() const noexcept
    {
        return step_.target->provider;
    }
    // False: there is none; settled already.
    [[nodiscard]] bool take_token(Result<std::string> token);
    // Makes the next try.  False: it cannot be made here; settled already.
    [[nodiscard]] bool prepare();
    // Does the prepared try become the client's own connection?
    [[nodiscard]] bool upgrades();
    // Takes note of how the try ended and decides what follows.
    void settle(const async::TryEnd& end);
    [[nodiscard]] bool over() const noexcept { return over_; }

private:
    void refuse(Error error, bool from_network = false);
    void finish(bool committed);
    void break_off(const async::TryEnd& end);
    void note_key(const async::TryEnd& end) const;
    void go_on(const route::TryResult& result);
    void give_up();

    Exchange& exchange_;
    async::Io& io_;
    route::Attempts attempts_;
    route::Attempts::Step step_;
    std::unique_ptr<Try> attempt_;
    std::string access_token_; // of the next try
    Outcome outcome_;
    bool over_ = false;

    // The failure to report if no try succeeds.
    struct Failure {
        Error error;
        std::vector<Response::Field> headers;
        bool from_network = false;
    };
    std::unique_ptr<Failure> failure_;
};

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

bool Journey::prepare()
{
    auto attempt = exchange_.make_try(*step_.target, step_.key,
        io_.now_seconds(), io_.random(), access_token_);
    if (!attempt) {
        refuse(std::move(attempt).error());
        return false;
    }
    attempt_ = std::move(*attempt);
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
    over_ = true;
    return true;
}

// A provider that cannot take the request counts as a failed try.
void Journey::refuse(Error error, bool from_network)
{
    Try record;
    record.provider_index = step_.target->provider;
    record.key = step_.key;
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
        failure_->error = std::move(error);
    }
    go_on(result);
}

void Journey::settle(const async::TryEnd& end)
{
    const Response& response = *attempt_->response;
    exchange_.record(*attempt_, end.code, end.begin, end.end);
    note_key(end);
    if (!std::exchange(access_token_, {}).empty() && response.status() == 401) {
        io_.drop_token(attempt_->provider_index);
    }
    if (end.code == ErrorCode::none) {
        finish(end.committed);
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
    go_on(result);
}

// An error under a 200 counts as the status that it says.
void Journey::note_key(const async::TryEnd& end) const
{
    const Response& response = *attempt_->response;
    int status = response.status();
    if (end.code != ErrorCode::none
        && response.state() == Response::State::failed && status < 400)
    {
        status = response.error().status;
    }
    exchange_.gateway().keys[attempt_->provider_index].note(
        attempt_->key, status, response.retry_after_ms(), end.begin, end.end);
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
    outcome_.broken = true;
    if (end.code == ErrorCode::client_closed) {
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
    step_ = attempts_.next(result, io_.random(), io_.now());
    if (step_.give_up) {
        give_up();
    }
}

void Journey::give_up()
{
    over_ = true;
    outcome_.reply = exchange_.error_reply(failure_->error);
    const ErrorCode code = failure_->error.code;
    if (code == ErrorCode::upstream_status || code == ErrorCode::upstream_error)
    {
        outcome_.reply.headers = std::move(failure_->headers);
    }
}

} // namespace

async::Task<Outcome> serve(async::Scope& s, Exchange& exchange)
{
    Journey journey(exchange, s.io);
    while (!journey.over()) {
        if (journey.delay_ms() != 0) {
            co_await s.io.sleep(journey.delay_ms());
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
        const async::TryEnd end = co_await s.io.attempt(journey.attempt());
        journey.settle(end);
    }
    co_return journey.take();
}

} // namespace ai_proxy::policy
