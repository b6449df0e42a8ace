#include "core/limit/key_rules.h"

#include "core/limit/form.h"

#include <algorithm>
#include <iterator>

#include <arpa/inet.h>

namespace ai_proxy::limit {

namespace {

using Bits = std::array<uint8_t, 16>;

constexpr size_t kMaxValue = 1024; // of what is found in a request
// What a client's value may cost.
constexpr Regex::Limits kLimits{20'000, 1'000, 20'000};
constexpr std::string_view kFromAddress = "from-remote-addr";
constexpr std::string_view kFromHeader = "from-header-";
constexpr std::string_view kRegex = "regexp:";
constexpr std::string_view kConsumerHeader = "x-mse-consumer";

constexpr std::array<std::string_view, 9> kKinds = {"limit_by_header",
    "limit_by_param", "limit_by_cookie", "limit_by_consumer",
    "limit_by_per_header", "limit_by_per_param", "limit_by_per_cookie",
    "limit_by_per_consumer", "limit_by_per_ip"};

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

bool counts_each(KeyKind kind) noexcept
{
    return kind >= KeyKind::per_header;
}

std::optional<Bits> parse_ip(std::string_view text)
{
    const std::string copy(text.substr(0, INET6_ADDRSTRLEN));
    Bits bits{};
    if (copy.size() != text.size()) {
        return std::nullopt;
    }
    if (inet_pton(AF_INET6, copy.c_str(), bits.data()) == 1) {
        return bits;
    }
    bits.fill(0);
    bits[10] = bits[11] = 0xff;
    return inet_pton(AF_INET, copy.c_str(), bits.data() + 12) == 1
        ? std::optional(bits)
        : std::nullopt;
}

// One text for each address, however it was written.
std::string ip_text(const Bits& bits)
{
    constexpr Bits kV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool v4 = std::equal(kV4.begin(), kV4.begin() + 12, bits.begin());
    char text[INET6_ADDRSTRLEN];
    const char* done = inet_ntop(v4 ? AF_INET : AF_INET6,
        bits.data() + (v4 ? 12 : 0), text, sizeof(text));
    return done != nullptr ? done : "";
}

// "10.0.0.1:80" and "[::1]:80" of a proxy's header: without the port.
std::string_view without_port(std::string_view text) noexcept
{
    if (text.starts_with('[')) {
        return text.substr(1, text.find(']') - 1);
    }
    const size_t colon = text.find(':');
    return colon != text.npos && text.find(':', colon + 1) == text.npos
        ? text.substr(0, colon)
        : text;
}

std::optional<std::string> header_value(
    const KeyFacts& facts, std::string_view name)
{
    for (const Header& header : facts.headers) {
        if (iequals(header.name, name)) {
            return std::string(header.value);
        }
    }
    return std::nullopt;
}

// What a client says of itself in that header is not believed.
std::optional<std::string> consumer_of(const KeyFacts& facts)
{
    return facts.consumer.empty() ? std::nullopt
                                  : std::optional(std::string(facts.consumer));
}

std::optional<std::string> cookie_value(
    const KeyFacts& facts, std::string_view name)
{
    for (const Header& header : facts.headers) {
        if (!iequals(header.name, "cookie")) {
            continue;
        }
        std::string_view rest = header.value;
        while (!rest.empty()) {
            const size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = trim(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const size_t equals = pair.find('=');
            if (equals != pair.npos && pair.substr(0, equals) == name
                && equals + 1 < pair.size())
            {
                return std::string(pair.substr(equals + 1));
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> ip_of(const KeyFacts& facts, std::string_view source)
{
    std::string text(facts.address);
    if (source.starts_with(kFromHeader)) {
        const auto header =
            header_value(facts, source.substr(kFromHeader.size()));
        if (!header) {
            return std::nullopt;
        }
        const std::string_view first = *header;
        text = trim(first.substr(0, first.find(',')));
    }
    const auto bits = parse_ip(without_port(text));
    return bits ? std::optional(ip_text(*bits)) : std::nullopt;
}

std::optional<std::string> value_of(
    const LimitItem& item, const KeyFacts& facts)
{
    switch (item.kind) {
    case KeyKind::header:
    case KeyKind::per_header:
        return iequals(item.name, kConsumerHeader)
            ? consumer_of(facts)
            : header_value(facts, item.name);
    case KeyKind::param:
    case KeyKind::per_param:
        return form_value(facts.query, item.name);
    case KeyKind::cookie:
    case KeyKind::per_cookie:
        return cookie_value(facts, item.name);
    case KeyKind::consumer:
    case KeyKind::per_consumer:
        return consumer_of(facts);
    case KeyKind::per_ip:
        return ip_of(facts, item.name);
    }
    return std::nullopt;
}

} // namespace

namespace {

bool matches(const LimitKey& key, std::string_view value,
    const std::optional<Bits>& address)
{
    switch (key.match) {
    case LimitKey::Match::exact:
        return value == key.text;
    case LimitKey::Match::any:
        return true;
    case LimitKey::Match::regex:
        return key.regex->finds(value);
    case LimitKey::Match::network:
        return address && key.network.holds(*address);
    }
    return false;
}

} // namespace

std::string_view to_text(KeyKind kind) noexcept
{
    return kKinds[static_cast<size_t>(kind)];
}

std::optional<KeyKind> parse_key_kind(std::string_view text) noexcept
{
    const auto* at = std::find(kKinds.begin(), kKinds.end(), text);
    return at != kKinds.end()
        ? std::optional(static_cast<KeyKind>(at - kKinds.begin()))
        : std::nullopt;
}

bool Network::holds(const Bits& address) const noexcept
{
    for (size_t i = 0; i < bits.size(); i++) {
        const int in_byte = std::clamp(int(length) - int(i) * 8, 0, 8);
        const auto mask = static_cast<uint8_t>(0xff00 >> in_byte);
        if ((bits[i] & mask) != (address[i] & mask)) {
            return false;
        }
    }
    return true;
}

std::optional<Network> parse_network(std::string_view text)
{
    const size_t slash = text.find('/');
    const auto bits = parse_ip(text.substr(0, slash));
    if (!bits) {
        return std::nullopt;
    }
    Network network;
    network.bits = *bits;
    if (slash != text.npos) {
        const bool v4 = text.substr(0, slash).find(':') == text.npos;
        const auto length = parse_uint(text.substr(slash + 1));
        if (!length || *length > (v4 ? 32 : 128)) {
            return std::nullopt;
        }
        network.length = static_cast<uint8_t>(*length + (v4 ? 96 : 0));
    }
    return network;
}

Result<LimitKey> make_limit_key(
    KeyKind kind, std::string_view key, const KeyWindow& window)
{
    LimitKey made;
    made.text = key;
    made.window = window;
    if (key.empty()) {
        return fault("the key is empty");
    }
    if (kind == KeyKind::per_ip) {
        const auto network = parse_network(key);
        if (!network) {
            return fault("\"" + std::string(key)
                + "\" is neither an address nor a network");
        }
        made.match = LimitKey::Match::network;
        made.network = *network;
    } else if (counts_each(kind) && key == "*") {
        made.match = LimitKey::Match::any;
    } else if (counts_each(kind) && key.starts_with(kRegex)) {
        auto regex = Regex::compile(key.substr(kRegex.size()), kLimits);
        if (!regex.ok()) {
            return fault(
                "invalid regular expression \"" + std::string(key) + "\"");
        }
        made.match = LimitKey::Match::regex;
        made.regex = std::make_shared<const Regex>(std::move(*regex));
    } else if (counts_each(kind)) {
        return fault("\"" + std::string(key)
            + "\": only \"*\" and \"regexp:...\" count each value");
    }
    return made;
}

bool valid_ip_source(std::string_view text) noexcept
{
    return text == kFromAddress
        || (text.starts_with(kFromHeader) && text.size() > kFromHeader.size());
}

std::optional<KeyCounter> find_counter(
    const KeyRules& rules, const KeyFacts& facts)
{
    if (rules.global) {
        return KeyCounter{rules.name
                + ":global_threshold:" + std::to_string(rules.global->seconds),
            *rules.global};
    }
    for (const LimitItem& item : rules.items) {
        const auto value = value_of(item, facts);
        if (!value || value->size() > kMaxValue) {
            continue;
        }
        const auto address =
            item.kind == KeyKind::per_ip ? parse_ip(*value) : std::nullopt;
        const bool of_consumer = item.kind == KeyKind::consumer
            || item.kind == KeyKind::per_consumer;
        for (const LimitKey& key : item.keys) {
            if (matches(key, *value, address)) {
                std::string counter = rules.name + ":";
                counter.append(to_text(item.kind)).append(":");
                counter.append(std::to_string(key.window.seconds)).append(":");
                counter.append(of_consumer ? kConsumerHeader
                                           : std::string_view(item.name));
                counter.append(":").append(*value);
                return KeyCounter{std::move(counter), key.window};
            }
        }
    }
    return std::nullopt;
}

} // namespace ai_proxy::limit
