#pragma once

// The only place that includes nginx's headers, and the only one that tests
// nginx_version.  It comes before every other include of a file: nginx sets
// the 64-bit off_t.

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

// nginx 1.23.0 linked repeated header fields to each other.
inline void ngx_ai_table_elt_end(ngx_table_elt_t* h) noexcept
{
#if nginx_version >= 1023000
    h->next = nullptr;
#else
    (void)h;
#endif
}

// Since 1.27.0 upstream_conf.limit_rate is a complex value.
inline void ngx_ai_no_limit_rate(ngx_http_upstream_conf_t* conf) noexcept
{
#if nginx_version >= 1027000
    conf->limit_rate = nullptr;
#else
    conf->limit_rate = 0;
#endif
}
