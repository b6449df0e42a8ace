#pragma once

#include "ngx/ngx.h"

#include "core/async/io.h"
#include "core/base/in_flight.h"
#include "core/config/gateway.h"
#include "core/metrics/redis.h"
#include "core/redis/command.h"
#include "core/redis/reply.h"
#include "core/redis/topology.h"

#include <hiredis/read.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Redis as nginx talks to it: each worker keeps a few connections to each
// server, on which the commands of all its requests follow each other
// (pipelining).  A command is answered, refused or out of time; nothing waits
// for a server that is known to be away, and what waits is bounded.
//
//   RedisClient      one ai_proxy_redis: finds the server of a command, sends
//     |              it on when the cluster says so, asks the sentinels
//   RedisServer      one address and its connections
//     |
//   RedisConnection  one socket: connects, logs in, writes, reads, is missed
namespace ai_proxy::http {

struct Ctx;
class RedisClient;
class RedisConnection;

struct SocketAddress {
    ngx_sockaddr_t sockaddr{};
    socklen_t length = 0;
};

// What is made of a config::Redis with the configuration.
struct RedisSetup {
    const config::Redis* rules = nullptr;
    ngx_ssl_t* ssl = nullptr;
    // Of the addresses of the rules, as they were at the start; empty: the
    // resolver will tell.
    std::vector<std::vector<SocketAddress>> known;
    ngx_resolver_t* resolver = nullptr;
    ngx_msec_t resolver_timeout = 0;
    bool idle = false; // nothing will be asked of it
};

// Commands that were started together.
struct RedisCall {
    std::vector<redis::Command> commands;
    std::vector<redis::Reply> replies;
    size_t waiting = 0; // commands that are on a connection
    ErrorCode failed = ErrorCode::none;

    // Called when no command waits any longer, unless it is nullptr; the call
    // is freed after it, unless it is kept then.
    void (*done)(RedisCall& call) = nullptr;
    bool kept = false;
    void* data = nullptr; // of done
    async::RedisOp* op = nullptr;
    uint16_t redis = 0; // of the operation
    // That answered last: good for who is called with the answer.
    RedisConnection* connection = nullptr;
};

// A command on its connection.  Without a call its reply is thrown away.
struct RedisPending {
    RedisCall* call = nullptr;
    uint32_t command = 0;  // of the call
    uint8_t redirects = 0; // that it has been through
    bool whole = false;    // its script was sent whole
    bool asking = false;   // the node has its slot only for who asks
    ngx_msec_t deadline = 0;
};

// hiredis' parser, making replies of ours.
class RedisReader {
public:
    RedisReader();
    ~RedisReader() { reset(); }
    RedisReader(const RedisReader&) = delete;
    RedisReader& operator=(const RedisReader&) = delete;

    // Forgets what came so far.
    void reset() noexcept;
    // False: out of memory, or one reply is too large.
    [[nodiscard]] bool feed(std::string_view bytes);
    enum class Found : uint8_t { reply, more, fault };
    [[nodiscard]] Found next(redis::Reply& reply);

private:
    redisReader* reader_ = nullptr;
    size_t since_reply_ = 0; // bytes
};

// Where a server stands in its client.
enum class RedisRole : uint8_t { server, node, master, sentinel };

struct RedisServer {
    RedisServer(RedisClient& of, RedisRole as, redis::Address where);

    RedisClient& client;
    RedisRole role;
    redis::Address address; // of a master: as the sentinels last said
    const std::vector<SocketAddress>* known = nullptr;
    std::vector<std::unique_ptr<RedisConnection>> connections;
    bool left = false;       // a node that serves no slots any longer
    bool noted_away = false; // in the log
    ngx_msec_t away_since = 0;

    // The connection for the next command; nullptr: there is none now.
    [[nodiscard]] RedisConnection* pick() noexcept;
    [[nodiscard]] bool ready() const noexcept;
    [[nodiscard]] bool busy() const noexcept; // commands are on their way
};

class RedisConnection {
public:
    RedisConnection(RedisServer& server, uint64_t count_id);
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    enum class State : uint8_t {
        closed,   // nobody needs it yet
        pausing,  // until it is tried again
        locating, // its address is asked for
        connecting,
        handshaking, // TLS
        greeting,    // the server is told who we are
        ready,
    };
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] RedisServer& server() noexcept { return server_; }
    [[nodiscard]] size_t load() const noexcept { return pending_.size(); }
    // May a command be put on it?  Not while it has to prove that the server
    // is back.
    [[nodiscard]] bool usable() const noexcept;

    // Begins to connect soon, if it is closed or pausing.
    void open() noexcept;
    // Queues a command; none, or the reason why it cannot be.
    [[nodiscard]] ErrorCode send(const RedisPending& what);
    // The same of one of our own; its reply is of no interest.
    void say(std::string_view bytes);
    // Everybody who waits gets the error.
    void fail(ErrorCode code, std::string_view reason) noexcept;
    // Nobody waits and nobody will soon.
    void close() noexcept;

    // Answers to RedisClient::locate_master().
    void found(const redis::Address& address) noexcept;
    void not_found(std::string_view reason) noexcept;

private:
    static void on_timer(ngx_event_t* ev) noexcept;
    static void on_read(ngx_event_t* ev) noexcept;
    static void on_write(ngx_event_t* ev) noexcept;
    static void on_tls(ngx_connection_t* c) noexcept;
    static void on_resolved(ngx_resolver_ctx_t* ctx) noexcept;
    static u_char* log_text_of(
        ngx_log_t* log, u_char* buf, size_t len) noexcept;

