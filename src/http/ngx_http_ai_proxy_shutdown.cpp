#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

#include <sys/eventfd.h>

// The end of a worker whose streams still run (reload, quit).  nginx cuts them
// when worker_shutdown_timeout has passed; a moment before, they are ended
// here in words that their clients understand.
//
// nginx tells a module that the worker is to leave by closing its idle
// connections only: one of them is ours, and has nothing else to do.

namespace ai_proxy::http {

namespace {

// What is left of the time when the last call comes: a quarter of it, and no
// more than this.
constexpr ngx_msec_t kMargin = 1000;

ngx_http_ai_proxy_totals_t* totals_of(const Ctx& ctx) noexcept
{
    return ngx_http_ai_proxy_zone_totals(&main_conf(ctx.r)->zone);
}

Ctx& context_of(ngx_queue_t* q) noexcept
{
    const Link* link = ngx_queue_data(q, Link, queue);
    return *link->ctx;
}

void hold(Ctx& ctx) noexcept
{
    if (!ctx.held) {
        ctx.held =
            take_place(worker().places, ngx_http_ai_proxy_held_streams_id(), 0);
    }
}

// A WebSocket, or what is to become one.
void cut_upgrade(Ctx& ctx)
{
    auto* totals = totals_of(ctx);
    if (totals != nullptr && ctx.committed) {
        totals->cut_streams.fetch_add(1, std::memory_order_relaxed);
    }
    ngx_http_set_log_request(ctx.r->connection->log, ctx.r);
    ctx.run->stopped = ErrorCode::shutdown;
    end_upgrade(ctx);
}

// Ends what a request waits for.  It may be gone after this.
void cut(Ctx& ctx)
{
    if (ctx.upgraded != nullptr && ctx.run != nullptr && !ctx.run->settled) {
        cut_upgrade(ctx);
        return;
    }
    if (!ctx.root || ctx.over) {
        return;
    }
    ngx_http_request_t* r = ctx.r;
    ngx_connection_t* c = r->connection;
    ngx_http_set_log_request(c->log, r);
    if (auto* totals = totals_of(ctx);
        totals != nullptr && ctx.committed && ctx.draining == nullptr)
    {
        totals->cut_streams.fetch_add(1, std::memory_order_relaxed);
    }
    if (ctx.draining != nullptr) {
        end_drain(*ctx.draining);
        return;
    }
    // The request goes on when the last of its tries has ended, not before.
    std::array<Run*, 2> running{};
    size_t count = 0;
    for (Run* run : {ctx.second, ctx.run}) {
        if (run != nullptr && run->op != nullptr && !run->settled) {
            running[count++] = run;
        }
    }
    for (size_t i = 0; i < count; i++) {
        running[i]->stopped = ErrorCode::shutdown;
        stop_run(*running[i]);
    }
    if (count != 0) {
        return;
    }
    // Between two tries.
    ctx.root.reset();
    finalize_with(ctx,
        make_error(ErrorCode::shutdown,
            std::string(policy::phrase(ErrorCode::shutdown))));
    ngx_http_run_posted_requests(c);
}

void last_call(ngx_event_t*) noexcept
{
    Worker& w = worker();
    w.closing = true;
    // Requests end while we go through them, not only the one we ask to.
    ngx_queue_t left;
    ngx_queue_init(&left);
    if (!ngx_queue_empty(&w.requests)) {
        ngx_queue_add(&left, &w.requests);
        ngx_queue_init(&w.requests);
    }
    while (!ngx_queue_empty(&left)) {
        ngx_queue_t* q = ngx_queue_head(&left);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w.requests, q);
        Ctx& ctx = context_of(q);
        ngx_http_request_t* r = ctx.r;
        guard_void(
            r->connection->log, [&ctx] { cut(ctx); }, [] {});
    }
}

void leave(ngx_cycle_t* cycle) noexcept
{
    Worker& w = worker();
    w.leaving = true;
    for (ngx_queue_t* q = ngx_queue_head(&w.requests);
         q != ngx_queue_sentinel(&w.requests); q = ngx_queue_next(q))
    {
        Ctx& ctx = context_of(q);
        if (ctx.active != nullptr) {
            hold(ctx);
        }
    }
    auto* core = reinterpret_cast<ngx_core_conf_t*>(
        ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    const ngx_msec_t time = core->shutdown_timeout;
    if (time != 0) {
        w.last_call.handler = last_call;
        w.last_call.data = &w.last_call;
        w.last_call.log = cycle->log;
        w.last_call.cancelable = 1;
        ngx_add_timer(&w.last_call, time - std::min(time / 4, kMargin));
    }
}

void bell_handler(ngx_event_t* ev) noexcept
{
    auto* c = static_cast<ngx_connection_t*>(ev->data);
    if (!c->close) {
        return;
    }
    auto* cycle = static_cast<ngx_cycle_t*>(c->data);
    worker().bell = nullptr;
    ngx_close_connection(c);
    if (ngx_exiting) {
        leave(cycle);
    }
}

} // namespace

void hang_bell(ngx_cycle_t* cycle) noexcept
{
    if (ngx_process != NGX_PROCESS_WORKER) {
        return;
    }
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd == -1) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
            "ai_proxy: eventfd() failed, streams are cut at shutdown");
        return;
    }
    ngx_connection_t* c = ngx_get_connection(fd, cycle->log);
    if (c == nullptr) {
        (void)close(fd);
        return;
    }
    c->data = cycle;
    c->idle = 1;
    c->read->handler = bell_handler;
    c->read->log = c->write->log = cycle->log;
    worker().bell = c;
}

void take_bell_down() noexcept
{
    if (worker().bell != nullptr) {
        ngx_close_connection(std::exchange(worker().bell, nullptr));
    }
    if (worker().last_call.timer_set) {
        ngx_del_timer(&worker().last_call);
    }
}

void stream_held(Ctx& ctx) noexcept
{
    if (worker().leaving) {
        hold(ctx);
    }
}

void stream_released(Ctx& ctx) noexcept
{
    ctx.held.leave();
}

} // namespace ai_proxy::http
