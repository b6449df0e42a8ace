#pragma once

#include "core/async/waiter.h"
#include "core/base/in_flight.h"
#include "core/base/result.h"
#include "core/redis/command.h"
#include "core/redis/reply.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ai_proxy::policy {
struct Try;
}
namespace ai_proxy::limit {
class Counters;
class Unsettled;
} // namespace ai_proxy::limit

// The only door out of the core.  nginx implements it, tests fake it.
namespace ai_proxy::async {

class Io;

// Base of everything the outside finishes.  Movable before start, pinned
// after; destroying a pending one cancels it.
class Op {
public:
    enum class State : uint8_t { idle, pending, done };

    explicit Op(Io& io) noexcept : io_(&io) {}
    Op(Op&& other) noexcept;
    Op& operator=(Op&&) = delete;
    ~Op();

    // Io's side: the result is in place; resumes the waiter.  Only from the
    // top of the event loop, never from start(), cancel(), a filter or a
    // callback of nginx: those post.
    void finish() noexcept;

    [[nodiscard]] bool pending() const noexcept
    {
        return state_ == State::pending;
    }
    [[nodiscard]] Io& io() const noexcept { return *io_; }

    void* native = nullptr; // Io's record of this operation

protected:
    // What start() of each kind does.
    template <class Self>
    bool begin(Self& self, Waiter& waiter);

    Io* io_;
    Waiter* waiter_ = nullptr;
    State state_ = State::idle;
};

class SleepOp : public Op {
public:
    SleepOp(Io& io, uint64_t delay_ms) noexcept : Op(io), milliseconds(delay_ms)
    {
    }
    bool start(Waiter& waiter);
    void take() noexcept {}

    uint64_t milliseconds;
};

// How one try against a provider ended.
struct TryEnd {
    ErrorCode code = ErrorCode::none; // none: the answer is whole
    bool committed = false;           // the client has seen the beginning of it
    int64_t begin = 0, end = 0;       // policy::Micros
};

// Of two tries at once: how the one that counts ended, and the other one.
struct RaceEnd {
    TryEnd end;
    bool second = false; // the second try counts
    bool raced = false;  // there was another one
    TryEnd other;
};

// Makes the second try when it is time for one.
class Second {
public:
    // nullptr: there is to be none.  It lives as long as the first one.
    [[nodiscard]] virtual policy::Try* make() = 0;

protected:
    ~Second() = default;
};

// One try, from connecting to the last byte; what the provider says is fed
// into attempt.response on the way.  With second, another one is made when
// the first has brought nothing for the client after second_ms: the first of
// the two that does is the one that counts, the other one is ended with
// ErrorCode::superseded; when both fail, the one that failed last counts.
class AttemptOp : public Op {
public:
    AttemptOp(Io& io, policy::Try& what, Second* another = nullptr,
        uint64_t another_ms = 0) noexcept
        : Op(io), attempt(&what), second(another), second_ms(another_ms)
    {
    }
    bool start(Waiter& waiter);
    RaceEnd take() noexcept { return result; }

    policy::Try* attempt;
    Second* second;
    uint64_t second_ms;
    RaceEnd result;
};

// The access token of a provider that wants one beforehand.
class TokenOp : public Op {
public:
    TokenOp(Io& io, uint16_t of) noexcept : Op(io), provider(of) {}
    bool start(Waiter& waiter);
    Result<std::string> take() { return std::move(result); }

    uint16_t provider; // index
    Result<std::string> result{std::string()};
};

// A place among the requests that are under way: waited for in a queue.
class PlaceOp : public Op {
public:
    struct Wanted {
        uint64_t id = 0;
        uint32_t limit = 0;
        uint32_t queue = 0;   // requests that may wait besides this one
        uint64_t most_ms = 0; // that it waits
    };
    PlaceOp(Io& io, const Wanted& what) noexcept : Op(io), wanted(what) {}
    bool start(Waiter& waiter);
    // No place: it could not be had in time.
    Place take() noexcept { return std::move(result); }

