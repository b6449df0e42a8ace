#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

// Places among the requests under way, and the queue for them.

namespace ai_proxy::http {

namespace {

// Without a zone, or room in it.
constexpr size_t kOwnEntries = 1024;
// How often the other workers' counts are looked at while somebody waits.
constexpr ngx_msec_t kLook = 20;

uint64_t queue_id(uint64_t id) noexcept
{
    return ~id;
}

} // namespace

Places::Places() : own_(kOwnEntries), table_(own_)
{
    for (ngx_event_t* ev : {&timer_, &posted_}) {
        ev->handler = on_event;
        ev->data = this;
        ev->log = ngx_cycle->log;
    }
}

Places::~Places()
{
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (posted_.posted) {
        ngx_delete_posted_event(&posted_);
    }
}

void Places::open(ngx_http_ai_proxy_zone_t& zone) noexcept
{
    const auto entries = ngx_http_ai_proxy_zone_worker(&zone);
    if (!entries.empty()) {
        zone_ = &zone;
        table_ = InFlightTable(entries);
    } else if (zone.sh != nullptr) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
            "ai_proxy: zone \"%V\" has no room for what this worker counts, "
            "it limits concurrency alone",
            &zone.shm_zone->shm.name);
    }
}

bool Places::enter(uint64_t id) noexcept
{
    const bool entered = table_.enter(id);
    if (!entered && !noted_full_) {
        noted_full_ = true;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
            "ai_proxy: this worker counts as many things under way as it can, "
            "limits of concurrency refuse others");
    }
    return entered;
}

void Places::leave(uint64_t id) noexcept
{
    table_.leave(id);
    if (!waiters_.empty() && !posted_.posted) {
        ngx_post_event(&posted_, &ngx_posted_events);
    }
}

uint64_t Places::count(uint64_t id) const noexcept
{
    return zone_ != nullptr ? ngx_http_ai_proxy_zone_in_flight(zone_, id)
                            : table_.count(id);
}

bool Places::wait(Ctx& ctx, async::PlaceOp& op)
{
    const async::PlaceOp::Wanted& wanted = op.wanted;
    Place queued = take_place(*this, queue_id(wanted.id), wanted.queue);
    if (!queued) {
        return true;
    }
    waiters_.push_back(
        {&ctx, &op, ngx_current_msec + static_cast<ngx_msec_t>(wanted.most_ms),
            std::move(queued)});
    if (!timer_.timer_set) {
        ngx_add_timer(&timer_, kLook);
    }
    return false;
}

void Places::cancel(const async::Op& op) noexcept
{
    const auto found = std::find_if(
        waiters_.begin(), waiters_.end(), [&op](const Waiter& waiter) {
            return static_cast<const async::Op*>(waiter.op) == &op;
        });
    if (found != waiters_.end()) {
        Waiter gone = std::move(*found);
        waiters_.erase(found);
    }
}

void Places::on_event(ngx_event_t* ev) noexcept
{
    static_cast<Places*>(ev->data)->look();
}

// First come, first served; who waits for something else is not held up.
void Places::look() noexcept
{
    std::list<Waiter> done;
    for (auto at = waiters_.begin(); at != waiters_.end();) {
        const auto waiter = at++;
        async::PlaceOp& op = *waiter->op;
        op.result = take_place(*this, op.wanted.id, op.wanted.limit);
        const auto left =
            static_cast<ngx_msec_int_t>(waiter->deadline - ngx_current_msec);
        if (op.result || left <= 0) {
            waiter->ctx->place_op = &op;
            post_wake(*waiter->ctx);
            done.splice(done.end(), waiters_, waiter);
        }
    }
    if (!waiters_.empty() && !timer_.timer_set) {
        ngx_add_timer(&timer_, kLook);
    }
}

} // namespace ai_proxy::http
