#include "core/async/task.h"

#include "fake_io.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace ai_proxy::async {
namespace {

using testing::CountedMemory;
using testing::FakeIo;
using testing::run_every_way;

// ---- the rule for parameters, checked when a coroutine is compiled

struct Trivial {
    int a, b;
};
struct OwningAggregate {
    std::string a, b;
};
struct Flow;

static_assert(CheckParameters<Scope&>::value);
static_assert(CheckParameters<Scope&, int, std::string_view>::value);
static_assert(CheckParameters<Scope&, std::string&, Trivial>::value);
static_assert(CheckParameters<Scope&, const std::string&>::value);
static_assert(CheckParameters<Scope&, const Trivial&>::value);
static_assert(CheckParameters<Scope&, OwningAggregate&>::value);
static_assert(CheckParameters<Scope&, const char*>::value);
static_assert(CheckParameters<Flow&, Scope&, int>::value);
static_assert(CheckParameters<const Flow&, Scope&>::value);
static_assert(!CheckParameters<>::value);
static_assert(!CheckParameters<int, Scope&>::value);
static_assert(!CheckParameters<int, int>::value);
static_assert(!CheckParameters<Scope>::value);
static_assert(!CheckParameters<Scope&, std::string>::value);
static_assert(!CheckParameters<Scope&, std::string&&>::value);
static_assert(!CheckParameters<Scope&, const OwningAggregate&>::value);
static_assert(!CheckParameters<Flow&, Scope&, OwningAggregate>::value);

// ---- what may be awaited, and how

static_assert(Startable<SleepOp> && Startable<AttemptOp>);
static_assert(Startable<Task<int>> && Startable<Task<void>>);
static_assert(!Startable<int>);

template <class A>
concept AwaitedAsLvalue = requires(A& a)
{
    operator co_await(a);
};
template <class A>
concept AwaitedAsRvalue = requires(A a)
{
    operator co_await(static_cast<A&&>(a));
};
static_assert(AwaitedAsRvalue<SleepOp> && AwaitedAsRvalue<Task<int>>);
static_assert(!AwaitedAsLvalue<SleepOp> && !AwaitedAsLvalue<Task<int>>);

// ---- flows

Task<int> give(Scope&, int n)
{
    co_return n;
}

Task<int> give_later(Scope& s, int n)
{
    co_await s.io.sleep(1);
    co_return n;
}

Task<int64_t> sum(Scope& s, int rounds, bool later)
{
    int64_t total = 0;
    for (int i = 0; i < rounds; ++i) {
        if (later) {
            const int n = co_await give_later(s, i);
            total += n;
        } else {
            const int n = co_await give(s, i);
            total += n;
        }
    }
    co_return total;
}

struct SumWorld {
    explicit SumWorld(FakeIo&) {}
    Task<int64_t> task(Scope& s) { return sum(s, 5, true); }
    void check(int64_t total) { EXPECT_EQ(total, 10); }
};

TEST(Task, LoopOfChildren)
{
    run_every_way<SumWorld>();
}

Task<std::string> descend(Scope& s, const std::string& word, int depth)
{
    if (depth == 0) {
        co_await s.io.sleep(3);
        co_return word;
    }
    std::string below = co_await descend(s, word, depth - 1);
    co_await s.io.sleep(2);
    co_return below + std::to_string(depth);
}

struct DescendWorld {
    explicit DescendWorld(FakeIo&) {}
    Task<std::string> task(Scope& s) { return descend(s, word, 3); }
    void check(const std::string& text)
    {
        EXPECT_EQ(text, "a word that does not fit inside a string123");
    }
    std::string word = "a word that does not fit inside a string";
};

TEST(Task, ChildrenOfChildren)
{
    run_every_way<DescendWorld>();
}

struct Flow {
    int done = 0;
    Task<void> step(Scope& s)
    {
        co_await s.io.sleep(1);
        ++done;
    }
    Task<void> all(Scope& s)
    {
        co_await step(s);
        co_await step(s);
    }
};

struct MemberWorld {
    explicit MemberWorld(FakeIo&) {}
    Task<int> task(Scope& s) { return run(s); }
    void check(int done) { EXPECT_EQ(done, 2); }
    Task<int> run(Scope& s)
    {
        co_await flow.all(s);
        co_return flow.done;
    }
    Flow flow;
};

TEST(Task, MembersAreCoroutines)
{
    run_every_way<MemberWorld>();
}

Task<int> fail(Scope& s, bool later)
{
    if (later) {
        co_await s.io.sleep(1);
    }
    throw std::runtime_error("no");
}

Task<int> recover(Scope& s, bool later)
{
    int n = 0;
    try {
        n = co_await fail(s, later);
    } catch (const std::runtime_error&) {
        n = 7;
    }
    co_return n;
}

TEST(Task, ChildThrowsParentCatches)
{
    for (bool later : {false, true}) {
        FakeIo io;
        CountedMemory memory;
        FrameArena frames(memory);
        Scope s{frames, io};
        Root<int> root(recover(s, later));
        EXPECT_EQ(root.start(), !later);
        if (later) {
            io.reply();
        }
        ASSERT_TRUE(root.done());
        EXPECT_EQ(root.take(), 7);
    }
}

TEST(Task, WhatNobodyCatchesReachesTheRoot)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    Root<int> root(fail(s, true));
    EXPECT_FALSE(root.start());
    io.reply();
    ASSERT_TRUE(root.done());
    EXPECT_THROW(root.take(), std::runtime_error);
}

