#include "core/consumer/jwk.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <array>
#include <memory>
#include <new>

// Checking signatures with OpenSSL.
namespace ai_proxy::consumer {

namespace {

const unsigned char* octets(std::string_view text) noexcept
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

const EVP_MD* digest(const Algorithm& algorithm) noexcept
{
    switch (algorithm.bits) {
    case 256:
        return EVP_sha256();
    case 384:
        return EVP_sha384();
    case 512:
        return EVP_sha512();
    default:
        return nullptr;
    }
}

// Both numbers of an ECDSA signature, from fixed lengths (RFC 7518 section
// 3.4) to ASN.1; "": it is none.
std::string to_asn1(std::string_view signature, size_t part)
{
    if (signature.size() != 2 * part) {
        return {};
    }
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
        ECDSA_SIG_new(), &ECDSA_SIG_free);
    const auto length = static_cast<int>(part);
    BIGNUM* r = BN_bin2bn(octets(signature), length, nullptr);
    BIGNUM* s = BN_bin2bn(octets(signature.substr(part)), length, nullptr);
    if (pair == nullptr || r == nullptr || s == nullptr
        || ECDSA_SIG_set0(pair.get(), r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        throw std::bad_alloc();
    }
    unsigned char* made = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &made);
    if (size <= 0) {
        return {};
    }
    std::string out(reinterpret_cast<char*>(made), static_cast<size_t>(size));
    OPENSSL_free(made);
    return out;
}

bool set_padding(EVP_PKEY_CTX* context, Scheme scheme) noexcept
{
    if (scheme == Scheme::rsa_pkcs1) {
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    }
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST)
        == 1;
}

} // namespace

bool Jwk::verify_hmac(const Algorithm& algorithm, std::string_view text,
    std::string_view signature) const
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
    unsigned length = 0;
    const std::string_view key = secret_.reveal();
    if (HMAC(digest(algorithm), key.data(), static_cast<int>(key.size()),
            octets(text), text.size(), made.data(), &length)
        == nullptr)
    {
        throw std::bad_alloc();
    }
    return signature.size() == length
        && CRYPTO_memcmp(made.data(), signature.data(), length) == 0;
}

bool Jwk::verify(const Algorithm& algorithm, std::string_view text,
    std::string_view signature) const
{
    if (!suits(algorithm)) {
        return false;
    }
    if (algorithm.scheme == Scheme::hmac) {
        return verify_hmac(algorithm, text, signature);
    }
    std::string asn1;
    if (algorithm.scheme == Scheme::ecdsa) {
        asn1 = to_asn1(signature, algorithm.part);
        if (asn1.empty()) {
            return false;
        }
        signature = asn1;
    }
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
        EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    if (context == nullptr) {
        throw std::bad_alloc();
    }
    EVP_PKEY_CTX* key = nullptr;
    const bool rsa = algorithm.scheme == Scheme::rsa_pkcs1
        || algorithm.scheme == Scheme::rsa_pss;
    const bool ok = EVP_DigestVerifyInit(context.get(), &key, digest(algorithm),
                        nullptr, key_.get())
            == 1
        && (!rsa || set_padding(key, algorithm.scheme))
        && EVP_DigestVerify(context.get(), octets(signature), signature.size(),
               octets(text), text.size())
            == 1;
    // What OpenSSL thinks of a signature is nobody else's error.
    ERR_clear_error();
    return ok;
}

} // namespace ai_proxy::consumer
