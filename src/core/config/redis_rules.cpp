#include "core/config/redis_rules.h"

#include "core/config/fields.h"

#include "core/base/text.h"

#include <algorithm>
#include <iterator>

namespace ai_proxy::config {

namespace {

constexpr uint16_t kPort = 6379;
constexpr uint16_t kSentinelPort = 26379;
constexpr uint64_t kMostMs = 600'000;
constexpr size_t kMaxAddresses = 64;

struct Setting {
    Redis& redis;
    const SecretSource& secrets;
    std::string_view name, value;
};

Error invalid(const Setting& s, std::string_view reason = {})
{
    return invalid_value(s.value, s.name, reason);
}

Result<void> set_flag(const Setting& s, bool& flag)
{
    if (s.value != "on" && s.value != "off") {
        return invalid(s, "on or off");
    }
    flag = s.value == "on";
    return {};
}

Result<void> set_text(const Setting& s, std::string& text)
{
    if (s.value.empty()) {
        return invalid(s);
    }
    text = s.value;
    return {};
}

Result<void> set_secret(const Setting& s, std::string& text)
{
    auto resolved = resolve_secret(s.value, s.secrets, s.name);
    if (!resolved) {
        return resolved.error();
    }
    text = std::move(*resolved);
    return {};
}

Result<void> set_secret(const Setting& s, Secret& secret)
{
    std::string text;
    auto rc = set_secret(s, text);
    secret = Secret(std::move(text));
    return rc;
}

Result<void> set_count(const Setting& s, uint32_t& count, uint32_t most)
{
    const auto number = parse_count(s.value, most);
    if (!number) {
        return invalid(s, "a number from 1 to " + std::to_string(most));
    }
    count = *number;
    return {};
}

Result<void> set_database(const Setting& s)
{
    const auto number = parse_uint(s.value);
    if (!number || *number > 1'000'000) {
        return invalid(s);
    }
    s.redis.database = static_cast<uint32_t>(*number);
    return {};
}

Result<void> set_timeout(const Setting& s)
{
    const auto time = parse_duration_ms(s.value);
    if (!time || *time == 0 || *time > kMostMs) {
        return invalid(s);
    }
    s.redis.timeout_ms = *time;
    return {};
}

Result<void> set_on_error(const Setting& s)
{
    const auto policy = parse_on_error(s.value);
    if (!policy) {
        return invalid(s, "allow, deny or zone");
    }
    s.redis.on_error = *policy;
    return {};
}

struct Row {
    std::string_view name;
    Result<void> (*set)(const Setting& s);
};

// clang-format off
constexpr Row kParameters[] = {
    {"user", [](const Setting& s) { return set_secret(s, s.redis.user); }},
    {"password",
     [](const Setting& s) { return set_secret(s, s.redis.password); }},
    {"database", set_database},
    {"tls", [](const Setting& s) { return set_flag(s, s.redis.tls); }},
    {"ssl_verify",
     [](const Setting& s) { return set_flag(s, s.redis.ssl_verify); }},
    {"ssl_name", [](const Setting& s) { return set_text(s, s.redis.ssl_name); }},
    {"ssl_trusted_certificate",
     [](const Setting& s) {
         return set_text(s, s.redis.ssl_trusted_certificate); }},
    {"timeout", set_timeout},
    {"pool", [](const Setting& s) { return set_count(s, s.redis.pool, 64); }},
    {"queue",
     [](const Setting& s) { return set_count(s, s.redis.queue, 1'000'000); }},
    {"cluster", [](const Setting& s) { return set_flag(s, s.redis.cluster); }},
    {"sentinel", [](const Setting& s) { return set_text(s, s.redis.sentinel); }},
    {"sentinel_user",
     [](const Setting& s) { return set_secret(s, s.redis.sentinel_user); }},
    {"sentinel_password",
     [](const Setting& s) { return set_secret(s, s.redis.sentinel_password); }},
    {"on_error", set_on_error},
};
// clang-format on

// What goes with what.
Result<void> check(const Redis& redis)
{
    const bool sentinel = !redis.sentinel.empty();
    if (redis.cluster && sentinel) {
        return config_error("\"cluster\" and \"sentinel\" exclude each other");
    }
    if (redis.addresses.size() > 1 && !redis.cluster && !sentinel) {
        return config_error(
            "several addresses need \"cluster=on\" or \"sentinel=\"");
    }
    if (redis.cluster && redis.database != 0) {
        return config_error("a cluster has no databases");
    }
    if (!sentinel
        && (!redis.sentinel_user.empty() || !redis.sentinel_password.empty()))
    {
        return config_error(
            "\"sentinel_user\" and \"sentinel_password\" need \"sentinel=\"");
    }
    if ((!redis.user.empty() && redis.password.empty())
        || (!redis.sentinel_user.empty() && redis.sentinel_password.empty()))
    {
        return config_error("a user needs a password");
    }
    if (!redis.tls
        && (!redis.ssl_verify || !redis.ssl_name.empty()
            || !redis.ssl_trusted_certificate.empty()))
    {
        return config_error("parameters of TLS need \"tls=on\"");
    }
    const bool socket = std::any_of(redis.addresses.begin(),
        redis.addresses.end(), [](const redis::Address& address) {
            return address.host.starts_with("unix:");
        });
    if (socket && redis.cluster) {
        return config_error("a cluster has no UNIX sockets");
    }
    if (socket && redis.tls && redis.ssl_verify && redis.ssl_name.empty()) {
        return config_error("TLS on a UNIX socket needs \"ssl_name\"");
    }
    return {};
}

} // namespace

std::optional<Redis::OnError> parse_on_error(std::string_view text) noexcept
{
    if (text == "allow") {
        return Redis::OnError::allow;
    }
    if (text == "deny") {
        return Redis::OnError::deny;
    }
    return text == "zone" ? std::optional(Redis::OnError::zone) : std::nullopt;
}

Result<Redis> parse_redis(const Words& words, const SecretSource& secrets)
{
    Redis redis;
    redis.name = words[0];
    std::vector<std::string_view> addresses;
    std::vector<std::string_view> seen;
    for (size_t i = 1; i < words.size(); i++) {
        const auto pair = split_pair(words[i]);
        if (!pair || pair->name.starts_with("unix:")) {
            addresses.push_back(words[i]);
            continue;
        }
        const auto* row =
            std::find_if(std::begin(kParameters), std::end(kParameters),
                [&](const Row& r) { return r.name == pair->name; });
        if (row == std::end(kParameters)) {
            return config_error(
                "unknown parameter \"" + std::string(pair->name) + "\"");
        }
        if (std::find(seen.begin(), seen.end(), pair->name) != seen.end()) {
            return config_error(
                "duplicate parameter \"" + std::string(pair->name) + "\"");
        }
        seen.push_back(pair->name);
        auto rc = row->set({redis, secrets, pair->name, pair->value});
        if (!rc) {
            return rc.error();
        }
    }
    const uint16_t port = redis.sentinel.empty() ? kPort : kSentinelPort;
    for (std::string_view text : addresses) {
        auto address = redis::parse_address(text, port);
        if (!address) {
            return config_error(
                "invalid address \"" + std::string(text) + "\"");
        }
        redis.addresses.push_back(std::move(*address));
    }
    if (redis.addresses.empty() || redis.addresses.size() > kMaxAddresses) {
        return config_error(redis.addresses.empty() ? "an address is missing"
                                                    : "too many addresses");
    }
    auto fits = check(redis);
    if (!fits) {
        return fits.error();
    }
    return redis;
}

} // namespace ai_proxy::config
