#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include <algorithm>

// Commands on their way: to the server of their key, on to another one, and
// back to the request.

namespace ai_proxy::http {

namespace {

constexpr uint8_t kMaxRedirects = 5;
constexpr size_t kCommands = 16;             // of one request
constexpr ngx_msec_t kRefusalLines = 10'000; // between two of them

Error redis_error(ErrorCode code)
{
    return make_error(code, std::string(policy::phrase(code)));
}

uint64_t connections_id(std::string_view name) noexcept
{
    return in_flight_id("connections of redis", name);
}

} // namespace

RedisServer::RedisServer(RedisClient& of, RedisRole as, redis::Address where)
    : client(of), role(as), address(std::move(where))
{
    const uint32_t pool = as == RedisRole::sentinel ? 1 : of.rules().pool;
    // Sentinels are none that commands could go to.
    const uint64_t id = as == RedisRole::sentinel
        ? in_flight_id("sentinels of redis", of.rules().name)
        : connections_id(of.rules().name);
    for (uint32_t i = 0; i < pool; i++) {
        connections.push_back(std::make_unique<RedisConnection>(*this, id));
    }
}

RedisConnection* RedisServer::pick() noexcept
{
    RedisConnection* best = nullptr;
    const auto rank = [](const RedisConnection& c) {
        return std::pair(c.state() != RedisConnection::State::ready, c.load());
    };
    for (const auto& connection : connections) {
        if (connection->usable()
            && (best == nullptr || rank(*connection) < rank(*best)))
        {
            best = connection.get();
        }
    }
    return best;
}

bool RedisServer::ready() const noexcept
{
    return std::any_of(connections.begin(), connections.end(),
        [](auto& c) { return c->state() == RedisConnection::State::ready; });
}

bool RedisServer::busy() const noexcept
{
    return std::any_of(connections.begin(), connections.end(),
        [](auto& c) { return c->load() != 0; });
}

RedisClient::RedisClient(const RedisSetup& setup, metrics::RedisState& state)
    : setup_(setup), state_(state)
{
    const config::Redis& rules = *setup.rules;
    const bool sentinel = !rules.sentinel.empty();
    const RedisRole role = sentinel ? RedisRole::sentinel
        : rules.cluster             ? RedisRole::node
                                    : RedisRole::server;
    for (size_t i = 0; i < rules.addresses.size(); i++) {
        auto& list = sentinel ? sentinels_ : servers_;
        list.push_back(
            std::make_unique<RedisServer>(*this, role, rules.addresses[i]));
        list.back()->known = &setup.known[i];
    }
    if (sentinel) {
        servers_.push_back(std::make_unique<RedisServer>(
            *this, RedisRole::master, redis::Address()));
    }
    slots_timer_.handler = on_slots_timer;
    slots_timer_.data = this;
    slots_timer_.log = ngx_cycle->log;
    slots_timer_.cancelable = 1;
}

RedisClient::~RedisClient()
{
    closing_ = true;
    if (slots_timer_.timer_set) {
        ngx_del_timer(&slots_timer_);
    }
    servers_.clear();
    sentinels_.clear();
}

void RedisClient::start() noexcept
{
    for (const auto& server : servers_) {
        for (const auto& connection : server->connections) {
            connection->open();
        }
    }
}

bool RedisClient::has_room() const noexcept
{
    return std::all_of(
        servers_.begin(), servers_.end(), [this](const auto& server) {
            const RedisConnection* connection = server->pick();
            return connection == nullptr
                || connection->load() + kCommands < rules().queue;
        });
}

bool RedisClient::begin(std::unique_ptr<RedisCall>& call)
{
    state_.commands.fetch_add(call->commands.size(), std::memory_order_relaxed);
    call->replies.resize(call->commands.size());
    // Held until all are on their way: a connection may fail meanwhile.
    call->waiting = 1;
    const ngx_msec_t deadline =
        ngx_current_msec + static_cast<ngx_msec_t>(rules().timeout_ms);
    for (size_t i = 0; i < call->commands.size(); i++) {
        RedisPending pending;
        pending.call = call.get();
        pending.command = static_cast<uint32_t>(i);
        pending.deadline = deadline;
        const ErrorCode code = send_on(pending, pick(call->commands[i]));
        if (code != ErrorCode::none) {
            call->failed = code;
            state_.count_error(code);
        }
    }
    if (--call->waiting == 0) {
        return false;
    }
    (void)call.release();
    return true;
}

ErrorCode RedisClient::send_on(
    RedisPending pending, RedisConnection* connection)
{
    if (connection == nullptr) {
        return ErrorCode::redis_unavailable;
    }
    const ErrorCode code = connection->send(pending);
    if (code == ErrorCode::none) {
        pending.call->waiting++;
    }
    return code;
}

RedisConnection* RedisClient::pick(const redis::Command& command)
{
    if (!rules().cluster) {
        return servers_[0]->pick();
    }
    const auto slot = command.slot();
    if (slot && !slots_.empty() && slots_[*slot] < servers_.size()) {
        return servers_[slots_[*slot]]->pick();
    }
    return pick_any();
}

// A node that answers, or else one that may.
RedisConnection* RedisClient::pick_any() noexcept
{
    RedisConnection* found = nullptr;
    for (const auto& server : servers_) {
        RedisConnection* connection = server->pick();
        if (connection != nullptr && (found == nullptr || server->ready())) {
            found = connection;
            if (server->ready()) {
                break;
            }
        }
    }
    return found;
}

// One of the call's commands waits no longer.
void RedisClient::settle(RedisCall* call) noexcept
{
    if (--call->waiting != 0) {
        return;
    }
    std::unique_ptr<RedisCall> owned(call);
    if (call->done != nullptr && !closing_) {
        guard(ngx_cycle->log, 0, [call] {
            call->done(*call);
            return 0;
        });
    }
    if (call->kept) {
        (void)owned.release();
    }
}

void RedisClient::unanswered(
    const RedisPending& pending, ErrorCode code) noexcept
{
    if (pending.call != nullptr) {
        state_.count_error(code);
        pending.call->failed = code;
        settle(pending.call);
    }
}

void RedisClient::answered(RedisConnection& connection,
    const RedisPending& pending, redis::Reply reply)
{
    RedisCall& call = *pending.call;
    const redis::Command& command = call.commands[pending.command];
    call.connection = &connection;
    const std::string_view kind = reply.error_kind();
    if (kind.empty()) {
        call.replies[pending.command] = std::move(reply);
        settle(&call);
        return;
    }
    if (kind == "NOSCRIPT" && command.script() != nullptr && !pending.whole) {
        RedisPending again = pending;
        again.whole = true;
        send_again(connection, again);
        return;
    }
    if (rules().cluster) {
        if (const auto to = redis::parse_redirect(reply)) {
            redirect(connection, pending, *to);
            return;
        }
    }
    const bool away =
        kind == "LOADING" || kind == "CLUSTERDOWN" || kind == "MASTERDOWN";
    note_refusal(reply.text);
    state_.last_error.set(reply.text);
    unanswered(
        pending, away ? ErrorCode::redis_unavailable : ErrorCode::redis_error);
    if (kind == "CLUSTERDOWN") {
        want_slots(0);
    }
    if (kind == "READONLY" && connection.server().role == RedisRole::master) {
        connection.fail(ErrorCode::redis_unavailable, "it is no master now");
    }
}

void RedisClient::redirect(
    RedisConnection& from, RedisPending pending, const redis::Redirect& to)
{
    redis::Address address = to.to;
    if (address.host.empty()) {
        address.host = from.server().address.host;
    }
    RedisServer* server = node(address);
    RedisConnection* connection = server != nullptr ? server->pick() : nullptr;
    if (!to.ask) {
        want_slots(0);
        if (server != nullptr && !slots_.empty()) {
            slots_[to.slot] = index_of(*server);
            server->left = false;
        }
    }
    if (connection == nullptr || ++pending.redirects > kMaxRedirects) {
        unanswered(pending, ErrorCode::redis_unavailable);
        return;
    }
    pending.whole = false;
    pending.asking = to.ask;
    send_again(*connection, pending);
}

void RedisClient::send_again(
    RedisConnection& connection, const RedisPending& pending)
{
    if (pending.asking) {
        connection.say("*1\r\n$6\r\nASKING\r\n");
    }
    const ErrorCode code = connection.send(pending);
    if (code != ErrorCode::none) {
        unanswered(pending, code);
    }
}

void RedisClient::note_refusal(std::string_view words) noexcept
{
    refusals_++;
    if (refusal_noted_ != 0
        && ngx_current_msec - refusal_noted_ < kRefusalLines) {
        return;
    }
    refusal_noted_ = ngx_current_msec;
    const std::string& name = rules().name;
    words = words.substr(0, 200);
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
        "ai_proxy: redis \"%*s\" refused %uD commands, the last one with "
        "\"%*s\"",
        name.size(), name.data(), refusals_, words.size(), words.data());
    refusals_ = 0;
}

