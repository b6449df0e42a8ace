#include "http/ngx_http_ai_proxy.h"

#include "http/ngx_http_ai_proxy_conf.h"

#include "core/config/request_rules.h"

// What a location's requests may use: the lines of its limits and prices.

namespace ai_proxy::http {

namespace {

bool add_concurrency(ngx_conf_t* cf, Configuration& c,
    const std::vector<Line>& lines, config::Site& site)
{
    for (const Line& line : lines) {
        auto rule = config::parse_concurrency_rule(views(line.words));
        if (!rule.ok()) {
            log_at(cf->log, line.position,
                "ai_proxy_concurrency: " + rule.error().message);
            return false;
        }
        if (!add_text(cf, c, rule->text, rule->value)) {
            log_at(cf->log, line.position,
                "ai_proxy_concurrency: invalid key \"" + rule->text + "\"");
            return false;
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
        config::Words words = views(line.words);
        words.insert(words.begin(), kName);
        auto rule = config::parse_request_rule(words, c.gateway);
        if (!rule.ok()) {
            log_at(cf->log, line.position,
                kName + std::string(": ") + rule.error().message);
            return false;
        }
        if (!add_text(cf, c, rule->text, rule->value)) {
            log_at(cf->log, line.position,
                kName + (": invalid key \"" + rule->text + "\""));
            return false;
        }
        if (c.gateway.redis[rule->redis].on_error
                == config::Redis::OnError::zone
            && main_conf(cf)->zone.shm_zone == nullptr)
        {
            log_at(cf->log, line.position,
                kName
                    + std::string(": \"on_error=zone\" of its "
                                  "\"ai_proxy_redis\" requires "
                                  "\"ai_proxy_zone\""));
            return false;
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
        config::Words words = views(line.words);
        words.insert(words.begin(), kName);
        auto rule = config::parse_token_limit(words, c.gateway);
        if (!rule.ok()) {
            log_at(cf->log, line.position,
                kName + std::string(": ") + rule.error().message);
            return false;
        }
        if (!add_text(cf, c, rule->key, rule->text)) {
            log_at(cf->log, line.position,
                kName + (": invalid key \"" + rule->key + "\""));
            return false;
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
        config::Words words = views(line.words);
        words.insert(words.begin(), kName);
        auto price = config::parse_price(words, c.gateway);
        if (!price.ok()) {
            log_at(cf->log, line.position,
                kName + std::string(": ") + price.error().message);
            return false;
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
