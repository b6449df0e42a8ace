#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

// The life of one try: how it starts, what nginx says of its end, and what the
// pipeline is told.

namespace ai_proxy::http {

namespace {

ngx_int_t post_try(ngx_http_request_t* sr, void* data, ngx_int_t rc) noexcept;

} // namespace

void feed_run(Run& run, std::string_view payload, std::string& out)
{
    policy::Response& response = *run.attempt->response;
    if (!payload.empty() && response.state() == policy::Response::State::more) {
        (void)response.feed(payload, out, run.ctx->io.now());
        if (policy::TokenLimits* limits = run.ctx->exchange->limits()) {
            limits->debit(run.ctx->io, response.said());
        }
        if (response.take_progress()) {
            run.progress = ngx_current_msec;
        }
    }
}

Run::~Run()
{
    stop_timers(*this);
}

void stop_timers(Run& run) noexcept
{
    if (run.watch.timer_set) {
        ngx_del_timer(&run.watch);
    }
    if (run.timer.timer_set) {
        ngx_del_timer(&run.timer);
    }
    if (run.timer.posted) {
        ngx_delete_posted_event(&run.timer);
    }
}

Run* run_of(ngx_http_request_t* sr) noexcept
{
    if (sr == sr->main || sr->post_subrequest == nullptr
        || sr->post_subrequest->handler != post_try)
    {
        return nullptr;
    }
    return static_cast<Run*>(sr->post_subrequest->data);
}

Run* run_behind(ngx_http_request_t* r) noexcept
{
    if (r != r->main) {
        return run_of(r);
    }
    const Ctx* ctx = context(r);
    return ctx != nullptr && ctx->upgraded != nullptr ? ctx->run : nullptr;
}

ngx_int_t start_subrequest(
    Run& run, ngx_str_t uri, ngx_str_t args, ngx_uint_t flags)
{
    ngx_http_request_t* r = run.ctx->r;
    auto* ps = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t)));
    if (ps == nullptr) {
        return NGX_ERROR;
    }
    ps->handler = post_try;
    ps->data = &run;
    return ngx_http_subrequest(r, &uri, &args, &run.sr, ps, flags);
}

namespace {

// nullptr: it could not be started.
Run* launch(Ctx& ctx, async::AttemptOp& op, policy::Try& attempt)
{
    auto owned = std::make_unique<Run>();
    Run& run = *owned;
    run.ctx = &ctx;
    run.op = &op;
    run.attempt = &attempt;
    run.upstream =
        &main_conf(ctx.r)->configuration->upstreams[attempt.provider_index];
    run.end.begin = ctx.io.now();
    ctx.runs.push_back(std::move(owned));
    run.begin = run.progress = ngx_current_msec;
    if (!ctx.opened) {
        ctx.written = run.begin;
    }
    watch_run(run);

    if (attempt.provider->options.type->mock) {
        run.kind = Run::Kind::mock;
        start_mock_try(run);
        return &run;
    }
    ngx_int_t rc;
    if (run.upstream->location.len != 0) {
        run.kind = Run::Kind::location;
        rc = start_location_try(run);
    } else {
        rc = start_subrequest(
            run, ctx.r->uri, ctx.r->args, NGX_HTTP_SUBREQUEST_CLONE);
    }
    if (rc != NGX_OK) {
        stop_timers(run);
        run.op = nullptr;
        return nullptr;
    }
    return &run;
}

// The first try has brought nothing yet: another one beside it.
void second_handler(ngx_event_t* ev) noexcept
{
    auto* ctx = static_cast<Ctx*>(ev->data);
    ngx_connection_t* c = ctx->r->connection;
    ngx_http_set_log_request(c->log, ctx->r);
    guard_void(
        c->log,
        [ctx] {
            if (ctx->race == nullptr || ctx->winner != nullptr) {
                return;
            }
            if (policy::Try* attempt = ctx->race->second->make()) {
                ctx->second = launch(*ctx, *ctx->race, *attempt);
            }
        },
        [] {});
    ngx_http_run_posted_requests(c);
}

void stop_handler(ngx_event_t* ev) noexcept
{
    auto* ctx = static_cast<Ctx*>(ev->data);
    ngx_connection_t* c = ctx->r->connection;
    ngx_http_set_log_request(c->log, ctx->r);
    for (Run* run : {ctx->run, ctx->second}) {
        if (run != nullptr && run != ctx->winner) {
            stop_run(*run);
        }
    }
    ngx_http_run_posted_requests(c);
}

// The rival ends as soon as no callback of nginx is under way.
void supersede(Run& run) noexcept
{
    if (!run.settled && run.stopped == ErrorCode::none) {
        run.stopped = ErrorCode::superseded;
        ngx_post_event(&run.ctx->stop, &ngx_posted_events);
    }
}

} // namespace

