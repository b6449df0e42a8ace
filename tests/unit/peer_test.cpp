#include "core/route/peer.h"

#include <gtest/gtest.h>

#include <memory>

namespace ai_proxy::route {
namespace {

constexpr int64_t kSecond = 1'000'000;

class BreakerTest : public ::testing::Test {
protected:
    BreakerTest()
    {
        peer.breaker.percent = 50;
        peer.breaker.least_calls = 4;
        peer.breaker.window_ms = 10'000;
        peer.breaker.open_least_ms = 1'000;
        peer.breaker.open_most_ms = 3'000;
        peer.watch({"a", "b"});
        state = peer.state("a");
    }
    void call(Verdict verdict)
    {
        const auto entry = peer.enter(*state, now);
        ASSERT_NE(entry, Peer::Entry::refused);
        peer.note(*state, verdict, entry, now, now);
    }
    [[nodiscard]] bool open() const { return !peer.admits(*state, now); }

    Peer peer{"p", nullptr};
    PeerState* state = nullptr;
    int64_t now = 100 * kSecond;
};

TEST_F(BreakerTest, OpensOnAShareOfEnoughCalls)
{
    call(Verdict::bad);
    call(Verdict::bad);
    call(Verdict::good);
    EXPECT_FALSE(open());
    call(Verdict::nothing);
    EXPECT_FALSE(open());
    call(Verdict::bad); // three of four
    EXPECT_TRUE(open());
    EXPECT_EQ(Peer::closed_for(*state, now), kSecond);
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::refused);
    // Another model at the same provider, and one nobody named.
    EXPECT_TRUE(peer.admits(*peer.state("b"), now));
    EXPECT_TRUE(peer.admits(*peer.state("c"), now));
    EXPECT_EQ(peer.state("c"), peer.state("d"));
}

TEST_F(BreakerTest, StaysClosedBelowTheShare)
{
    for (int i = 0; i < 100; ++i) {
        call(i % 5 > 2 ? Verdict::bad : Verdict::good);
    }
    EXPECT_FALSE(open());
}

TEST_F(BreakerTest, ForgetsWhatIsOlderThanItsWindow)
{
    for (int i = 0; i < 3; ++i) {
        call(Verdict::bad);
    }
    now += 11 * kSecond;
    call(Verdict::bad);
    EXPECT_FALSE(open());
}

TEST_F(BreakerTest, LetsOneProbeInAtATime)
{
    for (int i = 0; i < 4; ++i) {
        call(Verdict::bad);
    }
    ASSERT_TRUE(open());
    now += kSecond;
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::probe);
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::refused);
    // The client of the probe left: the next request is one.
    peer.note(*state, Verdict::nothing, Peer::Entry::probe, now, now);
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::probe);
    peer.note(*state, Verdict::good, Peer::Entry::probe, now, now);
    EXPECT_FALSE(open());
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::normal);
    EXPECT_EQ(state->trips.load(), 1u);
}

TEST_F(BreakerTest, IsOpenForLongerEachTimeAProbeFails)
{
    for (int i = 0; i < 4; ++i) {
        call(Verdict::bad);
    }
    for (const int64_t seconds : {2, 3, 3}) {
        now += Peer::closed_for(*state, now);
        ASSERT_EQ(peer.enter(*state, now), Peer::Entry::probe);
        peer.note(*state, Verdict::bad, Peer::Entry::probe, now, now);
        EXPECT_EQ(Peer::closed_for(*state, now), seconds * kSecond);
    }
    now += 3 * kSecond;
    call(Verdict::good);
    for (int i = 0; i < 4; ++i) {
        call(Verdict::bad);
    }
    EXPECT_EQ(Peer::closed_for(*state, now), kSecond);
}

// As of a worker that was killed.
TEST_F(BreakerTest, AProbeThatIsNeverHeardOfEndsByItself)
{
    for (int i = 0; i < 4; ++i) {
        call(Verdict::bad);
    }
    now += kSecond;
    ASSERT_EQ(peer.enter(*state, now), Peer::Entry::probe);
    now += 59 * kSecond;
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::refused);
    now += 2 * kSecond;
    EXPECT_EQ(peer.enter(*state, now), Peer::Entry::probe);
}

TEST_F(BreakerTest, WhatBeganBeforeItOpenedDoesNotCloseIt)
{
    const auto early = peer.enter(*state, now);
    for (int i = 0; i < 4; ++i) {
        call(Verdict::bad);
    }
    peer.note(*state, Verdict::good, early, now - 1, now);
    EXPECT_TRUE(open());
}

TEST(HealthTest, GoesDownAndComesBackByItsChecks)
{
    Peer peer("p", nullptr);
    peer.health.interval_ms = 1000;
    peer.watch({});
    PeerState& state = *peer.state("m");
    const auto up = [&] { return peer.admits(state, 1); };
    peer.note_check(state, false);
    peer.note_check(state, false);
    peer.note_check(state, true);
    peer.note_check(state, false);
    peer.note_check(state, false);
    EXPECT_TRUE(up());
    peer.note_check(state, false);
    EXPECT_FALSE(up());
    peer.note_check(state, true);
    EXPECT_FALSE(up());
    peer.note_check(state, true);
    EXPECT_TRUE(up());
}

TEST(PeakMeanTest, RisesAtOnceAndFallsSlowly)
{
    PeakMean mean;
    EXPECT_EQ(mean.read(5), 0);
    mean.add(100'000, kSecond);
    EXPECT_EQ(mean.read(kSecond), 100'000);
    mean.add(900'000, 2 * kSecond);
    EXPECT_EQ(mean.read(2 * kSecond), 900'000);
    // One tenth of the decay time: 900 * 0.9048 + 100 * 0.0952.
    mean.add(100'000, 3 * kSecond);
    EXPECT_NEAR(double(mean.read(3 * kSecond)), 823'870, 10);
    // Silence: to 1/e in ten seconds.
    EXPECT_NEAR(double(mean.read(13 * kSecond)), 823'870 / 2.718282, 10);
}

TEST(DurationsTest, QuantileIsWithinAThird)
{
    Durations durations;
    for (int i = 1; i < 20; ++i) {
        durations.add(i * 10'000);
        EXPECT_EQ(durations.quantile(0.5), 0);
    }
    durations.add(200'000);
    const auto middle = double(durations.quantile(0.5));
    EXPECT_GE(middle, 100'000);
    EXPECT_LE(middle, 135'000);
    const auto most = double(durations.quantile(0.95));
    EXPECT_GE(most, 190'000);
    EXPECT_LE(most, 260'000);
}

TEST(DurationsTest, WhatIsOldCountsLess)
{
    Durations durations;
    for (int i = 0; i < 2'000; ++i) {
        durations.add(10'000);
    }
    for (int i = 0; i < 2'000; ++i) {
        durations.add(1'000'000);
    }
    EXPECT_GE(durations.quantile(0.5), 1'000'000);
    durations.add(INT64_MAX);
    durations.add(-5);
}

} // namespace
} // namespace ai_proxy::route
