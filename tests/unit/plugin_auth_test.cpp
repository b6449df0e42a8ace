#include "core/config/plugin_auth.h"

#include "token_maker.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using ai_proxy::testing::TokenKey;
using consumer::Verdict;

constexpr int64_t kNow = 1'700'000'000;

// A file, as a location has it.
struct Loaded {
    std::string fault;
    config::yaml::Warnings warnings;
    config::Consumers consumers{consumer::SipKey{3, 4}};
    std::unique_ptr<config::AuthRules> rules;

    // Who comes with these fields: a name, or "CODE: message", or "free".
    std::string come(std::vector<Header> fields, std::string_view query = "",
        const config::Subject& subject = {})
    {
        const consumer::Policy* policy = rules->find(subject);
        if (policy == nullptr) {
            return "free";
        }
        const Verdict verdict =
            authenticate(*policy, {fields, query, false}, kNow);
        return verdict.consumer != nullptr
            ? verdict.consumer->name
            : std::string(describe(verdict.refusal->code).name) + ": "
                + verdict.refusal->message;
    }
    std::string key(std::string_view value, const config::Subject& subject = {})
    {
        return come({{"x-api-key", value}}, "", subject);
    }
};

Loaded load(std::string_view plugin, const std::string& text)
{
    Loaded loaded;
    auto document = config::yaml::Document::parse("a.yaml", text);
    if (!document) {
        loaded.fault = document.error().message;
        return loaded;
    }
    config::Plugins plugins;
    config::Gateway gateway;
    const config::SecretSource secrets;
    config::LoadContext context{*document, loaded.warnings, secrets, gateway};
    const auto done = config::find_plugin(plugin)->load(context, plugins);
    if (!done) {
        loaded.fault = done.error().message;
        return loaded;
    }
    auto rules = config::compile_auth(
        plugin == "key-auth" ? plugins.key_auth : plugins.jwt_auth,
        loaded.consumers);
    if (rules) {
        loaded.rules = std::move(*rules);
    } else {
        loaded.fault = rules.error().message;
    }
    return loaded;
}

const std::string kKeys = R"(
consumers:
- {name: one, credential: key-1}
- {name: two, credentials: [key-2, key-2b]}
keys: [x-api-key, apikey]
in_header: true
in_query: true
)";

constexpr std::string_view kNone =
    "no_credential: Request denied by Key Auth check. No API key found in "
    "request.";
constexpr std::string_view kUnknown =
    "invalid_credential: Request denied by Key Auth check. Invalid API key.";
constexpr std::string_view kSeveral =
    "invalid_credential: Request denied by Key Auth check. Multiple API keys "
    "found in request.";
constexpr std::string_view kForbidden =
    "consumer_forbidden: Request denied by Key Auth check. Unauthorized "
    "consumer.";

TEST(KeyAuthTest, KeysInTheirPlaces)
{
    Loaded a = load("key-auth", kKeys);
    ASSERT_EQ(a.fault, "");
    EXPECT_EQ(a.key("key-1"), "one");
    EXPECT_EQ(a.key("key-2b"), "two");
    EXPECT_EQ(a.come({}, "a=b&apikey=key-2"), "two");
    EXPECT_EQ(a.come({{"ApiKey", "key-1"}}), "one");
    EXPECT_EQ(a.come({}), kNone);
    EXPECT_EQ(a.come({{"authorization", "key-1"}}), kNone);
    EXPECT_EQ(a.key("key-3"), kUnknown);
    EXPECT_EQ(a.come({{"x-api-key", "key-1"}}, "apikey=key-2"), kSeveral);
    const auto policy = a.rules->find({});
    EXPECT_EQ(authenticate(*policy, {{}, "", false}, kNow).refusal->challenge,
        "Key realm=\"MSE Gateway\"");
}

TEST(KeyAuthTest, TheRawValueOrTheWordAfterBearer)
{
    Loaded a = load("key-auth",
        "consumers:\n- {name: raw, credential: 'Bearer abc'}\n"
        "- {name: bare, credential: def}\n"
        "- {name: basic, credential: 'Basic eDp5'}\n"
        "keys: [Authorization]\nin_header: true\nrealm: here\n");
    ASSERT_EQ(a.fault, "");
    EXPECT_EQ(a.come({{"authorization", "Bearer abc"}}), "raw");
    EXPECT_EQ(a.come({{"authorization", "Bearer def"}}), "bare");
    EXPECT_EQ(a.come({{"authorization", "def"}}), "bare");
    EXPECT_EQ(a.come({{"authorization", "Basic eDp5"}}), "basic");
    EXPECT_EQ(a.come({{"authorization", "abc"}}), kUnknown);
    EXPECT_EQ(a.rules->find({})->realm, "here");
}

TEST(KeyAuthTest, KeysOfConsumers)
{
    Loaded a = load("key-auth",
        "consumers:\n- {name: one, credential: k1, keys: [x-one], "
        "in_header: true}\n"
        "- {name: two, credential: k2, keys: [two], in_query: true}\n");
    ASSERT_EQ(a.fault, "");
    EXPECT_EQ(a.come({{"x-one", "k1"}}), "one");
    EXPECT_EQ(a.come({}, "two=k2"), "two");
    EXPECT_EQ(a.come({{"two", "k2"}}), kNone);
}

