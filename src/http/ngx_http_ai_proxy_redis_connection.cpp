#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_redis.h"

#include <algorithm>

#include <openssl/crypto.h>

// One connection to a Redis server: its states, its time, its queue.

namespace ai_proxy::http {

namespace {

constexpr ngx_msec_t kPauseMin = 100;
constexpr ngx_msec_t kPauseMax = 5000;
constexpr ngx_msec_t kPing = 10'000; // of an idle connection
constexpr ngx_msec_t kStable = 1000; // ready for so long: it may come at once
constexpr size_t kMaxOut = 8 * 1024 * 1024;
constexpr size_t kKeptOut = 64 * 1024;

bool passed(ngx_msec_t when) noexcept
{
    return static_cast<ngx_msec_int_t>(when - ngx_current_msec) <= 0;
}

// Not all workers and connections at the same moment.
ngx_msec_t about(ngx_msec_t time) noexcept
{
    return time * 3 / 4
        + static_cast<ngx_msec_t>(::ngx_random()) % (time / 2 + 1);
}

} // namespace

RedisConnection::RedisConnection(RedisServer& server, uint64_t count_id)
    : server_(server), count_id_(count_id)
{
    timer_.handler = on_timer;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
    timer_.cancelable = 1;
}

RedisConnection::~RedisConnection()
{
    drop_socket();
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    for (const RedisPending& pending : pending_) {
        server_.client.unanswered(pending, ErrorCode::shutdown);
    }
}

bool RedisConnection::usable() const noexcept
{
    return state_ == State::ready || failures_ == 0;
}

void RedisConnection::open() noexcept
{
    if (state_ == State::closed) {
        state_ = State::pausing;
        until_ = ngx_current_msec;
        arm();
    }
}

ErrorCode RedisConnection::send(const RedisPending& what)
{
    const RedisCall& call = *what.call;
    const redis::Command& command = call.commands[what.command];
    if (pending_.size() >= server_.client.rules().queue
        || out_.size() - std::min(sent_, out_.size()) + command.size(what.whole)
            > kMaxOut)
    {
        return ErrorCode::redis_busy;
    }
    pending_.push_back(what);
    command.write(out_, what.whole);
    waited_++;
    open();
    if (state_ == State::ready) {
        ngx_post_event(c_->write, &ngx_posted_events);
    }
    arm();
    return ErrorCode::none;
}

void RedisConnection::say(std::string_view bytes)
{
    RedisPending what;
    what.deadline = ngx_current_msec
        + static_cast<ngx_msec_t>(server_.client.rules().timeout_ms);
    pending_.push_back(what);
    out_.append(bytes);
    if (state_ == State::ready) {
        ngx_post_event(c_->write, &ngx_posted_events);
    }
    arm();
}

// One timer: for who waits longest, and for the state.
void RedisConnection::arm() noexcept
{
    if (state_ == State::closed) {
        if (timer_.timer_set) {
            ngx_del_timer(&timer_);
        }
        return;
    }
    // Nobody waits: the worker may leave.
    timer_.cancelable = waited_ == 0;
    ngx_msec_t when = until_;
    if (!pending_.empty()
        && static_cast<ngx_msec_int_t>(pending_.front().deadline - when) < 0)
    {
        when = pending_.front().deadline;
    }
    // A timer that comes too early looks again.
    if (timer_.timer_set
        && static_cast<ngx_msec_int_t>(timer_.timer.key - when) <= 0)
    {
        return;
    }
    if (timer_.timer_set) {
        ngx_del_timer(&timer_); // nginx moves no timer a little
    }
    const auto left = static_cast<ngx_msec_int_t>(when - ngx_current_msec);
    ngx_add_timer(
        &timer_, static_cast<ngx_msec_t>(std::max<ngx_msec_int_t>(left, 0)));
}

void RedisConnection::on_timer(ngx_event_t* ev) noexcept
{
    auto* self = static_cast<RedisConnection*>(ev->data);
    guard_void(
        ngx_cycle->log,
        [self] {
            self->take_time();
            self->arm();
        },
        [self] { self->fail(ErrorCode::redis_unavailable, "out of memory"); });
}

void RedisConnection::take_time()
{
    if (!pending_.empty() && passed(pending_.front().deadline)) {
        fail(ErrorCode::redis_timeout,
            state_ == State::ready ? "no reply in time"
                                   : "no connection in time");
        return;
    }
    if (!passed(until_)) {
        return;
    }
    switch (state_) {
    case State::closed:
        break;
    case State::pausing:
        locate();
        break;
    case State::locating:
        fail(ErrorCode::redis_unavailable, "its address is not known in time");
        break;
    case State::connecting:
        fail(ErrorCode::redis_unavailable, "connecting timed out");
        break;
    case State::handshaking:
        fail(ErrorCode::redis_unavailable, "the TLS handshake timed out");
        break;
    case State::greeting:
        fail(ErrorCode::redis_unavailable, "no reply to the greeting in time");
        break;
    case State::ready:
        set_state(State::ready);
        if (pending_.empty()) {
            say("*1\r\n$4\r\nPING\r\n");
        }
        break;
    }
}

void RedisConnection::set_state(State state) noexcept
{
    ngx_msec_t time =
        static_cast<ngx_msec_t>(server_.client.rules().timeout_ms);
    if (state == State::ready) {
        time = about(kPing);
    } else if (state == State::locating) {
        // Sentinels are asked one after the other.
        time *= server_.client.setup().known.size() + 1;
    } else if (state != State::connecting) {
        time = 0; // the time to connect is for all of it
    }
    if (time != 0) {
        until_ = ngx_current_msec + time;
    }
    state_ = state;
    arm();
}

void RedisConnection::drop_socket() noexcept
{
    if (query_ != nullptr) {
        ngx_resolve_name_done(query_);
        query_ = nullptr;
    }
    if (state_ == State::locating) {
        server_.client.forget(*this);
    }
    ngx_connection_t* c = std::exchange(c_, nullptr);
    if (c != nullptr) {
        if (c->ssl != nullptr) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void)ngx_ssl_shutdown(c);
        }
        ngx_pool_t* pool = c->pool;
        ngx_close_connection(c);
        if (pool != nullptr) {
            ngx_destroy_pool(pool);
        }
    }
    OPENSSL_cleanse(greeting_.data(), greeting_.size());
    greeting_.clear();
    greetings_.clear();
    reader_.reset();
    counted_.leave();
}

