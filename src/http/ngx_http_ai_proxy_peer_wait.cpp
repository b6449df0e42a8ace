#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_addresses.h"

namespace ai_proxy::http {

namespace {

using Conf = ngx_http_ai_proxy_peer_conf_t;

// A request that waits for the first address.
struct Waiter {
    ngx_queue_t queue; // first: timer_handler's data has room behind it
    ngx_http_request_t* r;
    ngx_event_t timer;
    bool queued;
};

void leave_queue(Waiter& w) noexcept
{
    if (!w.queued) {
        return;
    }
    w.queued = false;
    ngx_queue_remove(&w.queue);
    if (w.timer.timer_set) {
        ngx_del_timer(&w.timer);
    }
}

// Goes on with or without an address; get_peer() tells the difference.
void resume(Waiter& w) noexcept
{
    ngx_http_request_t* r = w.r;
    ngx_connection_t* c = r->connection;
    leave_queue(w);
    ngx_http_set_log_request(c->log, r);
    r->read_event_handler = ngx_http_block_reading;
    ngx_http_upstream_init(r);
    ngx_http_run_posted_requests(c);
}

void waiter_cleanup(void* data) noexcept
{
    leave_queue(*static_cast<Waiter*>(data));
}

void waiter_timer_handler(ngx_event_t* ev) noexcept
{
    auto* w = static_cast<Waiter*>(ev->data);
    ngx_http_set_log_request(w->r->connection->log, w->r);
    ngx_log_error(NGX_LOG_ERR, w->r->connection->log, NGX_ETIMEDOUT,
        "ai_proxy: provider's name is not resolved yet");
    resume(*w);
}

ngx_int_t wait_for_address(ngx_http_request_t* r, Conf& conf) noexcept
{
    auto* w = static_cast<Waiter*>(ngx_pcalloc(r->pool, sizeof(Waiter)));
    ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
    if (w == nullptr || cleanup == nullptr) {
        return NGX_ERROR;
    }
    cleanup->handler = waiter_cleanup;
    cleanup->data = w;

    // As ngx_http_upstream_init() would: a client that leaves is noticed.
    ngx_connection_t* c = r->connection;
    ngx_event_t* rev = c->read;
#if (NGX_HTTP_V2)
    if (r->stream == nullptr)
#endif
    {
        if (rev->timer_set) {
            ngx_del_timer(rev);
        }
        if (rev->ready) {
            ngx_post_event(rev, &ngx_posted_events);

        } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    c->log->action = const_cast<char*>("resolving the provider's name");

    w->r = r;
    w->queued = true;
    ngx_queue_insert_tail(&conf.waiters, &w->queue);
    w->timer.handler = waiter_timer_handler;
    w->timer.data = w;
    w->timer.log = c->log;
    ngx_add_timer(&w->timer, r->upstream->conf->connect_timeout);
    return NGX_OK;
}

Conf* ours(ngx_http_request_t* r) noexcept
{
    if (r->upstream == nullptr || r->upstream->conf == nullptr) {
        return nullptr;
    }
    ngx_http_upstream_srv_conf_t* uscf = r->upstream->conf->upstream;
    if (uscf == nullptr || uscf->peer.init != init_peer) {
        return nullptr;
    }
    return static_cast<Conf*>(uscf->peer.data);
}

} // namespace


void wake_waiters(Conf& conf) noexcept
{
    // A woken request may fail at once and come back to wait: not this time.
    ngx_queue_t woken;
    ngx_queue_init(&woken);
    if (!ngx_queue_empty(&conf.waiters)) {
        ngx_queue_add(&woken, &conf.waiters);
        ngx_queue_init(&conf.waiters);
    }
    while (!ngx_queue_empty(&woken)) {
        ngx_queue_t* q = ngx_queue_head(&woken);
        resume(*ngx_queue_data(q, Waiter, queue));
    }
}

} // namespace ai_proxy::http


using namespace ai_proxy::http;


void ngx_http_ai_proxy_peer_start(ngx_http_request_t* r) noexcept
{
    ngx_http_ai_proxy_peer_conf_t* conf = ours(r);
    if (conf != nullptr && conf->addresses == nullptr) {
        resolve_now(*conf);
        // The answer may have been there at once.
        if (conf->addresses == nullptr && conf->query != nullptr) {
            if (wait_for_address(r, *conf) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            }
            return;
        }
    }
    ngx_http_upstream_init(r);
}


bool ngx_http_ai_proxy_peer_stop_waiting(ngx_http_request_t* r) noexcept
{
    ngx_http_ai_proxy_peer_conf_t* conf = ours(r);
    if (conf == nullptr) {
        return false;
    }
    for (ngx_queue_t* q = ngx_queue_head(&conf->waiters);
         q != ngx_queue_sentinel(&conf->waiters); q = ngx_queue_next(q))
    {
        auto* w = ngx_queue_data(q, Waiter, queue);
        if (w->r == r) {
            resume(*w);
            return true;
        }
    }
    return false;
}
