#include "core/consumer/base64url.h"
#include "core/consumer/jwk.h"
#include "core/consumer/token.h"

#include "token_maker.h"
#include "token_vectors.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using namespace ai_proxy::consumer;
namespace given = ai_proxy::testing;
using given::TokenKey;
using given::Vector;

const Vector kAll[] = {
    given::kHs256, given::kRs256, given::kEs256, given::kEs512, given::kEddsa};

JwkSet set_of(std::string_view text)
{
    auto set = JwkSet::parse(text);
    EXPECT_TRUE(set) << set.error().message;
    return set ? std::move(*set) : JwkSet();
}

bool verifies(const JwkSet& set, std::string_view alg, std::string_view header,
    std::string_view payload, std::string_view signature,
    std::string_view kid = "")
{
    const Algorithm* algorithm = find_algorithm(alg);
    const auto bytes = decode_base64url(signature);
    return algorithm != nullptr && bytes
        && set.verify(*algorithm, kid,
            std::string(header) + "." + std::string(payload), *bytes);
}

// Read and verified as a whole.
bool holds(const JwkSet& set, std::string_view text)
{
    const auto token = Token::read(text);
    return token
        && set.verify(token->algorithm(), token->key_id(), token->signed_text(),
            token->signature());
}

std::string unsigned_part(std::string_view json)
{
    return credential::base64url(json);
}

TEST(TokenTest, ExamplesOfTheRfcs)
{
    for (const Vector& v : kAll) {
        const JwkSet set = set_of(v.key);
        EXPECT_TRUE(verifies(set, v.name, v.header, v.payload, v.signature))
            << v.name;
        EXPECT_STREQ(std::string(find_algorithm(v.name)->name).c_str(),
            std::string(v.name).c_str());
    }
    for (const Vector* v : {&given::kHs256, &given::kRs256, &given::kEs256}) {
        const auto token = Token::read(v->token());
        ASSERT_TRUE(token) << v->name;
        EXPECT_EQ(token->algorithm().name, v->name);
        EXPECT_EQ(token->claims()["iss"].string_or(), "joe");
        EXPECT_EQ(token->claims()["exp"].integer(), given::kJoeExpires);
        EXPECT_TRUE(holds(set_of(v->key), v->token()));
    }
}

TEST(TokenTest, EveryBitOfEveryPartCounts)
{
    for (const Vector& v : kAll) {
        const JwkSet set = set_of(v.key);
        const std::string signature = *decode_base64url(v.signature);
        const std::string text =
            std::string(v.header) + "." + std::string(v.payload);
        const Algorithm& algorithm = *find_algorithm(v.name);
        for (size_t i = 0; i < signature.size(); i += 5) {
            for (const int bit : {0, 3, 7}) {
                std::string bad = signature;
                bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
                EXPECT_FALSE(set.verify(algorithm, "", text, bad))
                    << v.name << " " << i << " " << bit;
            }
        }
        for (size_t i = 0; i < text.size(); i += 9) {
            std::string bad = text;
            bad[i] = static_cast<char>(bad[i] ^ 1);
            EXPECT_FALSE(set.verify(algorithm, "", bad, signature))
                << v.name << " " << i;
        }
        for (const size_t length : {size_t(0), size_t(1), signature.size() - 1})
        {
            EXPECT_FALSE(
                set.verify(algorithm, "", text, signature.substr(0, length)));
        }
        EXPECT_FALSE(set.verify(algorithm, "", text, signature + '\0'));
        EXPECT_FALSE(set.verify(
            algorithm, "", text, std::string(signature.size(), '\0')));
    }
}

// As a client would send it: each character of the token changed in turn.
TEST(TokenTest, EveryCharacterCounts)
{
    const std::string good = given::kEs256.token();
    const JwkSet set = set_of(given::kEs256.key);
    ASSERT_TRUE(holds(set, good));
    for (size_t i = 0; i < good.size(); ++i) {
        for (const char c : {'A', 'b', '9', '-', '_', '.', '=', '+', '\0'}) {
            std::string bad = good;
            bad[i] = c;
            if (bad != good) {
                EXPECT_FALSE(holds(set, bad)) << i << " " << c;
            }
        }
        EXPECT_FALSE(holds(set, good.substr(0, i))) << i;
    }
    EXPECT_FALSE(holds(set, good + "A"));
    EXPECT_FALSE(holds(set, good + "."));
    EXPECT_FALSE(holds(set, " " + good));
}

