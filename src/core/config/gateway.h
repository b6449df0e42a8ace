#pragma once

#include "core/base/secret.h"
#include "core/config/plugins.h"
#include "core/config/consumers.h"
#include "core/config/words.h"
#include "core/dialect/model_list.h"
#include "core/limit/key_rules.h"
#include "core/limit/rule.h"
#include "core/limit/token_scripts.h"
#include "core/limit/scripts.h"
#include "core/prompt/context_limit.h"
#include "core/prompt/rules.h"
#include "core/provider/options.h"
#include "core/provider/registry.h"
#include "core/redis/topology.h"
#include "core/route/route.h"
#include "core/usage/price.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::config {

// How a provider's own route retries (routes that are written have their
// own word).
struct Retry {
    uint32_t count = 0;
    std::optional<route::On> on;
    uint64_t most_ms = 0; // each
};

// A provider as compiled: immutable while requests run.
struct Provider {
    provider::Options options;
    provider::Endpoint endpoint;       // unset for location and mock providers
    provider::Endpoint token_endpoint; // of vertex with a service account
    route::ModelMap model_map;
    route::KeyRules keys; // how requests share them
    route::BreakerRules breaker;
    route::HealthRules health;
    Retry retry;
    // Requests that it may have at a time, see route::Peer.
    uint32_t concurrency = 0, queue = 0;
    uint64_t queue_ms = 0;
};

// Where a location's list of models comes from.
enum class ModelList : uint8_t {
    configured, // from the configuration, if it names any
    merged,     // and from the providers
    relayed,    // from the first provider, as it is
};

// ai_proxy_concurrency: how many requests with the same value of a text may be
// under way.
struct ConcurrencyRule {
    std::string text;   // with variables; rules with the same text share
    uint32_t value = 0; // its number, for who knows variables
    uint32_t limit = 0, queue = 0;
    uint64_t queue_ms = 0;
};

// What becomes of an answer whose client has left.
struct ClientAbort {
    enum class Policy : uint8_t { cancel, drain, estimate };
    Policy policy = Policy::cancel;
    uint64_t drain_ms = 10'000;         // for how long and how many bytes of
    uint64_t drain_bytes = 1024 * 1024; // it a drain goes on
};

// Signs of life for clients whose provider is silent.
struct Keepalive {
    uint64_t interval_ms = 0;   // 0: none
    bool before_answer = false; // also before the answer has begun
};

// ai_proxy_redis: one server, a cluster, or the master that sentinels know.
struct Redis {
    // What becomes of a request when Redis cannot be asked; zone: counting
    // goes on in the memory of the machine.
    enum class OnError : uint8_t { allow, deny, zone };

    std::string name;
    std::vector<redis::Address> addresses; // several: of nodes or sentinels
    std::string user;
    Secret password;
    uint32_t database = 0;
    bool tls = false;
    bool ssl_verify = true;
    std::string ssl_name; // "": the host of the address
    std::string ssl_trusted_certificate;
    uint64_t timeout_ms = 1000; // to connect; for a command
    uint32_t pool = 1;          // connections of a worker to a server
    uint32_t queue = 1024;      // commands that wait on one of them
    bool cluster = false;
    std::string sentinel; // name of the master; "": none
    std::string sentinel_user;
    Secret sentinel_password;
    OnError on_error = OnError::allow;
    // Of a plugin: the service that its file names, and where it does so.  An
    // ai_proxy_redis or an upstream of that name says where it is.
    std::string service, place;
};

// ai_proxy_request_limit: how often requests with the same value of a text may
// come; counted in Redis.
struct RequestRule {
    std::string text;   // with variables; no limit where it is empty
    uint32_t value = 0; // its number, for who knows variables
    limit::KeyWindow window;
    uint16_t redis = 0; // index in Gateway::redis
    uint16_t status = 429;
    limit::Rule local;                      // of Redis::OnError::zone
    metrics::LimitCounts* counts = nullptr; // nullptr: not kept
};

