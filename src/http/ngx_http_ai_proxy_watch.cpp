#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

// The clock of a running try.  One timer serves all its deadlines: events only
// leave their time, and the timer, when it fires, looks what is due.

namespace ai_proxy::http {

namespace {

// A try that cannot be ended just now is asked again after this.
constexpr ngx_msec_t kAgain = 250;

struct Due {
    bool set = false;
    ngx_msec_t at = 0;
    // none: only a sign of life is due; client_closed: the client's leaving.
    ErrorCode code = ErrorCode::none;

    void take(ngx_msec_t begin, uint64_t period, ErrorCode what) noexcept
    {
        const ngx_msec_t end = begin + static_cast<ngx_msec_t>(period);
        if (period != 0 && (!set || static_cast<ngx_msec_int_t>(end - at) < 0))
        {
            set = true;
            at = end;
            code = what;
        }
    }
};

// While the client takes nothing the provider is not read.
bool client_is_slow(const Run& run) noexcept
{
    const ngx_http_upstream_t* u =
        run.sr != nullptr ? run.sr->upstream : nullptr;
    return run.busy != nullptr || run.in != nullptr
        || (u != nullptr && u->busy_bufs != nullptr);
}

// Is it the one whose output the client gets, or would?
bool is_heard(const Run& run) noexcept
{
    const Ctx& ctx = *run.ctx;
    return ctx.winner != nullptr ? ctx.winner == &run
                                 : ctx.second == nullptr || ctx.run == &run;
}

Due next_due(const Run& run) noexcept
{
    const provider::Timeouts& limits = run.attempt->provider->options.timeouts;
    const policy::Response& response = *run.attempt->response;
    Due due;
    if (run.ctx->draining == &run) {
        due.take(run.ctx->left, run.ctx->exchange->site().client_abort.drain_ms,
            ErrorCode::client_closed);
    }
    due.take(run.begin, limits.total, ErrorCode::timeout_total);
    due.take(run.begin, run.attempt->most, ErrorCode::timeout_total);
    if (response.state() != policy::Response::State::more) {
        return due;
    }
    const config::Keepalive& keepalive = run.ctx->exchange->site().keepalive;
    if (run.ctx->exchange->books().stream && run.ctx->draining == nullptr
        && is_heard(run) && (run.ctx->committed || keepalive.before_answer))
    {
        due.take(run.ctx->written, keepalive.interval_ms, ErrorCode::none);
    }
    if (run.ctx->exchange->books().stream && !response.spoke()) {
        due.take(run.begin, limits.first_token, ErrorCode::timeout_first_token);
    }
    if (run.header_seen && response.has_events() && run.kind != Run::Kind::mock)
    {
        due.take(run.progress, limits.idle, ErrorCode::timeout_idle);
    }
    return due;
}

void arm(Run& run, ngx_msec_t at)
{
    const auto left = static_cast<ngx_msec_int_t>(at - ngx_current_msec);
    ngx_add_timer(
        &run.watch, static_cast<ngx_msec_t>(std::max<ngx_msec_int_t>(left, 1)));
}

void watch_handler(ngx_event_t* ev) noexcept
{
    Run& run = *static_cast<Run*>(ev->data);
    if (run.attempt == nullptr || run.settled) {
        return;
    }
    if (client_is_slow(run)) {
        run.progress = ngx_current_msec;
    }
    const Due due = next_due(run);
    if (!due.set) {
        return;
    }
    if (static_cast<ngx_msec_int_t>(due.at - ngx_current_msec) > 0) {
        arm(run, due.at);
        return;
    }
    if (due.code == ErrorCode::none) {
        run.ctx->written = ngx_current_msec;
        watch_run(run);
        show_life(run); // run may be gone after this
        return;
    }
    if (due.code == ErrorCode::client_closed) {
        end_drain(run);
        return;
    }
    run.stopped = due.code;
    arm(run, ngx_current_msec + kAgain);
    stop_run(run); // run may be gone after this
}

} // namespace

void watch_run(Run& run)
{
    if (run.attempt == nullptr) {
        return;
    }
    const Due due = next_due(run);
    if (!due.set) {
        return;
    }
    if (run.watch.timer_set) {
        const auto earlier =
            static_cast<ngx_msec_int_t>(due.at - run.watch.timer.key);
        if (earlier >= 0) {
            return;
        }
        ngx_del_timer(&run.watch);
    }
    run.watch.handler = watch_handler;
    run.watch.data = &run;
    run.watch.log = run.ctx->r->connection->log;
    arm(run, due.at);
}

} // namespace ai_proxy::http