TEST(TokenTest, EveryAlgorithmWithItsKeys)
{
    const TokenKey rsa = TokenKey::rsa();
    struct Row {
        const TokenKey* key;
        std::vector<std::string> algorithms;
    };
    const TokenKey p256 = TokenKey::ec("P-256"), p384 = TokenKey::ec("P-384"),
                   p521 = TokenKey::ec("P-521");
    const TokenKey ed25519 = TokenKey::ed("Ed25519"),
                   ed448 = TokenKey::ed("Ed448");
    const TokenKey secret = TokenKey::oct(std::string(64, 's'));
    const std::vector<Row> rows = {
        {&rsa, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
        {&p256, {"ES256"}},
        {&p384, {"ES384"}},
        {&p521, {"ES512"}},
        {&ed25519, {"EdDSA"}},
        {&ed448, {"EdDSA"}},
        {&secret, {"HS256", "HS384", "HS512"}},
    };
    for (const Row& signer : rows) {
        for (const std::string& alg : signer.algorithms) {
            const std::string token = signer.key->token(alg, R"({"sub":"me"})");
            for (const Row& other : rows) {
                EXPECT_EQ(
                    holds(set_of(other.key->jwk()), token), &other == &signer)
                    << alg << " by " << other.key->jwk();
            }
            // The key's own "alg" is the only one.
            for (const std::string& own : signer.algorithms) {
                const JwkSet set =
                    set_of(signer.key->jwk(R"(,"alg":")" + own + R"(")"));
                EXPECT_EQ(holds(set, token), own == alg) << own << alg;
            }
        }
    }
}

// Signed with what everybody knows, the public key, as if it were a secret.
TEST(TokenTest, PublicKeysAreNoSecrets)
{
    const TokenKey rsa = TokenKey::rsa(), ec = TokenKey::ec("P-256");
    for (const TokenKey* key : {&rsa, &ec}) {
        const std::string jwk = key->jwk();
        const auto member = [&jwk](std::string_view name) {
            const std::string quoted = "\"" + std::string(name) + "\":\"";
            const size_t at = jwk.find(quoted) + quoted.size();
            return jwk.substr(at, jwk.find('"', at) - at);
        };
        const std::string number = member(key == &rsa ? "n" : "x");
        for (const std::string& known :
            {jwk, number, *decode_base64url(number)}) {
            const std::string forged =
                TokenKey::oct(known).token("HS256", R"({"sub":"me"})");
            EXPECT_FALSE(holds(set_of(jwk), forged));
        }
    }
}

TEST(TokenTest, RefusedHeaders)
{
    const TokenKey key = TokenKey::oct(std::string(32, 'k'));
    const JwkSet set = set_of(key.jwk());
    ASSERT_TRUE(holds(set, key.token("HS256", "{}", R"(,"typ":"JWT")")));
    for (const std::string_view more : {R"(,"crit":["exp"])", R"(,"crit":[])",
             R"(,"b64":false)", R"(,"enc":"A128GCM")", R"(,"zip":"DEF")",
             R"(,"cty":"JWT")", R"(,"cty":"jwt")", R"(,"kid":7)",
             R"(,"alg":"HS256")", R"(,"x":{"a":1,"a":2})"})
    {
        EXPECT_FALSE(holds(set, key.token("HS256", "{}", more))) << more;
    }
    for (const std::string_view alg : {"none", "None", "NONE", "", "hs256",
             "HS1", "RSA-OAEP", "dir", "A128GCMKW"})
    {
        const std::string text =
            unsigned_part(R"({"alg":")" + std::string(alg) + R"("})") + "."
            + unsigned_part("{}");
        EXPECT_FALSE(holds(set, text + ".")) << alg;
        EXPECT_FALSE(holds(
            set, text + "." + credential::base64url(key.sign("HS256", text))))
            << alg;
    }
    for (const std::string_view header :
        {"", "null", "[]", "\"alg\"", "{\"alg\":null}", "{\"alg\":[\"HS256\"]}",
            "{}", "{\"alg\":\"HS256\"", "{\"alg\":\"HS256\"} x"})
    {
        const std::string text =
            unsigned_part(header) + "." + unsigned_part("{}");
        EXPECT_FALSE(holds(
            set, text + "." + credential::base64url(key.sign("HS256", text))))
            << header;
    }
    EXPECT_FALSE(holds(set, given::kUnsecured));
}

TEST(TokenTest, RefusedClaimsAndShapes)
{
    const TokenKey key = TokenKey::oct(std::string(32, 'k'));
    const JwkSet set = set_of(key.jwk());
    const std::string deep =
        R"({"a":)" + std::string(200, '[') + std::string(200, ']') + "}";
    for (const std::string& claims :
        {std::string(), std::string("null"), std::string("[]"),
            std::string("7"), std::string(R"({"sub":"a","sub":"b"})"),
            std::string(R"({"a":{"b":1,"b":2}})"), deep,
            std::string("{\"sub\":\"\xff\"}"),
            std::string(R"({"sub":"a"} )") + "{}"})
    {
        EXPECT_FALSE(holds(set, key.token("HS256", claims))) << claims;
    }
    EXPECT_TRUE(holds(set, key.token("HS256", " {\"sub\" : \"a\"}\n")));
    EXPECT_FALSE(holds(set,
        key.token("HS256", R"({"a":")" + std::string(16384, 'x') + "\"}")));
    EXPECT_FALSE(holds(set,
        key.token(
            "HS256", "{}", R"(,"x":")" + std::string(5000, 'x') + R"(")")));
    // Encrypted (five parts), nested in it, and not even that.
    for (const std::string_view text : {"a.b.c.d.e", "...", "..", ".", "",
             "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d"})
    {
        EXPECT_FALSE(Token::read(text)) << text;
    }
}

