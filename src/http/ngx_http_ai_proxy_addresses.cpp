#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_addresses.h"
#include "ngx/bridge.h"

#include <algorithm>

namespace ai_proxy::http {

namespace {

using Conf = ngx_http_ai_proxy_peer_conf_t;

inline constexpr ngx_msec_t kRetryMin = 1000;
inline constexpr ngx_msec_t kRetryMax = 30'000;
inline constexpr ngx_msec_t kRefreshMax = 3'600'000;

// Appends one address unless it is there already or the list is full; false
// only without memory.
bool add_address(AddressList& list, ngx_pool_t* pool, const sockaddr* sa,
    socklen_t len, in_port_t port) noexcept
{
    if (list.count == kMaxAddresses || len > sizeof(ngx_sockaddr_t)) {
        return true;
    }

    Address& a = list.at[list.count];
    ngx_memzero(&a, sizeof(Address));
    ngx_memcpy(&a.sockaddr, sa, len);
    a.socklen = len;
    if (sa->sa_family != AF_UNIX) {
        ngx_inet_set_port(&a.sockaddr.sockaddr, port);
    }
    if (find_address(&list, a.sockaddr, len) != nullptr) {
        return true;
    }

    u_char text[NGX_SOCKADDR_STRLEN];
    size_t n =
        ngx_sock_ntop(&a.sockaddr.sockaddr, len, text, NGX_SOCKADDR_STRLEN, 1);
    a.text = copy(pool, {reinterpret_cast<char*>(text), n});
    if (a.text.data == nullptr) {
        return false;
    }
    list.count++;
    return true;
}

AddressList* new_list(ngx_pool_t* pool) noexcept
{
    return static_cast<AddressList*>(ngx_pcalloc(pool, sizeof(AddressList)));
}

AddressList* from_resolver(
    const ngx_resolver_ctx_t& ctx, in_port_t port) noexcept
{
    ngx_pool_t* pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == nullptr) {
        return nullptr;
    }
    AddressList* list = new_list(pool);
    bool ok = list != nullptr;
    for (ngx_uint_t i = 0; ok && i < ctx.naddrs; i++) {
        ok = add_address(
            *list, pool, ctx.addrs[i].sockaddr, ctx.addrs[i].socklen, port);
    }
    if (!ok) {
        ngx_destroy_pool(pool);
        return nullptr;
    }
    list->pool = pool;
    return list;
}

void destroy(AddressList* list) noexcept
{
    if (list != nullptr && list->pool != nullptr) {
        ngx_destroy_pool(list->pool);
    }
}

// The resolver rotates its answers: order does not matter.
bool same_set(AddressList* a, AddressList* b) noexcept
{
    if (a == nullptr || b == nullptr || a->count != b->count) {
        return false;
    }
    for (ngx_uint_t i = 0; i < a->count; i++) {
        if (find_address(b, a->at[i].sockaddr, a->at[i].socklen) == nullptr) {
            return false;
        }
    }
    return true;
}

void replace_addresses(Conf& conf, AddressList* list) noexcept
{
    if (same_set(conf.addresses, list)) {
        destroy(list);
        return;
    }

    for (ngx_uint_t i = 0; i < list->count; i++) {
        Address& a = list->at[i];
        const Address* old =
            find_address(conf.addresses, a.sockaddr, a.socklen);
        if (old != nullptr) {
            a.checked = old->checked;
            a.fails = old->fails;
        }
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
        "ai_proxy: provider \"%V\": \"%V\" has %ui addresses, first %V",
        &conf.name, &conf.host, list->count, &list->at[0].text);

    destroy(conf.addresses);
    conf.addresses = list;
    conf.generation++;
    close_idle_elsewhere(conf);
}

ngx_msec_t retry_delay(const Conf& conf) noexcept
{
    ngx_uint_t shift = std::min<ngx_uint_t>(conf.failures, 6) - 1;
    return std::min(kRetryMin << shift, kRetryMax);
}

ngx_msec_t failed(Conf& conf, ngx_int_t state) noexcept
{
    // The first failure is worth a line, its repetitions are not.
    ngx_uint_t level = NGX_LOG_INFO;
    if (conf.failures == 0) {
        level = conf.addresses != nullptr ? NGX_LOG_WARN : NGX_LOG_ERR;
    }
    ngx_log_error(level, ngx_cycle->log, 0,
        "ai_proxy: provider \"%V\": \"%V\" could not be resolved (%i: %s)%s",
        &conf.name, &conf.host, state, ngx_resolver_strerror(state),
        conf.addresses != nullptr ? ", keeping its addresses" : "");

    conf.failures++;
    conf.failed_at = ngx_current_msec;
    return retry_delay(conf);
}

void resolved_handler(ngx_resolver_ctx_t* ctx) noexcept
{
    auto& conf = *static_cast<Conf*>(ctx->data);
    ngx_msec_t delay;
    conf.query = nullptr;

    AddressList* list = nullptr;
    if (ctx->state == NGX_OK) {
        list = from_resolver(*ctx, conf.port);
    }

    if (list != nullptr && list->count != 0) {
        if (conf.failures != 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                "ai_proxy: provider \"%V\": \"%V\" is resolved again",
                &conf.name, &conf.host);
            conf.failures = 0;
        }
        replace_addresses(conf, list);
        time_t left = ctx->valid - ngx_time();
        delay = left > 1 ? static_cast<ngx_msec_t>(left) * 1000 : kRetryMin;
        delay = std::min(delay, kRefreshMax);

    } else {
        destroy(list);
        delay = failed(conf, ctx->state);
    }

