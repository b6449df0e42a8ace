#pragma once

#include "core/credential/digest.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

// Keys made on the spot, and tokens signed with them by OpenSSL, for what the
// RFCs have no example of.
namespace ai_proxy::testing {

using credential::base64url;

class TokenKey {
public:
    using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

    static TokenKey rsa(unsigned bits = 2048)
    {
        return TokenKey(EVP_RSA_gen(bits), "RSA", "");
    }
    // crv: P-256, P-384, P-521
    static TokenKey ec(const char* crv)
    {
        return TokenKey(EVP_EC_gen(crv), "EC", crv);
    }
    static TokenKey ed(const char* crv)
    {
        return TokenKey(
            EVP_PKEY_Q_keygen(nullptr, nullptr,
                crv == std::string("Ed25519") ? "ED25519" : "ED448"),
            "OKP", crv);
    }
    static TokenKey oct(std::string secret)
    {
        TokenKey key(nullptr, "oct", "");
        key.secret_ = std::move(secret);
        return key;
    }

    // more: members like R"(,"kid":"a")"
    [[nodiscard]] std::string jwk(std::string_view more = "") const
    {
        std::string out = R"({"kty":")" + type_ + R"(")";
        if (!curve_.empty()) {
            out += R"(,"crv":")" + curve_ + R"(")";
        }
        if (type_ == "oct") {
            out += R"(,"k":")" + base64url(secret_) + R"(")";
        } else if (type_ == "RSA") {
            out += R"(,"n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")"
                + number(OSSL_PKEY_PARAM_RSA_E, 0) + R"(")";
        } else if (type_ == "EC") {
            const size_t part = curve_ == "P-256" ? 32
                : curve_ == "P-384"               ? 48
                                                  : 66;
            out += R"(,"x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, part)
                + R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y, part)
                + R"(")";
        } else {
            std::string raw(128, '\0');
            size_t length = raw.size();
            EVP_PKEY_get_raw_public_key(key_.get(),
                reinterpret_cast<unsigned char*>(raw.data()), &length);
            raw.resize(length);
            out += R"(,"x":")" + base64url(raw) + R"(")";
        }
        return out + std::string(more) + "}";
    }

    // header and claims: JSON texts.
    [[nodiscard]] std::string token(std::string_view alg,
        std::string_view claims, std::string_view more_header = "") const
    {
        const std::string text = base64url(R"({"alg":")" + std::string(alg)
                                     + R"(")" + std::string(more_header) + "}")
            + "." + base64url(claims);
        return text + "." + base64url(sign(alg, text));
    }

    [[nodiscard]] std::string sign(
        std::string_view alg, std::string_view text) const
    {
        const EVP_MD* digest = alg.ends_with("256") ? EVP_sha256()
            : alg.ends_with("384")                  ? EVP_sha384()
            : alg.ends_with("512")                  ? EVP_sha512()
                                                    : nullptr;
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        std::string out(1024, '\0');
        auto* to = reinterpret_cast<unsigned char*>(out.data());
        if (alg.starts_with("HS")) {
            unsigned length = 0;
            HMAC(digest, secret_.data(), static_cast<int>(secret_.size()),
                bytes, text.size(), to, &length);
            out.resize(length);
            return out;
        }
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
            EVP_MD_CTX_new(), &EVP_MD_CTX_free);
        EVP_PKEY_CTX* padding = nullptr;
        size_t length = out.size();
        EVP_DigestSignInit(
            context.get(), &padding, digest, nullptr, key_.get());
        if (alg.starts_with("PS")) {
            EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST);
        }
        if (EVP_DigestSign(context.get(), to, &length, bytes, text.size()) != 1)
        {
            throw std::runtime_error("cannot sign");
        }
        out.resize(length);
        return alg.starts_with("ES") ? fixed(out) : out;
    }

private:
    TokenKey(EVP_PKEY* key, std::string type, std::string curve)
        : key_(key, &EVP_PKEY_free), type_(std::move(type)),
          curve_(std::move(curve))
    {
    }

    [[nodiscard]] std::string number(const char* name, size_t part) const
    {
        BIGNUM* value = nullptr;
        EVP_PKEY_get_bn_param(key_.get(), name, &value);
        const auto size =
            part != 0 ? static_cast<int>(part) : BN_num_bytes(value);
        std::string raw(static_cast<size_t>(size), '\0');
        BN_bn2binpad(value, reinterpret_cast<unsigned char*>(raw.data()), size);
        BN_free(value);
        return base64url(raw);
    }

    // ASN.1 to both halves in full length.
    [[nodiscard]] std::string fixed(const std::string& asn1) const
    {
        const int part = curve_ == "P-256" ? 32 : curve_ == "P-384" ? 48 : 66;
        const auto* from = reinterpret_cast<const unsigned char*>(asn1.data());
        const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
            d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(asn1.size())),
            &ECDSA_SIG_free);
        std::string out(static_cast<size_t>(2 * part), '\0');
        auto* to = reinterpret_cast<unsigned char*>(out.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), to, part);
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), to + part, part);
        return out;
    }

    Pkey key_;
    std::string type_, curve_, secret_;
};

} // namespace ai_proxy::testing
