#include "core/config/consumers.h"
#include "core/consumer/policy.h"
#include "core/consumer/siphash.h"

#include "token_maker.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using namespace ai_proxy::consumer;
using ai_proxy::testing::TokenKey;

constexpr int64_t kNow = 1'700'000'000;

// The vectors of the reference implementation: the key 00 01 .. 0f, the
// texts "", 00, 00 01, ...
TEST(ConsumerTest, SipHash)
{
    const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    std::string text;
    for (char c = 0; c < 63; ++c) {
        text += c;
    }
    EXPECT_EQ(siphash(key, ""), 0x726fdb47dd0e0e31U);
    EXPECT_EQ(siphash(key, text.substr(0, 1)), 0x74f839c593dc67fdU);
    EXPECT_EQ(siphash(key, text.substr(0, 8)), 0x93f5f5799a932462U);
    EXPECT_EQ(siphash(key, text.substr(0, 15)), 0xa129ca6149be45e5U);
    EXPECT_NE(siphash({1, 2}, "text"), siphash({1, 3}, "text"));
}

TEST(ConsumerTest, KeyRing)
{
    Consumer alice{"alice", {}, 0}, bob{"bob", {}, 1};
    KeyRing ring({7, 8});
    for (int i = 0; i < 500; ++i) {
        const std::string number = std::to_string(i);
        EXPECT_EQ(
            ring.add(Secret("key-" + number), i % 2 ? bob : alice), nullptr);
    }
    EXPECT_EQ(ring.size(), 500U);
    EXPECT_EQ(ring.find("key-10"), &alice);
    EXPECT_EQ(ring.find("key-11"), &bob);
    for (const std::string_view wrong :
        {"", "key-", "key-1000", "Key-10", "key-10 ", " key-10"})
    {
        EXPECT_EQ(ring.find(wrong), nullptr) << wrong;
    }
    EXPECT_EQ(ring.find(std::string_view("key-10\0", 7)), nullptr);
    EXPECT_EQ(ring.add(Secret("key-11"), alice), &bob);
    EXPECT_EQ(ring.find("key-11"), &bob);
}

TEST(ConsumerTest, Models)
{
    const Consumer all{"a", {}, 0};
    EXPECT_FALSE(all.restricted());
    EXPECT_TRUE(all.may_use("anything"));
    const Consumer some{"b", {"gpt-4o", "claude-*"}, 0};
    EXPECT_TRUE(some.restricted());
    EXPECT_TRUE(some.may_use("gpt-4o"));
    EXPECT_FALSE(some.may_use("gpt-4o-mini"));
    EXPECT_TRUE(some.may_use("claude-3"));
    EXPECT_FALSE(some.may_use("GPT-4O"));
    EXPECT_FALSE(some.may_use(""));
}

std::vector<std::string> values(std::span<const Place> places,
    std::vector<Header> headers, std::string_view query, bool seldom = false)
{
    std::vector<std::string> found;
    for (Presented& one : find_presented(places, {headers, query, seldom})) {
        found.push_back(std::move(one.value));
    }
    return found;
}

TEST(ConsumerTest, Places)
{
    using Found = std::vector<std::string>;
    const std::vector<Place> usual = usual_places();
    EXPECT_EQ(values(usual, {{"AUTHORIZATION", " Bearer a "}}, ""),
        Found{"Bearer a"});
    EXPECT_EQ(values(usual, {{"x-api-key", "a"}, {"Api-Key", "b"}}, ""),
        (Found{"a", "b"}));
    EXPECT_EQ(
        values(usual, {{"x-api-key", ""}, {"cookie", "key=a"}}, ""), Found{});
    EXPECT_EQ(values(usual, {}, "key=a"), Found{});
    EXPECT_EQ(values(usual, {}, "x=1&key=a%2Fb&api-key=c&keys=d", true),
        (Found{"a/b", "c"}));
    EXPECT_EQ(values(usual,
                  {{"Sec-WebSocket-Protocol",
                      "realtime, openai-insecure-api-key.a, other"}},
                  "", true),
        Found{"a"});

    const std::vector<Place> own = {{Where::cookie, "k", {}, false},
        {Where::query, "k", {}, false}, {Where::header, "t", "Token ", false}};
    EXPECT_EQ(values(own, {{"Cookie", "a=b; k=v;kk=w"}}, "k=u&%6B=z"),
        (Found{"v", "u", "z"}));
    EXPECT_EQ(
        values(own, {{"T", "token abc"}, {"t", "abc"}}, ""), Found{"abc"});
    std::string many;
    for (int i = 0; i < 1000; ++i) {
        many += "k=" + std::to_string(i) + "&";
    }
    EXPECT_LE(values(own, {}, many).size(), 8U);

    EXPECT_EQ(without_places(own, "a=1&k=2&b&%6b=3&&k", false), "a=1&b");
    EXPECT_EQ(without_places(usual, "key=1&alt=sse", false), "key=1&alt=sse");
    EXPECT_EQ(without_places(usual, "key=1&alt=sse", true), "alt=sse");
    EXPECT_EQ(without_bearer("bearer  x"), "x");
    EXPECT_EQ(without_bearer("Basic x"), "Basic x");
}

