#include "http/ngx_http_ai_proxy_conf.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include "core/config/redis_rules.h"

#include <algorithm>

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

// What an ai_proxy_redis of the service's name says holds; the file fills in
// what it leaves open.
void take_over(const config::Redis& declared, config::Redis& service)
{
    config::Redis made = declared;
    made.name = service.name;
    made.service = service.service;
    made.place = service.place;
    if (declared.password.empty()) {
        made.user = service.user;
        made.password = service.password;
    }
    if (declared.database == 0 && !declared.cluster) {
        made.database = service.database;
    }
    const uint64_t otherwise = config::Redis().timeout_ms;
    if (declared.timeout_ms == otherwise) {
        made.timeout_ms = service.timeout_ms;
    }
    service = std::move(made);
}

// Does a directive name it?
bool is_named(const config::Gateway& gateway, size_t index) noexcept
{
    return std::any_of(
        gateway.sites.begin(), gateway.sites.end(), [index](const auto& site) {
            const auto by_requests = [index](const config::RequestRule& rule) {
                return rule.redis == index;
            };
            const auto by_tokens = [index](const limit::Rule& rule) {
                return rule.redis == static_cast<int>(index);
            };
            const auto& requests = site->request_limits;
            const auto& tokens = site->token_limits;
            return std::any_of(requests.begin(), requests.end(), by_requests)
                || std::any_of(tokens.begin(), tokens.end(), by_tokens);
        });
}

// The addresses of an upstream's servers; those for emergencies come last.
std::vector<SocketAddress> addresses_of(
    const ngx_http_upstream_srv_conf_t& upstream)
{
    std::vector<SocketAddress> found;
    const auto* servers =
        static_cast<ngx_http_upstream_server_t*>(upstream.servers->elts);
    for (const bool backup : {false, true}) {
        for (ngx_uint_t i = 0; i < upstream.servers->nelts; i++) {
            const ngx_http_upstream_server_t& server = servers[i];
            if (server.down || (server.backup != 0) != backup) {
                continue;
            }
            for (ngx_uint_t j = 0; j < server.naddrs; j++) {
                SocketAddress& to = found.emplace_back();
                to.length = server.addrs[j].socklen;
                ngx_memcpy(&to.sockaddr, server.addrs[j].sockaddr, to.length);
            }
        }
    }
    return found;
}

// Where the service of a plugin is.  What cannot be known yet is no fault: as
// long as it is not known, requests are treated as if it were away.
void look_up_service(
    ngx_conf_t* cf, const config::Redis& rules, RedisSetup& setup)
{
    if (const auto* upstream = find_upstream(cf, rules.service)) {
        setup.known.push_back(addresses_of(*upstream));
        setup.resolver = nullptr;
        return;
    }
    const bool may_be_found = look_up(cf, rules.addresses[0], setup)
        && !rules.service.ends_with(".static");
    if (setup.known[0].empty() && !may_be_found) {
        log_text(NGX_LOG_WARN, cf->log,
            rules.place + "\"" + rules.service
                + "\" is not known here, so this Redis cannot be asked: say "
                  "where it is by \"ai_proxy_redis "
                + rules.service + " HOST:PORT;\" or by \"upstream "
                + rules.service + " { server HOST:PORT; }\"");
    }
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
        config::Redis& rules = c.gateway.redis[i];
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
        const int declared =
            rules.service.empty() ? -1 : c.gateway.find_redis(rules.service);
        if (declared >= 0) {
            take_over(c.gateway.redis[static_cast<size_t>(declared)], rules);
        } else if (!rules.service.empty()) {
            look_up_service(cf, rules, setup);
            continue;
        }
        setup.idle = rules.service.empty() && !is_named(c.gateway, i)
            && std::any_of(c.gateway.redis.begin(), c.gateway.redis.end(),
                [&rules](const config::Redis& other) {
                    return other.service == rules.name;
                });
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
