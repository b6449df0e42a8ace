#pragma once

#include "core/json/splice.h"

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/limit/unsettled.h"
#include "core/policy/exchange.h"

#include "route_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

namespace ai_proxy::testing {

// What is settled in Redis later stays until a test asks for it.
class FakeUnsettled final : public limit::Unsettled {
public:
    // "0: EVALSHA 1 key 60000 ..."
    std::vector<std::string> told()
    {
        texts_.clear();
        send_all();
        return texts_;
    }
    std::vector<uint16_t> full; // what takes nothing
    size_t refused = 0;
    std::vector<size_t> noted; // budgets, each time there was one more

private:
    void grown(size_t budgets) noexcept override { noted.push_back(budgets); }
    bool has_room(uint16_t redis) const noexcept override
    {
        return std::find(full.begin(), full.end(), redis) == full.end();
    }
    bool send(uint16_t redis, redis::Command command) override
    {
        if (!has_room(redis)) {
            ++refused;
            return false;
        }
        texts_.push_back(std::to_string(redis) + ": " + command.text());
        return true;
    }

    std::vector<std::string> texts_;
};

// Io in the test's hands: notes what is started and ends it when told.
class FakeIo final : public async::Io {
public:
    struct Pending {
        async::Op* op;
        async::SleepOp* sleep;
        async::AttemptOp* attempt;
        async::TokenOp* token = nullptr;
        async::PlaceOp* place = nullptr;
        async::RedisOp* redis = nullptr;
    };

    // What a provider does during a try.
    std::function<async::TryEnd(policy::Try&)> play = [](policy::Try&) {
        return async::TryEnd{};
    };
    // What comes of two tries at once; empty: there is only one.
    std::function<async::RaceEnd(policy::Try&, policy::Try&)> race;
    std::function<void()> before_place;
    FakeInFlight places;
    FakeCounters budgets;
    FakeUnsettled debts;
    std::vector<std::string> texts;
    std::map<std::string, std::string> variables;
    // What Redis says to a command; an error is the end of the operation.
    // redis_down: what it ends with, whatever the commands are.
    std::function<redis::Reply(const redis::Command&)> redis_says =
        [](const redis::Command&) { return redis::Reply(); };
    ErrorCode redis_down = ErrorCode::none;
    std::vector<std::string> told; // commands that nobody waits for
    Result<std::string> token{std::string("access-token")};
    int dropped = 0; // tokens
    bool immediate = false;
    std::vector<std::string> started;
    std::vector<Pending> pending;
    int cancelled = 0;
    int64_t clock = 1'000'000;
    uint64_t next_random = 7;

    ~FakeIo() { EXPECT_TRUE(pending.empty()); }

    bool start(async::SleepOp& op) override
    {
        started.push_back("sleep " + std::to_string(op.milliseconds));
        if (immediate) {
            clock += static_cast<int64_t>(op.milliseconds) * 1000;
            return true;
        }
        pending.push_back({&op, &op, nullptr});
        return false;
    }
    bool start(async::AttemptOp& op) override
    {
        started.push_back("try " + op.attempt->provider->options.name + "/"
            + std::to_string(op.attempt->key));
        if (immediate) {
            run(op);
            return true;
        }
        pending.push_back({&op, nullptr, &op});
        return false;
    }
    bool start(async::TokenOp& op) override
    {
        started.push_back("token " + std::to_string(op.provider));
        if (immediate) {
            op.result = token;
            return true;
        }
        pending.push_back({&op, nullptr, nullptr, &op});
        return false;
    }
    bool start(async::PlaceOp& op) override
    {
        started.push_back("place " + std::to_string(op.wanted.limit));
        if (immediate) {
            op.result = wait(op);
            return true;
        }
        pending.push_back({&op, nullptr, nullptr, nullptr, &op});
        return false;
    }
    // "redis 0: GET a; INCRBY b 5"
    bool start(async::RedisOp& op) override
    {
        std::string text = "redis " + std::to_string(op.redis) + ":";
        for (const redis::Command& command : op.commands) {
            text += (text.back() == ':' ? " " : "; ") + command.text();
        }
        started.push_back(text);
        if (immediate) {
            op.result = ask(op);
            return true;
        }
        pending.push_back({&op, nullptr, nullptr, nullptr, nullptr, &op});
        return false;
    }
    void tell(
        uint16_t index, std::vector<redis::Command> commands) noexcept override
    {
        for (const redis::Command& command : commands) {
            told.push_back(std::to_string(index) + ": " + command.text());
            if (redis_down == ErrorCode::none) {
                (void)redis_says(command);
            }
        }
    }
    InFlight& in_flight() noexcept override { return places; }
    limit::Counters& counters() noexcept override { return budgets; }
    limit::Unsettled& unsettled() noexcept override { return debts; }
    std::string text(uint32_t value) override { return texts[value]; }
    std::string variable(std::string_view name) override
    {
        return variables[std::string(name)];
    }
    void drop_token(uint16_t) noexcept override { ++dropped; }
    void cancel(async::Op& op) noexcept override
    {
        ++cancelled;
        std::erase_if(pending, [&op](const Pending& p) { return p.op == &op; });
    }
    int64_t now() noexcept override { return clock; }
    int64_t now_seconds() noexcept override { return 1'700'000'000; }
    uint64_t random() noexcept override { return next_random++; }

    // One try, or two at once when the test wants a race.
    void run(async::AttemptOp& op)
    {
        policy::Try* second = race && op.second ? op.second->make() : nullptr;
        if (second != nullptr) {
            started.push_back("second after " + std::to_string(op.second_ms)
                + ": " + second->provider->options.name + "/"
                + std::to_string(second->key));
            op.result = race(*op.attempt, *second);
        } else {
            op.result.end = play(*op.attempt);
        }
    }
    async::RedisReplies ask(const async::RedisOp& op)
    {
        if (redis_down != ErrorCode::none) {
            return make_error(redis_down, "redis");
        }
        std::vector<redis::Reply> replies;
        bool refused = false;
        for (const redis::Command& command : op.commands) {
            replies.push_back(redis_says(command));
            refused |= replies.back().is(redis::Reply::Kind::error);
        }
        if (refused) {
            return make_error(ErrorCode::redis_error, "redis");
        }
        return replies;
    }
    // Whoever waits for a place gets it if it is free by then.
    Place wait(const async::PlaceOp& op)
    {
        if (before_place) {
            before_place();
        }
        return take_place(places, op.wanted.id, op.wanted.limit);
    }

    // The oldest pending operation comes to its end.
    void reply()
    {
        ASSERT_FALSE(pending.empty());
        const Pending first = pending.front();
        pending.erase(pending.begin());
        if (first.sleep != nullptr) {
            clock += static_cast<int64_t>(first.sleep->milliseconds) * 1000;
        } else if (first.place != nullptr) {
            first.place->result = wait(*first.place);
        } else if (first.token != nullptr) {
            first.token->result = token;
        } else if (first.redis != nullptr) {
            first.redis->result = ask(*first.redis);
        } else {
            run(*first.attempt);
        }
        first.op->finish();
    }
};

// Heap memory that counts what is out and can fail at one allocation.
class CountedMemory final : public std::pmr::memory_resource {
public:
    int64_t fail_at = -1; // number of the allocation, from 0
    int64_t allocations = 0;
    size_t bytes = 0;

