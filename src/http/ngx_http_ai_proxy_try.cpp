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

bool start_try(Ctx& ctx, async::AttemptOp& op)
{
    auto owned = std::make_unique<Run>();
    Run& run = *owned;
    run.ctx = &ctx;
    run.op = &op;
    run.attempt = op.attempt;
    run.upstream =
        &main_conf(ctx.r)->configuration->upstreams[op.attempt->provider_index];
    ctx.runs.push_back(std::move(owned));
    ctx.run = &run;
    ctx.attempt_ended = false;
    run.begin = run.progress = ngx_current_msec;
    watch_run(run);

    if (op.attempt->provider->options.type->mock) {
        run.kind = Run::Kind::mock;
        start_mock_try(run);
        return false;
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
        op.result.code = ErrorCode::internal;
        op.result.end = ctx.io.now();
        return true;
    }
    return false;
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
        return rc;
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
    run.op->result.code = code;
    run.op->result.committed = run.ctx->committed;
    run.op->result.end = run.ctx->io.now();
    run.ctx->attempt_ended = true;
    if (code != ErrorCode::none) {
        log_failure(run, code);
    }
    // Output that came with the very end of a stream that had not begun.
    if (!run.ctx->committed && !run.tail.empty() && code == ErrorCode::none
        && run.attempt->response->streaming())
    {
        if (commit_stream(*run.ctx, *run.attempt->response) == NGX_OK) {
            run.op->result.committed = true;
        } else {
            run.op->result.code = ErrorCode::internal;
        }
    }
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
    c->read->handler(c->read);
}

} // namespace ai_proxy::http
