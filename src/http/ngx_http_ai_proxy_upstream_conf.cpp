#include "http/ngx_http_ai_proxy_conf.h"

// nginx's side of a provider: timeouts, TLS, and which addresses serve it.

namespace ai_proxy::http {

namespace {

constexpr size_t kBuffer = 8192;    // header of a response, then reads
constexpr ngx_msec_t kDrain = 1000; // wait for the end of a whole answer

ngx_msec_t or_forever(uint64_t ms)
{
    // nginx has no "off"; a month is as good.
    return ms != 0 ? static_cast<ngx_msec_t>(ms)
                   : static_cast<ngx_msec_t>(30ull * 24 * 3600 * 1000);
}

ngx_int_t hide_headers(ngx_conf_t* cf, ngx_http_upstream_conf_t* conf)
{
    static ngx_str_t none[] = {{0, nullptr}};
    ngx_http_upstream_conf_t previous;
    ngx_memzero(&previous, sizeof(previous));
    previous.hide_headers = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    previous.pass_headers = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    conf->hide_headers = previous.hide_headers;
    conf->pass_headers = previous.pass_headers;
    ngx_hash_init_t hash;
    ngx_memzero(&hash, sizeof(hash));
    hash.max_size = 512;
    hash.bucket_size = ngx_align(64, ngx_cacheline_size);
    static char name[] = "ai_proxy_headers_hash";
    hash.name = name;
    return ngx_http_upstream_hide_headers_hash(
        cf, conf, &previous, none, &hash);
}

#if (NGX_HTTP_SSL)

// The handshake begins: nginx goes on with the time that was for connecting.
void on_tls(const ngx_ssl_conn_t* ssl, int where, int) noexcept
{
    if ((where & SSL_CB_HANDSHAKE_START) == 0) {
        return;
    }
    auto* c = static_cast<ngx_connection_t*>(
        ngx_ssl_get_connection(const_cast<ngx_ssl_conn_t*>(ssl)));
    // What comes later are tickets; the connection may be idle then.
    if (c == nullptr || c->ssl == nullptr || c->ssl->handshaked) {
        return;
    }
    const Run* run = run_behind(static_cast<ngx_http_request_t*>(c->data));
    if (run == nullptr || run->attempt == nullptr) {
        return;
    }
    const uint64_t time = run->attempt->provider->options.timeouts.tls;
    if (time != 0) {
        if (c->write->timer_set) {
            ngx_del_timer(c->write);
        }
        ngx_add_timer(c->write, static_cast<ngx_msec_t>(time));
    }
}

bool set_tls(ngx_conf_t* cf, const provider::Options& options,
    ngx_http_upstream_conf_t& conf, std::string& why)
{
    ngx_ssl_t* ssl = make_client_tls(
        cf, options.ssl_verify, options.ssl_trusted_certificate, why);
    if (ssl == nullptr) {
        return false;
    }
    if (!options.ssl_verify) {
        log_text(NGX_LOG_WARN, cf->log,
            "ai_proxy_provider \"" + options.name
                + "\": \"ssl_verify off\": the provider's certificate is not "
                  "checked");
    }
    // nginx's own has nothing to do for a client.
    SSL_CTX_set_info_callback(ssl->ctx, on_tls);
    // Its callback is what hands sessions to the balancer.
    if (ngx_ssl_client_session_cache(cf, ssl, 1) != NGX_OK) {
        return false;
    }
    conf.ssl = ssl;
    conf.ssl_verify = options.ssl_verify;
    conf.ssl_server_name = 1;
    conf.ssl_session_reuse = 1;
    return true;
}

#endif

} // namespace

ngx_http_upstream_srv_conf_t* find_upstream(
    ngx_conf_t* cf, std::string_view name)
{
    auto* umcf = static_cast<ngx_http_upstream_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module));
    auto** uscf =
        static_cast<ngx_http_upstream_srv_conf_t**>(umcf->upstreams.elts);
    for (ngx_uint_t i = 0; i < umcf->upstreams.nelts; i++) {
        // Only a block has servers; an implicit one is an address.
        if (uscf[i]->servers != nullptr && uscf[i]->port == 0
            && (uscf[i]->flags & NGX_HTTP_UPSTREAM_CREATE) != 0
            && iequals(view(uscf[i]->host), name))
        {
            return uscf[i];
        }
    }
    return nullptr;
}

