#pragma once

#include "core/redis/reply.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What servers of a Redis Cluster and sentinels say about where others are.
namespace ai_proxy::redis {

struct Address {
    std::string host; // no brackets around IPv6; "unix:/path" has port 0
    uint16_t port = 0;

    [[nodiscard]] bool operator==(const Address&) const = default;
    // "host:port", "[host]:port" of IPv6, "unix:/path"
    [[nodiscard]] std::string text() const;
};

// "host", "host:port", "[v6]", "[v6]:port" or "unix:/path".
[[nodiscard]] std::optional<Address> parse_address(
    std::string_view text, uint16_t default_port);

// Slots that one master serves.
struct SlotRange {
    uint16_t first = 0, last = 0;
    Address master; // no host: the node that was asked
};
// The reply of CLUSTER SLOTS; nullopt: it is none.  Ranges whose master is not
// known to the node are left out.
[[nodiscard]] std::optional<std::vector<SlotRange>> parse_slots(
    const Reply& reply);

// "MOVED 3999 127.0.0.1:6381" and "ASK ..." instead of an answer.
struct Redirect {
    bool ask = false; // only this once
    uint16_t slot = 0;
    Address to; // no host: the node that said so
};
[[nodiscard]] std::optional<Redirect> parse_redirect(const Reply& reply);

// The reply of SENTINEL GET-MASTER-ADDR-BY-NAME; nullopt: it knows none.
[[nodiscard]] std::optional<Address> parse_master(const Reply& reply);

} // namespace ai_proxy::redis