void RedisConnection::fail(ErrorCode code, std::string_view reason) noexcept
{
    const bool was_ready = state_ == State::ready;
    // The server may close a connection that nobody uses.
    const bool missed = !was_ready || !pending_.empty();
    drop_socket();
    out_.clear();
    sent_ = 0;
    pause(was_ready);
    const std::deque<RedisPending> lost = std::exchange(pending_, {});
    waited_ = 0;
    server_.client.became_away(*this, reason, missed);
    for (const RedisPending& pending : lost) {
        server_.client.unanswered(pending, code);
    }
}

void RedisConnection::pause(bool was_ready) noexcept
{
    if (server_.role == RedisRole::sentinel) {
        state_ = State::closed;
        arm();
        return;
    }
    const bool at_once = was_ready && pending_.empty()
        && ngx_current_msec - ready_since_ >= kStable;
    state_ = State::pausing;
    if (at_once) {
        until_ = ngx_current_msec;
    } else {
        const uint32_t shift = std::min<uint32_t>(failures_, 6);
        failures_++;
        until_ =
            ngx_current_msec + about(std::min(kPauseMin << shift, kPauseMax));
    }
    arm();
}

void RedisConnection::close() noexcept
{
    drop_socket();
    out_.clear();
    sent_ = 0;
    failures_ = 0;
    state_ = State::closed;
    arm();
}