namespace {

bool set_peers(ngx_conf_t* cf, MainConf& mc, const config::Provider& provider,
    const provider::Endpoint& endpoint, const Position& position,
    ngx_http_upstream_conf_t& conf)
{
    // The next address of the provider: our balancer allows it only while
    // the request was not written.  That of an upstream block does not know,
    // and nginx keeps to it for requests that are not idempotent.
    conf.next_upstream =
        NGX_HTTP_UPSTREAM_FT_ERROR | NGX_HTTP_UPSTREAM_FT_TIMEOUT;
    conf.upstream = find_upstream(cf, endpoint.host);
    if (conf.upstream != nullptr) {
        return true;
    }
    conf.next_upstream |= NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    ngx_str_t file = copy(cf->pool, position.file);
    ngx_http_ai_proxy_peer_options_t options;
    ngx_memzero(&options, sizeof(options));
    std::string host = endpoint.host;
    if (host.find(':') != std::string::npos && !host.starts_with("unix:")) {
        host = "[" + host + "]";
    }
    options.name = to_ngx(std::string_view(provider.options.name));
    options.host = copy(cf->pool, host);
    options.port = endpoint.port;
    options.file = &file;
    options.line = position.line;
    options.keepalive = provider.options.keepalive;
    conf.upstream = ngx_http_ai_proxy_peer_add(cf, &mc.peers, options);
    return conf.upstream != nullptr;
}

// What a connection to one address of a provider needs.
bool fill_conf(ngx_conf_t* cf, MainConf& mc, const config::Provider& provider,
    const provider::Endpoint& endpoint, std::string_view ssl_name,
    const Position& position, ngx_http_upstream_conf_t& conf,
    ngx_http_complex_value_t& name)
{
    static ngx_str_t module = ngx_string("ai_proxy");
    const provider::Options& options = provider.options;

    conf.connect_timeout = or_forever(options.timeouts.connect);
    conf.send_timeout = 60'000;
    conf.read_timeout = or_forever(options.timeouts.first_byte);
    conf.buffer_size = kBuffer;
    conf.ignore_headers = 0xffffffff;
    conf.pass_request_headers = 0;
    conf.pass_request_body = 0;
    conf.module = module;
    conf.socket_keepalive = 1;
    ngx_ai_no_limit_rate(&conf);
    if (hide_headers(cf, &conf) != NGX_OK
        || !set_peers(cf, mc, provider, endpoint, position, conf))
    {
        return false;
    }
#if (NGX_HTTP_SSL)
    if (endpoint.tls) {
        std::string why;
        if (!set_tls(cf, options, conf, why)) {
            log_at(cf->log, position,
                "ai_proxy_provider \"" + options.name + "\": " + why);
            return false;
        }
        name.value =
            copy(cf->pool, ssl_name.empty() ? endpoint.host : ssl_name);
        if (name.value.data == nullptr) {
            return false;
        }
        conf.ssl_name = &name;
    }
#else
    if (endpoint.tls) {
        log_at(cf->log, position,
            "ai_proxy_provider \"" + options.name
                + "\": https needs nginx with the SSL module");
        return false;
    }
#endif
    return true;
}

ngx_str_t schema_of(const provider::Endpoint& endpoint)
{
    return endpoint.tls ? ngx_str_t ngx_string("https://")
                        : ngx_str_t ngx_string("http://");
}

bool fill(ngx_conf_t* cf, MainConf& mc, const config::Provider& provider,
    const Position& position, Upstream& u)
{
    const provider::Options& options = provider.options;
    ngx_http_upstream_conf_t& conf = u.head_conf;
    if (!fill_conf(cf, mc, provider, provider.endpoint, options.ssl_name,
            position, conf, u.ssl_name))
    {
        return false;
    }
    u.body_conf = conf;
    u.body_conf.read_timeout = or_forever(options.timeouts.idle);
    u.drain_conf = conf;
    u.drain_conf.read_timeout = kDrain;
    u.check_conf = conf;
    u.check_conf.ignore_client_abort = 1; // there is no client
    u.schema = schema_of(provider.endpoint);
    u.authority = provider.endpoint.authority();
    return true;
}

// Where the provider's access tokens come from.
bool fill_tokens(ngx_conf_t* cf, MainConf& mc, const config::Provider& provider,
    const Position& position, Upstream& u)
{
    u.tokens = std::make_unique<TokenSource>();
    TokenSource& source = *u.tokens;
    source.provider = &provider;
    if (provider.options.vertex_auth_key == nullptr) {
        return true;
    }
    source.schema = schema_of(provider.token_endpoint);
    source.authority = provider.token_endpoint.authority();
    if (!fill_conf(cf, mc, provider, provider.token_endpoint, {}, position,
            source.conf, source.ssl_name))
    {
        return false;
    }
    // There is no client that could leave.
    source.conf.ignore_client_abort = 1;
    return true;
}

} // namespace

bool make_upstreams(ngx_conf_t* cf, MainConf& mc)
{
    Configuration& c = *mc.configuration;
    size_t count = c.gateway.providers.size();
    c.upstreams.resize(count); // never again: nginx keeps addresses of these
    for (size_t i = 0; i < count; i++) {
        const config::Provider& provider = *c.gateway.providers[i];
        Upstream& u = c.upstreams[i];
        if (provider.options.type->mock) {
            continue;
        }
        if (provider::wants_access_token(provider.options)
            && !fill_tokens(cf, mc, provider, c.provider_positions[i], u))
        {
            return false;
        }
        if (!provider.options.location.empty()) {
            u.location = to_ngx(std::string_view(provider.options.location));
            continue;
        }
        if (!fill(cf, mc, provider, c.provider_positions[i], u)) {
            return false;
        }
    }
    return ngx_http_ai_proxy_peer_resolve_all(cf, &mc.peers) == NGX_OK;
}

} // namespace ai_proxy::http