const config::Subject kA{"", "/a/", "h.test", ""};
const config::Subject kB{"", "/b/", "h.test", ""};
const std::string kRules = R"(
_rules_:
- {_match_route_: [/a/], allow: [one]}
- {_match_domain_: [empty.test], allow: []}
- {_match_route_: [/silent/]}
)";

TEST(KeyAuthTest, GlobalAuthTrueIsForAll)
{
    Loaded a = load("key-auth", kKeys + "global_auth: true" + kRules);
    ASSERT_EQ(a.fault, "");
    EXPECT_EQ(a.key("key-1", kA), "one");
    EXPECT_EQ(a.key("key-2", kA), kForbidden);
    EXPECT_EQ(a.key("key-2", kB), "two");
    EXPECT_EQ(a.come({}, "", kB), kNone);
    EXPECT_EQ(a.key("key-2", {"", "/silent/", "h", ""}), "two");
}

TEST(KeyAuthTest, GlobalAuthFalseIsWhereARuleAllows)
{
    Loaded a = load("key-auth", kKeys + "global_auth: false" + kRules);
    ASSERT_EQ(a.fault, "");
    EXPECT_EQ(a.key("key-1", kA), "one");
    EXPECT_EQ(a.key("key-2", kA), kForbidden);
    EXPECT_EQ(a.come({}, "", kA), kNone);
    EXPECT_EQ(a.come({}, "", kB), "free");
    EXPECT_EQ(a.come({}, "", {"", "/silent/", "h", ""}), "free");
}

TEST(KeyAuthTest, GlobalAuthUnsetDependsOnWhetherThereAreRules)
{
    Loaded a = load("key-auth", kKeys + kRules);
    EXPECT_EQ(a.key("key-2", kA), kForbidden);
    EXPECT_EQ(a.come({}, "", kB), "free");
    Loaded b = load("key-auth", kKeys);
    EXPECT_EQ(b.come({}, "", kB), kNone);
    EXPECT_EQ(b.key("key-2", kB), "two");
}

TEST(KeyAuthTest, AnEmptyListMeansNobody)
{
    Loaded a = load("key-auth", kKeys + kRules);
    EXPECT_EQ(a.key("key-1", {"", "/b/", "empty.test", ""}), kForbidden);
}

TEST(KeyAuthTest, WhatIsWrongIsSaid)
{
    const std::string one = "consumers: [{name: a, credential: b}]\n";
    const std::string in = "keys: [k]\nin_header: true\n";
    const std::pair<std::string, std::string> cases[] = {
        {in, "a.yaml:1: there are no \"consumers\""},
        {one, "a.yaml:1: \"keys\" and one of"},
        {one + "keys: [k]\n", "in_query"},
        {one + "keys: ['a b']\nin_header: true\n", "is no name"},
        {one + in + "global: true\n", "a.yaml:4: field \"global\": unknown"},
        {"consumers: [{name: a}]\n" + in, "\"credential\" is missing"},
        {"consumers: [{credential: a}]\n" + in, "\"name\" is missing"},
        {"consumers: [{name: a, credential: ''}]\n" + in, "it is empty"},
        {"consumers:\n- {name: a, credential: b}\n- {name: a, "
         "credential: c}\n"
                + in,
            "a.yaml:3: field \"consumers[1]\": the name \"a\" stands twice"},
        {"consumers:\n- {name: a, credential: b}\n- {name: c, "
         "credential: b}\n"
                + in,
            "have the same credential"},
        {one + in + "realm: 'a\"b'\n", "printable"},
        {one + in + "_rules_: [{_match_route_: [r], keys: [x]}]\n",
            "a rule has nothing but \"allow\""},
    };
    for (const auto& [text, fault] : cases) {
        EXPECT_NE(load("key-auth", text).fault.find(fault), std::string::npos)
            << text << load("key-auth", text).fault;
        EXPECT_NE(load("key-auth", text).fault, "") << text;
    }
}

TEST(KeyAuthTest, RulesThatCannotBeToldInTime)
{
    Loaded a = load("key-auth", kKeys + R"(
_rules_:
- {_match_service_: [x], allow: [one]}
- {_match_domain_: [h], _match_route_: [r], allow: [one]}
)");
    EXPECT_TRUE(a.rules->agree({{"r", "/", "", "x"}}));
    EXPECT_FALSE(a.rules->agree({{"r", "/", "", "x"}, {"r", "/", "", "y"}}));
    EXPECT_TRUE(a.rules->agree({{"r", "/", "", "z"}, {"r", "/", "", "y"}}));
    EXPECT_FALSE(a.rules->agree({{"r", "/", "", "z"}, {"q", "/", "", "y"}}));
}

std::string file(const TokenKey& key, std::string_view more = "")
{
    return "consumers:\n- name: c1\n  issuer: me\n  jwks: |\n    {\"keys\":["
        + key.jwk(R"(,"kid":"1")") + "]}\n" + std::string(more);
}

