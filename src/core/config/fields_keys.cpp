#include "core/config/fields_keys.h"

#include "core/base/text.h"

namespace ai_proxy::config {

namespace {

constexpr uint64_t kMaxCooldown = 24 * 3600 * 1000ULL;
constexpr uint64_t kMaxConcurrency = 1'000'000;

} // namespace

Result<void> set_key_select(FieldContext& c, const Words& w)
{
    if (w[1] == "random") {
        c.provider.keys.select = route::KeySelect::random;
    } else if (w[1] == "least_used") {
        c.provider.keys.select = route::KeySelect::least_used;
    } else {
        return invalid_value(w[1], w[0], "random or least_used is expected");
    }
    return {};
}

Result<void> set_key_cooldown(FieldContext& c, const Words& w)
{
    route::KeyRules& rules = c.provider.keys;
    if (w[1] == "off") {
        rules.cooldown_most_ms = 0;
        return {};
    }
    const auto range = parse_duration_range(w[1], kMaxCooldown);
    if (!range) {
        return invalid_value(w[1], w[0],
            "a range like \"1s..10m\" up to 24h, or off, is expected");
    }
    rules.cooldown_least_ms = range->least;
    rules.cooldown_most_ms = range->most;
    return {};
}

Result<void> set_key_concurrency(FieldContext& c, const Words& w)
{
    const auto n = parse_uint(w[1]);
    if (!n || *n == 0 || *n > kMaxConcurrency) {
        return invalid_value(
            w[1], w[0], "a number from 1 to 1000000 is expected");
    }
    c.provider.keys.concurrency = static_cast<uint32_t>(*n);
    return {};
}

} // namespace ai_proxy::config
