#pragma once

#include "core/base/in_flight.h"
#include "core/route/route.h"

#include <string>
#include <vector>

namespace ai_proxy::testing {

// The requests under way as the test says.
class FakeInFlight final : public InFlight {
public:
    bool enter(uint64_t id) noexcept override { return table_.enter(id); }
    void leave(uint64_t id) noexcept override { table_.leave(id); }
    [[nodiscard]] uint64_t count(uint64_t id) const noexcept override
    {
        return table_.count(id);
    }

private:
    std::vector<InFlightEntry> entries_{1024};
    InFlightTable table_{entries_};
};

// What attempts meet: providers without rules unless the test gives some.
struct RouteWorld {
    explicit RouteWorld(std::vector<route::KeyPool> pools)
        : keys(std::move(pools))
    {
        for (size_t i = 0; i < keys.size(); ++i) {
            peers.emplace_back("provider " + std::to_string(i), nullptr);
        }
    }

    [[nodiscard]] route::Surroundings around()
    {
        return {keys, peers, in_flight};
    }

    std::vector<route::KeyPool> keys;
    std::vector<route::Peer> peers;
    FakeInFlight in_flight;
};

} // namespace ai_proxy::testing