// Consumers as a configuration would have them.
class PolicyTest : public ::testing::Test {
protected:
    PolicyTest()
    {
        policy.keys = &consumers.keys;
        policy.tokens = &consumers.tokens;
        policy.places = usual_places();
        policy.realm = "r";
        (void)consumers.keys.add(Secret("key-a"), consumers.named("alice"));
        (void)consumers.keys.add(
            Secret("Bearer literal"), consumers.named("lit"));
    }
    TokenRules& issue(std::string_view name, const TokenKey& key)
    {
        TokenRules rules;
        rules.consumer = &consumers.named(name);
        rules.keys = *consumers.key_set(key.jwk());
        return consumers.tokens.emplace_back(std::move(rules));
    }
    Verdict with(std::vector<Header> headers, std::string_view query = "")
    {
        return authenticate(policy, {headers, query, false}, kNow);
    }
    Verdict bearer(const std::string& token)
    {
        const std::string value = "Bearer " + token;
        return with({{"authorization", value}});
    }
    static std::string who(const Verdict& verdict)
    {
        return verdict.consumer != nullptr ? verdict.consumer->name : "";
    }
    static ErrorCode why(const Verdict& verdict)
    {
        return verdict.refusal ? verdict.refusal->code : ErrorCode::none;
    }

    config::Consumers consumers{SipKey{1, 2}};
    Policy policy;
    TokenKey key = TokenKey::oct(std::string(32, 'k'));
};

TEST_F(PolicyTest, Keys)
{
    EXPECT_EQ(who(bearer("key-a")), "alice");
    EXPECT_EQ(who(with({{"x-api-key", "key-a"}})), "alice");
    EXPECT_EQ(who(with({{"Authorization", "key-a"}})), "alice");
    EXPECT_EQ(who(with({{"Authorization", "Bearer literal"}})), "lit");
    EXPECT_EQ(why(with({{"Authorization", "literal"}})),
        ErrorCode::invalid_credential);
    EXPECT_EQ(why(with({})), ErrorCode::no_credential);
    EXPECT_EQ(why(bearer("key-b")), ErrorCode::invalid_credential);
    EXPECT_EQ(
        who(with({{"Authorization", "Bearer key-a"}, {"x-api-key", "key-a"}})),
        "alice");
    const Verdict two =
        with({{"Authorization", "Bearer key-a"}, {"api-key", "key-b"}});
    EXPECT_EQ(why(two), ErrorCode::invalid_credential);
    EXPECT_EQ(two.consumer, nullptr);
    EXPECT_EQ(two.refusal->challenge,
        "Bearer realm=\"r\", error=\"invalid_request\"");

    policy.allowed = {"lit"};
    EXPECT_EQ(why(bearer("key-a")), ErrorCode::consumer_forbidden);
    EXPECT_EQ(who(bearer("literal")), "lit");
    policy.allowed.emplace(); // nobody
    EXPECT_EQ(why(bearer("literal")), ErrorCode::consumer_forbidden);
}

