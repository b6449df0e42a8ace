#include "http/ngx_http_ai_proxy_conf.h"

#include <algorithm>

// Consumers and who of them may come to a location.

namespace ai_proxy::http {

namespace {

struct ConsumerParser {
    config::ConsumerBuilder builder;
    std::string name;
};

char* consumer_line(ngx_conf_t* cf, ngx_command_t*, void* data) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* parser = static_cast<ConsumerParser*>(data);
        auto rc = parser->builder.line(words_of(cf));
        if (!rc.ok()) {
            return fail(cf,
                "ai_proxy_consumer \"" + parser->name
                    + "\": " + rc.error().message);
        }
        if (const auto text = parser->builder.warning(); !text.empty()) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "ai_proxy_consumer: %*s",
                text.size(), text.data());
        }
        return NGX_CONF_OK;
    });
}

bool names_exist(ngx_conf_t* cf, Configuration& c, const LocConf& lc)
{
    for (const Line& line : *lc.consumers) {
        for (const std::string& name : line.words) {
            if (c.gateway.consumers.find(name) == nullptr) {
                log_at(cf->log, line.position,
                    "ai_proxy_consumers: unknown consumer \"" + name + "\"");
                return false;
            }
        }
    }
    return true;
}

std::vector<std::string> names_of(const std::vector<Line>& lines)
{
    std::vector<std::string> names;
    for (const Line& line : lines) {
        names.insert(names.end(), line.words.begin(), line.words.end());
    }
    return names;
}

// The policy of an ai_proxy_auth line; nullptr: it can let nobody in.
const consumer::Policy* make_policy(
    ngx_conf_t* cf, Configuration& c, const LocConf& lc)
{
    config::Consumers& consumers = c.gateway.consumers;
    const config::AuthRule& rule = lc.auth->rule;
    const bool nobody = rule.key && consumers.keys.size() == 0;
    if (nobody || (rule.jwt && consumers.tokens.empty())) {
        log_at(cf->log, lc.auth->position,
            std::string("ai_proxy_auth: no ai_proxy_consumer has a \"")
                + (nobody ? "key" : "jwt_jwks") + "\"");
        return nullptr;
    }
    auto policy = std::make_unique<consumer::Policy>();
    policy->keys = rule.key ? &consumers.keys : nullptr;
    policy->tokens = rule.jwt ? &consumers.tokens : nullptr;
    policy->places = rule.places;
    policy->realm = rule.realm;
    if (lc.consumers != nullptr) {
        policy->allowed = names_of(*lc.consumers);
    }
    return consumers.policies.emplace_back(std::move(policy)).get();
}

} // namespace

char* set_consumer(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        Configuration& c = *static_cast<MainConf*>(conf)->configuration;
        config::Consumers& consumers = c.gateway.consumers;
        const std::string name(words_of(cf)[1]);
        if (!valid_name(name)) {
            return fail(cf, "invalid name \"" + name + "\"");
        }
        if (consumers.find(name) != nullptr) {
            return fail(cf, "duplicate consumer \"" + name + "\"");
        }
        const Position position = position_of(cf);
        ConsumerParser parser{
            config::ConsumerBuilder(name, secret_source(cf), consumers), name};
        char* rv = parse_block(cf, consumer_line, &parser);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
        if (auto done = parser.builder.finish(); !done) {
            log_at(cf->log, position,
                "ai_proxy_consumer \"" + name + "\": " + done.error().message);
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        return NGX_CONF_OK;
    });
}

char* set_auth(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        if (lc->auth != nullptr) {
            return const_cast<char*>("is duplicate");
        }
        config::Words words = words_of(cf);
        words.erase(words.begin());
        auto rule = config::parse_auth(words);
        if (!rule.ok()) {
            return fail(cf, "ai_proxy_auth: " + rule.error().message);
        }
        lc->auth = pool_new<AuthLine>(cf->pool);
        lc->auth->rule = std::move(*rule);
        lc->auth->position = position_of(cf);
        return NGX_CONF_OK;
    });
}

