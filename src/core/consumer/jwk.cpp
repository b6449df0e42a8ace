#include "core/consumer/jwk.h"

#include "core/consumer/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>

namespace ai_proxy::consumer {

namespace {

constexpr size_t kMaxKeys = 100;
constexpr size_t kMaxText = 256 * 1024;
constexpr size_t kMaxRsaBytes = 1024; // 8192 bits
constexpr size_t kMinRsaBits = 2048;  // RFC 7518 section 3.3
constexpr size_t kMaxSecret = 4096;
constexpr size_t kStrongSecret = 32;

// clang-format off
constexpr Algorithm kAlgorithms[] = {
    {"RS256", Scheme::rsa_pkcs1, 256, KeyType::rsa},
    {"RS384", Scheme::rsa_pkcs1, 384, KeyType::rsa},
    {"RS512", Scheme::rsa_pkcs1, 512, KeyType::rsa},
    {"PS256", Scheme::rsa_pss, 256, KeyType::rsa},
    {"PS384", Scheme::rsa_pss, 384, KeyType::rsa},
    {"PS512", Scheme::rsa_pss, 512, KeyType::rsa},
    {"ES256", Scheme::ecdsa, 256, KeyType::p256, 32},
    {"ES384", Scheme::ecdsa, 384, KeyType::p384, 48},
    {"ES512", Scheme::ecdsa, 512, KeyType::p521, 66},
    {"EdDSA", Scheme::eddsa, 0, KeyType::ed25519},
    {"HS256", Scheme::hmac, 256, KeyType::oct},
    {"HS384", Scheme::hmac, 384, KeyType::oct},
    {"HS512", Scheme::hmac, 512, KeyType::oct},
};
// clang-format on

struct Curve {
    std::string_view name;
    KeyType type;
    size_t bytes;      // of a coordinate, or of the whole key
    const char* group; // OpenSSL's name
    int raw;           // its id of keys that are plain bytes
};

constexpr Curve kCurves[] = {
    {"P-256", KeyType::p256, 32, "P-256", 0},
    {"P-384", KeyType::p384, 48, "P-384", 0},
    {"P-521", KeyType::p521, 66, "P-521", 0},
    {"Ed25519", KeyType::ed25519, 32, nullptr, EVP_PKEY_ED25519},
    {"Ed448", KeyType::ed448, 57, nullptr, EVP_PKEY_ED448},
};

using Pkey = std::shared_ptr<evp_pkey_st>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

Result<std::string> bytes_of(json::Node key, std::string_view member)
{
    const auto text = key[member].string();
    auto bytes = text && !text->empty() ? decode_base64url(*text)
                                        : std::optional<std::string>();
    if (!bytes) {
        return fault("member \"" + std::string(member)
            + "\" is missing or no base64url");
    }
    return std::move(*bytes);
}

const unsigned char* octets(std::string_view text) noexcept
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes)
{
    Number number(
        BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr),
        &BN_free);
    if (number == nullptr) {
        throw std::bad_alloc();
    }
    return number;
}

// nullptr: OpenSSL does not take it.
Pkey from_params(const char* type, OSSL_PARAM_BLD& builder)
{
    const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(
        OSSL_PARAM_BLD_to_param(&builder), &OSSL_PARAM_free);
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), &EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    if (params == nullptr || context == nullptr
        || EVP_PKEY_fromdata_init(context.get()) != 1
        || EVP_PKEY_fromdata(
               context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get())
            != 1)
    {
        ERR_clear_error();
        return nullptr;
    }
    Pkey made(key, &EVP_PKEY_free);
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> check(
        EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr), &EVP_PKEY_CTX_free);
    if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) {
        ERR_clear_error();
        return nullptr;
    }
    return made;
}

using Builder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;

Builder new_builder()
{
    Builder builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
    if (builder == nullptr) {
        throw std::bad_alloc();
    }
    return builder;
}

