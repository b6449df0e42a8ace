#include "http/ngx_http_ai_proxy.h"

#include "http/ngx_http_ai_proxy_conf.h"

#include "core/config/request_rules.h"

// What a location's requests may use: the lines of its limits and prices.

namespace ai_proxy::http {

namespace {

bool refuse(
    ngx_conf_t* cf, const Line& line, const char* name, const std::string& why)
{
    log_at(cf->log, line.position, std::string(name) + ": " + why);
    return false;
}

// Words as the core reads a directive: its name comes first.
config::Words named(const char* name, const Line& line)
{
    config::Words words = views(line.words);
    words.insert(words.begin(), name);
    return words;
}

bool add_concurrency(ngx_conf_t* cf, Configuration& c,
    const std::vector<Line>& lines, config::Site& site)
{
    constexpr const char* kName = "ai_proxy_concurrency";
    for (const Line& line : lines) {
        auto rule = config::parse_concurrency_rule(views(line.words));
        if (!rule.ok()) {
            return refuse(cf, line, kName, rule.error().message);
        }
        if (!add_text(cf, c, rule->text, rule->value)) {
            return refuse(
                cf, line, kName, "invalid key \"" + rule->text + "\"");
        }
        site.concurrency.push_back(std::move(*rule));
    }
    return true;
}

bool add_request_limits(ngx_conf_t* cf, Configuration& c,
    const std::vector<Line>& lines, config::Site& site)
{
    constexpr const char* kName = "ai_proxy_request_limit";
    for (const Line& line : lines) {
        auto rule = config::parse_request_rule(named(kName, line), c.gateway);
        if (!rule.ok()) {
            return refuse(cf, line, kName, rule.error().message);
        }
        if (!add_text(cf, c, rule->text, rule->value)) {
            return refuse(
                cf, line, kName, "invalid key \"" + rule->text + "\"");
        }
        if (c.gateway.redis[rule->redis].on_error
                == config::Redis::OnError::zone
            && main_conf(cf)->zone.shm_zone == nullptr)
        {
            return refuse(cf, line, kName,
                "\"on_error=zone\" of its \"ai_proxy_redis\" requires "
                "\"ai_proxy_zone\"");
        }
        site.request_limits.push_back(std::move(*rule));
    }
    return true;
}

bool add_token_limits(ngx_conf_t* cf, Configuration& c,
    const std::vector<Line>& lines, config::Site& site)
{
    constexpr const char* kName = "ai_proxy_token_limit";
    for (const Line& line : lines) {
        if (main_conf(cf)->zone.shm_zone == nullptr) {
            log_at(cf->log, line.position,
                "\"" + std::string(kName) + "\" requires \"ai_proxy_zone\"");
            return false;
        }
        auto rule = config::parse_token_limit(named(kName, line), c.gateway);
        if (!rule.ok()) {
            return refuse(cf, line, kName, rule.error().message);
        }
        if (!add_text(cf, c, rule->key, rule->text)) {
            return refuse(cf, line, kName, "invalid key \"" + rule->key + "\"");
        }
        site.token_limits.push_back(std::move(*rule));
    }
    return true;
}

bool add_prices(ngx_conf_t* cf, const Configuration& c,
    const std::vector<Line>& lines, config::Site& site)
{
    constexpr const char* kName = "ai_proxy_price";
    for (const Line& line : lines) {
        auto price = config::parse_price(named(kName, line), c.gateway);
        if (!price.ok()) {
            return refuse(cf, line, kName, price.error().message);
        }
        site.prices.push_back(std::move(*price));
    }
    return true;
}

} // namespace

bool compile_limits(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    config::Site& site = *lc.site;
    return (lc.concurrency == nullptr
               || add_concurrency(cf, c, *lc.concurrency, site))
        && (lc.request_limits == nullptr
            || add_request_limits(cf, c, *lc.request_limits, site))
        && (lc.token_limits == nullptr
            || add_token_limits(cf, c, *lc.token_limits, site))
        && (lc.prices == nullptr || add_prices(cf, c, *lc.prices, site));
}

} // namespace ai_proxy::http