    ~CountedMemory() override { EXPECT_EQ(bytes, 0u); }

private:
    void* do_allocate(size_t size, size_t align) override
    {
        if (allocations++ == fail_at) {
            throw std::bad_alloc();
        }
        void* memory = std::pmr::new_delete_resource()->allocate(size, align);
        bytes += size;
        return memory;
    }
    void do_deallocate(void* memory, size_t size, size_t align) override
    {
        bytes -= size;
        std::pmr::new_delete_resource()->deallocate(memory, size, align);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override
    {
        return this == &other;
    }
};

// One run of a flow with a world of its own.  World is made from a Scope and
// the FakeIo, and has task(Scope&), giving the Task, and check(result).
template <class World>
class FlowRun {
public:
    explicit FlowRun(bool immediate, int64_t fail_at = -1)
        : frames_(memory_), scope_{frames_, io_}, world_(io_)
    {
        memory_.fail_at = fail_at;
        io_.immediate = immediate;
    }
    ~FlowRun() { EXPECT_EQ(frames_.live(), 0u); }

    // Ends the flow after so many replies; returns how many it took to the
    // end, or the number given.
    size_t run(size_t replies)
    {
        size_t given = 0;
        {
            async::Root root(world_.task(scope_));
            bool done = root.start();
            while (!done && given < replies) {
                EXPECT_FALSE(io_.pending.empty()) << "nothing will wake it";
                if (io_.pending.empty()) {
                    break;
                }
                io_.reply();
                ++given;
                done = root.done();
            }
            if (done) {
                world_.check(root.take());
                finished_ = true;
            }
        }
        EXPECT_EQ(frames_.live(), 0u);
        EXPECT_TRUE(io_.pending.empty());
        return given;
    }
    [[nodiscard]] bool finished() const noexcept { return finished_; }
    [[nodiscard]] int64_t allocations() const noexcept
    {
        return memory_.allocations;
    }

private:
    CountedMemory memory_;
    FakeIo io_;
    async::FrameArena frames_;
    async::Scope scope_;
    World world_;
    bool finished_ = false;
};

// The generic test of every flow: all answers at once; all of them later;
// destroyed after each suspension; each allocation of frames failing.
template <class World>
void run_every_way()
{
    constexpr size_t kEnough = 1000;
    FlowRun<World> at_once(true);
    at_once.run(0);
    EXPECT_TRUE(at_once.finished());

    FlowRun<World> later(false);
    const size_t suspensions = later.run(kEnough);
    EXPECT_TRUE(later.finished());

    for (size_t cut = 0; cut < suspensions; ++cut) {
        FlowRun<World> destroyed(false);
        destroyed.run(cut);
        EXPECT_FALSE(destroyed.finished()) << "after " << cut;
    }
    for (bool immediate : {true, false}) {
        for (int64_t k = 0; k < later.allocations(); ++k) {
            FlowRun<World> starved(immediate, k);
            EXPECT_THROW(starved.run(kEnough), std::bad_alloc) << k;
        }
    }
}

} // namespace ai_proxy::testing
