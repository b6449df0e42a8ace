#pragma once

#include "core/async/io.h"
#include "core/policy/exchange.h"
#include "core/route/route.h"

#include <utility>
#include <vector>

namespace ai_proxy::policy {

// A step of the route on its way to be a try: what was taken for it is given
// back when it goes, and what came of it is told to those who keep count.
class Leg {
public:
    // The limit of what is counted only.
    static constexpr uint32_t kUnlimited = UINT32_MAX;

    Leg() = default;
    Leg(const route::Peer& peer, const route::KeyPool& keys,
        const route::Attempts::Step& step) noexcept
        : peer_(&peer), keys_(&keys), step_(step)
    {
    }
    Leg(Leg&& other) noexcept;
    Leg& operator=(Leg&& other) noexcept;
    ~Leg() { drop(); }

    [[nodiscard]] const route::Attempts::Step& step() const noexcept
    {
        return step_;
    }
    // The place that the step must still have; limit 0: none.
    [[nodiscard]] async::PlaceOp::Wanted wanted() const noexcept;
    void take(Place place) { places_.push_back(std::move(place)); }
    // They are somebody else's to hold from here.
    [[nodiscard]] std::vector<Place> release_places() noexcept
    {
        return std::exchange(places_, {});
    }
    // The try was made and ended.
    void settle(const Try& attempt, const async::TryEnd& end);
    // It came to nothing.
    void drop() noexcept;

private:
    void note_key(const Try& attempt, const async::TryEnd& end) const;
    void note_times(
        const Try& attempt, const async::TryEnd& end, bool bad) const;

    const route::Peer* peer_ = nullptr;
    const route::KeyPool* keys_ = nullptr;
    route::Attempts::Step step_;
    std::vector<Place> places_; // at the provider, of the key
};

} // namespace ai_proxy::policy
