#pragma once

#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_zone.h"

#include "core/async/io.h"
#include "core/base/in_flight.h"

#include <list>
#include <vector>

namespace ai_proxy::http {

struct Ctx;

// Requests under way as this worker counts them, and those that wait here
// until a place comes free in any worker.
class Places final : public InFlight {
public:
    Places();
    ~Places();
    Places(const Places&) = delete;
    Places& operator=(const Places&) = delete;

    // Counts in the table of this process in the zone, if there is one.
    void open(ngx_http_ai_proxy_zone_t& zone) noexcept;

    bool enter(uint64_t id) noexcept override;
    void leave(uint64_t id) noexcept override;
    [[nodiscard]] uint64_t count(uint64_t id) const noexcept override;

    // True: op has its result.  False: ctx is woken with it later.
    bool wait(Ctx& ctx, async::PlaceOp& op);
    // op may be of another kind; only its address is looked at.
    void cancel(const async::Op& op) noexcept;

private:
    struct Waiter {
        Ctx* ctx;
        async::PlaceOp* op;
        ngx_msec_t deadline;
        Place queued; // counts those that wait
    };

    static void on_event(ngx_event_t* ev) noexcept;
    void look() noexcept;

    ngx_http_ai_proxy_zone_t* zone_ = nullptr;
    std::vector<InFlightEntry> own_;
    InFlightTable table_;
    bool noted_full_ = false;   // in the log
    std::list<Waiter> waiters_; // in the order in which they came
    ngx_event_t timer_{};       // other workers give no sign
    ngx_event_t posted_{};      // a place came free here
};

} // namespace ai_proxy::http
