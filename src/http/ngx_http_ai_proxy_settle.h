#pragma once

#include "ngx/ngx.h"

#include "core/limit/unsettled.h"

namespace ai_proxy::http {

// What budgets in Redis are still to be told by this worker, and when.
class Unsettled final : public limit::Unsettled {
public:
    Unsettled() noexcept;
    ~Unsettled();
    Unsettled(const Unsettled&) = delete;
    Unsettled& operator=(const Unsettled&) = delete;

private:
    void grown(size_t budgets) noexcept override;
    [[nodiscard]] bool has_room(uint16_t redis) const noexcept override;
    [[nodiscard]] bool send(uint16_t redis, redis::Command command) override;
    static void on_timer(ngx_event_t* ev) noexcept;

    ngx_event_t timer_{};
    bool full_ = false; // a queue was, and is looked at later
};

} // namespace ai_proxy::http
