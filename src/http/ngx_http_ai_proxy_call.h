#pragma once

#include "ngx/ngx.h"

#include "core/provider/protocol.h"

#include <string_view>

// Requests that the worker makes for itself: they hang below a request that
// has no client, so nobody's leaving ends them.
namespace ai_proxy::http {

struct Call;

struct CallPlan {
    ngx_http_upstream_conf_t* conf = nullptr; // with ignore_client_abort
    bool tls = false;
    ngx_str_t schema{};
    std::string_view authority; // outlives the call
    provider::Outbound outbound;
    ngx_msec_t total = 0;  // the call ends by then
    const char* what = ""; // for the log
    // How it ended, from the top of the event loop; the call is gone by then.
    // status 0: there is no whole answer.  Content-Type and body live as long
    // as done() runs.
    void (*done)(void* data, int status, std::string_view content_type,
        std::string_view body) = nullptr;
    void* data = nullptr;
};

// nullptr: it could not be started, done() is not called.
[[nodiscard]] Call* start_call(CallPlan plan, ngx_cycle_t* cycle);

} // namespace ai_proxy::http
