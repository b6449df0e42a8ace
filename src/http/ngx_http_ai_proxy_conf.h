#pragma once

// Reading directives: what the files that have some share.

#include "http/ngx_http_ai_proxy.h"

#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::http {

// Says why at the current line, and that it is wrong.
char* fail(ngx_conf_t* cf, std::string_view text);
[[nodiscard]] config::Words views(const std::vector<std::string>& words);
// Parses a block with handler called for each of its directives.
char* parse_block(ngx_conf_t* cf, ngx_conf_handler_pt handler, void* data);
// The limits and prices of lc, for lc.site.
[[nodiscard]] bool compile_limits(
    ngx_conf_t* cf, Configuration& c, LocConf& lc);

#if (NGX_HTTP_SSL)
// What connects to a server of ours; the system's certificates are trusted
// when no file is named.  It lives as long as the configuration; nullptr: why
// says what is wrong.
ngx_ssl_t* make_client_tls(ngx_conf_t* cf, bool verify,
    const std::string& trusted_certificate, std::string& why);
#endif

} // namespace ai_proxy::http
