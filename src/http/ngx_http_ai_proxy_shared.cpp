#include "http/ngx_http_ai_proxy.h"

#include "core/credential/digest.h"

#include <map>

// Keys, models and routes: where workers share what they know of them.

namespace ai_proxy::http {

namespace {

// The same key of the same provider keeps its state over a reload.
uint64_t id_of(const config::Provider& provider, size_t key)
{
    const std::string_view pieces[] = {provider.options.name,
        std::string_view("\0", 1), provider.options.api_tokens[key].reveal()};
    const credential::Digest digest = credential::sha256(pieces);
    uint64_t id = 0;
    ngx_memcpy(&id, digest.data(), sizeof(id));
    return id;
}

bool share_keys(config::Gateway& gateway, ngx_http_ai_proxy_zone_t& zone)
{
    bool room = true;
    for (size_t p = 0; p < gateway.providers.size(); p++) {
        const config::Provider& provider = *gateway.providers[p];
        for (size_t k = 0; k < provider.options.api_tokens.size(); k++) {
            auto* state = ngx_http_ai_proxy_zone_state<route::KeyState>(
                &zone, id_of(provider, k));
            if (state != nullptr) {
                gateway.keys[p].share(static_cast<uint32_t>(k), *state);
            }
            room = room && state != nullptr;
        }
    }
    return room;
}

bool share_peers(config::Gateway& gateway, ngx_http_ai_proxy_zone_t& zone)
{
    bool room = true;
    for (size_t p = 0; p < gateway.peers.size(); p++) {
        route::Peer& peer = gateway.peers[p];
        const std::string kind =
            "model of " + gateway.providers[p]->options.name;
        for (size_t i = 0; i < peer.state_count(); i++) {
            auto* state = ngx_http_ai_proxy_zone_state<route::PeerState>(
                &zone, in_flight_id(kind, peer.model(i)));
            if (state != nullptr) {
                peer.share(i, *state);
            }
            room = room && state != nullptr;
        }
    }
    return room;
}

bool share_routes(config::Gateway& gateway, ngx_http_ai_proxy_zone_t& zone)
{
    bool room = true;
    for (const auto& route : gateway.routes) {
        if (route->state == nullptr) {
            continue;
        }
        auto* state = ngx_http_ai_proxy_zone_state<route::RouteState>(
            &zone, in_flight_id("route", route->name));
        if (state != nullptr) {
            route->state = state;
        }
        room = room && state != nullptr;
    }
    return room;
}

bool share_consumers(Configuration& c, ngx_http_ai_proxy_zone_t& zone)
{
    bool room = true;
    for (const auto& consumer : c.gateway.consumers.all) {
        auto* counts = ngx_http_ai_proxy_zone_state<metrics::ConsumerCounts>(
            &zone, in_flight_id("consumer", consumer->name));
        c.consumer_counts.push_back(counts);
        room = room && counts != nullptr;
    }
    return room;
}

// Limits of one name have their numbers in common.
bool share_limits(Configuration& c, ngx_http_ai_proxy_zone_t& zone)
{
    std::map<std::string_view, metrics::LimitCounts*> shared;
    bool room = true;
    const auto share = [&](const std::string& name) {
        auto [at, is_new] = shared.try_emplace(name);
        if (is_new) {
            at->second = ngx_http_ai_proxy_zone_state<metrics::LimitCounts>(
                &zone, in_flight_id("limit", name));
            room = room && at->second != nullptr;
        }
        return at->second;
    };
    for (const auto& site : c.gateway.sites) {
        for (limit::Rule& rule : site->token_limits) {
            rule.counts = share(rule.name);
        }
        for (config::RequestRule& rule : site->request_limits) {
            rule.counts = share(rule.text);
        }
    }
    for (const auto& [name, counts] : shared) {
        if (counts != nullptr) {
            c.limits.push_back({name, counts});
        }
    }
    return room;
}

} // namespace

void warn_of_prices(ngx_log_t* log, const Configuration& c)
{
    for (const auto& site : c.gateway.sites) {
        for (const limit::Rule& rule : site->token_limits) {
            if (rule.count == limit::Count::cost && site->prices.empty()) {
                const std::string text = "\"ai_proxy_token_limit\" of \""
                    + rule.name + "\" counts costs in location \""
                    + site->location
                    + "\", where no \"ai_proxy_price\" says any";
                log_text(NGX_LOG_WARN, log, text);
                return;
            }
        }
    }
}

void share_states(Configuration& c, ngx_http_ai_proxy_zone_t& zone)
{
    config::Gateway& gateway = c.gateway;
    const bool consumers = share_consumers(c, zone);
    const bool limits = share_limits(c, zone);
    const bool keys = share_keys(gateway, zone);
    const bool peers = share_peers(gateway, zone);
    const bool routes = share_routes(gateway, zone);
    const bool all = consumers && limits && keys && peers && routes;
    if (!all && zone.shm_zone != nullptr) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
            "ai_proxy: zone \"%V\" has no room for all keys, models, "
            "consumers and limits, workers do not share what they know of them",
            &zone.shm_zone->shm.name);
    }
}

std::vector<metrics::ConsumerRow> consumer_rows(const Configuration& c)
{
    std::vector<metrics::ConsumerRow> rows;
    for (size_t i = 0; i < c.consumer_counts.size(); i++) {
        if (c.consumer_counts[i] != nullptr) {
            rows.push_back(
                {c.gateway.consumers.all[i]->name, c.consumer_counts[i]});
        }
    }
    return rows;
}

std::vector<metrics::KeyRow> key_rows(const config::Gateway& gateway)
{
    const int64_t now = monotonic_micros();
    std::vector<metrics::KeyRow> rows;
    for (size_t p = 0; p < gateway.providers.size(); p++) {
        const config::Provider& provider = *gateway.providers[p];
        for (size_t k = 0; k < provider.options.api_tokens.size(); k++) {
            const route::KeyState& state =
                gateway.keys[p].state(static_cast<uint32_t>(k));
            metrics::KeyRow row;
            row.provider = provider.options.name;
            row.key = static_cast<uint32_t>(k);
            row.ends =
                metrics::key_ends(provider.options.api_tokens[k].reveal());
            row.away = std::max<int64_t>(state.away_until.load() - now, 0);
            row.status = state.status.load();
            row.tries = state.tries.load();
            row.failures = state.failures.load();
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::vector<metrics::PeerRow> peer_rows(const config::Gateway& gateway)
{
    const int64_t now = monotonic_micros();
    std::vector<metrics::PeerRow> rows;
    for (size_t p = 0; p < gateway.peers.size(); p++) {
        const route::Peer& peer = gateway.peers[p];
        for (size_t i = 0; i < peer.state_count(); i++) {
            const route::PeerState& state = peer.state_at(i);
            metrics::PeerRow row;
            row.provider = gateway.providers[p]->options.name;
            row.model = peer.model(i).empty() ? "other" : peer.model(i);
            row.down = peer.is_down();
            row.open = route::Peer::closed_for(state, now);
            row.half_open = row.open == 0 && state.open_until.load() != 0;
            row.trips = state.trips.load();
            row.first_token = state.first_token.read(now);
            row.duration = state.duration.read(now);
            row.under_way = worker().places.count(peer.id);
            rows.push_back(row);
        }
    }
    return rows;
}

} // namespace ai_proxy::http
