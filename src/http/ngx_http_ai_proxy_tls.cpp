#include "http/ngx_http_ai_proxy_conf.h"

// TLS toward servers of ours: providers and Redis.

#if (NGX_HTTP_SSL)

namespace ai_proxy::http {

namespace {

constexpr ngx_int_t kDepth = 10;

// OpenSSL's words for a missing file name no line of the configuration.
bool readable(ngx_conf_t* cf, const std::string& path, std::string& why)
{
    ngx_str_t name = copy(cf->pool, path);
    if (name.data == nullptr
        || ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return false;
    }
    ngx_fd_t fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        why = "cannot open \"ssl_trusted_certificate\" \"";
        why.append(view(name)).append("\": ").append(strerror(ngx_errno));
        return false;
    }
    ngx_close_file(fd);
    return true;
}

bool trust(
    ngx_conf_t* cf, ngx_ssl_t* ssl, const std::string& file, std::string& why)
{
    if (file.empty()) {
        SSL_CTX_set_verify_depth(ssl->ctx, kDepth);
        return SSL_CTX_set_default_verify_paths(ssl->ctx) == 1;
    }
    ngx_str_t name = copy(cf->pool, file);
    return name.data != nullptr && readable(cf, file, why)
        && ngx_ssl_trusted_certificate(cf, ssl, &name, kDepth) == NGX_OK;
}

} // namespace

ngx_ssl_t* make_client_tls(ngx_conf_t* cf, bool verify,
    const std::string& trusted_certificate, std::string& why)
{
    why = "cannot set up TLS";
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
    // What is to be written grows, and moves, between two attempts.
    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return !verify || trust(cf, ssl, trusted_certificate, why) ? ssl : nullptr;
}

} // namespace ai_proxy::http

#endif
