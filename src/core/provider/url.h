#pragma once

#include "core/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

// URLs of configuration and paths of requests, checked piece by piece: what
// passes can be put into a request line and a Host header as it is.
namespace ai_proxy::provider {

struct Url {
    bool tls = true;
    std::string host; // lower case, without brackets
    uint16_t port = 443;
    std::string path;  // no trailing slash; "" for none
    std::string query; // without '?'
};

struct UrlRules {
    bool scheme_required = true;
    bool tls = true; // without a scheme
    bool query_allowed = false;
};

// The error is a phrase without the URL itself (it may hold a password).
[[nodiscard]] Result<Url> split_url(std::string_view text, UrlRules rules);

// Path and query of a URL that split_url() has accepted, as written.
struct UrlTail {
    std::string_view path; // no trailing slash
    std::string_view query;
};
[[nodiscard]] UrlTail url_tail(std::string_view text) noexcept;

// May the text be part of a request line?  Refused: control characters,
// blanks, '#', '\', dot segments in any spelling.  The error is a phrase.
[[nodiscard]] Result<void> check_path(std::string_view path);

} // namespace ai_proxy::provider
