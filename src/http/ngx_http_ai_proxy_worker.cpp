#include "http/ngx_http_ai_proxy.h"

// What a worker process has once.

namespace ai_proxy::http {

namespace {

Worker* current;

} // namespace

bool start_worker(ngx_http_ai_proxy_zone_t& zone) noexcept
{
    stop_worker(zone);
    return guard(ngx_cycle->log, false, [&zone] {
        current = new Worker;
        ngx_queue_init(&current->requests);
        current->places.open(zone);
        current->limits.open(zone);
        return true;
    });
}

void stop_worker(ngx_http_ai_proxy_zone_t& zone) noexcept
{
    delete std::exchange(current, nullptr);
    ngx_http_ai_proxy_zone_leave(&zone);
}

Worker& worker() noexcept
{
    return *current;
}

std::string& scratch() noexcept
{
    // What one big read needed is not kept.
    constexpr size_t kKept = 1024 * 1024;
    std::string& output = worker().output;
    output.clear();
    if (output.capacity() > kKept) {
        output.shrink_to_fit();
    }
    return output;
}

} // namespace ai_proxy::http