TEST(Task, IsLazy)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    {
        auto task = give_later(s, 1);
        EXPECT_TRUE(io.started.empty());
        EXPECT_EQ(frames.live(), 1u);
    }
    EXPECT_EQ(frames.live(), 0u);
}

TEST(Task, DestroyingTheRootCancelsWhatIsPending)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    {
        Root<int64_t> root(sum(s, 3, true));
        EXPECT_FALSE(root.start());
        EXPECT_EQ(io.pending.size(), 1u);
        EXPECT_EQ(frames.live(), 2u);
    }
    EXPECT_EQ(io.cancelled, 1);
    EXPECT_TRUE(io.pending.empty());
    EXPECT_EQ(frames.live(), 0u);
}

TEST(Task, AnOperationThatEndedIsNotCancelled)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    {
        Root<int> root(give_later(s, 1));
        root.start();
        io.reply();
        EXPECT_TRUE(root.done());
    }
    EXPECT_EQ(io.cancelled, 0);
}

// Children that end at once must not deepen the stack: 8 MB would be gone
// after some 100,000 rounds.
TEST(Task, AMillionRoundsFit)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    Root<int64_t> root(sum(s, 1'000'000, false));
    EXPECT_TRUE(root.start());
    EXPECT_EQ(root.take(), 499'999'500'000);
    EXPECT_LE(memory.allocations, 2);
}

TEST(Task, ManySuspensionsFit)
{
    FakeIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    Root<int64_t> root(sum(s, 20'000, true));
    EXPECT_FALSE(root.start());
    while (!root.done()) {
        io.reply();
    }
    EXPECT_EQ(root.take(), 199'990'000);
    EXPECT_LE(memory.allocations, 2);
}

// Io::start that throws leaves nothing to cancel.
class ThrowingIo final : public Io {
public:
    bool start(SleepOp&) override { throw std::bad_alloc(); }
    bool start(AttemptOp&) override { throw std::bad_alloc(); }
    bool start(TokenOp&) override { throw std::bad_alloc(); }
    bool start(PlaceOp&) override { throw std::bad_alloc(); }
    bool start(RedisOp&) override { throw std::bad_alloc(); }
    void tell(uint16_t, std::vector<redis::Command>) noexcept override {}
    InFlight& in_flight() noexcept override { return places; }
    limit::Counters& counters() noexcept override { return budgets; }
    limit::Unsettled& unsettled() noexcept override { return debts; }
    std::string text(uint32_t) override { return {}; }
    std::string variable(std::string_view) override { return {}; }
    void drop_token(uint16_t) noexcept override {}
    void cancel(Op&) noexcept override { ++cancelled; }
    int64_t now() noexcept override { return 0; }
    int64_t now_seconds() noexcept override { return 0; }
    uint64_t random() noexcept override { return 0; }
    testing::FakeInFlight places;
    testing::FakeCounters budgets;
    testing::FakeUnsettled debts;
    int cancelled = 0;
};

TEST(Task, AnOperationThatCannotStartThrowsInTheCoroutine)
{
    ThrowingIo io;
    CountedMemory memory;
    FrameArena frames(memory);
    Scope s{frames, io};
    {
        Root<int64_t> root(sum(s, 1, true));
        EXPECT_TRUE(root.start());
        EXPECT_THROW(root.take(), std::bad_alloc);
    }
    EXPECT_EQ(io.cancelled, 0);
    EXPECT_EQ(frames.live(), 0u);
}

} // namespace
} // namespace ai_proxy::async
