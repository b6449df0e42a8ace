#include "core/config/fields_keys.h"

#include "core/base/text.h"

namespace ai_proxy::config {

namespace {

constexpr uint64_t kMaxCooldown = 24 * 3600 * 1000ULL;

} // namespace

Result<void> set_key_select(FieldContext& c, const Words& w)
{
    if (w[1] == "random") {
        c.provider.key_select = route::KeySelect::random;
    } else if (w[1] == "least_used") {
        c.provider.key_select = route::KeySelect::least_used;
    } else {
        return invalid_value(w[1], w[0], "random or least_used is expected");
    }
    return {};
}

Result<void> set_key_cooldown(FieldContext& c, const Words& w)
{
    Provider& p = c.provider;
    if (w[1] == "off") {
        p.cooldown_most_ms = 0;
        return {};
    }
    const size_t dots = w[1].find("..");
    const auto least = parse_duration_ms(w[1].substr(0, dots));
    const auto most = dots == std::string_view::npos
        ? least
        : parse_duration_ms(w[1].substr(dots + 2));
    if (!least || !most || *least == 0 || *least > *most
        || *most > kMaxCooldown) {
        return invalid_value(w[1], w[0],
            "a range like \"1s..10m\" up to 24h, or off, is expected");
    }
    p.cooldown_least_ms = *least;
    p.cooldown_most_ms = *most;
    return {};
}

} // namespace ai_proxy::config
