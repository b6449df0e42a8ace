#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include "core/redis/slot.h"

#include <algorithm>

// Who serves what: the slots of a cluster, the master that sentinels name.

namespace ai_proxy::http {

namespace {

constexpr size_t kMaxNodes = 256;
constexpr ngx_msec_t kSlotsPause = 1000; // while a node is away
constexpr ngx_msec_t kSlotsLeast = 100;  // between two questions
constexpr uint16_t kNobody = 0xffff;

// A question of our own; its answer comes to done.
std::unique_ptr<RedisCall> question(
    redis::Command command, RedisClient& client, void (*done)(RedisCall&))
{
    auto call = std::make_unique<RedisCall>();
    call->commands.push_back(std::move(command));
    call->replies.resize(1);
    call->done = done;
    call->data = &client;
    return call;
}

} // namespace

// Puts it on this connection; false: it cannot be asked.
bool RedisClient::ask(
    std::unique_ptr<RedisCall> call, RedisConnection* connection)
{
    RedisPending pending;
    pending.call = call.get();
    pending.deadline =
        ngx_current_msec + static_cast<ngx_msec_t>(rules().timeout_ms);
    if (send_on(pending, connection) != ErrorCode::none) {
        return false;
    }
    (void)call.release();
    return true;
}

uint16_t RedisClient::index_of(const RedisServer& server) const noexcept
{
    const auto at = std::find_if(servers_.begin(), servers_.end(),
        [&server](const auto& s) { return s.get() == &server; });
    return static_cast<uint16_t>(at - servers_.begin());
}

RedisServer* RedisClient::node(const redis::Address& address)
{
    for (const auto& server : servers_) {
        if (server->address == address) {
            return server.get();
        }
    }
    if (servers_.size() >= kMaxNodes) {
        if (!noted_full_) {
            noted_full_ = true;
            log_text(NGX_LOG_WARN, ngx_cycle->log,
                "ai_proxy: redis \"" + rules().name + "\" names more than "
                    + std::to_string(kMaxNodes) + " nodes, " + address.text()
                    + " and others are not asked");
        }
        return nullptr;
    }
    servers_.push_back(
        std::make_unique<RedisServer>(*this, RedisRole::node, address));
    return servers_.back().get();
}

void RedisClient::want_slots(ngx_msec_t delay) noexcept
{
    // Many redirects are one reason to ask.
    delay = std::max(delay, slots_.empty() ? ngx_msec_t(1) : kSlotsLeast);
    if (slots_timer_.timer_set
        && static_cast<ngx_msec_int_t>(
               slots_timer_.timer.key - (ngx_current_msec + delay))
            <= 0)
    {
        return;
    }
    if (slots_timer_.timer_set) {
        ngx_del_timer(&slots_timer_); // nginx moves no timer a little
    }
    ngx_add_timer(&slots_timer_, delay);
}

void RedisClient::on_slots_timer(ngx_event_t* ev) noexcept
{
    auto* self = static_cast<RedisClient*>(ev->data);
    guard_void(
        ngx_cycle->log,
        [self] {
            self->drop_nodes();
            self->ask_slots();
        },
        [self] { self->want_slots(kSlotsPause); });
}

void RedisClient::ask_slots()
{
    if (asking_slots_) {
        return;
    }
    // Another one each time: one node may be cut off from the rest.
    RedisConnection* connection = nullptr;
    for (size_t i = 0; i < servers_.size() && connection == nullptr; i++) {
        RedisServer& server = *servers_[++slots_turn_ % servers_.size()];
        if (server.ready() && !server.left) {
            connection = server.pick();
        }
    }
    if (connection == nullptr) {
        return; // whoever becomes ready asks
    }
    redis::Command command("CLUSTER");
    command.add("SLOTS");
    asking_slots_ =
        ask(question(std::move(command), *this,
                [](RedisCall& call) {
                    static_cast<RedisClient*>(call.data)->take_slots(call);
                }),
            connection);
    if (!asking_slots_) {
        want_slots(kSlotsPause);
    }
}

void RedisClient::take_slots(RedisCall& call)
{
    asking_slots_ = false;
    const auto ranges = call.failed == ErrorCode::none
        ? redis::parse_slots(call.replies[0])
        : std::nullopt;
    if (!ranges) {
        want_slots(kSlotsPause);
        return;
    }
    std::vector<uint16_t> slots(redis::kSlots, kNobody);
    std::vector<bool> serves(servers_.size());
    bool full = false;
    for (const redis::SlotRange& range : *ranges) {
        redis::Address address = range.master;
        if (address.host.empty()) {
            address.host = call.connection->server().address.host;
        }
        const RedisServer* server = node(address);
        if (server == nullptr) {
            full = true;
            continue;
        }
        const uint16_t index = index_of(*server);
        serves.resize(servers_.size());
        serves[index] = true;
        std::fill(
            slots.begin() + range.first, slots.begin() + range.last + 1, index);
    }
    slots_ = std::move(slots);
    noted_full_ = full;
    bool again = full; // soon: those that left make room
    for (size_t i = 0; i < servers_.size(); i++) {
        RedisServer& server = *servers_[i];
        if (serves[i]) {
            server.left = false;
            again |= !server.ready();
            for (const auto& connection : server.connections) {
                connection->open();
            }
        } else if (i >= rules().addresses.size()) {
            // Those of the configuration stay, to ask them.
            leave(server);
            again = true; // until it is dropped
        }
    }
    if (again) {
        want_slots(kSlotsPause);
    }
}

// The server has no slots any longer.
void RedisClient::leave(RedisServer& server) noexcept
{
    for (const auto& connection : server.connections) {
        if (connection->load() == 0
            && connection->state() != RedisConnection::State::closed)
        {
            connection->close();
        }
    }
    server.noted_away = false;
    server.left = true;
}

// Forgets the nodes that serve nothing and that nobody waits for.  Called by a
// timer alone: no connection of theirs is at work.
void RedisClient::drop_nodes()
{
    std::vector<uint16_t> now_at(servers_.size(), kNobody);
    uint16_t kept = 0;
    for (size_t i = 0; i < servers_.size(); i++) {
        if (!servers_[i]->left || servers_[i]->busy()) {
            std::swap(servers_[kept], servers_[i]);
            now_at[i] = kept++;
        }
    }
    if (kept == servers_.size()) {
        return;
    }
    for (uint16_t& index : slots_) {
        index = index != kNobody ? now_at[index] : kNobody;
    }
    servers_.resize(kept);
}

void RedisClient::locate_master(RedisConnection& connection)
{
    seekers_.push_back(&connection);
    if (seekers_.size() == 1) {
        asked_ = 0;
        ask_sentinel();
    }
}

void RedisClient::forget(RedisConnection& connection) noexcept
{
    std::erase(seekers_, &connection);
}

void RedisClient::ask_sentinel()
{
    for (; asked_ < sentinels_.size(); asked_++, sentinel_++) {
        redis::Command command("SENTINEL");
        command.add("GET-MASTER-ADDR-BY-NAME");
        command.add(rules().sentinel);
        RedisServer& sentinel = *sentinels_[sentinel_ % sentinels_.size()];
        if (ask(question(std::move(command), *this,
                    [](RedisCall& call) {
                        static_cast<RedisClient*>(call.data)->take_master(call);
                    }),
                sentinel.pick()))
        {
            return;
        }
    }
    const std::vector<RedisConnection*> seekers = seekers_;
    for (RedisConnection* seeker : seekers) {
        seeker->not_found("no sentinel knows its master");
    }
}

void RedisClient::take_master(RedisCall& call)
{
    const auto master = call.failed == ErrorCode::none
        ? redis::parse_master(call.replies[0])
        : std::nullopt;
    if (call.connection != nullptr && call.connection->load() == 0
        && call.connection->state() == RedisConnection::State::ready)
    {
        call.connection->close();
    }
    if (seekers_.empty()) {
        return;
    }
    if (!master) {
        asked_++;
        sentinel_++;
        ask_sentinel();
        return;
    }
    const std::vector<RedisConnection*> seekers = std::exchange(seekers_, {});
    for (RedisConnection* seeker : seekers) {
        seeker->found(*master);
    }
}

} // namespace ai_proxy::http
