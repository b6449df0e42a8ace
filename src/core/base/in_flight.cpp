#include "core/base/in_flight.h"

#include "core/base/hash.h"
#include "core/base/random.h"

#include <utility>

namespace ai_proxy {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

} // namespace

// An id is in one of kLeast entries that follow each other.
InFlightEntry& InFlightTable::at(uint64_t id, uint32_t i) const noexcept
{
    return entries_[(id + i) & (entries_.size() - 1)];
}

bool InFlightTable::enter(uint64_t id) noexcept
{
    InFlightEntry* free = nullptr;
    for (uint32_t i = 0; i < kLeast && !entries_.empty(); ++i) {
        InFlightEntry& entry = at(id, i);
        const bool empty = entry.count.load(kRelaxed) == 0;
        if (!empty && entry.id.load(kRelaxed) == id) {
            entry.count.fetch_add(1, kRelaxed);
            return true;
        }
        if (empty && free == nullptr) {
            free = &entry;
        }
    }
    if (free == nullptr) {
        return false;
    }
    free->id.store(id, kRelaxed);
    free->count.store(1, std::memory_order_release);
    return true;
}

void InFlightTable::leave(uint64_t id) noexcept
{
    for (uint32_t i = 0; i < kLeast && !entries_.empty(); ++i) {
        InFlightEntry& entry = at(id, i);
        if (entry.count.load(kRelaxed) != 0 && entry.id.load(kRelaxed) == id) {
            entry.count.fetch_sub(1, kRelaxed);
            return;
        }
    }
}

uint64_t InFlightTable::count(uint64_t id) const noexcept
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < kLeast && !entries_.empty(); ++i) {
        const InFlightEntry& entry = at(id, i);
        const uint64_t count = entry.count.load(std::memory_order_acquire);
        if (count != 0 && entry.id.load(kRelaxed) == id) {
            sum += count;
        }
    }
    return sum;
}

void InFlightTable::clear() noexcept
{
    for (InFlightEntry& entry : entries_) {
        entry.count.store(0, kRelaxed);
    }
}

Place::Place(Place&& other) noexcept
    : in_flight_(std::exchange(other.in_flight_, nullptr)), id_(other.id_)
{
}

Place& Place::operator=(Place&& other) noexcept
{
    if (this != &other) {
        leave();
        in_flight_ = std::exchange(other.in_flight_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

void Place::leave() noexcept
{
    if (in_flight_ != nullptr) {
        std::exchange(in_flight_, nullptr)->leave(id_);
    }
}

Place take_place(InFlight& in_flight, uint64_t id, uint64_t limit) noexcept
{
    if (limit != 0 && in_flight.count(id) >= limit) {
        return {};
    }
    if (!in_flight.enter(id)) {
        return {};
    }
    Place place(in_flight, id);
    // Counted first, so that of two that come at once each sees the other.
    if (limit != 0 && in_flight.count(id) > limit) {
        return {};
    }
    return place;
}

// Mixed, for a table takes the low bits.
uint64_t in_flight_id(std::string_view kind, std::string_view name) noexcept
{
    constexpr unsigned char kEnd = 0xff; // of a part
    uint64_t hash = Fnv1a().add(kind).add(kEnd).add(name).add(kEnd).value();
    return mix(hash);
}

} // namespace ai_proxy
