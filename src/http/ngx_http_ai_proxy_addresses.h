#pragma once

#include "http/ngx_http_ai_proxy_peer.h"

// The addresses behind a provider's name: where they come from and how they
// stay current.  Only the files of the balancer include this.
namespace ai_proxy::http {

struct Address {
    ngx_sockaddr_t sockaddr;
    socklen_t socklen;
    ngx_str_t text;
    time_t checked; // when it last failed
    ngx_uint_t fails;
};

inline constexpr ngx_uint_t kMaxAddresses = 64; // bits of Peer::tried

struct AddressList {
    ngx_pool_t* pool; // its own when made by a worker, else nullptr
    ngx_uint_t count;
    Address at[kMaxAddresses];
};

// One idle connection; on the idle or the free queue of its provider.
struct IdleConnection {
    ngx_queue_t queue;
    ngx_http_ai_proxy_peer_conf_t* conf;
    ngx_connection_t* connection;
    ngx_sockaddr_t sockaddr;
    socklen_t socklen;
};

[[nodiscard]] bool same_address(const ngx_sockaddr_t& a, socklen_t a_len,
    const ngx_sockaddr_t& b, socklen_t b_len) noexcept;
[[nodiscard]] Address* find_address(AddressList* list,
    const ngx_sockaddr_t& sockaddr, socklen_t socklen) noexcept;

// Of the configuration; nullptr without memory.
[[nodiscard]] AddressList* from_url(
    ngx_pool_t* pool, const ngx_url_t& url, in_port_t port) noexcept;

// A request needs an address and there is none: asks now rather than at the
// next regular time.
void resolve_now(ngx_http_ai_proxy_peer_conf_t& conf) noexcept;

// Defined by the balancer.
ngx_int_t init_peer(
    ngx_http_request_t* r, ngx_http_upstream_srv_conf_t* uscf) noexcept;
void close_idle(ngx_http_ai_proxy_peer_conf_t& conf) noexcept;
void close_idle_elsewhere(ngx_http_ai_proxy_peer_conf_t& conf) noexcept;
void wake_waiters(ngx_http_ai_proxy_peer_conf_t& conf) noexcept;

} // namespace ai_proxy::http

struct ngx_http_ai_proxy_peer_conf_t {
    ngx_http_ai_proxy_peer_conf_t* next;
    ngx_http_upstream_srv_conf_t uscf;

    ngx_str_t name; // of the provider
    ngx_str_t host; // as the resolver wants it
    ngx_str_t url;  // host:port
    in_port_t port;
    bool literal; // an address or a socket: nothing to resolve
    ngx_str_t file;
    ngx_uint_t line;

    ngx_uint_t keepalive;
    ngx_uint_t keepalive_requests;
    ngx_msec_t keepalive_timeout;
    ngx_msec_t keepalive_time;
    time_t fail_timeout;

    ngx_resolver_t* resolver; // nullptr: addresses never change
    ngx_msec_t resolver_timeout;

    // From here on each worker has its own.
    ai_proxy::http::AddressList* addresses; // nullptr: none known
    ngx_uint_t generation;                  // of addresses
    ngx_uint_t next_address;
    ngx_queue_t idle;
    ngx_queue_t free;
    ngx_queue_t waiters;
#if (NGX_HTTP_SSL)
    ngx_ssl_session_t* session;
#endif

    ngx_resolver_ctx_t* query; // under way
    ngx_event_t timer;         // to the next query
    ngx_uint_t failures;       // queries in a row
    ngx_msec_t failed_at;
};