    void set_state(State state) noexcept;
    void arm() noexcept;
    void take_time();
    void locate();
    void resolve(const std::string& host);
    void connect_to(const SocketAddress& address);
    void connected();
    void begin_tls();
    void tls_done();
    void greet();
    void greeted(const redis::Reply& reply);
    void now_ready();
    void flush();
    void read();
    void take_reply(redis::Reply reply);
    void drop_socket() noexcept;
    void pause(bool was_ready) noexcept;
    [[nodiscard]] bool coming() const noexcept
    {
        return state_ >= State::locating && state_ <= State::greeting;
    }

    RedisServer& server_;
    uint64_t count_id_; // of ready connections
    State state_ = State::closed;
    ngx_connection_t* c_ = nullptr;
    ngx_peer_connection_t peer_{};
    SocketAddress address_;
    ngx_str_t name_{};
    ngx_str_t tls_name_{};
    ngx_log_t log_{};
    ngx_event_t timer_{};
    ngx_resolver_ctx_t* query_ = nullptr;
    ngx_msec_t until_ = 0; // when the state has lasted too long
    ngx_msec_t ready_since_ = 0;
    uint32_t failures_ = 0;         // in a row
    uint32_t turn_ = 0;             // of the addresses
    std::deque<uint8_t> greetings_; // steps of the greeting to be answered
    std::deque<RedisPending> pending_;
    size_t waited_ = 0; // of them with a call
    std::string greeting_, out_;
    size_t sent_ = 0; // of greeting_ or out_
    RedisReader reader_;
    Place counted_;
};

// One ai_proxy_redis in this worker.
class RedisClient {
public:
    RedisClient(const RedisSetup& setup, metrics::RedisState& state);
    ~RedisClient();
    RedisClient(const RedisClient&) = delete;
    RedisClient& operator=(const RedisClient&) = delete;

    [[nodiscard]] const config::Redis& rules() const noexcept
    {
        return *setup_.rules;
    }
    [[nodiscard]] const RedisSetup& setup() const noexcept { return setup_; }
    [[nodiscard]] metrics::RedisState& state() noexcept { return state_; }

    void start() noexcept;
    // For all that one request may ask, whatever its keys.
    [[nodiscard]] bool has_room() const noexcept;
    // False: nothing waits, the call is over; else the call is the client's.
    [[nodiscard]] bool begin(std::unique_ptr<RedisCall>& call);

    // Of connections.
    void answered(RedisConnection& connection, const RedisPending& pending,
        redis::Reply reply);
    void unanswered(const RedisPending& pending, ErrorCode code) noexcept;
    void became_ready(RedisConnection& connection);
    void became_away(RedisConnection& connection, std::string_view reason,
        bool missed) noexcept;
    void locate_master(RedisConnection& connection);
    void forget(RedisConnection& connection) noexcept;
    // Of commands that servers refuse: now and then a line.
    void note_refusal(std::string_view words) noexcept;

private:
    [[nodiscard]] RedisConnection* pick(const redis::Command& command);
    [[nodiscard]] RedisConnection* pick_any() noexcept;
    void settle(RedisCall* call) noexcept;
    [[nodiscard]] ErrorCode send_on(
        RedisPending pending, RedisConnection* connection);
    void send_again(RedisConnection& connection, const RedisPending& pending);
    void redirect(
        RedisConnection& from, RedisPending pending, const redis::Redirect& to);

    [[nodiscard]] bool ask(
        std::unique_ptr<RedisCall> call, RedisConnection* connection);
    [[nodiscard]] uint16_t index_of(const RedisServer& server) const noexcept;

    // of a cluster
    RedisServer* node(const redis::Address& address);
    void want_slots(ngx_msec_t delay) noexcept;
    void ask_slots();
    void take_slots(RedisCall& call);
    static void leave(RedisServer& server) noexcept;
    void drop_nodes();
    static void on_slots_timer(ngx_event_t* ev) noexcept;

    // of sentinels
    void ask_sentinel();
    void take_master(RedisCall& call);

    const RedisSetup& setup_;
    metrics::RedisState& state_;
    std::vector<std::unique_ptr<RedisServer>> servers_;
    ngx_msec_t refusal_noted_ = 0;
    uint32_t refusals_ = 0; // since
    bool closing_ = false;  // nobody is told anything any longer

    std::vector<uint16_t> slots_; // index in servers_ by slot
    ngx_event_t slots_timer_{};
    bool asking_slots_ = false;
    size_t slots_turn_ = 0;   // of the nodes that are asked
    bool noted_full_ = false; // in the log

    std::vector<std::unique_ptr<RedisServer>> sentinels_;
    std::vector<RedisConnection*> seekers_; // of the master
    size_t sentinel_ = 0;                   // that is asked
    size_t asked_ = 0;                      // in this round
};

// The clients of this worker, by index in Gateway::redis; made in
// init_process, gone in exit_process.
using RedisClients = std::vector<std::unique_ptr<RedisClient>>;

// Of the client of Gateway::redis[index].
[[nodiscard]] bool redis_has_room(uint16_t index) noexcept;

} // namespace ai_proxy::http
