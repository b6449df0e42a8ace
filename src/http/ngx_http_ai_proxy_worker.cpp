#include "http/ngx_http_ai_proxy.h"

// What a worker process has once.

namespace ai_proxy::http {

namespace {

Worker* current;

} // namespace

bool start_worker() noexcept
{
    stop_worker();
    current = new (std::nothrow) Worker;
    if (current == nullptr) {
        return false;
    }
    ngx_queue_init(&current->requests);
    return true;
}

void stop_worker() noexcept
{
    delete std::exchange(current, nullptr);
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
