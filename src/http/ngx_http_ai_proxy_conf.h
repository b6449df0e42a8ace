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

} // namespace ai_proxy::http
