#include "core/redis/topology.h"

#include "core/redis/slot.h"

#include "core/base/text.h"

namespace ai_proxy::redis {

namespace {

constexpr size_t kMaxHost = 255;

std::optional<uint16_t> port_of(std::optional<int64_t> number) noexcept
{
    if (!number || *number < 1 || *number > 65535) {
        return std::nullopt;
    }
    return static_cast<uint16_t>(*number);
}

std::optional<uint16_t> port_of(std::string_view digits) noexcept
{
    const auto number = parse_uint(digits);
    return number && *number <= 65535
        ? port_of(std::optional(static_cast<int64_t>(*number)))
        : std::nullopt;
}

std::optional<uint16_t> slot_of(const Reply& reply) noexcept
{
    const auto number = reply.number();
    if (!number || *number < 0 || *number >= kSlots) {
        return std::nullopt;
    }
    return static_cast<uint16_t>(*number);
}

bool valid_host(std::string_view host) noexcept
{
    if (host.empty() || host.size() > kMaxHost) {
        return false;
    }
    for (char c : host) {
        if (c <= ' ' || c >= 0x7f || c == '[' || c == ']' || c == '/') {
            return false;
        }
    }
    return true;
}

// [host, port, id, ...] of CLUSTER SLOTS.
std::optional<Address> node_of(const Reply& reply)
{
    if (!reply.is(Reply::Kind::array) || reply.elements.size() < 2) {
        return std::nullopt;
    }
    const auto port = port_of(reply.elements[1].number());
    const Reply& host = reply.elements[0];
    if (!port || (!host.text.empty() && !valid_host(host.text))
        || host.text == "?") {
        return std::nullopt;
    }
    return Address{host.text, *port};
}

} // namespace

std::string Address::text() const
{
    if (host.starts_with("unix:")) {
        return host;
    }
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Address> parse_address(
    std::string_view text, uint16_t default_port)
{
    if (text.starts_with("unix:")) {
        return text.size() > 6 && text[5] == '/'
            ? std::optional(Address{std::string(text), 0})
            : std::nullopt;
    }
    std::string_view host = text, port;
    bool has_port = false;
    if (text.starts_with("[")) {
        const size_t close = text.find(']');
        if (close == std::string_view::npos
            || (close + 1 < text.size() && text[close + 1] != ':'))
        {
            return std::nullopt;
        }
        host = text.substr(1, close - 1);
        has_port = close + 1 < text.size();
        port = has_port ? text.substr(close + 2) : port;
    } else if (const size_t colon = text.find(':');
               colon != std::string_view::npos) {
        host = text.substr(0, colon);
        has_port = true;
        port = text.substr(colon + 1);
    }
    const auto number = has_port ? port_of(port) : std::optional(default_port);
    if (!number || !valid_host(host)) {
        return std::nullopt;
    }
    return Address{std::string(host), *number};
}

std::optional<std::vector<SlotRange>> parse_slots(const Reply& reply)
{
    if (!reply.is(Reply::Kind::array)) {
        return std::nullopt;
    }
    std::vector<SlotRange> ranges;
    for (const Reply& row : reply.elements) {
        if (!row.is(Reply::Kind::array) || row.elements.size() < 3) {
            return std::nullopt;
        }
        const auto first = slot_of(row.elements[0]);
        const auto last = slot_of(row.elements[1]);
        if (!first || !last || *first > *last) {
            return std::nullopt;
        }
        if (auto master = node_of(row.elements[2])) {
            ranges.push_back({*first, *last, std::move(*master)});
        }
    }
    return ranges;
}

std::optional<Redirect> parse_redirect(const Reply& reply)
{
    const std::string_view kind = reply.error_kind();
    if (kind != "MOVED" && kind != "ASK") {
        return std::nullopt;
    }
    std::string_view rest = reply.text;
    rest.remove_prefix(std::min(kind.size() + 1, rest.size()));
    const size_t space = rest.find(' ');
    // The host may be IPv6 without brackets: the port is what follows last.
    const size_t colon = rest.rfind(':');
    if (space == std::string_view::npos || colon == std::string_view::npos
        || colon < space)
    {
        return std::nullopt;
    }
    const auto slot = parse_uint(rest.substr(0, space));
    const auto port = port_of(rest.substr(colon + 1));
    const std::string_view host = rest.substr(space + 1, colon - space - 1);
    if (!slot || *slot >= kSlots || !port
        || (!host.empty() && !valid_host(host))) {
        return std::nullopt;
    }
    Redirect redirect;
    redirect.ask = kind == "ASK";
    redirect.slot = static_cast<uint16_t>(*slot);
    redirect.to = Address{std::string(host), *port};
    return redirect;
}

std::optional<Address> parse_master(const Reply& reply)
{
    if (!reply.is(Reply::Kind::array) || reply.elements.size() != 2) {
        return std::nullopt;
    }
    const auto port = port_of(reply.elements[1].number());
    if (!port || !valid_host(reply.elements[0].text)) {
        return std::nullopt;
    }
    return Address{reply.elements[0].text, *port};
}

} // namespace ai_proxy::redis