void RedisClient::became_ready(RedisConnection& connection)
{
    RedisServer& server = connection.server();
    state_.connects.fetch_add(1, std::memory_order_relaxed);
    if (server.noted_away) {
        server.noted_away = false;
        log_text(NGX_LOG_NOTICE, ngx_cycle->log,
            "ai_proxy: redis \"" + rules().name + "\" at "
                + server.address.text() + " is back after "
                + std::to_string((ngx_current_msec - server.away_since) / 1000)
                + " s");
    }
    if (rules().cluster) {
        want_slots(0);
    }
}

void RedisClient::became_away(
    RedisConnection& connection, std::string_view reason, bool missed) noexcept
{
    RedisServer& server = connection.server();
    if (missed) {
        state_.last_error.set(reason);
    }
    if (missed && !server.noted_away && !server.ready()) {
        server.noted_away = true;
        server.away_since = ngx_current_msec;
        guard(ngx_cycle->log, 0, [&] {
            const std::string where = server.address.host.empty()
                ? "\"" + rules().sentinel + "\""
                : server.address.text();
            log_text(NGX_LOG_WARN, ngx_cycle->log,
                "ai_proxy: redis \"" + rules().name + "\" at " + where
                    + " is away: " + std::string(reason.substr(0, 200)));
            return 0;
        });
    }
    if (rules().cluster) {
        want_slots(200);
    }
}

