#include "core/config/plugin.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

// Files of cluster-key-rate-limit, ai-token-ratelimit and ai-quota.
namespace {

using namespace ai_proxy;
using limit::KeyKind;
using limit::LimitKey;

struct Loaded {
    std::string fault;
    config::Plugins plugins;
    config::Gateway gateway;
    config::yaml::Warnings warnings;

    void load(std::string_view name, std::string_view text)
    {
        auto document = config::yaml::Document::parse("f.yaml", text);
        ASSERT_TRUE(document) << document.error().message;
        const config::SecretSource secrets =
            [](std::string_view spec) -> Result<std::string> {
            return "from " + std::string(spec);
        };
        config::LoadContext context{*document, warnings, secrets, gateway};
        const auto done = config::find_plugin(name)->load(context, plugins);
        fault = done ? "" : done.error().message;
    }
    [[nodiscard]] const config::KeyLimit& tokens() const
    {
        return *plugins.token_limit->global;
    }
    [[nodiscard]] const config::KeyLimit& requests() const
    {
        return *plugins.request_limit->global;
    }
};

std::string fault(std::string_view name, std::string_view text)
{
    Loaded loaded;
    loaded.load(name, text);
    return loaded.fault;
}

constexpr std::string_view kRedis = "redis: {service_name: r.dns}\n";

// A file of cluster-key-rate-limit with its other parts in place.
std::string request_fault(std::string_view rest)
{
    return fault("cluster-key-rate-limit",
        "rule_name: r\n" + std::string(kRedis) + std::string(rest));
}
std::string item_fault(std::string_view item)
{
    return request_fault("rule_items:\n- " + std::string(item));
}
std::string redis_fault(std::string_view redis)
{
    return fault("ai-token-ratelimit",
        "rule_name: r\nglobal_threshold: {token_per_day: 1}\nredis: "
            + std::string(redis));
}

TEST(PluginLimits, ReadTheFileThatEverybodyHas)
{
    Loaded loaded;
    loaded.load("ai-token-ratelimit", R"(
rule_name: default_rule
rule_items:
  - limit_by_per_ip: from-remote-addr
    limit_keys:
      - key: 0.0.0.0/0
        token_per_minute: 100
redis:
  service_name: redis.static
  service_port: 6379
  username: xxxxxx
  password: xxxxxx
rejected_code: 429
rejected_msg: "\u60a8\u7684\u8bf7\u6c42"
)");
    ASSERT_EQ(loaded.fault, "");
    const config::KeyLimit& made = loaded.tokens();
    EXPECT_EQ(made.rules.name, "default_rule");
    EXPECT_FALSE(made.rules.global);
    ASSERT_EQ(made.rules.items.size(), 1u);
    EXPECT_EQ(made.rules.items[0].kind, KeyKind::per_ip);
    EXPECT_EQ(made.rules.items[0].name, "from-remote-addr");
    ASSERT_EQ(made.rules.items[0].keys.size(), 1u);
    EXPECT_EQ(made.rules.items[0].keys[0].window.most, 100);
    EXPECT_EQ(made.rules.items[0].keys[0].window.seconds, 60u);
    EXPECT_EQ(made.rejected_code, 429);
    EXPECT_EQ(
        made.rejected_msg, "\xe6\x82\xa8\xe7\x9a\x84\xe8\xaf\xb7\xe6\xb1\x82");

    ASSERT_EQ(loaded.gateway.redis.size(), 1u);
    const config::Redis& redis = loaded.gateway.redis[0];
    EXPECT_EQ(redis.service, "redis.static");
    EXPECT_EQ(redis.name, "redis.static:6379");
    ASSERT_EQ(redis.addresses.size(), 1u);
    EXPECT_EQ(redis.addresses[0].text(), "redis.static:6379");
    EXPECT_EQ(redis.user, "xxxxxx");
    EXPECT_TRUE(redis.password.equals("xxxxxx"));
    EXPECT_EQ(redis.timeout_ms, 1000u);
    EXPECT_EQ(redis.database, 0u);
    EXPECT_EQ(redis.place, "f.yaml:9: field \"redis.service_name\": ");
    EXPECT_EQ(loaded.gateway.find_redis("redis.static:6379"), -1)
        << "directives do not know it";
}

TEST(PluginLimits, EveryKindOfRule)
{
    Loaded loaded;
    loaded.load("cluster-key-rate-limit", R"(
rule_name: all
show_limit_quota_header: true
rejected_code: 200
rejected_msg: ""
rule_items:
- {limit_by_header: x-ca-key, limit_by_param: "", limit_keys: [{key: 102234, query_per_second: 1}]}
- {limit_by_param: apikey, limit_keys: [{key: a, query_per_minute: "2"}]}
- {limit_by_cookie: c, limit_keys: [{key: a, query_per_hour: 3}]}
- {limit_by_consumer: '', limit_keys: [{key: a, query_per_day: 4}]}
- {limit_by_per_header: h, limit_keys: [{key: "*", query_per_day: 5}]}
- {limit_by_per_param: p, limit_keys: [{key: "regexp:^d.*", query_per_day: 6}]}
- {limit_by_per_cookie: c, limit_keys: [{key: "*", query_per_day: 7}]}
- {limit_by_per_consumer: , limit_keys: [{key: "*", query_per_day: 8}]}
- limit_by_per_ip: from-header-x-forwarded-for
  limit_keys:
  - {key: 1.1.1.1, query_per_day: 9}
  - {key: 1.1.1.0/24, query_per_day: 10}
redis: {service_name: redis.static, username: u, password: env:P, timeout: 250, database: 3}
)");
    ASSERT_EQ(loaded.fault, "");
    const config::KeyLimit& made = loaded.requests();
    EXPECT_TRUE(made.show_limit_quota_header);
    EXPECT_EQ(made.rejected_code, 200);
    EXPECT_EQ(made.rejected_msg, "");
    ASSERT_EQ(made.rules.items.size(), 9u);
    const KeyKind kinds[] = {KeyKind::header, KeyKind::param, KeyKind::cookie,
        KeyKind::consumer, KeyKind::per_header, KeyKind::per_param,
        KeyKind::per_cookie, KeyKind::per_consumer, KeyKind::per_ip};
    const uint32_t seconds[] = {1, 60, 3600, 86400};
    for (size_t i = 0; i < 9; ++i) {
        const limit::LimitItem& item = made.rules.items[i];
        EXPECT_EQ(item.kind, kinds[i]) << i;
        EXPECT_EQ(item.keys[0].window.most, static_cast<int64_t>(i) + 1);
        EXPECT_EQ(item.keys[0].window.seconds, seconds[std::min(i, size_t(3))]);
    }
    EXPECT_EQ(made.rules.items[0].keys[0].text, "102234");
    EXPECT_EQ(made.rules.items[5].keys[0].match, LimitKey::Match::regex);
    const config::Redis& redis = loaded.gateway.redis[0];
    EXPECT_EQ(redis.addresses[0].port, 80) << "of a static service";
    EXPECT_EQ(redis.name, "redis.static:80/3");
    EXPECT_TRUE(redis.password.equals("from env:P"));
    EXPECT_EQ(redis.timeout_ms, 250u);
    EXPECT_EQ(redis.database, 3u);
}

TEST(PluginLimits, OneRedisForAllWithTheSameSettings)
{
    Loaded loaded;
    const std::string rest = "rule_name: a\nglobal_threshold: {token_per_hour: "
                             "7}\nredis: {service_name: r.dns";
    loaded.load("ai-token-ratelimit", rest + "}\n");
    EXPECT_EQ(loaded.tokens().rules.global->most, 7);
    EXPECT_EQ(loaded.tokens().rules.global->seconds, 3600u);
    EXPECT_EQ(loaded.tokens().rejected_msg, "Too many requests");
    EXPECT_EQ(loaded.tokens().rejected_code, 429);
    loaded.load("ai-token-ratelimit", rest + ", service_port: 6379}\n");
    loaded.load("ai-token-ratelimit", rest + ", timeout: 0, password: ''}\n");
    EXPECT_EQ(loaded.gateway.redis.size(), 1u);
    loaded.load("ai-token-ratelimit", rest + ", password: other}\n");
    loaded.load("ai-token-ratelimit", rest + ", database: 1}\n");
    loaded.load("ai-token-ratelimit", rest + ", service_port: 6380}\n");
    ASSERT_EQ(loaded.gateway.redis.size(), 4u);
    EXPECT_EQ(loaded.tokens().redis, 3);
    EXPECT_EQ(loaded.gateway.redis[0].name, "r.dns:6379");
    EXPECT_EQ(loaded.gateway.redis[1].name, "r.dns:6379#2");
    EXPECT_EQ(loaded.gateway.redis[2].name, "r.dns:6379/1");
}

TEST(PluginLimits, RulesForSome)
{
    Loaded loaded;
    loaded.load("cluster-key-rate-limit", R"(
_rules_:
- _match_route_: [a]
  rule_name: one
  global_threshold: {query_per_second: 1}
  redis: {service_name: r.dns}
- _match_domain_: ["*.example.com"]
  rule_name: two
  global_threshold: {query_per_second: 2}
  redis: {service_name: r.dns}
)");
    ASSERT_EQ(loaded.fault, "");
    const auto& rules = *loaded.plugins.request_limit;
    EXPECT_EQ(rules.find({"a", {}, {}, {}})->rules.name, "one");
    EXPECT_EQ(rules.find({"b", {}, "x.example.com", {}})->rules.name, "two");
    EXPECT_EQ(rules.find({"b", {}, "example.com", {}}), nullptr);
}

TEST(PluginLimits, WrongValuesOfLimits)
{
    const char* global = "global_threshold: {query_per_minute: 1}\n";
    EXPECT_EQ(request_fault(global), "");
    EXPECT_EQ(fault("cluster-key-rate-limit", std::string(kRedis) + global),
        "f.yaml:1: \"rule_name\" is missing");
    EXPECT_EQ(
        fault("cluster-key-rate-limit", std::string("rule_name: r\n") + global),
        "f.yaml:1: \"redis\" is missing");
    EXPECT_EQ(request_fault(""),
        "f.yaml:1: \"global_threshold\" or "
        "\"rule_items\" is missing");
    EXPECT_EQ(request_fault(std::string(global)
                  + "rule_items: [{limit_by_header: h, limit_keys: [{key: a, "
                    "query_per_day: 1}]}]"),
        "f.yaml:3: field \"global_threshold\": it cannot stand beside "
        "\"rule_items\"");
    EXPECT_EQ(request_fault("global_threshold: {}"),
        "f.yaml:3: field \"global_threshold\": one of query_per_second, "
        "query_per_minute, query_per_hour or query_per_day is expected");
    EXPECT_EQ(request_fault("global_threshold:\n  query_per_minute: 1\n"
                            "  query_per_day: 9"),
        "f.yaml:5: field \"global_threshold.query_per_day\": there is another "
        "window already: one is expected");
    EXPECT_NE(request_fault("global_threshold: {query_per_minute: 0}"), "");
    EXPECT_NE(request_fault("global_threshold: {query_per_minute: -1}"), "");
    EXPECT_NE(request_fault("global_threshold: {query_per_minute: 1.5}"), "");
    EXPECT_NE(request_fault("global_threshold: {query_per_minute: many}"), "");
    EXPECT_EQ(request_fault("global_threshold: {token_per_minute: 1}"),
        "f.yaml:3: field \"global_threshold.token_per_minute\": unknown field");
    EXPECT_NE(request_fault("global_threshold: {key: a, query_per_day: 1}"), "")
        << "a key there means nothing";
    EXPECT_NE(request_fault(std::string(global) + "rejected_code: 99"), "");
    EXPECT_NE(request_fault(std::string(global) + "rejected_code: 600"), "");
    EXPECT_NE(request_fault(std::string(global) + "rejected_msg: []"), "");
    EXPECT_NE(
        request_fault(std::string(global) + "show_limit_quota_header: x"), "");
    EXPECT_NE(request_fault(std::string(global) + "rule: x"), "");
    EXPECT_NE(fault("ai-token-ratelimit",
                  "rule_name: r\nglobal_threshold: {token_per_day: 1}\n"
                  "show_limit_quota_header: true\n"
                      + std::string(kRedis)),
        "")
        << "of requests only";
}

TEST(PluginLimits, WrongValuesOfItems)
{
    EXPECT_EQ(request_fault("rule_items: []"),
        "f.yaml:3: field \"rule_items\": it is empty");
    EXPECT_NE(request_fault("rule_items: {a: 1}"), "");
    EXPECT_EQ(item_fault("{limit_keys: [{key: a, query_per_day: 1}]}"),
        "f.yaml:4: field \"rule_items[0]\": a \"limit_by_...\" is missing");
    EXPECT_NE(item_fault("{limit_by_header: '', limit_keys: []}"), "");
    EXPECT_EQ(item_fault("limit_by_header: a\n  limit_by_cookie: b\n"
                         "  limit_keys: [{key: a, query_per_day: 1}]"),
        "f.yaml:5: field \"rule_items[0].limit_by_cookie\": there is another "
        "\"limit_by_...\" already: one is expected");
    EXPECT_NE(item_fault("{limit_by: x, limit_keys: []}"), "");
    EXPECT_NE(item_fault("x"), "");
    EXPECT_EQ(item_fault("{limit_by_header: a}"),
        "f.yaml:4: field \"rule_items[0]\": \"limit_keys\" is missing");
    EXPECT_EQ(item_fault("{limit_by_header: a, limit_keys: []}"),
        "f.yaml:4: field \"rule_items[0].limit_keys\": it is empty");
    EXPECT_EQ(
        item_fault("{limit_by_header: a, limit_keys: [{query_per_day: 1}]}"),
        "f.yaml:4: field \"rule_items[0].limit_keys[0]\": \"key\" is missing");
    EXPECT_NE(item_fault("{limit_by_header: a, limit_keys: [{key: a}]}"), "");
    EXPECT_NE(item_fault("{limit_by_header: a, limit_keys: [a]}"), "");
    const auto key = [](std::string_view kind, std::string_view text) {
        return item_fault("{" + std::string(kind) + ", limit_keys: [{key: "
            + std::string(text) + ", query_per_day: 1}]}");
    };
    EXPECT_EQ(key("limit_by_header: a", "b"), "");
    EXPECT_NE(key("limit_by_header: a", "''"), "");
    EXPECT_NE(key("limit_by_per_header: a", "b"), "");
    EXPECT_NE(key("limit_by_per_header: a", "'regexp:('"), "");
    EXPECT_NE(key("limit_by_per_ip: from-remote-addr", "10.0.0.0/40"), "");
    EXPECT_EQ(key("limit_by_per_ip: remote-addr", "10.0.0.0/8"),
        "f.yaml:4: field \"rule_items[0].limit_by_per_ip\": "
        "\"from-remote-addr\" or \"from-header-NAME\" is expected");
    EXPECT_NE(key("limit_by_per_ip: from-header-", "10.0.0.0/8"), "");
}

TEST(PluginLimits, WrongValuesOfRedis)
{
    EXPECT_EQ(redis_fault("{service_name: r}"), "");
    EXPECT_EQ(redis_fault("{}"),
        "f.yaml:3: field \"redis\": \"service_name\" is missing");
    EXPECT_EQ(redis_fault("{service_name: 'a b'}"),
        "f.yaml:3: field \"redis.service_name\": the name of a service is "
        "expected");
    EXPECT_NE(redis_fault("{service_name: ''}"), "");
    EXPECT_NE(redis_fault("r"), "");
    EXPECT_NE(redis_fault("{service_name: r, service_port: 65536}"), "");
    EXPECT_NE(redis_fault("{service_name: r, service_port: -1}"), "");
    EXPECT_NE(redis_fault("{service_name: r, timeout: -1}"), "");
    EXPECT_NE(redis_fault("{service_name: r, timeout: 600001}"), "");
    EXPECT_NE(redis_fault("{service_name: r, database: -1}"), "");
    EXPECT_NE(redis_fault("{service_name: r, database: x}"), "");
    EXPECT_NE(redis_fault("{service_name: r, tls: true}"), "");
    EXPECT_EQ(redis_fault("{service_name: r, username: u}"),
        "f.yaml:3: field \"redis\": \"username\" needs \"password\"");
    EXPECT_EQ(
        redis_fault("{service_name: r, password: [sk-secret]}").find("sk"),
        std::string::npos);
}

TEST(PluginLimits, Quota)
{
    Loaded loaded;
    loaded.load("ai-quota",
        "admin_consumer: admin\nredis_key_prefix: ''\n" + std::string(kRedis));
    ASSERT_EQ(loaded.fault, "");
    EXPECT_EQ(loaded.plugins.quota->global->key_prefix, "chat_quota:");
    EXPECT_EQ(loaded.plugins.quota->global->admin_path, "/quota");
    EXPECT_EQ(loaded.plugins.quota->global->admin_consumer, "admin");
    loaded.load("ai-quota",
        "admin_consumer: a\nredis_key_prefix: 'q:'\nadmin_path: /x/y\n"
            + std::string(kRedis));
    EXPECT_EQ(loaded.plugins.quota->global->key_prefix, "q:");
    EXPECT_EQ(loaded.plugins.quota->global->admin_path, "/x/y");

    const auto quota_fault = [](std::string_view rest) {
        return fault("ai-quota", rest);
    };
    const std::string redis(kRedis);
    EXPECT_EQ(quota_fault(redis), "f.yaml:1: \"admin_consumer\" is missing");
    EXPECT_EQ(quota_fault("admin_consumer: ''\n" + redis),
        "f.yaml:1: \"admin_consumer\" is missing");
    EXPECT_EQ(
        quota_fault("admin_consumer: a"), "f.yaml:1: \"redis\" is missing");
    EXPECT_EQ(quota_fault("admin_consumer: a\nadmin_path: quota\n" + redis),
        "f.yaml:2: field \"admin_path\": it does not begin with '/'");
    EXPECT_NE(quota_fault("admin_consumer: [a]\n" + redis), "");
    EXPECT_NE(quota_fault("admin_consumer: a\nredis_prefix: a\n" + redis), "");
}

} // namespace
