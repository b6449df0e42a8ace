#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

using namespace ai_proxy;

namespace {

char* set_content_handler(ngx_conf_t* cf, ngx_command_t* cmd, void* conf,
    const char* name, ngx_http_handler_pt handler) noexcept
{
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->handler == handler) {
        return const_cast<char*>("is duplicate");
    }
    clcf->handler = handler;

    auto& zone = *reinterpret_cast<ngx_http_ai_proxy_zone_t*>(
        static_cast<char*>(conf) + cmd->offset);
    if (zone.user == nullptr) {
        zone.user = name;
        zone.user_file = cf->conf_file->file.name;
        zone.user_line = cf->conf_file->line;
    }
    return NGX_CONF_OK;
}

using Expose = std::string(std::span<const metrics::Row>,
    const metrics::Totals&, std::span<const metrics::KeyRow>,
    std::span<const metrics::PeerRow>, std::span<const metrics::RedisRow>,
    std::span<const metrics::ConsumerRow>, std::span<const metrics::LimitRow>);

ngx_int_t send(ngx_http_request_t* r, std::string_view type, Expose* expose)
{
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    const ngx_http_ai_proxy_zone_t* zone = ngx_http_ai_proxy_zone_of(r);
    if (zone == nullptr || zone->sh == nullptr) {
        return NGX_HTTP_NOT_FOUND;
    }

    auto s = ngx_http_ai_proxy_zone_snapshot(zone);
    const http::Configuration& c = *http::main_conf(r)->configuration;
    const auto budgets = http::worker().limits.totals();
    s.totals.limit_keys = budgets.keys;
    s.totals.evicted_limit_keys = budgets.evicted;
    std::string body = expose(s.rows, s.totals, http::key_rows(c.gateway),
        http::peer_rows(c.gateway), http::redis_rows(), http::consumer_rows(c),
        c.limits);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = static_cast<off_t>(body.size());
    r->headers_out.content_type = to_ngx(type);
    r->headers_out.content_type_len = std::min(type.find(';'), type.size());
    r->headers_out.content_type_lowcase = nullptr;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    ngx_buf_t* b = ngx_create_temp_buf(r->pool, body.size());
    if (b == nullptr) {
        return NGX_ERROR;
    }
    b->last = ngx_cpymem(b->last, body.data(), body.size());
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    ngx_chain_t out{b, nullptr};
    return ngx_http_output_filter(r, &out);
}

} // namespace


char* ngx_http_ai_proxy_set_metrics(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    return set_content_handler(
        cf, cmd, conf, "ai_proxy_metrics", ngx_http_ai_proxy_metrics_handler);
}


char* ngx_http_ai_proxy_set_status(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    return set_content_handler(
        cf, cmd, conf, "ai_proxy_status", ngx_http_ai_proxy_status_handler);
}


ngx_int_t ngx_http_ai_proxy_metrics_handler(ngx_http_request_t* r) noexcept
{
    return guard(r->connection->log,
        static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] {
            return send(r, "text/plain; version=0.0.4; charset=utf-8",
                metrics::prometheus);
        });
}


ngx_int_t ngx_http_ai_proxy_status_handler(ngx_http_request_t* r) noexcept
{
    return guard(r->connection->log,
        static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR),
        [&] { return send(r, "application/json", metrics::status_json); });
}
