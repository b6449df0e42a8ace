#pragma once

#include "core/route/route.h"

#include <vector>

namespace ai_proxy::route {

// Appends the targets in the order in which they are to be tried: tier by
// tier, within one as the route balances, or, with an affinity, by client.
void append_in_order(const Route& route, const Surroundings& around,
    const Asked& asked, int64_t now, std::vector<const Target*>& order);

// Of one client and one provider, whatever else there is.
[[nodiscard]] uint64_t mix_provider(
    uint64_t client, uint16_t provider) noexcept;

// What the target's provider knows of the model that it would be asked for;
// nullptr: it is not watched.
[[nodiscard]] PeerState* peer_state(
    const Peer& peer, const Target& target, std::string_view model);

} // namespace ai_proxy::route