Result<Pkey> rsa_key(json::Node key)
{
    auto n = bytes_of(key, "n");
    if (!n) {
        return std::move(n).error();
    }
    auto e = bytes_of(key, "e");
    if (!e) {
        return std::move(e).error();
    }
    if (n->size() > kMaxRsaBytes || e->size() > 8) {
        return fault("the RSA key is too large");
    }
    const Number modulus = number_of(*n);
    const Number exponent = number_of(*e);
    if (static_cast<size_t>(BN_num_bits(modulus.get())) < kMinRsaBits) {
        return fault("the RSA key is shorter than 2048 bits");
    }
    const Builder builder = new_builder();
    Pkey made;
    if (BN_is_odd(exponent.get()) == 1 && BN_is_one(exponent.get()) == 0
        && OSSL_PARAM_BLD_push_BN(
               builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get())
            == 1
        && OSSL_PARAM_BLD_push_BN(
               builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get())
            == 1)
    {
        made = from_params("RSA", *builder);
    }
    if (made == nullptr) {
        return fault("\"n\" and \"e\" are no RSA key");
    }
    return made;
}

Result<Pkey> ec_key(json::Node key, const Curve& curve)
{
    auto x = bytes_of(key, "x");
    if (!x) {
        return std::move(x).error();
    }
    auto y = bytes_of(key, "y");
    if (!y) {
        return std::move(y).error();
    }
    // RFC 7518 section 6.2.1.2: with their leading zeros.
    if (x->size() != curve.bytes || y->size() != curve.bytes) {
        return fault("\"x\" and \"y\" have not the length of the curve");
    }
    const std::string point = "\x04" + *x + *y;
    const Builder builder = new_builder();
    Pkey made;
    if (OSSL_PARAM_BLD_push_utf8_string(
            builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0)
            == 1
        && OSSL_PARAM_BLD_push_octet_string(builder.get(),
               OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size())
            == 1)
    {
        made = from_params("EC", *builder);
    }
    if (made == nullptr) {
        return fault("\"x\" and \"y\" are no point of the curve");
    }
    return made;
}

Result<Pkey> okp_key(json::Node key, const Curve& curve)
{
    auto x = bytes_of(key, "x");
    if (!x) {
        return std::move(x).error();
    }
    Pkey made;
    if (x->size() == curve.bytes) {
        made = {EVP_PKEY_new_raw_public_key(
                    curve.raw, nullptr, octets(*x), x->size()),
            &EVP_PKEY_free};
    }
    if (made == nullptr) {
        ERR_clear_error();
        return fault("\"x\" is no key of the curve");
    }
    return made;
}

const Curve* find_curve(std::string_view name, bool raw) noexcept
{
    for (const Curve& curve : kCurves) {
        if (curve.name == name && (curve.raw != 0) == raw) {
            return &curve;
        }
    }
    return nullptr;
}

// RFC 7517 sections 4.2 and 4.3.
bool is_for_signatures(json::Node key) noexcept
{
    if (key["use"].exists() && key["use"].string_or() != "sig") {
        return false;
    }
    if (!key["key_ops"].exists()) {
        return true;
    }
    for (const json::Node operation : key["key_ops"].items()) {
        if (operation.string_or() == "verify") {
            return true;
        }
    }
    return false;
}

bool fits(KeyType type, const Algorithm& algorithm) noexcept
{
    return algorithm.type == type
        || (algorithm.scheme == Scheme::eddsa && type == KeyType::ed448);
}

} // namespace

const Algorithm* find_algorithm(std::string_view name) noexcept
{
    for (const Algorithm& algorithm : kAlgorithms) {
        if (algorithm.name == name) {
            return &algorithm;
        }
    }
    return nullptr;
}

