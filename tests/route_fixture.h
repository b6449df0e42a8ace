#pragma once

#include "core/base/in_flight.h"
#include "core/limit/rule.h"
#include "core/route/route.h"

#include <map>
#include <string>
#include <utility>
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

// Budgets as one worker alone counts them, at the test's time.
class FakeCounters final : public limit::Counters {
public:
    [[nodiscard]] limit::Taken take(const limit::Rule& rule,
        std::string_view key, uint64_t amount, bool force) noexcept override
    {
        const limit::Taken taken =
            limit::take(window(rule, key), rule.budget, amount, now_ms, force);
        held += rule.settles && taken.granted ? 1 : 0;
        return taken;
    }
    limit::Level settle(const limit::Rule& rule, std::string_view key,
        int64_t difference, int64_t stamp, bool last) noexcept override
    {
        held -= last ? 1 : 0;
        return limit::settle(
            window(rule, key), rule.budget, difference, stamp, now_ms);
    }
    [[nodiscard]] uint64_t used(const limit::Rule& rule, std::string_view key)
    {
        return limit::level(window(rule, key), rule.budget, now_ms).used;
    }
    void* window(const limit::Rule& rule, std::string_view key)
    {
        auto& memory = windows[{rule.id, std::string(key)}];
        memory.resize(limit::window_size(rule.budget.algorithm) / 8 + 1);
        return memory.data();
    }

    std::map<std::pair<uint64_t, std::string>, std::vector<uint64_t>> windows;
    int64_t now_ms = 1'000'000'000;
    int held = 0; // takings that are not settled for good
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
