#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

// Memory of the coroutine frames of one request.  Frames die in any order and
// their space is used again, so a loop of child coroutines does not grow.
namespace ai_proxy::async {

class FrameArena {
public:
    // The first block is small: most requests need no more while they stream.
    static constexpr size_t kFirstBlock = 1536;
    static constexpr size_t kBlock = 4096;
    static constexpr size_t kClass = 64;
    static constexpr size_t kMaxPooled = 2048;

    // memory must outlive the arena; blocks go back to it in the destructor.
    explicit FrameArena(std::pmr::memory_resource& memory) noexcept
        : memory_(&memory)
    {
    }
    FrameArena(const FrameArena&) = delete;
    FrameArena& operator=(const FrameArena&) = delete;
    ~FrameArena();

    // Aligned for std::max_align_t; throws std::bad_alloc.
    [[nodiscard]] void* alloc(size_t size);
    // Gives back what alloc() returned, to the arena it came from.
    static void free(void* frame) noexcept;

    // Frames in use; 0 when every coroutine of the request has ended.
    [[nodiscard]] size_t live() const noexcept { return live_; }

private:
    struct Block {
        Block* next;
        size_t size;
    };
    struct Free {
        Free* next;
    };
    // In front of every frame.
    struct Header {
        FrameArena* arena;
        size_t size;
    };
    static constexpr size_t kClasses = kMaxPooled / kClass;
    static constexpr size_t kAlign = alignof(std::max_align_t);
    static_assert(sizeof(Header) % kAlign == 0);
    static_assert(sizeof(Block) % kAlign == 0);

    [[nodiscard]] void* take(size_t rounded);
    void add_block(size_t payload);
    void put(void* memory, size_t rounded) noexcept;

    std::pmr::memory_resource* memory_;
    Block* blocks_ = nullptr;
    std::byte* next_ = nullptr;
    size_t left_ = 0;
    size_t live_ = 0;
    std::array<Free*, kClasses> free_{};
};

} // namespace ai_proxy::async
