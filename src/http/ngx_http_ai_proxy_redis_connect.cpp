#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include <algorithm>

#include <openssl/x509v3.h>

// How a connection to a Redis server comes about: its address, TCP, TLS, and
// who we are.

namespace ai_proxy::http {

namespace {

enum Greeting : uint8_t { kAuth, kSelect, kRole, kPing };

using Kind = redis::Reply::Kind;

std::optional<SocketAddress> literal(const redis::Address& address)
{
    const std::string text = address.text();
    SocketAddress out;
    if (address.host.starts_with("unix:")) {
        const std::string_view path = std::string_view(text).substr(5);
        auto* sun = reinterpret_cast<sockaddr_un*>(&out.sockaddr);
        if (path.size() >= sizeof(sun->sun_path)) {
            return std::nullopt;
        }
        sun->sun_family = AF_UNIX;
        ngx_memcpy(sun->sun_path, path.data(), path.size());
        out.length = sizeof(sockaddr_un);
        return out;
    }
    auto* host =
        reinterpret_cast<u_char*>(const_cast<char*>(address.host.data()));
    const in_addr_t v4 = ngx_inet_addr(host, address.host.size());
    if (v4 != INADDR_NONE) {
        auto* sin = reinterpret_cast<sockaddr_in*>(&out.sockaddr);
        sin->sin_family = AF_INET;
        sin->sin_addr.s_addr = v4;
        out.length = sizeof(sockaddr_in);
    } else {
        auto* sin6 = reinterpret_cast<sockaddr_in6*>(&out.sockaddr);
        if (ngx_inet6_addr(host, address.host.size(), sin6->sin6_addr.s6_addr)
            != NGX_OK)
        {
            return std::nullopt;
        }
        sin6->sin6_family = AF_INET6;
        out.length = sizeof(sockaddr_in6);
    }
    ngx_inet_set_port(&out.sockaddr.sockaddr, address.port);
    return out;
}

bool is_literal(const std::string& host)
{
    return literal({host, 1}).has_value();
}

} // namespace

void RedisConnection::locate()
{
    set_state(State::locating);
    if (server_.role == RedisRole::master) {
        server_.client.locate_master(*this);
        return;
    }
    found(server_.address);
}

void RedisConnection::not_found(std::string_view reason) noexcept
{
    fail(ErrorCode::redis_unavailable, reason);
}

void RedisConnection::found(const redis::Address& address) noexcept
{
    guard_void(
        ngx_cycle->log,
        [&] {
            server_.address = address;
            if (const auto at = literal(address)) {
                connect_to(*at);
            } else {
                resolve(address.host);
            }
        },
        [this] { fail(ErrorCode::redis_unavailable, "out of memory"); });
}

void RedisConnection::resolve(const std::string& host)
{
    const RedisSetup& setup = server_.client.setup();
    if (setup.resolver != nullptr) {
        ngx_resolver_ctx_t* ctx = ngx_resolve_start(setup.resolver, nullptr);
        if (ctx != nullptr && ctx != NGX_NO_RESOLVER) {
            ctx->name = to_ngx(std::string_view(host));
            ctx->handler = on_resolved;
            ctx->data = this;
            ctx->timeout = setup.resolver_timeout;
            ctx->cancelable = 1;
            // The handler may run inside the call.
            query_ = ctx;
            if (ngx_resolve_name(ctx) == NGX_OK) {
                return;
            }
            query_ = nullptr;
        }
    }
    if (server_.known != nullptr && !server_.known->empty()) {
        connect_to((*server_.known)[turn_ % server_.known->size()]);
        return;
    }
    fail(ErrorCode::redis_unavailable, "its address is not known");
}

void RedisConnection::on_resolved(ngx_resolver_ctx_t* ctx) noexcept
{
    auto* self = static_cast<RedisConnection*>(ctx->data);
    self->query_ = nullptr;
    std::optional<SocketAddress> address;
    if (ctx->state == NGX_OK && ctx->naddrs != 0) {
        const ngx_resolver_addr_t& a = ctx->addrs[self->turn_ % ctx->naddrs];
        address.emplace();
        address->length =
            std::min<socklen_t>(a.socklen, sizeof(address->sockaddr));
        ngx_memcpy(&address->sockaddr, a.sockaddr, address->length);
        ngx_inet_set_port(
            &address->sockaddr.sockaddr, self->server_.address.port);
    }
    ngx_resolve_name_done(ctx);
    guard_void(
        ngx_cycle->log,
        [&] {
            const auto* known = self->server_.known;
            if (!address && known != nullptr && !known->empty()) {
                address = (*known)[self->turn_ % known->size()];
            }
            if (address) {
                self->connect_to(*address);
            } else {
                self->fail(ErrorCode::redis_unavailable,
                    "its name could not be resolved");
            }
        },
        [self] { self->fail(ErrorCode::redis_unavailable, "out of memory"); });
}

u_char* RedisConnection::log_text_of(
    ngx_log_t* log, u_char* buf, size_t len) noexcept
{
    const auto* self = static_cast<const RedisConnection*>(log->data);
    if (log->action != nullptr) {
        u_char* end = ngx_snprintf(buf, len, " while %s", log->action);
        len -= static_cast<size_t>(end - buf);
        buf = end;
    }
    const std::string& name = self->server_.client.rules().name;
    return ngx_snprintf(buf, len, ", redis \"%*s\"", name.size(), name.data());
}

void RedisConnection::connect_to(const SocketAddress& address)
{
    turn_++; // the next time another one
    address_ = address;
    set_state(State::connecting);

    // nginx's own lines tell of the first failure only.
    log_ = *ngx_cycle->log;
    log_.handler = log_text_of;
    log_.data = this;
    log_.action = const_cast<char*>("connecting to Redis");
    if (server_.noted_away && !(log_.log_level & NGX_LOG_DEBUG_ALL)) {
        log_.log_level = std::min<ngx_uint_t>(log_.log_level, NGX_LOG_ALERT);
    }
    name_ = to_ngx(std::string_view(server_.client.rules().name));
    ngx_memzero(&peer_, sizeof(peer_));
    peer_.sockaddr = &address_.sockaddr.sockaddr;
    peer_.socklen = address_.length;
    peer_.name = &name_;
    peer_.get = ngx_event_get_peer;
    peer_.log = &log_;
    peer_.log_error = NGX_ERROR_INFO;
    peer_.so_keepalive = 1;
    const ngx_int_t rc = ngx_event_connect_peer(&peer_);
    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        fail(ErrorCode::redis_unavailable, "cannot connect");
        return;
    }
    c_ = peer_.connection;
    c_->data = this;
    c_->read->handler = on_read;
    c_->write->handler = on_write;
    c_->pool = ngx_create_pool(256, &log_);
    if (c_->pool == nullptr) {
        throw std::bad_alloc();
    }
    if (rc == NGX_OK) {
        connected();
    }
}

