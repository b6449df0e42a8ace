#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

// How much is under way: requests to a provider, streams, places of a limit.
namespace ai_proxy {

// One count of one worker.  Zeroed memory is an empty entry.
struct InFlightEntry {
    std::atomic<uint64_t> id{};
    std::atomic<uint64_t> count{};
};

// The counts of one worker, in memory that all workers read and only it
// writes: a worker that is killed takes its counts with it.
class InFlightTable {
public:
    // A multiple of this, and a power of two, is the size of a table.
    static constexpr uint32_t kLeast = 16;

    InFlightTable() = default;
    explicit InFlightTable(std::span<InFlightEntry> entries) noexcept
        : entries_(entries)
    {
    }

    // False: there is no room for one more id.
    [[nodiscard]] bool enter(uint64_t id) noexcept;
    void leave(uint64_t id) noexcept;
    [[nodiscard]] uint64_t count(uint64_t id) const noexcept;
    // Forgets everything.
    void clear() noexcept;

private:
    [[nodiscard]] InFlightEntry& at(uint64_t id, uint32_t i) const noexcept;

    std::span<InFlightEntry> entries_;
};

// The counts of this worker and the sums over all of them.  The same id is
// the same thing in every worker.
class InFlight {
public:
    [[nodiscard]] virtual bool enter(uint64_t id) noexcept = 0;
    virtual void leave(uint64_t id) noexcept = 0;
    [[nodiscard]] virtual uint64_t count(uint64_t id) const noexcept = 0;

protected:
    ~InFlight() = default;
};

// Something that is under way as long as this object lives.
class Place {
public:
    Place() = default;
    // Takes over what enter() counted.
    Place(InFlight& in_flight, uint64_t id) noexcept
        : in_flight_(&in_flight), id_(id)
    {
    }
    Place(Place&& other) noexcept;
    Place& operator=(Place&& other) noexcept;
    ~Place() { leave(); }

    void leave() noexcept;
    [[nodiscard]] explicit operator bool() const noexcept
    {
        return in_flight_ != nullptr;
    }

private:
    InFlight* in_flight_ = nullptr;
    uint64_t id_ = 0;
};

// A place if fewer than limit are taken; limit 0: there is no limit.
// Two workers that ask at once for the last one may both be refused, never
// both get it.
[[nodiscard]] Place take_place(
    InFlight& in_flight, uint64_t id, uint64_t limit) noexcept;

// The id of something with this kind and name.
[[nodiscard]] uint64_t in_flight_id(
    std::string_view kind, std::string_view name) noexcept;

} // namespace ai_proxy