Run* rival(const Run& run) noexcept
{
    const Ctx& ctx = *run.ctx;
    Run* other = &run == ctx.second ? ctx.run : ctx.second;
    return other != nullptr && other != &run && other->op == run.op ? other
                                                                    : nullptr;
}

bool start_try(Ctx& ctx, async::AttemptOp& op)
{
    ctx.attempt_ended = false;
    ctx.race = &op;
    ctx.winner = ctx.second = nullptr;
    ctx.run = launch(ctx, op, *op.attempt);
    if (ctx.run == nullptr) {
        ctx.race = nullptr;
        op.result.end.code = ErrorCode::internal;
        op.result.end.begin = op.result.end.end = ctx.io.now();
        return true;
    }
    if (op.second != nullptr && ctx.run->kind != Run::Kind::location) {
        ctx.second_timer.handler = second_handler;
        ctx.stop.handler = stop_handler;
        for (ngx_event_t* ev : {&ctx.second_timer, &ctx.stop}) {
            ev->data = &ctx;
            ev->log = ctx.r->connection->log;
        }
        ngx_add_timer(&ctx.second_timer, static_cast<ngx_msec_t>(op.second_ms));
    }
    return false;
}

void leave_race(Ctx& ctx) noexcept
{
    ctx.race = nullptr;
    if (ctx.second_timer.timer_set) {
        ngx_del_timer(&ctx.second_timer);
    }
    if (ctx.stop.posted) {
        ngx_delete_posted_event(&ctx.stop);
    }
}

bool claim_client(Run& run) noexcept
{
    Ctx& ctx = *run.ctx;
    if (ctx.winner == nullptr) {
        ctx.winner = &run;
        if (ctx.second_timer.timer_set) {
            ngx_del_timer(&ctx.second_timer);
        }
        if (Run* other = rival(run)) {
            supersede(*other);
        }
    }
    return ctx.winner == &run;
}

// What the postpone filter does when the parent writes: the first subrequest
// that waits for its turn gets it.
void activate_postponed(ngx_http_request_t* r) noexcept
{
    ngx_connection_t* c = r->connection;
    if (c->data != r || r->postponed == nullptr
        || r->postponed->request == nullptr) {
        return;
    }
    ngx_http_request_t* next = r->postponed->request;
    r->postponed = r->postponed->next;
    c->data = next;
    (void)ngx_http_post_request(next, nullptr);
}

namespace {

// Joins the states of a try to those of the request, so that the stock
// variables list all tries.
void keep_states(ngx_http_request_t* sr)
{
    ngx_http_request_t* r = sr->main;
    if (sr->upstream_states == nullptr || sr->upstream_states->nelts == 0) {
        return;
    }
    if (r->upstream_states == nullptr) {
        r->upstream_states = sr->upstream_states;
        return;
    }
    void* to = ngx_array_push_n(r->upstream_states, sr->upstream_states->nelts);
    if (to != nullptr) {
        ngx_memcpy(to, sr->upstream_states->elts,
            sr->upstream_states->nelts * sizeof(ngx_http_upstream_state_t));
    }
}

// nginx asks here what the parent makes of the try's end: failures are
// swallowed, the parent decides.
ngx_int_t post_try(ngx_http_request_t* sr, void* data, ngx_int_t rc) noexcept
{
    auto* run = static_cast<Run*>(data);
    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST || sr->connection->error
        || sr->connection->timedout)
    {
        return run->ctx->draining != nullptr ? NGX_HTTP_CLIENT_CLOSED_REQUEST
                                             : rc;
    }
    if (run->settled || run->attempt == nullptr) {
        return NGX_OK;
    }
    guard_void(
        sr->connection->log,
        [&] {
            keep_states(sr);
            if (run->kind == Run::Kind::location) {
                run->code = location_outcome(*run, rc);
            } else if (!run->header_seen && run->code == ErrorCode::none) {
                run->code = ErrorCode::internal;
            }
            settle(*run, run->code);
        },
        [&] { settle(*run, ErrorCode::internal); });
    return NGX_OK;
}

} // namespace