void RedisConnection::connected()
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(c_->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) {
        error = ngx_socket_errno;
    }
    if (error != 0) {
        fail(ErrorCode::redis_unavailable,
            std::string("cannot connect: ") + strerror(error));
        return;
    }
    if (address_.sockaddr.sockaddr.sa_family != AF_UNIX
        && ngx_tcp_nodelay(c_) != NGX_OK)
    {
        fail(ErrorCode::redis_unavailable, "cannot connect");
        return;
    }
    if (server_.client.setup().ssl != nullptr) {
        begin_tls();
    } else {
        greet();
    }
}

void RedisConnection::begin_tls()
{
    const config::Redis& rules = server_.client.rules();
    set_state(State::handshaking);
    log_.action = const_cast<char*>("TLS handshaking with Redis");
    if (ngx_ssl_create_connection(
            server_.client.setup().ssl, c_, NGX_SSL_BUFFER | NGX_SSL_CLIENT)
        != NGX_OK)
    {
        fail(ErrorCode::redis_unavailable, "cannot set up TLS");
        return;
    }
    const std::string& host =
        rules.ssl_name.empty() ? server_.address.host : rules.ssl_name;
    tls_name_ = copy(c_->pool, host);
    if (tls_name_.data == nullptr) {
        throw std::bad_alloc();
    }
    if (!is_literal(host)
        && SSL_set_tlsext_host_name(
               c_->ssl->connection, reinterpret_cast<char*>(tls_name_.data))
            == 0)
    {
        fail(ErrorCode::redis_unavailable, "cannot set up TLS");
        return;
    }
    const ngx_int_t rc = ngx_ssl_handshake(c_);
    if (rc == NGX_AGAIN) {
        c_->ssl->handler = on_tls;
        return;
    }
    tls_done();
}

