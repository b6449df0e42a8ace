#include "http/ngx_http_ai_proxy_conf.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include "core/config/redis_rules.h"

// ai_proxy_redis, and what its connections need: addresses and TLS.

namespace ai_proxy::http {

namespace {

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
            return fail(cf, "invalid name \"" + name + "\"");
        }
        if (c.gateway.find_redis(name) >= 0) {
            return fail(cf, "duplicate name \"" + name + "\"");
        }
        auto rules = config::parse_redis(words, secret_source(cf));
        if (!rules) {
            return fail(cf,
                "ai_proxy_redis \"" + name + "\": " + rules.error().message);
        }
#if !(NGX_HTTP_SSL)
        if (rules->tls) {
            return fail(cf,
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
            std::string why;
            setup.ssl = make_client_tls(
                cf, rules.ssl_verify, rules.ssl_trusted_certificate, why);
            if (setup.ssl == nullptr) {
                log_at(cf->log, c.redis_positions[i], prefix + why);
                return false;
            }
            if (!rules.ssl_verify) {
                log_text(NGX_LOG_WARN, cf->log,
                    "ai_proxy_redis \"" + rules.name
                        + "\": \"ssl_verify=off\": the server's certificate "
                          "is not checked");
            }
        }
#endif
    }
    return true;
}

} // namespace ai_proxy::http
