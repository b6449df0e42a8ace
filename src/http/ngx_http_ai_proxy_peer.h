#pragma once

#include "ngx/ngx.h"

// Connections to a provider that has no upstream{} block: its addresses, kept
// current with the http level's resolver, round robin over them, and its own
// idle connections and TLS session in each worker.  Nothing is shared between
// providers, so a connection verified for one is never used for another.
//
// Everything lives on cf->pool; what changes while a worker runs belongs to
// that worker alone.
struct ngx_http_ai_proxy_peer_conf_t;

// All providers of one configuration; embedded in the main conf, zeroed.
struct ngx_http_ai_proxy_peers_t {
    ngx_http_ai_proxy_peer_conf_t* first;
    ngx_resolver_t* resolver; // of the http level, or nullptr
    ngx_msec_t resolver_timeout;
};

struct ngx_http_ai_proxy_peer_options_t {
    ngx_str_t name; // of the provider, for messages
    ngx_str_t host; // name, IPv4, [IPv6] or unix:PATH; copied
    in_port_t port;
    // where messages about it point; nullptr: the current position of cf
    const ngx_str_t* file;
    ngx_uint_t line;
    ngx_uint_t keepalive;          // idle connections per worker, 0: none
    ngx_uint_t keepalive_requests; // 0: 1000
    ngx_msec_t keepalive_timeout;  // 0: 60 s
    ngx_msec_t keepalive_time;     // 0: 1 h, age at which one is not kept
    time_t fail_timeout;           // 0: 10 s, a failed address is avoided
};

// Adds a provider while the configuration is read.  The result goes to
// upstream_conf.upstream; it is in no list of nginx's own.  nullptr after an
// error that was logged.
ngx_http_upstream_srv_conf_t* ngx_http_ai_proxy_peer_add(ngx_conf_t* cf,
    ngx_http_ai_proxy_peers_t* peers,
    const ngx_http_ai_proxy_peer_options_t& options) noexcept;

// Last step of postconfiguration: resolves the names, blocking.  One that
// cannot be resolved is an error only without a resolver at http level.
ngx_int_t ngx_http_ai_proxy_peer_resolve_all(
    ngx_conf_t* cf, ngx_http_ai_proxy_peers_t* peers) noexcept;

// Of init_process and exit_process.
ngx_int_t ngx_http_ai_proxy_peer_init_process(
    ngx_cycle_t* cycle, ngx_http_ai_proxy_peers_t* peers) noexcept;
void ngx_http_ai_proxy_peer_exit_process(
    ngx_cycle_t* cycle, ngx_http_ai_proxy_peers_t* peers) noexcept;

// Call it where ngx_http_upstream_init(r) would be called, with u->conf set.
// It is the same, but when the first resolution of the provider's name is
// still under way the request waits for it, at most u->conf->connect_timeout;
// without an address after that it fails with 502 like a refused connection.
// Upstreams that are not ours pass straight through.
void ngx_http_ai_proxy_peer_start(ngx_http_request_t* r) noexcept;

// Ends the waiting of r at once, if it waits: as if no address were found.
// True if it did.
bool ngx_http_ai_proxy_peer_stop_waiting(ngx_http_request_t* r) noexcept;