Result<std::unique_ptr<Jwk>> Jwk::make(json::Node node)
{
    if (!node.is_object() || !node["kty"].is_string()) {
        return fault("it is no JSON Web Key");
    }
    if (!is_for_signatures(node)) {
        return std::unique_ptr<Jwk>();
    }
    auto made = std::make_unique<Jwk>();
    made->id_ = node["kid"].string_or();
    made->algorithm_ = node["alg"].string_or();

    const std::string_view type = node["kty"].string_or();
    const Curve* curve = find_curve(node["crv"].string_or(), type == "OKP");
    if (type == "oct") {
        made->type_ = KeyType::oct;
    } else if (type == "RSA") {
        made->type_ = KeyType::rsa;
    } else if ((type == "EC" || type == "OKP") && curve != nullptr) {
        made->type_ = curve->type;
    } else {
        return std::unique_ptr<Jwk>();
    }
    const Algorithm* only = find_algorithm(made->algorithm_);
    if (!made->algorithm_.empty()
        && (only == nullptr || !fits(made->type_, *only))) {
        return std::unique_ptr<Jwk>();
    }
    if (type == "oct") {
        auto secret = bytes_of(node, "k");
        if (!secret) {
            return std::move(secret).error();
        }
        if (secret->size() > kMaxSecret) {
            return fault("\"k\" is too long");
        }
        made->secret_ = Secret(std::move(*secret));
        return made;
    }
    auto key = type == "RSA" ? rsa_key(node)
        : type == "EC"       ? ec_key(node, *curve)
                             : okp_key(node, *curve);
    if (!key) {
        return std::move(key).error();
    }
    made->key_ = std::move(*key);
    return made;
}

bool Jwk::suits(const Algorithm& algorithm) const noexcept
{
    return fits(type_, algorithm)
        && (algorithm_.empty() || algorithm_ == algorithm.name);
}

bool Jwk::weak() const noexcept
{
    return type_ == KeyType::oct && secret_.reveal().size() < kStrongSecret;
}

Result<JwkSet> JwkSet::parse(std::string_view text)
{
    if (text.size() > kMaxText) {
        return fault("the key set is too long");
    }
    json::Parser parser;
    auto root = parser.parse(text);
    if (!root || !root->is_object()) {
        return fault("the key set is no JSON object");
    }
    if (auto unique = json::check_unique_keys(*root); !unique) {
        return std::move(unique).error();
    }
    JwkSet set;
    const bool single = (*root)["kty"].exists();
    const json::Node list = (*root)["keys"];
    if (!single && !list.is_array()) {
        return fault("the key set has no array \"keys\"");
    }
    const size_t count = single ? 1 : list.size();
    if (count > kMaxKeys) {
        return fault("the key set has more than 100 keys");
    }
    for (size_t i = 0; i < count; ++i) {
        auto key = Jwk::make(single ? *root : list.at(i));
        if (!key) {
            return fault("key " + std::to_string(i)
                + " of the key set: " + key.error().message);
        }
        if (*key != nullptr) {
            set.keys_.push_back(std::move(*key));
        }
    }
    if (set.keys_.empty()) {
        return fault("the key set has no key that checks signatures");
    }
    return set;
}

bool JwkSet::verify(const Algorithm& algorithm, std::string_view kid,
    std::string_view text, std::string_view signature) const
{
    // What a token without a known key may cost.
    constexpr int kMostAttempts = 4;
    const bool named = !kid.empty()
        && std::any_of(keys_.begin(), keys_.end(),
            [kid](const auto& key) { return key->id() == kid; });
    int attempts = 0;
    for (const auto& key : keys_) {
        if ((named && key->id() != kid) || !key->suits(algorithm)) {
            continue;
        }
        if (key->verify(algorithm, text, signature)) {
            return true;
        }
        if (++attempts == kMostAttempts) {
            return false;
        }
    }
    return false;
}

bool JwkSet::weak() const noexcept
{
    return std::any_of(keys_.begin(), keys_.end(),
        [](const auto& key) { return key->weak(); });
}

} // namespace ai_proxy::consumer
