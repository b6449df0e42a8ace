#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include "core/config/redis_rules.h"

// ai_proxy_redis, and what its connections need: addresses and TLS.

namespace ai_proxy::http {

namespace {

char* refuse(ngx_conf_t* cf, std::string_view text)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s", text.size(), text.data());
    return static_cast<char*>(NGX_CONF_ERROR);
}

ngx_ssl_t* make_tls(ngx_conf_t* cf, const config::Redis& rules)
{
    auto* ssl =
        static_cast<ngx_ssl_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t)));
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (ssl == nullptr || cleanup == nullptr) {
        return nullptr;
    }
    ssl->log = cf->log;
    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2 | NGX_SSL_TLSv1_3, nullptr)
        != NGX_OK) {
        return nullptr;
    }
    cleanup->handler = ngx_ssl_cleanup_ctx;
    cleanup->data = ssl;
    if (!rules.ssl_verify) {
        log_text(NGX_LOG_WARN, cf->log,
            "ai_proxy_redis \"" + rules.name
                + "\": \"ssl_verify=off\": the server's certificate is not "
                  "checked");
        return ssl;
    }
    if (!rules.ssl_trusted_certificate.empty()) {
        ngx_str_t file = copy(cf->pool, rules.ssl_trusted_certificate);
        return file.data != nullptr
                && ngx_ssl_trusted_certificate(cf, ssl, &file, 10) == NGX_OK
            ? ssl
            : nullptr;
    }
    SSL_CTX_set_verify_depth(ssl->ctx, 10);
    return SSL_CTX_set_default_verify_paths(ssl->ctx) == 1 ? ssl : nullptr;
}

// False: it is not known now, and there is no resolver to ask later.
bool look_up(ngx_conf_t* cf, const redis::Address& address, RedisSetup& setup)
{
    std::vector<SocketAddress>& known = setup.known.emplace_back();
    ngx_url_t url;
    ngx_memzero(&url, sizeof(url));
    url.url = copy(cf->pool, address.text());
    if (url.url.data == nullptr) {
        throw std::bad_alloc();
    }
    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs == 0) {
        return setup.resolver != nullptr;
    }
    for (ngx_uint_t i = 0; i < url.naddrs; i++) {
        SocketAddress& to = known.emplace_back();
        to.length = url.addrs[i].socklen;
        ngx_memcpy(&to.sockaddr, url.addrs[i].sockaddr, to.length);
    }
    return true;
}

} // namespace

// NAME ADDRESS ... [parameter=value ...]
char* set_redis(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        Configuration& c = *static_cast<MainConf*>(conf)->configuration;
        config::Words words = words_of(cf);
        words.erase(words.begin());
        const std::string name(words[0]);
        if (!valid_name(name)) {
            return refuse(cf, "invalid name \"" + name + "\"");
        }
        if (c.gateway.find_redis(name) >= 0) {
            return refuse(cf, "duplicate name \"" + name + "\"");
        }
        auto rules = config::parse_redis(words, secret_source(cf));
        if (!rules) {
            return refuse(cf,
                "ai_proxy_redis \"" + name + "\": " + rules.error().message);
        }
#if !(NGX_HTTP_SSL)
        if (rules->tls) {
            return refuse(cf,
                "ai_proxy_redis \"" + name
                    + "\": \"tls=on\" needs nginx with the SSL module");
        }
#endif
        c.gateway.redis.push_back(std::move(*rules));
        c.redis_positions.push_back(position_of(cf));
        return NGX_CONF_OK;
    });
}

bool make_redis(ngx_conf_t* cf, MainConf& mc)
{
    Configuration& c = *mc.configuration;
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    for (size_t i = 0; i < c.gateway.redis.size(); i++) {
        const config::Redis& rules = c.gateway.redis[i];
        const std::string prefix = "ai_proxy_redis \"" + rules.name + "\": ";
        RedisSetup& setup = c.redis.emplace_back();
        setup.rules = &rules;
        // Without the directive nginx makes one that has no servers.
        if (clcf->resolver != nullptr && clcf->resolver->connections.nelts != 0)
        {
            setup.resolver = clcf->resolver;
        }
        setup.resolver_timeout = clcf->resolver_timeout == NGX_CONF_UNSET_MSEC
            ? 30'000
            : clcf->resolver_timeout;
        for (const redis::Address& address : rules.addresses) {
            if (!look_up(cf, address, setup)) {
                log_at(cf->log, c.redis_positions[i],
                    prefix + "host not found: \"" + address.text()
                        + "\", \"resolver\" at http level would find it "
                          "later");
                return false;
            }
        }
#if (NGX_HTTP_SSL)
        if (rules.tls) {
            setup.ssl = make_tls(cf, rules);
            if (setup.ssl == nullptr) {
                log_at(cf->log, c.redis_positions[i],
                    prefix + "cannot set up TLS");
                return false;
            }
        }
#endif
    }
    return true;
}

} // namespace ai_proxy::http
