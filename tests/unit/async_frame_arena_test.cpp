#include "core/async/frame_arena.h"

#include "fake_io.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace ai_proxy::async {
namespace {

TEST(FrameArena, TakesNothingBeforeTheFirstFrame)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    EXPECT_EQ(memory.allocations, 0);
    EXPECT_EQ(frames.live(), 0u);
}

TEST(FrameArena, FirstBlockIsSmallLaterOnesLarger)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    void* first = frames.alloc(600);
    EXPECT_EQ(memory.bytes, 1536u);
    void* second = frames.alloc(600);
    EXPECT_EQ(memory.bytes, 1536u);
    void* third = frames.alloc(600);
    EXPECT_EQ(memory.bytes, 1536u + 4096u);
    EXPECT_EQ(frames.live(), 3u);
    FrameArena::free(second);
    FrameArena::free(first);
    FrameArena::free(third);
    EXPECT_EQ(frames.live(), 0u);
}

TEST(FrameArena, FramesAreAlignedAndUsedAgain)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    void* first = frames.alloc(100);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 16, 0u);
    FrameArena::free(first);
    // The same size class: 100 + 16 and 110 + 16 both make 128.
    void* second = frames.alloc(110);
    EXPECT_EQ(second, first);
    FrameArena::free(second);
}

TEST(FrameArena, RestOfABlockServesSmallerFrames)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    void* large = frames.alloc(1200); // 1216 of 1520: 304 left, 256 usable
    void* next = frames.alloc(1000);  // opens a second block
    const size_t bytes = memory.bytes;
    void* small = frames.alloc(240); // 256
    EXPECT_EQ(memory.bytes, bytes);
    EXPECT_GT(static_cast<char*>(small), static_cast<char*>(large));
    EXPECT_LT(static_cast<char*>(small), static_cast<char*>(large) + 1536);
    for (void* frame : {large, next, small}) {
        FrameArena::free(frame);
    }
}

TEST(FrameArena, LargeFramesGoStraightThrough)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    void* frame = frames.alloc(10'000);
    EXPECT_EQ(memory.bytes, 10'016u);
    EXPECT_EQ(frames.live(), 1u);
    FrameArena::free(frame);
    EXPECT_EQ(memory.bytes, 0u);
}

TEST(FrameArena, FailureLeavesItUsable)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    void* first = frames.alloc(1400);
    memory.fail_at = 1;
    EXPECT_THROW((void)frames.alloc(1000), std::bad_alloc);
    EXPECT_EQ(frames.live(), 1u);
    void* second = frames.alloc(1000);
    FrameArena::free(first);
    FrameArena::free(second);
}

TEST(FrameArena, ManyFramesInAnyOrderDoNotOverlapOrGrow)
{
    testing::CountedMemory memory;
    FrameArena frames(memory);
    std::minstd_rand random(1);
    struct Frame {
        unsigned char* bytes;
        size_t size;
        unsigned char mark;
    };
    std::vector<Frame> live;
    for (unsigned round = 0; round < 20'000; ++round) {
        if (live.size() < 20) {
            const size_t size = 1 + random() % 2500;
            const auto mark = static_cast<unsigned char>(round);
            auto* bytes = static_cast<unsigned char*>(frames.alloc(size));
            std::memset(bytes, mark, size);
            live.push_back({bytes, size, mark});
            continue;
        }
        const size_t victim = random() % live.size();
        const Frame& frame = live[victim];
        for (size_t i = 0; i < frame.size; ++i) {
            ASSERT_EQ(frame.bytes[i], frame.mark);
        }
        FrameArena::free(frame.bytes);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(victim));
    }
    // 20 live frames of at most 2.5 KB, and one free list per class.
    EXPECT_LT(memory.bytes, 300'000u);
    for (const Frame& frame : live) {
        FrameArena::free(frame.bytes);
    }
    EXPECT_EQ(frames.live(), 0u);
}

} // namespace
} // namespace ai_proxy::async