TEST(JwtAuthTest, DefaultPlacesAndReasons)
{
    const TokenKey key = TokenKey::oct(std::string(32, 'k'));
    Loaded a = load("jwt-auth", file(key));
    ASSERT_EQ(a.fault, "");
    const auto at = [&](std::string_view claims, const TokenKey& by) {
        const std::string value = "Bearer " + by.token("HS256", claims);
        return a.come({{"Authorization", value}});
    };
    const std::string begin = "Request denied by JWT Auth check. ";
    EXPECT_EQ(at(R"({"iss":"me"})", key), "c1");
    EXPECT_EQ(at(R"({"iss":"you"})", key),
        "invalid_credential: " + begin + "Token verification failed.");
    EXPECT_EQ(at(R"({"iss":"me","exp":5})", key),
        "expired_credential: " + begin + "Token has expired.");
    EXPECT_EQ(at(R"({"iss":"me"})", TokenKey::oct(std::string(32, 'o'))),
        "invalid_credential: " + begin + "Token verification failed.");
    EXPECT_EQ(a.come({{"Authorization", "Bearer no.token"}}),
        "invalid_credential: " + begin + "Token verification failed.");
    EXPECT_EQ(
        a.come({}), "no_credential: " + begin + "No token found in request.");
    const std::string query =
        "access_token=" + key.token("HS256", R"({"iss":"me"})");
    EXPECT_EQ(a.come({}, query), "c1");
}

TEST(JwtAuthTest, PlacesSkewAndHeaders)
{
    const TokenKey key = TokenKey::oct(std::string(32, 'k'));
    Loaded a = load("jwt-auth", file(key, R"(
  from_headers: [{name: X-Token, value_prefix: 'T '}, {name: plain}]
  from_params: [tok]
  from_cookies: [jar]
  clock_skew_seconds: 5
  keep_token: false
  claims_to_headers:
  - {claim: sub, header: X-User}
  - {claim: n, header: X-N, override: false}
)"));
    ASSERT_EQ(a.fault, "");
    const std::string token =
        key.token("HS256", R"({"iss":"me","sub":"u","n":1})");
    const std::string prefixed = "T " + token, jar = "jar=" + token;
    const std::string query = "tok=" + token;
    EXPECT_EQ(a.come({{"x-token", prefixed}}), "c1");
    EXPECT_EQ(a.come({{"plain", token}}), "c1");
    EXPECT_EQ(a.come({{"cookie", jar}}), "c1");
    EXPECT_EQ(a.come({}, query), "c1");
    EXPECT_NE(a.come({{"authorization", token}}), "c1");
    const auto& rules = (*a.rules->find({})->tokens)[0];
    EXPECT_EQ(rules.skew_seconds, 5);
    EXPECT_TRUE(rules.headers[0].override_client);
    EXPECT_FALSE(rules.headers[1].override_client);
}

TEST(JwtAuthTest, EachConsumerIsTriedAndAllowed)
{
    const TokenKey one = TokenKey::oct(std::string(32, 'a')),
                   two = TokenKey::ec("P-256");
    Loaded a = load("jwt-auth",
        file(one,
            "- name: c2\n  jwks: '" + two.jwk()
                + "'\n_rules_:\n- {_match_route_: [/a/], allow: [c2]}\n"));
    ASSERT_EQ(a.fault, "");
    const std::string first = "Bearer " + one.token("HS256", R"({"iss":"me"})");
    const std::string second = "Bearer " + two.token("ES256", "{}");
    EXPECT_EQ(a.come({{"authorization", second}}, "", kA), "c2");
    EXPECT_NE(
        a.come({{"authorization", first}}, "", kA).find("consumer_forbidden"),
        std::string::npos);
    EXPECT_EQ(a.come({{"authorization", first}}, "", kB), "free");
}

TEST(JwtAuthTest, WhatIsWrongIsSaid)
{
    const TokenKey key = TokenKey::oct(std::string(32, 'k'));
    const std::pair<std::string, std::string> cases[] = {
        {"consumers: [{name: a}]", "\"jwks\" is missing"},
        {"consumers: [{name: a, jwks: '{}'}]",
            "a.yaml:1: field \"consumers[0].jwks\": the key set has no"},
        {file(key, "  clock_skew_seconds: -1\n"), "a number from 0 to 86400"},
        {file(key, "  issuers: x\n"), "unknown field"},
        {file(key, "  from_headers: [{value_prefix: x}]\n"),
            "\"name\" is missing"},
        {file(key, "  from_headers: [{name: x, prefix: x}]\n"),
            "unknown field"},
        {file(key, "  claims_to_headers: [{claim: x}]\n"), "\"header\""},
        {file(key, "  claims_to_headers: [{claim: x, header: Host}]\n"),
            "\"header\""},
    };
    for (const auto& [text, fault] : cases) {
        const std::string said = load("jwt-auth", text).fault;
        EXPECT_NE(said.find(fault), std::string::npos) << text << said;
    }
}

} // namespace