TEST_F(PolicyTest, Tokens)
{
    TokenRules& rules = issue("search", key);
    rules.issuer = "https://i";
    rules.audiences = {"x", "api"};
    rules.claims = {{"azp", "front"}, {"azp", "back"}, {"role", "r"}};
    const std::string good =
        R"({"iss":"https://i","aud":["api"],"azp":"back","role":["q","r"]})";
    EXPECT_EQ(who(bearer(key.token("HS256", good))), "search");
    for (const auto& [from, to] :
        std::vector<std::pair<std::string, std::string>>{
            {"https://i", "https://j"}, {"api", "apis"}, {"back", "side"},
            {"\"r\"]", "\"s\"]"}, {"role", "roles"}})
    {
        std::string bad = good;
        bad.replace(bad.find(from), from.size(), to);
        EXPECT_EQ(
            why(bearer(key.token("HS256", bad))), ErrorCode::invalid_credential)
            << bad;
    }
    const auto timed = [&](const std::string& more) {
        return bearer(
            key.token("HS256", good.substr(0, good.size() - 1) + more + "}"));
    };
    const std::string now = std::to_string(kNow);
    EXPECT_EQ(why(timed(",\"exp\":" + std::to_string(kNow - 60))),
        ErrorCode::expired_credential);
    EXPECT_EQ(who(timed(",\"exp\":" + std::to_string(kNow - 59))), "search");
    EXPECT_EQ(why(timed(",\"nbf\":" + std::to_string(kNow + 61))),
        ErrorCode::expired_credential);
    EXPECT_EQ(
        why(timed(",\"exp\":\"" + now + "\"")), ErrorCode::invalid_credential);
    // Who has not signed it does not learn that its time is over.
    const TokenKey other = TokenKey::oct(std::string(32, 'o'));
    EXPECT_EQ(
        why(bearer(other.token("HS256", good))), ErrorCode::invalid_credential);
    // A key that is no token still is one.
    EXPECT_EQ(who(bearer("key-a")), "alice");
    policy.keys = nullptr;
    EXPECT_EQ(why(bearer("key-a")), ErrorCode::invalid_credential);
    policy.allowed = {"alice"};
    EXPECT_EQ(
        why(bearer(key.token("HS256", good))), ErrorCode::consumer_forbidden);
}

TEST_F(PolicyTest, OneIssuerOfMany)
{
    issue("a", key).claims = {{"sub", "a"}};
    issue("b", key).claims = {{"sub", "b"}};
    const TokenKey rsa = TokenKey::rsa();
    issue("c", rsa);
    EXPECT_EQ(who(bearer(key.token("HS256", R"({"sub":"b"})"))), "b");
    EXPECT_EQ(who(bearer(key.token("HS256", R"({"sub":"a"})"))), "a");
    EXPECT_EQ(who(bearer(rsa.token("RS256", R"({"sub":"a"})"))), "c");
    EXPECT_EQ(why(bearer(key.token("HS256", R"({"sub":"c"})"))),
        ErrorCode::invalid_credential);
    // The same keys are read once.
    EXPECT_EQ(consumers.tokens[0].keys, consumers.tokens[1].keys);
    EXPECT_NE(consumers.tokens[0].keys, consumers.tokens[2].keys);
}

TEST_F(PolicyTest, ClaimsAsHeaders)
{
    TokenRules& rules = issue("a", key);
    rules.headers = {{"sub", "X-User", true}, {"n", "X-N", false},
        {"missing", "X-M", true}, {"bad", "X-Bad", true}};
    const Verdict verdict =
        bearer(key.token("HS256", R"({"sub":"u","n":7,"bad":"a\nb"})"));
    ASSERT_EQ(verdict.headers.size(), 2U);
    EXPECT_EQ(verdict.headers[0].first->header, "X-User");
    EXPECT_EQ(verdict.headers[0].second, "u");
    EXPECT_EQ(verdict.headers[1].second, "7");
    EXPECT_TRUE(policy.tells("x-user"));
    EXPECT_TRUE(policy.tells("X-M"));
    EXPECT_FALSE(policy.tells("X-N"));
}

TEST_F(PolicyTest, RulesWithPlacesOfTheirOwn)
{
    policy.keys = nullptr;
    policy.places.clear();
    policy.voice = Voice::jwt_auth;
    issue("a", key).places = {{Where::cookie, "jwt", {}, false}};
    const TokenKey other = TokenKey::oct(std::string(32, 'o'));
    issue("b", other).places = {{Where::header, "x-token", "T ", false}};
    const std::string a = "jwt=" + key.token("HS256", "{}");
    const std::string b = "T " + other.token("HS256", "{}");
    EXPECT_EQ(who(with({{"cookie", a}})), "a");
    EXPECT_EQ(who(with({{"x-token", b}})), "b");
    EXPECT_EQ(who(with({{"x-token", b}, {"cookie", "jwt=no"}})), "b");
    EXPECT_EQ(why(with({{"cookie", b}})), ErrorCode::no_credential);
    const Verdict nobody = with({});
    EXPECT_EQ(nobody.refusal->message,
        "Request denied by JWT Auth check. No token found in request.");
    EXPECT_TRUE(policy.owns(Where::cookie, "jwt"));
    EXPECT_TRUE(policy.owns(Where::header, "X-Token"));
    EXPECT_FALSE(policy.owns(Where::header, "authorization"));
}