    ngx_resolve_name_done(ctx);
    ngx_add_timer(&conf.timer, delay);
    wake_waiters(conf);
}

void send_query(Conf& conf) noexcept
{
    if (conf.query != nullptr) {
        return;
    }

    ngx_resolver_ctx_t* ctx = ngx_resolve_start(conf.resolver, nullptr);
    if (ctx != nullptr && ctx != NGX_NO_RESOLVER) {
        ctx->name = conf.host;
        ctx->handler = resolved_handler;
        ctx->data = &conf;
        ctx->timeout = conf.resolver_timeout;
        ctx->cancelable = 1;

        // The handler may run inside the call, and clears it then.
        conf.query = ctx;
        if (ngx_resolve_name(ctx) == NGX_OK) {
            return;
        }
        conf.query = nullptr;
    }

    ngx_add_timer(&conf.timer, failed(conf, NGX_RESOLVE_SERVFAIL));
    wake_waiters(conf);
}

void timer_handler(ngx_event_t* ev) noexcept
{
    send_query(*static_cast<Conf*>(ev->data));
}

void start_resolving(Conf& conf, ngx_msec_t delay) noexcept
{
    if (conf.resolver == nullptr) {
        return;
    }
    conf.timer.handler = timer_handler;
    conf.timer.data = &conf;
    conf.timer.log = ngx_cycle->log;
    conf.timer.cancelable = 1;
    ngx_add_timer(&conf.timer, delay);
}

void stop_resolving(Conf& conf) noexcept
{
    if (conf.timer.timer_set) {
        ngx_del_timer(&conf.timer);
    }
    if (conf.query != nullptr) {
        ngx_resolve_name_done(conf.query);
        conf.query = nullptr;
    }
}

void stop(Conf& conf) noexcept
{
    stop_resolving(conf);
    close_idle(conf);
    destroy(conf.addresses);
    conf.addresses = nullptr;
#if (NGX_HTTP_SSL)
    if (conf.session != nullptr) {
        ngx_ssl_free_session(conf.session);
        conf.session = nullptr;
    }
#endif
}

} // namespace


AddressList* from_url(
    ngx_pool_t* pool, const ngx_url_t& url, in_port_t port) noexcept
{
    AddressList* list = new_list(pool);
    if (list == nullptr) {
        return nullptr;
    }
    for (ngx_uint_t i = 0; i < url.naddrs; i++) {
        if (!add_address(
                *list, pool, url.addrs[i].sockaddr, url.addrs[i].socklen, port))
        {
            return nullptr;
        }
    }
    return list;
}


bool same_address(const ngx_sockaddr_t& a, socklen_t a_len,
    const ngx_sockaddr_t& b, socklen_t b_len) noexcept
{
    return a_len == b_len && ngx_memcmp(&a, &b, a_len) == 0;
}


Address* find_address(AddressList* list, const ngx_sockaddr_t& sockaddr,
    socklen_t socklen) noexcept
{
    if (list == nullptr) {
        return nullptr;
    }
    for (ngx_uint_t i = 0; i < list->count; i++) {
        Address& a = list->at[i];
        if (same_address(a.sockaddr, a.socklen, sockaddr, socklen)) {
            return &a;
        }
    }
    return nullptr;
}


void resolve_now(Conf& conf) noexcept
{
    if (conf.resolver == nullptr || conf.query != nullptr) {
        return;
    }
    if (conf.failures != 0 && ngx_current_msec - conf.failed_at < kRetryMin) {
        return;
    }
    if (conf.timer.timer_set) {
        ngx_del_timer(&conf.timer);
    }
    send_query(conf);
}

} // namespace ai_proxy::http


using namespace ai_proxy::http;


ngx_int_t ngx_http_ai_proxy_peer_init_process(
    ngx_cycle_t*, ngx_http_ai_proxy_peers_t* peers) noexcept
{
    // The cache manager and loader come here too.
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    for (auto* conf = peers->first; conf != nullptr; conf = conf->next) {
        conf->next_address = static_cast<ngx_uint_t>(ngx_random());
        // Addresses from the start may be old in a worker that replaces a
        // lost one; they do for the moment.
        start_resolving(*conf,
            conf->addresses == nullptr
                ? 0
                : static_cast<ngx_msec_t>(ngx_random() % 1000));
    }
    return NGX_OK;
}


void ngx_http_ai_proxy_peer_exit_process(
    ngx_cycle_t*, ngx_http_ai_proxy_peers_t* peers) noexcept
{
    for (auto* conf = peers->first; conf != nullptr; conf = conf->next) {
        stop(*conf);
    }
}
