#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_addresses.h"
#include "ngx/bridge.h"

using namespace std::string_view_literals;

namespace ai_proxy::http {

namespace {

using Conf = ngx_http_ai_proxy_peer_conf_t;

// A name, an address or a socket, with its port where it has one.
ngx_str_t make_url(
    ngx_pool_t* pool, const ngx_str_t& host, in_port_t port) noexcept
{
    std::string_view h = view(host);
    if (h.starts_with("unix:"sv)) {
        return copy(pool, h);
    }
    bool bare6 = h.find(':') != h.npos && !h.starts_with('[');
    ngx_str_t url{0, static_cast<u_char*>(ngx_pnalloc(pool, h.size() + 8))};
    if (url.data != nullptr) {
        u_char* end = ngx_slprintf(url.data, url.data + h.size() + 8,
            bare6 ? "[%V]:%ui" : "%V:%ui", &host, ngx_uint_t(port));
        url.len = static_cast<size_t>(end - url.data);
    }
    return url;
}

void log_config_error(ngx_conf_t* cf, const Conf& conf, const char* reason,
    const char* hint = "") noexcept
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
        "%s: \"%V\" of provider \"%V\"%s in %V:%ui", reason, &conf.url,
        &conf.name, hint, &conf.file, conf.line);
}

bool make_idle_slots(ngx_conf_t* cf, Conf& conf) noexcept
{
    ngx_queue_init(&conf.idle);
    ngx_queue_init(&conf.free);
    ngx_queue_init(&conf.waiters);
    if (conf.keepalive == 0) {
        return true;
    }

    auto* slots = static_cast<IdleConnection*>(
        ngx_pcalloc(cf->pool, sizeof(IdleConnection) * conf.keepalive));
    if (slots == nullptr) {
        return false;
    }
    for (ngx_uint_t i = 0; i < conf.keepalive; i++) {
        slots[i].conf = &conf;
        ngx_queue_insert_tail(&conf.free, &slots[i].queue);
    }
    return true;
}

bool resolve_at_start(ngx_conf_t* cf, Conf& conf) noexcept
{
    ngx_url_t url;
    ngx_memzero(&url, sizeof(ngx_url_t));
    url.url = conf.url;
    url.default_port = conf.port;

    if (ngx_parse_url(cf->pool, &url) == NGX_OK && url.naddrs != 0) {
        conf.addresses = from_url(cf->pool, url, conf.port);
        return conf.addresses != nullptr;
    }

    if (conf.resolver == nullptr) {
        log_config_error(cf, conf,
            url.err != nullptr ? url.err : "host not found",
            ", \"resolver\" at http level would find it later");
        return false;
    }

    ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
        "ai_proxy: provider \"%V\": \"%V\" is not known at start, workers "
        "will ask the resolver",
        &conf.name, &conf.host);
    return true;
}

} // namespace

} // namespace ai_proxy::http


using namespace ai_proxy;
using namespace ai_proxy::http;


ngx_http_upstream_srv_conf_t* ngx_http_ai_proxy_peer_add(ngx_conf_t* cf,
    ngx_http_ai_proxy_peers_t* peers,
    const ngx_http_ai_proxy_peer_options_t& options) noexcept
{
    auto* conf = static_cast<ngx_http_ai_proxy_peer_conf_t*>(
        ngx_pcalloc(cf->pool, sizeof(ngx_http_ai_proxy_peer_conf_t)));
    if (conf == nullptr) {
        return nullptr;
    }

    conf->name = copy(cf->pool, view(options.name));
    conf->url = make_url(cf->pool, options.host, options.port);
    conf->port = options.port;
    if (options.file != nullptr) {
        conf->file = copy(cf->pool, view(*options.file));
        conf->line = options.line;

    } else {
        conf->file = copy(cf->pool, view(cf->conf_file->file.name));
        conf->line = cf->conf_file->line;
    }
    conf->keepalive = options.keepalive;
    conf->keepalive_requests =
        options.keepalive_requests ? options.keepalive_requests : 1000;
    conf->keepalive_timeout =
        options.keepalive_timeout ? options.keepalive_timeout : 60'000;
    conf->keepalive_time =
        options.keepalive_time ? options.keepalive_time : 3'600'000;
    conf->fail_timeout = options.fail_timeout ? options.fail_timeout : 10;

    if (conf->name.data == nullptr || conf->url.data == nullptr
        || conf->file.data == nullptr || !make_idle_slots(cf, *conf))
    {
        return nullptr;
    }

    ngx_url_t url;
    ngx_memzero(&url, sizeof(ngx_url_t));
    url.url = conf->url;
    url.default_port = options.port;
    url.no_resolve = 1;
    if (ngx_parse_url(cf->pool, &url) != NGX_OK) {
        log_config_error(
            cf, *conf, url.err != nullptr ? url.err : "invalid host");
        return nullptr;
    }

    conf->host = copy(cf->pool, view(url.host));
    if (conf->host.data == nullptr) {
        return nullptr;
    }
    if (url.naddrs != 0) {
        conf->literal = true;
        conf->addresses = from_url(cf->pool, url, options.port);
        if (conf->addresses == nullptr) {
            return nullptr;
        }
    }

    conf->uscf.peer.init = init_peer;
    conf->uscf.peer.data = conf;
    conf->uscf.host = conf->host;
    conf->uscf.port = options.port;
    conf->uscf.file_name = conf->file.data;
    conf->uscf.line = conf->line;

    conf->next = peers->first;
    peers->first = conf;
    return &conf->uscf;
}


ngx_int_t ngx_http_ai_proxy_peer_resolve_all(
    ngx_conf_t* cf, ngx_http_ai_proxy_peers_t* peers) noexcept
{
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));

    // Without the directive nginx makes one that has no servers.
    ngx_resolver_t* resolver = clcf->resolver;
    if (resolver != nullptr && resolver->connections.nelts == 0) {
        resolver = nullptr;
    }
    peers->resolver = resolver;
    peers->resolver_timeout = clcf->resolver_timeout == NGX_CONF_UNSET_MSEC
        ? 30'000
        : clcf->resolver_timeout;

    for (auto* conf = peers->first; conf != nullptr; conf = conf->next) {
        if (conf->literal) {
            continue;
        }
        conf->resolver = resolver;
        conf->resolver_timeout = peers->resolver_timeout;
        if (!resolve_at_start(cf, *conf)) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}
