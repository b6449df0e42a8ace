#include "core/async/frame_arena.h"

#include <algorithm>
#include <new>

namespace ai_proxy::async {

FrameArena::~FrameArena()
{
    while (blocks_ != nullptr) {
        Block* block = blocks_;
        blocks_ = block->next;
        memory_->deallocate(block, block->size, kAlign);
    }
}

void* FrameArena::alloc(size_t size)
{
    size_t total = size + sizeof(Header);
    void* memory = nullptr;
    if (total > kMaxPooled) {
        memory = memory_->allocate(total, kAlign);
    } else {
        total = (total + kClass - 1) / kClass * kClass;
        memory = take(total);
    }
    auto* header = new (memory) Header{this, total};
    ++live_;
    return header + 1;
}

void FrameArena::free(void* frame) noexcept
{
    Header* header = static_cast<Header*>(frame) - 1;
    FrameArena* arena = header->arena;
    const size_t size = header->size;
    --arena->live_;
    if (size > kMaxPooled) {
        arena->memory_->deallocate(header, size, kAlign);
    } else {
        arena->put(header, size);
    }
}

void* FrameArena::take(size_t rounded)
{
    Free*& list = free_[rounded / kClass - 1];
    if (list != nullptr) {
        Free* found = list;
        list = found->next;
        return found;
    }
    if (left_ < rounded) {
        add_block(rounded);
    }
    void* memory = next_;
    next_ += rounded;
    left_ -= rounded;
    return memory;
}

void FrameArena::add_block(size_t payload)
{
    const size_t usual = blocks_ == nullptr ? kFirstBlock : kBlock;
    const size_t size = std::max(usual, payload + sizeof(Block));
    void* memory = memory_->allocate(size, kAlign);

    // What is left of the old block still serves smaller frames.
    const size_t rest = left_ / kClass * kClass;
    if (rest != 0) {
        put(next_, rest);
    }
    blocks_ = new (memory) Block{blocks_, size};
    next_ = reinterpret_cast<std::byte*>(blocks_ + 1);
    left_ = size - sizeof(Block);
}

void FrameArena::put(void* memory, size_t rounded) noexcept
{
    // The rest of a block can be larger than any pooled frame.
    const size_t index = std::min(rounded / kClass, kClasses) - 1;
    free_[index] = new (memory) Free{free_[index]};
}

} // namespace ai_proxy::async