TEST(TokenTest, StrictBase64url)
{
    EXPECT_EQ(decode_base64url(""), "");
    EXPECT_EQ(decode_base64url("Zg"), "f");
    EXPECT_EQ(decode_base64url("Zm8"), "fo");
    EXPECT_EQ(decode_base64url("Zm9v"), "foo");
    EXPECT_EQ(decode_base64url("-_-_"), "\xfb\xff\xbf");
    for (const std::string_view bad : {"Z", "Zg==", "Zh", "Zm9", "Zm9vZ",
             "Zm 9v", "Zm9v\n", "+/+/", "Zm9v=", "Z\xc3\xa9"})
    {
        EXPECT_EQ(decode_base64url(bad), std::nullopt) << bad;
    }
    EXPECT_EQ(decode_base64url(std::string_view("Zm\0v", 4)), std::nullopt);
}

TEST(TokenTest, TheKeyThatIsNamed)
{
    const TokenKey a = TokenKey::oct(std::string(32, 'a')),
                   b = TokenKey::oct(std::string(32, 'b'));
    const JwkSet set = set_of(R"({"keys":[)" + a.jwk(R"(,"kid":"a")") + ","
        + b.jwk(R"(,"kid":"b")") + "]}");
    EXPECT_EQ(set.size(), 2U);
    EXPECT_TRUE(holds(set, b.token("HS256", "{}", R"(,"kid":"b")")));
    EXPECT_FALSE(holds(set, b.token("HS256", "{}", R"(,"kid":"a")")));
    // Without a name, or with one that nobody has, all that suit are asked.
    EXPECT_TRUE(holds(set, a.token("HS256", "{}")));
    EXPECT_TRUE(holds(set, b.token("HS256", "{}")));
    EXPECT_TRUE(holds(set, b.token("HS256", "{}", R"(,"kid":"z")")));
}

