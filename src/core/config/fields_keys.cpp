#include "core/config/fields_keys.h"

#include "core/base/text.h"

namespace ai_proxy::config {

namespace {

bool set_fails(void* rules, std::string_view value)
{
    const auto n = parse_count(value, 1000);
    static_cast<route::KeyRules*>(rules)->fails = n.value_or(1);
    return n.has_value();
}

// "401,5xx"
bool set_on(void* rules, std::string_view value)
{
    route::Statuses all;
    for (bool more = true; more;) {
        const size_t comma = value.find(',');
        more = comma != std::string_view::npos;
        const std::string_view word = value.substr(0, comma);
        value.remove_prefix(more ? comma + 1 : value.size());
        const auto n = parse_uint(word);
        if (word == "4xx" || word == "5xx") {
            const int first = word == "4xx" ? 400 : 500;
            for (int status = first; status < first + 100; ++status) {
                all.add(status);
            }
        } else if (n && *n >= 400 && *n < 600 && word.size() == 3) {
            all.add(static_cast<int>(*n));
        } else {
            return false;
        }
    }
    static_cast<route::KeyRules*>(rules)->on = all;
    return true;
}

constexpr Parameter kCooldown[] = {
    {"fails", set_fails, "a number from 1 to 1000 is expected"},
    {"on", set_on, "statuses from 400 to 599, 4xx or 5xx are expected"},
};

constexpr uint64_t kMaxCooldown = 24 * 3600 * 1000ULL;
constexpr uint32_t kMaxConcurrency = 1'000'000;

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
    if (w[1] == "off" && w.size() == 2) {
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
    return take_parameters(kCooldown, &rules, w, 2);
}

Result<void> set_key_concurrency(FieldContext& c, const Words& w)
{
    const auto n = parse_count(w[1], kMaxConcurrency);
    if (!n) {
        return invalid_value(
            w[1], w[0], "a number from 1 to 1000000 is expected");
    }
    c.provider.keys.concurrency = *n;
    return {};
}

} // namespace ai_proxy::config