namespace {

// The rules of a file, compiled once for all locations that have it.
const config::AuthRules* rules_of(ngx_conf_t* cf, Configuration& c,
    const std::shared_ptr<const config::AuthPlugin>& plugin)
{
    for (const auto& rules : c.auth_rules) {
        if (rules->plugin == plugin) {
            return rules.get();
        }
    }
    auto rules = config::compile_auth(plugin, c.gateway.consumers);
    if (!rules.ok()) {
        const std::string text = "ai_proxy_plugin: " + rules.error().message;
        log_text(NGX_LOG_EMERG, cf->log, text);
        return nullptr;
    }
    return c.auth_rules.emplace_back(std::move(*rules)).get();
}

// Higress' order: jwt-auth before key-auth.
bool add_plugins(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    if (lc.plugins == nullptr) {
        return true;
    }
    for (const auto& plugin : {lc.plugins->jwt_auth, lc.plugins->key_auth}) {
        if (plugin == nullptr) {
            continue;
        }
        const config::AuthRules* rules = rules_of(cf, c, plugin);
        if (rules == nullptr) {
            return false;
        }
        lc.guards->push_back({nullptr, rules});
    }
    return true;
}

bool make_guards(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    lc.guards = pool_new<std::vector<Guard>>(cf->pool);
    const bool on =
        lc.auth != nullptr && (lc.auth->rule.key || lc.auth->rule.jwt);
    if (lc.auth != nullptr && !on) {
        return true; // "off" is for all of them
    }
    if (!add_plugins(cf, c, lc)) {
        return false;
    }
    if (on) {
        const consumer::Policy* policy = make_policy(cf, c, lc);
        if (policy == nullptr) {
            return false;
        }
        lc.guards->push_back({policy, nullptr});
    }
    return true;
}

} // namespace

bool compile_guards(
    ngx_conf_t* cf, Configuration& c, const LocConf& prev, LocConf& lc)
{
    const bool own = lc.auth != nullptr || lc.consumers != nullptr
        || lc.plugins != prev.plugins;
    if (lc.auth == nullptr) {
        lc.auth = prev.auth;
    }
    if (lc.consumers == nullptr) {
        lc.consumers = prev.consumers;
    }
    if (!own && prev.guards != nullptr) {
        lc.guards = prev.guards;
    } else if (!make_guards(cf, c, lc)) {
        return false;
    }
    if (lc.consumers == nullptr) {
        return true;
    }
    if (!names_exist(cf, c, lc)) {
        return false;
    }
    if (lc.auth == nullptr && (lc.pass != nullptr || !lc.guards->empty())) {
        log_at(cf->log, lc.consumers->front().position,
            "ai_proxy_consumers: there is no \"ai_proxy_auth\" to tell who "
            "comes");
        return false;
    }
    return true;
}

bool check_guards(ngx_conf_t* cf, const Configuration& c, const LocConf& lc)
{
    if (lc.pass == nullptr || lc.site == nullptr || lc.guards == nullptr) {
        return true;
    }
    std::vector<config::Subject> subjects;
    for (const route::Route* route : lc.site->routes) {
        for (const route::Target& target : route->targets) {
            subjects.push_back({route->name, lc.site->location, {},
                c.gateway.providers[target.provider]->options.name});
        }
    }
    for (const Guard& guard : *lc.guards) {
        if (guard.rules != nullptr && !guard.rules->agree(subjects)) {
            log_at(cf->log, lc.pass->front().position,
                "ai_proxy_plugin: a rule about who may come goes by route or "
                "service, and it holds for some only of those that "
                "\"ai_proxy_pass\" names: which one it will be is not known "
                "before the body is read, give them locations of their own");
            return false;
        }
    }
    return true;
}

} // namespace ai_proxy::http
