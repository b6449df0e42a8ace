#include "core/route/order.h"

#include "core/base/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace ai_proxy::route {

namespace {

using Targets = std::vector<const Target*>;

// What one request under way counts for where nothing was measured yet.
constexpr double kUnknownMicros = 1e6;

uint64_t total_weight(const Targets& targets)
{
    uint64_t sum = 0;
    for (const Target* t : targets)
        sum += t->weight;
    return sum;
}

size_t target_at(const Targets& targets, uint64_t offset)
{
    size_t i = 0;
    while (i + 1 < targets.size() && offset >= targets[i]->weight)
        offset -= targets[i++]->weight;
    return i;
}

// By weight, then the rest by weight among themselves, and so on.
void append_weighted(Targets rest, uint64_t random, Targets& order)
{
    while (!rest.empty()) {
        uint64_t total = total_weight(rest);
        size_t i = total == 0 ? 0 : target_at(rest, below(mix(random), total));
        order.push_back(rest[i]);
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

// Turns go through all slots (one per unit of weight) in strides prime to
// their number: shares are exact and the targets interleave.
uint64_t slot_of_turn(uint64_t turn, uint64_t slots) noexcept
{
    uint64_t stride = std::max<uint64_t>(slots * 618 / 1000, 1);
    while (std::gcd(stride, slots) != 1)
        ++stride;
    return (turn % slots) * stride % slots;
}

void append_round_robin(const Targets& targets, uint64_t turn, Targets& order)
{
    uint64_t total = total_weight(targets);
    bool equal = std::all_of(targets.begin(), targets.end(),
        [&](const Target* t) { return t->weight == targets[0]->weight; });
    size_t begin = 0;
    if (equal)
        begin = static_cast<size_t>(turn % targets.size());
    else
        begin = target_at(targets, slot_of_turn(turn, total));
    for (size_t i = 0; i < targets.size(); ++i)
        order.push_back(targets[(begin + i) % targets.size()]);
}

// The cheapest first; those that cost the same as they stand.
template <class Cost>
void append_by_cost(const Targets& targets, Cost&& cost, Targets& order)
{
    std::vector<std::pair<double, const Target*>> priced;
    priced.reserve(targets.size());
    for (const Target* target : targets) {
        priced.emplace_back(
            cost(*target) / std::max<double>(target->weight, 1e-9), target);
    }
    std::stable_sort(priced.begin(), priced.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [price, target] : priced) {
        order.push_back(target);
    }
}

// Highest random weight: a provider that comes or goes moves its own clients
// only.
void append_by_client(const Targets& targets, uint64_t client, Targets& order)
{
    const auto cost = [client](const Target& t) {
        const auto share =
            static_cast<double>((mix_provider(client, t.provider) >> 11) + 1);
        return 53 * std::log(2.0) - std::log(share);
    };
    append_by_cost(targets, cost, order);
}

double requests_at(const Surroundings& around, const Target& target)
{
    return static_cast<double>(
        around.in_flight.count(around.peers[target.provider].id));
}

// What is expected of one more request: that it waits for the others.
double expected_micros(const Surroundings& around, const Asked& asked,
    const Target& target, int64_t now)
{
    const double requests = requests_at(around, target);
    const PeerState* state =
        peer_state(around.peers[target.provider], target, asked.model);
    int64_t mean = 0;
    if (state != nullptr) {
        mean = (asked.stream ? state->first_token : state->duration).read(now);
    }
    return mean == 0 ? kUnknownMicros * requests
                     : static_cast<double>(mean) * (requests + 1);
}

void append_tier(const Targets& tier, const Route& route,
    const Surroundings& around, const Asked& asked, int64_t now, Targets& order)
{
    if (asked.affinity != Affinity::none) {
        append_by_client(tier, asked.random, order);
        return;
    }
    if (route.balance == Balance::round_robin) {
        append_round_robin(tier, asked.turn, order);
        return;
    }
    if (route.balance != Balance::least_conn
        && route.balance != Balance::least_latency)
    {
        append_weighted(tier, asked.random, order);
        return;
    }
    // By weight among those that cost the same.
    Targets mixed;
    append_weighted(tier, asked.random, mixed);
    if (route.balance == Balance::least_conn) {
        append_by_cost(
            mixed, [&](const Target& t) { return requests_at(around, t) + 1; },
            order);
    } else {
        append_by_cost(
            mixed,
            [&](const Target& t) {
                return expected_micros(around, asked, t, now);
            },
            order);
    }
}

} // namespace

uint64_t mix_provider(uint64_t client, uint16_t provider) noexcept
{
    uint64_t state = client ^ (uint64_t{provider} + 1) * 0xd1b54a32d192ed03ull;
    return mix(state);
}

PeerState* peer_state(
    const Peer& peer, const Target& target, std::string_view model)
{
    if (!peer.watched)
        return nullptr;
    if (!target.model.empty())
        return peer.state(target.model);
    return peer.model_map != nullptr ? peer.state(peer.model_map->map(model))
                                     : peer.state(model);
}

void append_in_order(const Route& route, const Surroundings& around,
    const Asked& asked, int64_t now, Targets& order)
{
    if (route.targets.size() == 1) {
        order.push_back(&route.targets.front());
        return;
    }
    // Tiers are few and stand in any order.
    uint32_t tier = 0;
    while (order.size() < route.targets.size()) {
        uint32_t following = UINT32_MAX;
        for (const Target& target : route.targets)
            if (target.tier > tier)
                following = std::min<uint32_t>(following, target.tier);
        if (following == UINT32_MAX)
            return;
        tier = following;
        Targets targets;
        for (const Target& target : route.targets)
            if (target.tier == tier)
                targets.push_back(&target);
        append_tier(targets, route, around, asked, now, order);
    }
}

} // namespace ai_proxy::route
