#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_addresses.h"

namespace ai_proxy::http {

namespace {

using Conf = ngx_http_ai_proxy_peer_conf_t;

inline constexpr ngx_uint_t kMaxTries = 3;

// u->peer.data of one request.
struct Peer {
    Conf* conf;
    ngx_http_request_t* r;
    uint64_t tried;        // bit by index in conf->addresses
    ngx_uint_t generation; // of the addresses that tried speaks of
    ngx_uint_t index;      // of the address in use
    int avoid_family;      // of one that could not be connected
    bool fresh;            // a kept connection was dead: take a new one
    ngx_sockaddr_t sockaddr;
    socklen_t socklen;
};

bool resting(const Conf& conf, const Address& a) noexcept
{
    return a.fails != 0 && ngx_time() - a.checked < conf.fail_timeout;
}

// Round robin; an address that failed lately comes last, but comes: refusing
// to try at all would be an outage of our own making.
Address* pick(Peer& p) noexcept
{
    AddressList* list = p.conf->addresses;
    if (list == nullptr) {
        return nullptr;
    }
    if (p.generation != p.conf->generation) {
        p.generation = p.conf->generation;
        p.tried = 0;
    }

    Address* best = nullptr;
    int best_rank = 4;
    for (ngx_uint_t k = 0; k < list->count && best_rank != 0; k++) {
        ngx_uint_t i = (p.conf->next_address + k) % list->count;
        Address& a = list->at[i];
        if ((p.tried & (uint64_t(1) << i)) != 0) {
            continue;
        }
        int rank = (resting(*p.conf, a) ? 2 : 0)
            + (a.sockaddr.sockaddr.sa_family == p.avoid_family ? 1 : 0);
        if (rank < best_rank) {
            best_rank = rank;
            best = &a;
            p.index = i;
        }
    }
    if (best != nullptr) {
        p.tried |= uint64_t(1) << p.index;
        p.conf->next_address = p.index + 1;
    }
    return best;
}

ngx_connection_t* take_idle(const Peer& p) noexcept
{
    ngx_queue_t* idle = &p.conf->idle;
    for (ngx_queue_t* q = ngx_queue_head(idle); q != ngx_queue_sentinel(idle);
         q = ngx_queue_next(q))
    {
        auto* item = ngx_queue_data(q, IdleConnection, queue);
        if (same_address(item->sockaddr, item->socklen, p.sockaddr, p.socklen))
        {
            ngx_queue_remove(q);
            ngx_queue_insert_head(&p.conf->free, q);
            return item->connection;
        }
    }
    return nullptr;
}

ngx_int_t get_peer(ngx_peer_connection_t* pc, void* data) noexcept
{
    auto& p = *static_cast<Peer*>(data);
    pc->cached = 0;
    pc->connection = nullptr;

    const Address* a = pick(p);
    if (a == nullptr) {
        pc->name = &p.conf->url;
        return NGX_BUSY;
    }

    // The list may be replaced while the request runs and its log line is
    // written even later: it gets copies.
    auto* name =
        static_cast<ngx_str_t*>(ngx_palloc(p.r->pool, sizeof(ngx_str_t)));
    if (name == nullptr) {
        return NGX_ERROR;
    }
    name->len = a->text.len;
    name->data = ngx_pstrdup(p.r->pool, const_cast<ngx_str_t*>(&a->text));
    if (name->data == nullptr) {
        return NGX_ERROR;
    }
    p.sockaddr = a->sockaddr;
    p.socklen = a->socklen;
    pc->sockaddr = &p.sockaddr.sockaddr;
    pc->socklen = p.socklen;
    pc->name = name;

    ngx_connection_t* c = p.fresh ? nullptr : take_idle(p);
    if (c == nullptr) {
        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
        "ai_proxy: using kept connection %p", c);

    c->idle = 0;
    c->sent = 0;
    c->data = nullptr;
    c->log = pc->log;
    c->read->log = pc->log;
    c->write->log = pc->log;
    c->pool->log = pc->log;
    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }
    pc->connection = c;
    pc->cached = 1;
    return NGX_DONE;
}

void close_connection(ngx_connection_t* c) noexcept
{
#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->handler = close_connection;
            return;
        }
    }
#endif
    ngx_destroy_pool(c->pool);
    ngx_close_connection(c);
}

void close_item(IdleConnection& item) noexcept
{
    ngx_queue_remove(&item.queue);
    ngx_queue_insert_head(&item.conf->free, &item.queue);
    close_connection(item.connection);
}

void idle_write_handler(ngx_event_t*) noexcept
{
}

// Anything a provider says on an idle connection ends it; so do its time and
// the worker's.
void idle_read_handler(ngx_event_t* ev) noexcept
{
    auto* c = static_cast<ngx_connection_t*>(ev->data);
    if (!c->close && !c->read->timedout) {
        char byte;
        ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK);
        if (n == -1 && ngx_socket_errno == NGX_EAGAIN) {
            ev->ready = 0;
            if (ngx_handle_read_event(c->read, 0) == NGX_OK) {
                return;
            }
        }
    }
    close_item(*static_cast<IdleConnection*>(c->data));
}

bool may_be_kept(
    const Peer& p, const ngx_peer_connection_t& pc, ngx_uint_t state) noexcept
{
    const Conf& conf = *p.conf;
    const ngx_http_upstream_t* u = p.r->upstream;
    const ngx_connection_t* c = pc.connection;
    return c != nullptr && conf.keepalive != 0 && !(state & NGX_PEER_FAILED)
        && !c->read->eof && !c->read->error && !c->read->timedout
        && !c->write->error && !c->write->timedout
        && c->requests < conf.keepalive_requests
        && ngx_current_msec - c->start_time <= conf.keepalive_time
        && u->keepalive && u->request_body_sent && !ngx_terminate
        && !ngx_exiting
        && find_address(conf.addresses, p.sockaddr, p.socklen) != nullptr
        && ngx_handle_read_event(c->read, 0) == NGX_OK;
}

