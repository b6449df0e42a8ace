#pragma once

#include "core/base/regex.h"
#include "core/base/result.h"
#include "core/base/text.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Limits as Higress' plugins have them: a threshold for all requests, or rules
// that look for something in a request and count by what they find.  They only
// name a counter; what it counts is their owner's business.
namespace ai_proxy::limit {

struct KeyWindow {
    int64_t most = 0;
    uint32_t seconds = 0;
};

enum class KeyKind : uint8_t {
    header,
    param,
    cookie,
    consumer,
    per_header,
    per_param,
    per_cookie,
    per_consumer,
    per_ip,
};
// "limit_by_header" and so on, as the configuration and the counters name it.
[[nodiscard]] std::string_view to_text(KeyKind kind) noexcept;
[[nodiscard]] std::optional<KeyKind> parse_key_kind(
    std::string_view text) noexcept;

// An address, or a network: "10.0.0.0/8", "::1".
struct Network {
    std::array<uint8_t, 16> bits{}; // IPv4 as ::ffff:0:0/96
    uint8_t length = 128;

    [[nodiscard]] bool holds(
        const std::array<uint8_t, 16>& address) const noexcept;
};
[[nodiscard]] std::optional<Network> parse_network(std::string_view text);

// One of limit_keys: whom it is for, and how much they may.
struct LimitKey {
    enum class Match : uint8_t { exact, any, regex, network };
    Match match = Match::exact;
    std::string text;
    std::shared_ptr<const Regex> regex;
    Network network;
    KeyWindow window;
};
// key: as it is written.  Errors are phrases for the configuration log.
[[nodiscard]] Result<LimitKey> make_limit_key(
    KeyKind kind, std::string_view key, const KeyWindow& window);

struct LimitItem {
    KeyKind kind = KeyKind::header;
    // Of the header, parameter or cookie; of per_ip what is written there:
    // "from-remote-addr" or "from-header-NAME".
    std::string name;
    std::vector<LimitKey> keys;
};
[[nodiscard]] bool valid_ip_source(std::string_view text) noexcept;

struct KeyRules {
    std::string name;
    std::optional<KeyWindow> global; // then items is empty
    std::vector<LimitItem> items;
};

// What rules look at; views live as long as the request.
struct KeyFacts {
    std::span<const Header> headers;
    std::string_view query;    // without '?'
    std::string_view address;  // of the client
    std::string_view consumer; // "": nobody is known
};

// Where a request is counted: the key in Redis after the plugin's prefix.
struct KeyCounter {
    std::string key;
    KeyWindow window;
};
// nullopt: it is not limited.
[[nodiscard]] std::optional<KeyCounter> find_counter(
    const KeyRules& rules, const KeyFacts& facts);

} // namespace ai_proxy::limit