void RedisConnection::on_tls(ngx_connection_t* c) noexcept
{
    auto* self = static_cast<RedisConnection*>(c->data);
    guard_void(
        ngx_cycle->log, [self] { self->tls_done(); },
        [self] { self->fail(ErrorCode::redis_unavailable, "out of memory"); });
}

void RedisConnection::tls_done()
{
    if (!c_->ssl->handshaked) {
        fail(ErrorCode::redis_unavailable, "the TLS handshake failed");
        return;
    }
    if (server_.client.rules().ssl_verify) {
        const long rc = SSL_get_verify_result(c_->ssl->connection);
        if (rc != X509_V_OK) {
            fail(ErrorCode::redis_unavailable,
                std::string("its certificate cannot be trusted: ")
                    + X509_verify_cert_error_string(rc));
            return;
        }
        X509* certificate = SSL_get_peer_certificate(c_->ssl->connection);
        const char* name = reinterpret_cast<char*>(tls_name_.data);
        const bool fits = certificate != nullptr
            && (is_literal(std::string(view(tls_name_)))
                       ? X509_check_ip_asc(certificate, name, 0)
                       : X509_check_host(
                           certificate, name, tls_name_.len, 0, nullptr))
                == 1;
        X509_free(certificate);
        if (!fits) {
            fail(ErrorCode::redis_unavailable,
                "its certificate is not that of \""
                    + std::string(view(tls_name_)) + "\"");
            return;
        }
    }
    c_->read->handler = on_read;
    c_->write->handler = on_write;
    greet();
}

// Who we are, which database, and whether the server serves.
void RedisConnection::greet()
{
    const config::Redis& rules = server_.client.rules();
    const bool sentinel = server_.role == RedisRole::sentinel;
    const std::string& user = sentinel ? rules.sentinel_user : rules.user;
    const Secret& password =
        sentinel ? rules.sentinel_password : rules.password;
    set_state(State::greeting);
    log_.action = const_cast<char*>("greeting Redis");
    // The password is in one place, which is wiped.
    greeting_.reserve(256 + user.size() + password.reveal().size());
    if (!password.empty()) {
        redis::Command auth("AUTH");
        if (!user.empty()) {
            auth.add(user);
        }
        auth.add(password.reveal());
        auth.write(greeting_);
        greetings_.push_back(kAuth);
    }
    if (!sentinel && rules.database != 0) {
        redis::Command select("SELECT");
        select.add(rules.database);
        select.write(greeting_);
        greetings_.push_back(kSelect);
    }
    if (server_.role == RedisRole::master) {
        redis::Command("ROLE").write(greeting_);
        greetings_.push_back(kRole);
    }
    redis::Command("PING").write(greeting_);
    greetings_.push_back(kPing);
    sent_ = 0;
    flush();
    // It may have been readable since the handshake.
    if (c_ != nullptr && c_->read->ready) {
        ngx_post_event(c_->read, &ngx_posted_events);
    }
}

void RedisConnection::greeted(const redis::Reply& reply)
{
    if (greetings_.empty()) {
        fail(ErrorCode::redis_unavailable, "it says what nobody asked");
        return;
    }
    const uint8_t step = greetings_.front();
    greetings_.pop_front();
    const std::string_view kind = reply.error_kind();
    if (step == kAuth || step == kSelect) {
        if (reply.is(Kind::error)) {
            fail(ErrorCode::redis_unavailable,
                (step == kAuth ? "AUTH: " : "SELECT: ") + reply.text);
            return;
        }
    } else if (step == kRole) {
        if (reply.is(Kind::array) && !reply.elements.empty()
            && reply.elements[0].text != "master")
        {
            fail(ErrorCode::redis_unavailable, "it is no master");
            return;
        }
    } else if (kind == "LOADING" || kind == "NOAUTH" || kind == "MASTERDOWN"
        || kind == "ERR" || kind == "DENIED" || kind == "WRONGPASS")
    {
        // A user that may not ping gets through: NOPERM.
        fail(ErrorCode::redis_unavailable, reply.text);
        return;
    }
    if (greetings_.empty()) {
        log_.action = const_cast<char*>("talking to Redis");
        now_ready();
    }
}

} // namespace ai_proxy::http