TEST(TokenTest, KeySets)
{
    const std::string ec = TokenKey::ec("P-256").jwk();
    // Keys for other things and of unknown types do no harm.
    const JwkSet set = set_of(R"({"keys":[{"kty":"RSA","use":"enc","n":"x"},)"
                              R"({"kty":"XYZ"},{"kty":"EC","crv":"P-192"},)"
                              R"({"kty":"OKP","crv":"X25519","x":"AA"},)"
                              R"({"kty":"oct","k":"AA","key_ops":["sign"]},)"
                              R"({"kty":"oct","alg":"A128KW","k":"AA"},)"
        + ec + "]}");
    EXPECT_EQ(set.size(), 1U);
    EXPECT_FALSE(set.weak());
    EXPECT_TRUE(set_of(TokenKey::oct("short").jwk()).weak());

    const std::string point = R"({"kty":"EC","crv":"P-256","x":")"
        + credential::base64url(std::string(32, 'x')) + R"(","y":")"
        + credential::base64url(std::string(32, 'y')) + R"("})";
    for (const std::string& bad : {std::string("{}"), std::string("[]"),
             std::string("{\"keys\":{}}"), std::string("{\"keys\":[]}"),
             std::string("{\"keys\":[7]}"), std::string("{\"keys\":[{}]}"),
             std::string(R"({"keys":[{"kty":"XYZ"}]})"),
             std::string(R"({"kty":"oct"})"),
             std::string(R"({"kty":"oct","k":""})"),
             std::string(R"({"kty":"oct","k":"Z"})"),
             std::string(R"({"kty":"oct","k":"AA","k":"AB"})"),
             std::string(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"),
             TokenKey::rsa(1024).jwk(),
             std::string(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"), point})
    {
        EXPECT_FALSE(JwkSet::parse(bad)) << bad;
    }
    std::string many = R"({"keys":[)" + ec;
    for (int i = 0; i < 100; ++i) {
        many += "," + ec;
    }
    EXPECT_FALSE(JwkSet::parse(many + "]}"));
}

Validity at(std::string_view claims, int64_t now, int64_t skew = 0)
{
    json::Parser parser;
    return validity(*parser.parse(claims), now, skew);
}

TEST(TokenTest, TimesAndSkew)
{
    EXPECT_EQ(at("{}", 5), Validity::now);
    EXPECT_EQ(at(R"({"exp":100})", 99), Validity::now);
    EXPECT_EQ(at(R"({"exp":100})", 100), Validity::no_longer);
    EXPECT_EQ(at(R"({"exp":100})", 159, 60), Validity::now);
    EXPECT_EQ(at(R"({"exp":100})", 160, 60), Validity::no_longer);
    EXPECT_EQ(at(R"({"exp":100.5})", 100), Validity::now);
    EXPECT_EQ(at(R"({"nbf":100})", 100), Validity::now);
    EXPECT_EQ(at(R"({"nbf":100})", 99), Validity::not_yet);
    EXPECT_EQ(at(R"({"nbf":100})", 40, 60), Validity::now);
    EXPECT_EQ(at(R"({"nbf":100})", 39, 60), Validity::not_yet);
    EXPECT_EQ(at(R"({"exp":1e300})", 5), Validity::now);
    EXPECT_EQ(at(R"({"exp":-1e300})", 5), Validity::no_longer);
    for (const std::string_view claims : {R"({"exp":"100"})", R"({"exp":null})",
             R"({"nbf":[]})", R"({"exp":true})"})
    {
        EXPECT_EQ(at(claims, 5), Validity::nonsense) << claims;
    }
}

TEST(TokenTest, ValuesOfClaims)
{
    json::Parser parser;
    const json::Node claims = *parser.parse(std::string_view(
        R"({"aud":["a","b"],"one":"x","n":42,"yes":true,"o":{},"l":[1,"z"],)"
        R"("bad":"a\r\nb","none":null,"list":["p","q"],"empty":""})"));
    EXPECT_TRUE(is_for(claims, "a"));
    EXPECT_TRUE(is_for(claims, "b"));
    EXPECT_FALSE(is_for(claims, "a,b"));
    EXPECT_FALSE(is_for(claims, ""));
    EXPECT_TRUE(has_value(claims["one"], "x"));
    EXPECT_FALSE(has_value(claims["one"], "X"));
    EXPECT_TRUE(has_value(claims["n"], "42"));
    EXPECT_TRUE(has_value(claims["l"], "1"));
    EXPECT_FALSE(has_value(claims["o"], "{}"));
    EXPECT_FALSE(has_value(claims["none"], ""));
    EXPECT_FALSE(has_value(claims["missing"], ""));
    EXPECT_FALSE(has_value(claims["empty"], ""));
    EXPECT_EQ(claim_text(claims["list"]), "p,q");
    EXPECT_EQ(claim_text(claims["yes"]), "true");
    EXPECT_EQ(claim_text(claims["l"]), "");
    // It would be another line of the header.
    EXPECT_EQ(claim_text(claims["bad"]), "");
}

} // namespace