    Wanted wanted;
    Place result;
};

using RedisReplies = Result<std::vector<redis::Reply>>;

// Commands for one ai_proxy_redis, sent at once and in this order; in a
// cluster each goes to the node of its key, and their order is that of the
// node.  The result is one reply for each, or the error when one of them
// cannot be had: redis_unavailable (the server is away; told at once, without
// waiting for it), redis_timeout, redis_busy (too much waits already) or
// redis_error (the server refused one of them; its words are in the log, not
// in the message).  So no reply is an error, at the top.  After an error some
// of the commands may have been carried out.  Cancelling does not take back
// what was sent: its replies are thrown away.
class RedisOp : public Op {
public:
    RedisOp(Io& io, uint16_t of, std::vector<redis::Command> what) noexcept
        : Op(io), redis(of), commands(std::move(what))
    {
    }
    bool start(Waiter& waiter);
    RedisReplies take() { return std::move(result); }

    uint16_t redis; // index in Gateway::redis
    std::vector<redis::Command> commands;
    RedisReplies result{std::vector<redis::Reply>()};
};

class Io {
public:
    // True: the result is already in the operation, finish() will not be
    // called.  False: Io keeps the pointer until finish() or cancel().
    virtual bool start(SleepOp& op) = 0;
    virtual bool start(AttemptOp& op) = 0;
    virtual bool start(TokenOp& op) = 0;
    virtual bool start(PlaceOp& op) = 0;
    virtual bool start(RedisOp& op) = 0;
    // Forgets a pending operation and stops what it does; O(1).  Called from
    // the destructor of the base: only Op's members may be used.
    virtual void cancel(Op& op) noexcept = 0;

    // Commands whose replies are of no interest: what is left to be said when
    // a request ends, whoever ended it.  Dropped where an operation would end
    // with an error.
    virtual void tell(
        uint16_t redis, std::vector<redis::Command> commands) noexcept = 0;

    // The provider refused its access token: the next one is a new one.
    virtual void drop_token(uint16_t provider) noexcept = 0;

    // Requests under way in all workers.
    [[nodiscard]] virtual InFlight& in_flight() noexcept = 0;
    // What budgets have been spent.
    [[nodiscard]] virtual limit::Counters& counters() noexcept = 0;
    // What is still to be settled of those in Redis.
    [[nodiscard]] virtual limit::Unsettled& unsettled() noexcept = 0;
    // A text of the configuration with the variables of this request.
    [[nodiscard]] virtual std::string text(uint32_t value) = 0;
    // A variable of this request by its name; "": there is none.
    [[nodiscard]] virtual std::string variable(std::string_view name) = 0;

    virtual int64_t now() noexcept = 0;         // monotonic microseconds
    virtual int64_t now_seconds() noexcept = 0; // UNIX time
    virtual uint64_t random() noexcept = 0;

    [[nodiscard]] SleepOp sleep(uint64_t delay_ms) noexcept
    {
        return SleepOp(*this, delay_ms);
    }
    [[nodiscard]] AttemptOp attempt(policy::Try& what, Second* second = nullptr,
        uint64_t second_ms = 0) noexcept
    {
        return AttemptOp(*this, what, second, second_ms);
    }
    [[nodiscard]] PlaceOp place(const PlaceOp::Wanted& wanted) noexcept
    {
        return PlaceOp(*this, wanted);
    }
    [[nodiscard]] TokenOp token(uint16_t provider) noexcept
    {
        return TokenOp(*this, provider);
    }
    [[nodiscard]] RedisOp redis(
        uint16_t index, std::vector<redis::Command> commands) noexcept
    {
        return RedisOp(*this, index, std::move(commands));
    }

protected:
    ~Io() = default;
};

} // namespace ai_proxy::async
