#include "core/config/redis_service.h"

#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using yaml::Kind;
using yaml::Node;

constexpr int64_t kMostMs = 600'000;
constexpr int64_t kMostDatabase = 1'000'000;
constexpr uint16_t kPort = 6379;
constexpr uint16_t kStaticPort = 80; // Higress' own of such services

struct Reading {
    Redis redis;
    int64_t port = 0, timeout = 0; // 0: as if they were not there
    const SecretSource& secrets;
};

Result<void> set_name(Reading& to, Node value)
{
    auto name = value.text();
    const bool fits = name && name->size() <= 255
        && std::all_of(name->begin(), name->end(), [](char c) {
               return (lower(c) >= 'a' && lower(c) <= 'z')
                   || (c >= '0' && c <= '9') || c == '.' || c == '-'
                   || c == '_';
           });
    if (!fits) {
        return value.error("the name of a service is expected");
    }
    to.redis.service = std::move(*name);
    return {};
}

Result<void> set_secret(Reading& to, Node value, Secret& secret)
{
    auto text = value.text();
    if (!text) {
        return std::move(text).error();
    }
    auto resolved = resolve_secret(*text, to.secrets, value.key());
    if (!resolved) {
        return value.error(resolved.error().message);
    }
    secret = Secret(std::move(*resolved));
    return {};
}

Result<void> set_user(Reading& to, Node value)
{
    Secret user;
    auto done = set_secret(to, value, user);
    to.redis.user = user.reveal();
    return done;
}

Result<void> set_password(Reading& to, Node value)
{
    return set_secret(to, value, to.redis.password);
}

Result<void> set_database(Reading& to, Node value)
{
    const auto number = value.integer(0, kMostDatabase);
    if (!number) {
        return number.error();
    }
    to.redis.database = static_cast<uint32_t>(*number);
    return {};
}

constexpr yaml::Field<Reading> kFields[] = {
    {"service_name", set_name},
    {"service_port", yaml::set_integer<&Reading::port, 0, 65535>},
    {"username", set_user},
    {"password", set_password},
    {"timeout", yaml::set_integer<&Reading::timeout, 0, kMostMs>},
    {"database", set_database},
};

} // namespace

Result<uint16_t> read_redis_service(Node node, LoadContext& context)
{
    Reading reading{{}, 0, 0, context.secrets};
    auto done = yaml::read_fields(kFields, reading, node, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    Redis& redis = reading.redis;
    if (redis.service.empty()) {
        return node.error("\"service_name\" is missing");
    }
    if (!redis.user.empty() && redis.password.empty()) {
        return node.error("\"username\" needs \"password\"");
    }
    if (reading.timeout != 0) {
        redis.timeout_ms = static_cast<uint64_t>(reading.timeout);
    }
    const uint16_t port = reading.port != 0
        ? static_cast<uint16_t>(reading.port)
        : redis.service.ends_with(".static") ? kStaticPort
                                             : kPort;
    redis.addresses.push_back({redis.service, port});
    redis.place = node["service_name"].error("").message;
    return context.gateway.add_service(std::move(redis));
}

} // namespace ai_proxy::config
