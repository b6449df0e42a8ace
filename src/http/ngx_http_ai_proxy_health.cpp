#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_call.h"

#include "core/policy/health_check.h"

#include <algorithm>

// Health checks: each worker has a timer per provider, the one whose timer
// comes first when a check is due makes it.

namespace ai_proxy::http {

namespace {

struct Checker {
    Configuration* configuration;
    ngx_cycle_t* cycle;
    uint16_t provider;
    uint64_t turn = 0;
    std::unique_ptr<policy::HealthCheck> check; // that is under way
    std::string what;
    ngx_event_t timer{};
};

const route::Peer& peer_of(const Checker& checker)
{
    return checker.configuration->gateway.peers[checker.provider];
}

route::PeerState& state_of(const Checker& checker)
{
    const route::Peer& peer = peer_of(checker);
    return *peer.state(peer.health.model);
}

void arm(Checker& checker)
{
    const int64_t left =
        (state_of(checker).next_check.load() - monotonic_micros()) / 1000;
    // Not all workers at the same moment.
    const ngx_msec_t apart = static_cast<ngx_msec_t>(::ngx_random() % 20);
    const auto most = static_cast<int64_t>(peer_of(checker).health.interval_ms);
    ngx_add_timer(&checker.timer,
        static_cast<ngx_msec_t>(std::clamp<int64_t>(left, 1, most)) + apart);
}

// Does this worker make the check that is due now?
bool claim(const Checker& checker)
{
    std::atomic<int64_t>& next = state_of(checker).next_check;
    const int64_t now = monotonic_micros();
    int64_t due = next.load();
    return due <= now
        && next.compare_exchange_strong(due,
            now
                + static_cast<int64_t>(peer_of(checker).health.interval_ms)
                    * 1000);
}

void check_done(void* data, int status, std::string_view content_type,
    std::string_view body)
{
    auto& checker = *static_cast<Checker*>(data);
    const std::unique_ptr<policy::HealthCheck> check = std::move(checker.check);
    const bool was_down = state_of(checker).down.load() != 0;
    const bool good =
        check->settle(status, content_type, body, monotonic_micros());
    const bool is_down = state_of(checker).down.load() != 0;
    const std::string& name =
        checker.configuration->gateway.providers[checker.provider]
            ->options.name;
    if (!good) {
        log_text(NGX_LOG_WARN, checker.cycle->log,
            "health check of provider \"" + name + "\" failed: "
                + (status != 0 ? "status " + std::to_string(status)
                               : std::string("no answer")));
    }
    if (was_down != is_down) {
        log_text(NGX_LOG_WARN, checker.cycle->log,
            "provider \"" + name + "\" is " + (is_down ? "down" : "up")
                + " by its health checks");
    }
}

void start_check(Checker& checker)
{
    const config::Gateway& gateway = checker.configuration->gateway;
    const config::Provider& provider = *gateway.providers[checker.provider];
    const int64_t now = monotonic_micros();
    if (peer_of(checker).health.only_keys
        && !policy::has_key_to_check(gateway.keys[checker.provider], now))
    {
        return;
    }
    Upstream& upstream = checker.configuration->upstreams[checker.provider];
    std::string token;
    if (upstream.tokens != nullptr) {
        token = upstream.tokens->token;
        if (token.empty()) {
            return; // the first request will ask for one
        }
    }
    auto check =
        std::make_unique<policy::HealthCheck>(gateway, checker.provider,
            policy::key_to_check(
                gateway.keys[checker.provider], checker.turn++, now),
            now);
    if (auto ready = check->prepare(static_cast<int64_t>(ngx_time()),
            static_cast<uint64_t>(::ngx_random()), token);
        !ready)
    {
        log_text(NGX_LOG_ERR, checker.cycle->log,
            checker.what + ": " + ready.error().message);
        return;
    }
    CallPlan plan;
    plan.conf = &upstream.check_conf;
    plan.tls = provider.endpoint.tls;
    plan.schema = upstream.schema;
    plan.authority = upstream.authority;
    plan.outbound = check->take_request();
    plan.total = static_cast<ngx_msec_t>(
        gateway.peers[checker.provider].health.timeout_ms);
    plan.what = checker.what.c_str();
    plan.done = check_done;
    plan.data = &checker;
    checker.check = std::move(check);
    if (start_call(std::move(plan), checker.cycle) == nullptr) {
        checker.check.reset();
    }
}

void timer_handler(ngx_event_t* ev) noexcept
{
    auto* checker = static_cast<Checker*>(ev->data);
    if (ngx_exiting || ngx_terminate) {
        return;
    }
    guard_void(
        checker->cycle->log,
        [checker] {
            if (checker->check == nullptr && claim(*checker)) {
                start_check(*checker);
            }
        },
        [checker] { checker->check.reset(); });
    arm(*checker);
}

} // namespace

void start_health_checks(Configuration& c, ngx_cycle_t* cycle)
{
    for (size_t i = 0; i < c.gateway.peers.size(); i++) {
        if (c.gateway.peers[i].health.interval_ms == 0
            || c.upstreams[i].authority.empty())
        {
            continue;
        }
        auto* checker = pool_new<Checker>(cycle->pool);
        checker->configuration = &c;
        checker->cycle = cycle;
        checker->provider = static_cast<uint16_t>(i);
        checker->what = "checking provider \""
            + c.gateway.providers[i]->options.name + "\"";
        checker->timer.handler = timer_handler;
        checker->timer.data = checker;
        checker->timer.log = cycle->log;
        checker->timer.cancelable = 1;
        arm(*checker);
    }
}

} // namespace ai_proxy::http