Result<std::string> no_files(std::string_view spec)
{
    return std::string(spec);
}

// "": it was taken.
std::string fault(
    const std::vector<std::string>& lines, config::Consumers& consumers)
{
    config::ConsumerBuilder builder("c", no_files, consumers);
    for (const std::string& line : lines) {
        config::Words words;
        std::string_view rest = line;
        while (!rest.empty()) {
            const size_t end = std::min(rest.find(' '), rest.size());
            words.push_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        if (auto done = builder.line(words); !done) {
            return done.error().message;
        }
    }
    const auto done = builder.finish();
    return done ? "" : done.error().message;
}

TEST(ConsumerTest, Fields)
{
    const std::string jwk = TokenKey::oct(std::string(32, 'k')).jwk();
    const std::string jwks = "jwt_jwks " + jwk;
    config::Consumers good;
    EXPECT_EQ(fault({"key abc", "key def", "models a b*", "models c", jwks,
                        "jwt_issuer i", "jwt_audience a b", "jwt_claim x y z",
                        "jwt_claim v w", "jwt_clock_skew 2m",
                        "jwt_header sub X-U override=off"},
                  good),
        "");
    ASSERT_EQ(good.tokens.size(), 1U);
    EXPECT_EQ(good.tokens[0].skew_seconds, 120);
    EXPECT_EQ(good.tokens[0].claims.size(), 3U);
    EXPECT_FALSE(good.tokens[0].headers[0].override_client);
    EXPECT_EQ(good.all[0]->models.size(), 3U);
    EXPECT_EQ(good.keys.size(), 2U);

    using Lines = std::vector<std::string>;
    for (const Lines& lines : {Lines{"key"}, {"key a b"}, {"key a", "key a"},
             {"key a\tb"}, {"key \xc3\xa9"}, {"frob a"}, {"models"},
             {"models a", "models a"}, {"jwt_issuer i"}, {"jwt_jwks {}"},
             {jwks, jwks}, {jwks, "jwt_clock_skew 1.5s"},
             {jwks, "jwt_clock_skew 500ms"}, {jwks, "jwt_clock_skew 2d"},
             {jwks, "jwt_claim x"}, {jwks, "jwt_header sub"},
             {jwks, "jwt_header sub X:Y"}, {jwks, "jwt_header sub X yes"},
             {jwks, "jwt_header sub Content-Length"},
             {jwks, "jwt_header sub x-mse-consumer"},
             {jwks, "jwt_issuer a", "jwt_issuer b"}})
    {
        config::Consumers own;
        EXPECT_NE(fault(lines, own), "") << lines.back();
    }
    config::Consumers shared;
    (void)shared.keys.add(Secret("abc"), shared.named("other"));
    EXPECT_EQ(fault({"key abc"}, shared),
        "\"key\" is that of consumer \"other\" too");
}

TEST(ConsumerTest, AuthParameters)
{
    using config::parse_auth;
    const auto usual = parse_auth({"key"});
    ASSERT_TRUE(usual);
    EXPECT_TRUE(usual->key && !usual->jwt);
    EXPECT_EQ(usual->places.size(), usual_places().size());
    const auto off = parse_auth({"off"});
    ASSERT_TRUE(off);
    EXPECT_FALSE(off->key || off->jwt);
    const auto own = parse_auth({"jwt", "key", "header=X-A", "query=a",
        "cookie=a", "realm=some place"});
    ASSERT_TRUE(own);
    EXPECT_EQ(own->places.size(), 3U);
    EXPECT_EQ(own->realm, "some place");
    for (const config::Words& words : {config::Words{}, {"on"}, {"key", "key"},
             {"off", "key"}, {"key", "off"}, {"header=a"}, {"key", "header="},
             {"key", "header=a b"}, {"key", "header=a", "header=A"},
             {"key", "realm="}, {"key", "realm=a\"b"},
             {"key", "realm=a", "realm=b"}, {"key", "body=a"}})
    {
        EXPECT_FALSE(parse_auth(words)) << words.size();
    }
}

} // namespace
