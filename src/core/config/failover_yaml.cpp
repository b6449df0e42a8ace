#include "core/config/failover_yaml.h"

#include "core/config/status_regex.h"

#include <string>
#include <vector>

namespace ai_proxy::config {

namespace {

using yaml::Node;

constexpr int64_t kDay = 86'400'000;
// A key that failed comes back by a check, or after this.
constexpr uint64_t kAway = 3600'000;

struct Failover {
    bool enabled = false;
    uint32_t fails = 3, passes = 1;
    uint64_t interval = 5000, timeout = 5000;
    std::string model;
    std::optional<route::Statuses> on;
};

struct RetryFields {
    bool enabled = false;
    uint32_t count = 1;
    uint64_t most_ms = 60'000;
    std::optional<route::Statuses> on;
};

template <class T>
Result<void> set_statuses(T& to, Node value)
{
    const auto patterns = value.texts();
    if (!patterns) {
        return patterns.error();
    }
    to.on.emplace();
    for (size_t i = 0; i < patterns->size(); ++i) {
        if (auto done = add_statuses(*to.on, (*patterns)[i]); !done) {
            const Node element = value.is_sequence() ? value.at(i) : value;
            return element.error(done.error().message);
        }
    }
    return {};
}

route::Statuses any_failure()
{
    route::Statuses all;
    for (int status = 400; status < 600; ++status) {
        all.add(status);
    }
    return all;
}

constexpr yaml::Field<Failover> kFailover[] = {
    {"enabled", yaml::set_flag<&Failover::enabled>},
    {"failureThreshold", yaml::set_integer<&Failover::fails, 1, 1000>},
    {"successThreshold", yaml::set_integer<&Failover::passes, 1, 1000>},
    {"healthCheckInterval", yaml::set_integer<&Failover::interval, 100, kDay>},
    {"healthCheckTimeout", yaml::set_integer<&Failover::timeout, 1, 3600'000>},
    {"healthCheckModel", yaml::set_text<&Failover::model>},
    {"failoverOnStatus", set_statuses<Failover>},
};

constexpr yaml::Field<RetryFields> kRetry[] = {
    {"enabled", yaml::set_flag<&RetryFields::enabled>},
    {"maxRetries", yaml::set_integer<&RetryFields::count, 0, 10>},
    {"retryTimeout", yaml::set_integer<&RetryFields::most_ms, 1, kDay>},
    {"retryOnStatus", set_statuses<RetryFields>},
};

} // namespace

Result<void> read_failover(
    Node object, ProviderFailover& to, yaml::Warnings& warnings)
{
    Failover read;
    auto done = yaml::read_fields(kFailover, read, object, warnings);
    if (!done || !read.enabled) {
        return done;
    }
    if (read.model.empty()) {
        return object.error("\"healthCheckModel\" is missing");
    }
    route::KeyRules keys;
    keys.on = read.on.value_or(any_failure());
    keys.fails = read.fails;
    keys.passes = read.passes;
    keys.cooldown_least_ms = keys.cooldown_most_ms = kAway;
    to.keys = keys;
    route::HealthRules health;
    health.interval_ms = read.interval;
    health.timeout_ms = read.timeout;
    health.model = std::move(read.model);
    health.only_keys = true;
    to.health = std::move(health);
    return {};
}

Result<void> read_retry(
    Node object, ProviderFailover& to, yaml::Warnings& warnings)
{
    RetryFields read;
    auto done = yaml::read_fields(kRetry, read, object, warnings);
    if (!done || !read.enabled) {
        return done;
    }
    to.retry.count = read.count;
    to.retry.most_ms = read.most_ms;
    to.retry.on = route::On::of(read.on.value_or(any_failure()));
    return {};
}

void apply(const ProviderFailover& failover, Provider& provider)
{
    const bool checkable =
        !provider.options.type->mock && provider.options.location.empty();
    if (failover.keys) {
        const route::KeyRules standard;
        provider.keys = *failover.keys;
        if (!checkable) {
            provider.keys.cooldown_least_ms = standard.cooldown_least_ms;
            provider.keys.cooldown_most_ms = standard.cooldown_most_ms;
        }
    }
    if (failover.health && checkable) {
        provider.health = *failover.health;
    }
    provider.retry = failover.retry;
}

} // namespace ai_proxy::config
