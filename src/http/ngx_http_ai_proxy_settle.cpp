#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

namespace ai_proxy::http {

namespace {

// Time for a take from the same budget to come along.
constexpr ngx_msec_t kSoon = 10;
// So many budgets do not wait.
constexpr size_t kMany = 128;

} // namespace

Unsettled::Unsettled() noexcept
{
    timer_.handler = on_timer;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
}

Unsettled::~Unsettled()
{
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (timer_.posted) {
        ngx_delete_posted_event(&timer_);
    }
}

void Unsettled::grown(size_t budgets) noexcept
{
    if (!timer_.timer_set) {
        ngx_add_timer(&timer_, kSoon);
    }
    if (budgets >= kMany && !full_ && !timer_.posted) {
        ngx_post_event(&timer_, &ngx_posted_events);
    }
}

void Unsettled::on_timer(ngx_event_t* ev) noexcept
{
    auto* self = static_cast<Unsettled*>(ev->data);
    if (ev->timer_set) { // there were many
        ngx_del_timer(ev);
    }
    guard(ngx_cycle->log, 0, [self] {
        self->send_all();
        return 0;
    });
    self->full_ = self->budgets() != 0;
    if (self->full_) {
        ngx_add_timer(ev, kSoon);
    }
}

bool Unsettled::has_room(uint16_t redis) const noexcept
{
    return redis_has_room(redis);
}

bool Unsettled::send(uint16_t redis, redis::Command command)
{
    std::vector<redis::Command> commands;
    commands.push_back(std::move(command));
    return tell_redis(redis, std::move(commands)) != ErrorCode::redis_busy;
}

} // namespace ai_proxy::http