namespace {

RedisClient* client_of(uint16_t index) noexcept
{
    RedisClients& clients = worker().redis;
    return index < clients.size() ? clients[index].get() : nullptr;
}

// The request that asked has left, or what it asked failed in part.
void take_back(const RedisCall& call)
{
    std::vector<redis::Command> undo;
    for (size_t i = 0; i < call.commands.size(); i++) {
        const redis::TakeBack& take_back = call.commands[i].take_back();
        if (take_back) {
            if (auto command = take_back(call.replies[i])) {
                undo.push_back(std::move(*command));
            }
        }
    }
    if (!undo.empty()) {
        (void)tell_redis(call.redis, std::move(undo));
    }
}

// Of a request's operation: its result is there.  The request may leave before
// it looks.
void wake_request(RedisCall& call)
{
    if (call.op == nullptr || call.failed != ErrorCode::none) {
        take_back(call);
    }
    if (call.op == nullptr) {
        return; // cancelled
    }
    auto* ctx = static_cast<Ctx*>(call.data);
    if (call.failed != ErrorCode::none) {
        call.op->result = redis_error(call.failed);
        call.op->native = nullptr;
    }
    call.kept = call.failed == ErrorCode::none;
    ctx->redis_ended = true;
    post_wake(*ctx);
}

} // namespace

bool redis_has_room(uint16_t index) noexcept
{
    const RedisClient* client = client_of(index);
    return client != nullptr && client->has_room();
}

bool start_redis(Ctx& ctx, async::RedisOp& op)
{
    RedisClient* client = client_of(op.redis);
    if (client == nullptr) {
        op.result = redis_error(ErrorCode::redis_unavailable);
        return true;
    }
    auto call = std::make_unique<RedisCall>();
    call->commands = std::move(op.commands);
    call->done = wake_request;
    call->data = &ctx;
    call->op = &op;
    call->redis = op.redis;
    op.native = call.get();
    if (client->begin(call)) {
        ctx.redis_op = &op;
        ctx.redis_ended = false;
        return false;
    }
    op.native = nullptr;
    if (call->failed != ErrorCode::none) {
        take_back(*call);
    }
    op.result = call->failed != ErrorCode::none
        ? async::RedisReplies(redis_error(call->failed))
        : async::RedisReplies(std::move(call->replies));
    return true;
}

void finish_redis(Ctx& ctx)
{
    async::RedisOp* op = std::exchange(ctx.redis_op, nullptr);
    ctx.redis_ended = false;
    if (op->native != nullptr) {
        const std::unique_ptr<RedisCall> call(
            static_cast<RedisCall*>(std::exchange(op->native, nullptr)));
        op->result = std::move(call->replies);
    }
    op->finish();
}

void cancel_redis(Ctx& ctx) noexcept
{
    const async::RedisOp* op = std::exchange(ctx.redis_op, nullptr);
    auto* call = static_cast<RedisCall*>(op->native);
    if (call == nullptr) {
        return;
    }
    call->op = nullptr;
    if (call->kept) {
        const std::unique_ptr<RedisCall> owned(call);
        guard(ngx_cycle->log, 0, [call] {
            take_back(*call);
            return 0;
        });
    }
}

ErrorCode tell_redis(uint16_t index, std::vector<redis::Command> commands)
{
    RedisClient* client = client_of(index);
    if (client == nullptr) {
        return ErrorCode::redis_unavailable;
    }
    auto call = std::make_unique<RedisCall>();
    call->commands = std::move(commands);
    return client->begin(call) ? ErrorCode::none : call->failed;
}

void start_redis_clients(const Configuration& c, ngx_http_ai_proxy_zone_t& zone)
{
    // The cache manager and loader come here too.
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }
    RedisClients& clients = worker().redis;
    for (const RedisSetup& setup : c.redis) {
        if (setup.idle) {
            clients.emplace_back();
            continue;
        }
        auto* state = ngx_http_ai_proxy_zone_state<metrics::RedisState>(
            &zone, in_flight_id("numbers of redis", setup.rules->name));
        if (state == nullptr) {
            auto own = std::make_unique<metrics::RedisState>();
            state = worker().redis_states.emplace_back(std::move(own)).get();
        }
        clients.push_back(std::make_unique<RedisClient>(setup, *state));
        clients.back()->start();
    }
}

std::vector<metrics::RedisRow> redis_rows()
{
    std::vector<metrics::RedisRow> rows;
    for (const auto& client : worker().redis) {
        if (client == nullptr) {
            continue;
        }
        const std::string& name = client->rules().name;
        rows.push_back({name, worker().places.count(connections_id(name)),
            &client->state()});
    }
    return rows;
}

} // namespace ai_proxy::http
