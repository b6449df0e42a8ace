#pragma once

#include "ngx/ngx.h"

#include "core/async/io.h"

#include <memory>
#include <string>
#include <vector>

// Access tokens that are fetched beforehand: exchanged at a token endpoint for
// a signed assertion, or read from a file that its owner renews.  Each worker
// keeps its own, renews it ahead of its end and asks once for all requests
// that wait.
namespace ai_proxy::config {
struct Provider;
}

namespace ai_proxy::http {

struct Ctx;
struct Call;

// Of one provider that wants a token.
struct TokenSource {
    const config::Provider* provider = nullptr;

    // of a token endpoint; made with the configuration
    ngx_http_upstream_conf_t conf{};
    ngx_http_complex_value_t ssl_name{};
    ngx_str_t schema{};
    std::string authority;

    // of the worker
    std::string token;
    int64_t expires = 0;    // seconds; of a file: when it is looked at again
    int64_t not_before = 0; // of the next renewal of a token that still holds
    Call* call = nullptr;
    struct timespec modified {}; // of a file that was read
    ngx_file_uniq_t inode = 0;
    std::vector<Ctx*> waiters;
};

// As Io::start(): true when op has its result.
bool take_token(Ctx& ctx, TokenSource& source, async::TokenOp& op);
// The request waits no longer.
void leave_token(Ctx& ctx, TokenSource& source) noexcept;

} // namespace ai_proxy::http