void log_failure(const Run& run, ErrorCode code)
{
    const policy::Try& attempt = *run.attempt;
    std::string text = "provider \"" + attempt.provider->options.name
        + "\" failed: " + std::string(describe(code).name);
    if (int status = attempt.response->status(); status != 0) {
        text += ", status " + std::to_string(status);
    }
    log_text(NGX_LOG_WARN, run.ctx->r->connection->log, text);
}

namespace {

// Both have ended, or the only one.
void end_race(Ctx& ctx, Run& counts) noexcept
{
    async::RaceEnd& result = ctx.race->result;
    result.end = counts.end;
    result.second = &counts == ctx.second;
    if (const Run* other = rival(counts)) {
        result.raced = true;
        result.other = other->end;
    }
    if (result.second) {
        std::swap(ctx.run, ctx.second);
    }
    ctx.attempt_ended = true;
}

} // namespace

// Writes down how the try ended.  The parent goes on when nginx wakes it.
void settle(Run& run, ErrorCode code)
{
    if (run.settled) {
        return;
    }
    run.settled = true;
    stop_timers(run);
    if (run.op == nullptr) {
        return;
    }
    Ctx& ctx = *run.ctx;
    run.end.code = code;
    run.end.end = ctx.io.now();
    if (code != ErrorCode::none && code != ErrorCode::superseded) {
        log_failure(run, code);
    }
    const bool counts =
        ctx.winner == &run || (code == ErrorCode::none && claim_client(run));
    run.end.committed = ctx.committed && counts;
    // Output that came with the very end of a stream that had not begun.
    if (counts && !ctx.committed && !run.tail.empty() && code == ErrorCode::none
        && run.attempt->response->streaming())
    {
        if (commit_stream(ctx, *run.attempt->response) == NGX_OK) {
            run.end.committed = true;
        } else {
            run.end.code = ErrorCode::internal;
        }
    }
    Run* other = rival(run);
    if (other != nullptr && !other->settled) {
        return;
    }
    end_race(ctx, ctx.winner != nullptr ? *ctx.winner : run);
}

void stop_run(Run& run) noexcept
{
    if (run.settled) {
        return;
    }
    if (run.kind == Run::Kind::mock) {
        guard_void(
            run.ctx->r->connection->log,
            [&] {
                settle(run, run.stopped);
                post_wake(*run.ctx);
            },
            [&] { post_wake(*run.ctx); });
        return;
    }
    if (run.sr == nullptr || run.sr->upstream == nullptr
        || ngx_http_ai_proxy_peer_stop_waiting(run.sr)
        || run.sr->upstream->peer.connection == nullptr)
    {
        return;
    }
    ngx_http_upstream_t* u = run.sr->upstream;
    ngx_connection_t* c = u->peer.connection;
    u->peer.tries = 0;
    c->read->timedout = 1;
    if (run.stopped != ErrorCode::superseded) {
        c->read->handler(c->read);
        return;
    }
    // nginx would call it an error that the other one was faster.  Nothing but
    // the subrequest ends here: its parent is only posted.
    ngx_log_t* log = run.ctx->r->connection->log;
    const ngx_uint_t level = log->log_level;
    if (level <= NGX_LOG_INFO) {
        log->log_level = NGX_LOG_CRIT;
    }
    u->read_event_handler(run.sr, u);
    log->log_level = level;
}

} // namespace ai_proxy::http