void keep(Peer& p, ngx_peer_connection_t* pc) noexcept
{
    Conf& conf = *p.conf;
    if (ngx_queue_empty(&conf.free)) {
        ngx_queue_t* oldest = ngx_queue_last(&conf.idle);
        close_item(*ngx_queue_data(oldest, IdleConnection, queue));
    }
    ngx_queue_t* q = ngx_queue_head(&conf.free);
    auto* item = ngx_queue_data(q, IdleConnection, queue);
    ngx_queue_remove(q);
    ngx_queue_insert_head(&conf.idle, q);

    ngx_connection_t* c = pc->connection;
    pc->connection = nullptr;
    item->connection = c;
    item->sockaddr = p.sockaddr;
    item->socklen = p.socklen;

    c->read->delayed = 0;
    ngx_add_timer(c->read, conf.keepalive_timeout);
    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
    c->write->handler = idle_write_handler;
    c->read->handler = idle_read_handler;
    c->data = item;
    c->idle = 1;
    c->log = ngx_cycle->log;
    c->read->log = ngx_cycle->log;
    c->write->log = ngx_cycle->log;
    c->pool->log = ngx_cycle->log;

    ngx_log_debug1(
        NGX_LOG_DEBUG_HTTP, c->log, 0, "ai_proxy: keeping connection %p", c);

    if (c->read->ready) {
        idle_read_handler(c->read);
    }
}

void note_failure(Peer& p, ngx_peer_connection_t* pc) noexcept
{
    const ngx_connection_t* c = pc->connection;
    bool timed_out = c != nullptr && (c->read->timedout || c->write->timedout);

    if (pc->cached && !timed_out) {
        // The provider closed a kept connection; nginx raises tries itself.
        p.fresh = true;
        if (p.generation == p.conf->generation) {
            p.tried &= ~(uint64_t(1) << p.index);
        }
        pc->tries = 0;
        return;
    }

    if (c != nullptr && p.r->upstream->request_sent) {
        // The provider has the request: sending it once more to another
        // address is for the gateway to decide.
        pc->tries = 0;
        if (timed_out) {
            return;
        }

    } else {
        p.avoid_family = p.sockaddr.sockaddr.sa_family;
    }

    Address* a = find_address(p.conf->addresses, p.sockaddr, p.socklen);
    if (a != nullptr) {
        a->fails++;
        a->checked = ngx_time();
    }
}

void free_peer(ngx_peer_connection_t* pc, void* data, ngx_uint_t state) noexcept
{
    auto& p = *static_cast<Peer*>(data);
    if (pc->tries != 0) {
        pc->tries--;
    }

    if (state & NGX_PEER_FAILED) {
        note_failure(p, pc);
        return;
    }

    if (pc->connection != nullptr && p.r->upstream->request_sent) {
        Address* a = find_address(p.conf->addresses, p.sockaddr, p.socklen);
        if (a != nullptr) {
            a->fails = 0;
        }
    }
    if (may_be_kept(p, *pc, state)) {
        keep(p, pc);
    }
}

#if (NGX_HTTP_SSL)

ngx_int_t set_session(ngx_peer_connection_t* pc, void* data) noexcept
{
    const auto& p = *static_cast<Peer*>(data);
    return ngx_ssl_set_session(pc->connection, p.conf->session);
}

void save_session(ngx_peer_connection_t* pc, void* data) noexcept
{
    auto& p = *static_cast<Peer*>(data);
    ngx_ssl_session_t* session = ngx_ssl_get_session(pc->connection);
    if (session == nullptr) {
        return;
    }
    ngx_ssl_session_t* old = p.conf->session;
    p.conf->session = session;
    if (old != nullptr) {
        ngx_ssl_free_session(old);
    }
}

#endif

} // namespace


ngx_int_t init_peer(
    ngx_http_request_t* r, ngx_http_upstream_srv_conf_t* uscf) noexcept
{
    auto* conf = static_cast<Conf*>(uscf->peer.data);
    auto* p = static_cast<Peer*>(ngx_pcalloc(r->pool, sizeof(Peer)));
    if (p == nullptr) {
        return NGX_ERROR;
    }
    p->conf = conf;
    p->r = r;
    p->generation = conf->generation;

    ngx_peer_connection_t& pc = r->upstream->peer;
    pc.data = p;
    pc.get = get_peer;
    pc.free = free_peer;
    pc.tries = 1;
    if (conf->addresses != nullptr && conf->addresses->count > 1) {
        pc.tries = ngx_min(conf->addresses->count, kMaxTries);
    }
#if (NGX_HTTP_SSL)
    pc.set_session = set_session;
    pc.save_session = save_session;
#endif
    return NGX_OK;
}


void close_idle(Conf& conf) noexcept
{
    while (!ngx_queue_empty(&conf.idle)) {
        ngx_queue_t* q = ngx_queue_head(&conf.idle);
        close_item(*ngx_queue_data(q, IdleConnection, queue));
    }
}


void close_idle_elsewhere(Conf& conf) noexcept
{
    ngx_queue_t* next = nullptr;
    for (ngx_queue_t* q = ngx_queue_head(&conf.idle);
         q != ngx_queue_sentinel(&conf.idle); q = next)
    {
        next = ngx_queue_next(q);
        auto* item = ngx_queue_data(q, IdleConnection, queue);
        if (find_address(conf.addresses, item->sockaddr, item->socklen)
            == nullptr) {
            close_item(*item);
        }
    }
}

} // namespace ai_proxy::http
