#include "core/provider/url.h"

#include "core/base/text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace ai_proxy::provider {

namespace {

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

bool is_alnum(char c) noexcept
{
    char l = lower(c);
    return (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z');
}

std::string to_lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

// RFC 1123 names, and '_', which internal names use.
bool is_name(std::string_view host) noexcept
{
    if (host.empty() || host.size() > 253 || host.front() == '.'
        || host.front() == '-' || host.find("..") != std::string_view::npos)
        return false;
    return std::all_of(host.begin(), host.end(),
        [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

bool is_ipv6(std::string_view host) noexcept
{
    char text[INET6_ADDRSTRLEN];
    in6_addr address;
    if (host.size() >= sizeof(text))
        return false;
    std::memcpy(text, host.data(), host.size());
    text[host.size()] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

Result<void> set_authority(std::string_view text, Url& url)
{
    if (text.find('@') != std::string_view::npos)
        return fault("user information is not allowed");
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        size_t end = text.find(']');
        if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1)))
            return fault("invalid IPv6 address");
        url.host = to_lower(text.substr(1, end - 1));
        text.remove_prefix(end + 1);
        if (!text.empty() && text[0] != ':')
            return fault("invalid text after the IPv6 address");
        has_port = !text.empty();
        port = has_port ? text.substr(1) : text;
    } else {
        size_t colon = text.find(':');
        has_port = colon != std::string_view::npos;
        port = has_port ? text.substr(colon + 1) : std::string_view();
        std::string_view host = text.substr(0, colon);
        if (host.empty())
            return fault("no host");
        if (port.find(':') != std::string_view::npos)
            return fault("an IPv6 address needs brackets");
        if (!is_name(host))
            return fault("invalid host");
        url.host = to_lower(host);
    }
    url.port = url.tls ? 443 : 80;
    if (!has_port)
        return {};
    auto number = parse_uint(port);
    if (!number || *number == 0 || *number > 65535)
        return fault("invalid port");
    url.port = static_cast<uint16_t>(*number);
    return {};
}

std::string_view without_trailing_slash(std::string_view path) noexcept
{
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

int hex_value(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// The character at i, percent-decoded; moves i behind it.
char decoded(std::string_view text, size_t& i) noexcept
{
    char c = text[i++];
    if (c != '%' || i + 1 >= text.size())
        return c;
    int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0)
        return c;
    i += 2;
    return static_cast<char>(high * 16 + low);
}

bool has_dot_segment(std::string_view path)
{
    std::string segment;
    for (size_t i = 0; i < path.size();) {
        char c = decoded(path, i);
        if (c != '/' && c != '\\') {
            segment += c;
            continue;
        }
        if (segment == "." || segment == "..")
            return true;
        segment.clear();
    }
    return segment == "." || segment == "..";
}

} // namespace

Result<void> check_path(std::string_view path)
{
    for (char c : path) {
        auto u = static_cast<unsigned char>(c);
        if (u <= 0x20 || u == 0x7f || c == '#' || c == '\\')
            return fault("invalid character in the path");
    }
    const bool plain = path.find('.') == std::string_view::npos
        && path.find('%') == std::string_view::npos;
    if (!plain && has_dot_segment(path))
        return fault("\".\" or \"..\" in the path");
    return {};
}

Result<Url> split_url(std::string_view text, UrlRules rules)
{
    Url url;
    url.tls = rules.tls;
    if (istarts_with(text, "https://")) {
        url.tls = true;
        text.remove_prefix(8);
    } else if (istarts_with(text, "http://")) {
        url.tls = false;
        text.remove_prefix(7);
    } else if (rules.scheme_required
        || text.find("://") != std::string_view::npos) {
        return fault("the scheme must be \"http://\" or \"https://\"");
    }
    size_t end = std::min(text.find_first_of("/?#"), text.size());
    if (auto done = set_authority(text.substr(0, end), url); !done)
        return done.error();
    text.remove_prefix(end);
    if (text.find('#') != std::string_view::npos)
        return fault("a fragment is not allowed");
    size_t mark = text.find('?');
    std::string_view path = text.substr(0, mark);
    if (mark != std::string_view::npos) {
        if (!rules.query_allowed)
            return fault("a query is not allowed");
        url.query = text.substr(mark + 1);
        if (url.query.find_first_of(" \t\r\n") != std::string::npos)
            return fault("invalid character in the query");
    }
    if (auto done = check_path(path); !done)
        return done.error();
    url.path = without_trailing_slash(path);
    return url;
}

UrlTail url_tail(std::string_view text) noexcept
{
    size_t scheme = text.find("://");
    if (scheme != std::string_view::npos)
        text.remove_prefix(scheme + 3);
    text.remove_prefix(std::min(text.find_first_of("/?"), text.size()));
    size_t mark = text.find('?');
    UrlTail tail;
    tail.path = without_trailing_slash(text.substr(0, mark));
    if (mark != std::string_view::npos)
        tail.query = text.substr(mark + 1);
    return tail;
}

} // namespace ai_proxy::provider