void RedisConnection::now_ready()
{
    failures_ = 0;
    ready_since_ = ngx_current_msec;
    OPENSSL_cleanse(greeting_.data(), greeting_.size());
    greeting_.clear();
    sent_ = 0;
    set_state(State::ready);
    counted_ = take_place(worker().places, count_id_, 0);
    server_.client.became_ready(*this);
    if (state_ == State::ready && !out_.empty()) {
        ngx_post_event(c_->write, &ngx_posted_events);
    }
}

void RedisConnection::flush()
{
    std::string& bytes = state_ == State::greeting ? greeting_ : out_;
    while (sent_ < bytes.size()) {
        const ssize_t n =
            c_->send(c_, reinterpret_cast<u_char*>(bytes.data() + sent_),
                bytes.size() - sent_);
        if (n == NGX_AGAIN) {
            break;
        }
        if (n == NGX_ERROR || n == 0) {
            fail(ErrorCode::redis_unavailable, "the connection was lost");
            return;
        }
        sent_ += static_cast<size_t>(n);
    }
    if (sent_ == bytes.size()) {
        bytes.clear();
        sent_ = 0;
        if (bytes.capacity() > kKeptOut) {
            bytes.shrink_to_fit();
        }
    } else if (sent_ > kMaxOut / 2) {
        bytes.erase(0, std::exchange(sent_, 0));
    }
    if (ngx_handle_write_event(c_->write, 0) != NGX_OK) {
        fail(ErrorCode::redis_unavailable, "an event cannot be set");
    }
}

void RedisConnection::read()
{
    auto& input = worker().input;
    while (c_ != nullptr) {
        const ssize_t n = c_->recv(c_, input.data(), input.size());
        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c_->read, 0) != NGX_OK) {
                fail(ErrorCode::redis_unavailable, "an event cannot be set");
            }
            return;
        }
        if (n == 0 || n == NGX_ERROR) {
            fail(ErrorCode::redis_unavailable,
                n == 0 ? "it closed the connection"
                       : "the connection was lost");
            return;
        }
        if (!reader_.feed({reinterpret_cast<const char*>(input.data()),
                static_cast<size_t>(n)}))
        {
            fail(ErrorCode::redis_unavailable, "its reply cannot be read");
            return;
        }
        redis::Reply reply;
        RedisReader::Found found = RedisReader::Found::more;
        while (c_ != nullptr
            && (found = reader_.next(reply)) == RedisReader::Found::reply)
        {
            take_reply(std::move(reply));
        }
        if (c_ != nullptr && found == RedisReader::Found::fault) {
            fail(ErrorCode::redis_unavailable, "its reply cannot be read");
        }
    }
}

void RedisConnection::take_reply(redis::Reply reply)
{
    if (state_ == State::greeting) {
        greeted(reply);
        return;
    }
    if (pending_.empty()) {
        fail(ErrorCode::redis_unavailable,
            "it says what nobody asked: " + reply.text.substr(0, 60));
        return;
    }
    const RedisPending pending = pending_.front();
    pending_.pop_front();
    if (pending.call != nullptr) {
        waited_--;
        timer_.cancelable = waited_ == 0;
        server_.client.answered(*this, pending, std::move(reply));
    }
}

void RedisConnection::on_read(ngx_event_t* ev) noexcept
{
    auto* c = static_cast<ngx_connection_t*>(ev->data);
    auto* self = static_cast<RedisConnection*>(c->data);
    guard_void(
        ngx_cycle->log,
        [self] {
            if (self->state_ == State::connecting) {
                self->connected();
            } else {
                self->read();
            }
        },
        [self] { self->fail(ErrorCode::redis_unavailable, "out of memory"); });
}

void RedisConnection::on_write(ngx_event_t* ev) noexcept
{
    auto* c = static_cast<ngx_connection_t*>(ev->data);
    auto* self = static_cast<RedisConnection*>(c->data);
    guard_void(
        ngx_cycle->log,
        [self] {
            if (self->state_ == State::connecting) {
                self->connected();
            } else if (self->state_ == State::ready
                || self->state_ == State::greeting) {
                self->flush();
            }
        },
        [self] { self->fail(ErrorCode::redis_unavailable, "out of memory"); });
}

} // namespace ai_proxy::http