// What a location serves: routes in order of matching.
struct Site {
    std::vector<const route::Route*> routes;
    route::ModelMap model_map; // before the route is chosen
    // What is put into prompts before all else; nullptr: nothing.
    std::shared_ptr<const prompt::Rules> prompts;
    prompt::ContextLimit context_limit;
    std::vector<ConcurrencyRule> concurrency;
    std::vector<limit::Rule> token_limits;
    std::vector<usage::Price> prices;
    std::vector<RequestRule> request_limits;
    ClientAbort client_abort;
    Keepalive keepalive;
    bool strict = false; // refuse what a provider cannot be told
    ModelList model_list = ModelList::configured;
    int64_t model_list_seconds = 300;   // for how long a provider's is kept
    std::vector<dialect::Model> models; // that the configuration names
    std::string location;               // its name
    Plugins plugins;
};

// The whole configuration; one immutable object per cycle.
struct Gateway {
    std::vector<std::unique_ptr<Provider>> providers;
    std::vector<std::unique_ptr<route::Route>> routes; // implicit ones too
    std::vector<std::unique_ptr<Site>> sites;
    std::vector<Redis> redis;
    limit::TokenScripts token_scripts;
    limit::Scripts scripts;           // that Redis runs
    std::vector<route::KeyPool> keys; // per provider
    std::vector<route::Peer> peers;   // per provider
    // Per route, in own memory; Route::state says what holds.
    std::vector<std::unique_ptr<route::RouteState>> route_states;
    Consumers consumers;

    // When all providers and routes are there: has those watched and counted
    // whose rules or routes want it.  models: names that may have a state of
    // their own, besides those that a provider's own rules name.
    void link(const std::vector<std::string>& models);

    // Adds a provider and its keys.
    Provider& add(std::unique_ptr<Provider> provider);
    [[nodiscard]] int find_provider(std::string_view name) const noexcept;
    // Of ai_proxy_redis, not of plugins.
    [[nodiscard]] int find_redis(std::string_view name) const noexcept;
    // Adds that of a plugin, or finds the same one.
    [[nodiscard]] uint16_t add_service(Redis redis);
    [[nodiscard]] route::Route* find_route(std::string_view name) noexcept;
};

// Fills one block line by line; errors are phrases for the configuration log
// ("unknown field \"x\"", "invalid value \"y\" in \"timeout\"").
class ProviderBuilder {
public:
    ProviderBuilder(std::string name, SecretSource secrets);
    ~ProviderBuilder();
    [[nodiscard]] Result<void> line(const Words& words);
    [[nodiscard]] Result<std::unique_ptr<Provider>> finish();

private:
    std::unique_ptr<Provider> provider_;
    SecretSource secrets_;
    std::vector<std::string> seen_;
};

class RouteBuilder {
public:
    RouteBuilder(std::string name, const Gateway& gateway);
    [[nodiscard]] Result<void> line(const Words& words);
    [[nodiscard]] Result<std::unique_ptr<route::Route>> finish();

private:
    std::unique_ptr<route::Route> route_;
    const Gateway& gateway_;
    std::vector<std::string> seen_;
};

// Parses "NAME [weight=N] [model=M] [on=...]" (words without the directive's
// own name); is_fallback decides which of them are legal.
[[nodiscard]] Result<route::Target> parse_target(
    const Words& words, size_t first, const Gateway& gateway, bool is_fallback);

// Parses "TEXT limit=NUMBER [queue=NUMBER] [timeout=TIME]"; its number is not
// known here.
[[nodiscard]] Result<ConcurrencyRule> parse_concurrency_rule(
    const Words& words);

// Parses "key=TEXT rate=NUMBER/UNIT [...]" of ai_proxy_token_limit.
[[nodiscard]] Result<limit::Rule> parse_token_limit(
    const Words& words, const Gateway& gateway);

// Parses "MODEL input=PRICE output=PRICE [...]" of ai_proxy_price.
[[nodiscard]] Result<usage::Price> parse_price(
    const Words& words, const Gateway& gateway);

// Adds the pair of a "model_map" line whose arguments begin at words[first]:
// two words, or one that holds both ("~^gpt-(.*)$ qwen-$1").
[[nodiscard]] Result<void> add_model_map(
    route::ModelMap& map, const Words& words, size_t first);

// The fields of a provider block, for the reference documentation and for
// YAML: name as in nginx, name as in Higress, argument syntax.
struct FieldDescription {
    std::string_view name;      // snake_case
    std::string_view yaml_name; // camelCase, "" = none
    std::string_view syntax;
};
[[nodiscard]] std::vector<FieldDescription> provider_fields();

} // namespace ai_proxy::config
