#include "core/config/gateway.h"

#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

Provider& Gateway::add(std::unique_ptr<Provider> provider)
{
    const std::string& name = provider->options.name;
    route::KeyPool& pool = keys.emplace_back(
        static_cast<uint32_t>(provider->options.api_tokens.size()));
    pool.rules = provider->keys;
    pool.id = in_flight_id("keys of provider", name);
    // Without keys of its own the client's are what is refused.
    if (provider->options.api_tokens.empty()) {
        pool.rules.cooldown_most_ms = 0;
    }
    route::Peer& peer = peers.emplace_back(name, &provider->model_map);
    peer.breaker = provider->breaker;
    peer.health = provider->health;
    peer.concurrency = provider->concurrency;
    peer.queue = provider->queue;
    peer.queue_ms = provider->queue_ms;
    return *providers.emplace_back(std::move(provider));
}

namespace {

// Models that requests to the provider may name upstream.
std::vector<std::string> models_of(const Gateway& gateway, size_t provider,
    const std::vector<std::string>& labels)
{
    const Provider& p = *gateway.providers[provider];
    std::vector<std::string> models(p.options.models);
    if (p.model_map.empty()) {
        models.insert(models.end(), labels.begin(), labels.end());
    }
    for (const std::string_view name : p.model_map.names()) {
        models.emplace_back(name);
    }
    if (!p.health.model.empty()) {
        models.push_back(p.health.model);
    }
    for (const auto& route : gateway.routes) {
        for (const auto* targets : {&route->targets, &route->fallbacks}) {
            for (const route::Target& target : *targets) {
                if (target.provider == provider && !target.model.empty()) {
                    models.push_back(target.model);
                }
            }
        }
    }
    return models;
}

} // namespace

void Gateway::link(const std::vector<std::string>& models)
{
    std::vector<bool> watched(providers.size()), counted(providers.size());
    for (size_t i = 0; i < providers.size(); ++i) {
        watched[i] = providers[i]->breaker.percent != 0
            || providers[i]->health.interval_ms != 0;
        counted[i] = providers[i]->concurrency != 0;
    }
    for (const auto& route : routes) {
        const bool latency = route->balance == route::Balance::least_latency;
        for (const route::Target& target : route->targets) {
            watched[target.provider] = watched[target.provider] || latency
                || route->hedge.quantile != 0;
            counted[target.provider] = counted[target.provider] || latency
                || route->balance == route::Balance::least_conn;
        }
        if (route->budget_percent != 0 || route->hedge.percent != 0) {
            route_states.push_back(std::make_unique<route::RouteState>());
            route->state = route_states.back().get();
        }
    }
    for (size_t i = 0; i < providers.size(); ++i) {
        peers[i].counted = counted[i];
        if (watched[i]) {
            peers[i].watch(models_of(*this, i, models));
        }
    }
}

int Gateway::find_redis(std::string_view name) const noexcept
{
    for (size_t i = 0; i < redis.size(); ++i)
        if (redis[i].service.empty() && redis[i].name == name)
            return static_cast<int>(i);
    return -1;
}

uint16_t Gateway::add_service(Redis made)
{
    for (size_t i = 0; i < redis.size(); ++i) {
        const Redis& other = redis[i];
        if (other.service == made.service && other.addresses == made.addresses
            && other.user == made.user && other.database == made.database
            && other.timeout_ms == made.timeout_ms
            && other.password.equals(made.password.reveal()))
        {
            return static_cast<uint16_t>(i);
        }
    }
    // Names tell them apart in the status; those of ai_proxy_redis have no ':'.
    made.name = made.addresses.front().text();
    if (made.database != 0) {
        made.name += "/" + std::to_string(made.database);
    }
    const auto known = [this](std::string_view name) {
        return std::any_of(redis.begin(), redis.end(),
            [name](const Redis& other) { return other.name == name; });
    };
    const std::string name = made.name;
    for (size_t number = 2; known(made.name); ++number) {
        made.name = name + "#" + std::to_string(number);
    }
    redis.push_back(std::move(made));
    return static_cast<uint16_t>(redis.size() - 1);
}

int Gateway::find_provider(std::string_view name) const noexcept
{
    for (size_t i = 0; i < providers.size(); ++i)
        if (providers[i]->options.name == name)
            return static_cast<int>(i);
    return -1;
}

route::Route* Gateway::find_route(std::string_view name) noexcept
{
    for (auto& route : routes)
        if (route->name == name)
            return route.get();
    return nullptr;
}

Result<void> add_model_map(
    route::ModelMap& map, const Words& words, size_t first)
{
    size_t count = words.size() - std::min(first, words.size());
    if (count == 2)
        return map.add(words[first], words[first + 1]);
    // One word holds both: "~^gpt-(.*)$ qwen-$1"
    size_t space = count == 1 ? words[first].rfind(' ') : std::string::npos;
    if (space == std::string_view::npos)
        return config_error("invalid number of arguments in \"model_map\"");
    return map.add(
        words[first].substr(0, space), words[first].substr(space + 1));
}

} // namespace ai_proxy::config
