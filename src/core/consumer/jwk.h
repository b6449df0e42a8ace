#pragma once

#include "core/base/result.h"
#include "core/base/secret.h"
#include "core/json/reader.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

// Keys that check signatures of tokens: JSON Web Keys (RFC 7517), made into
// OpenSSL's once, when the configuration is read.
namespace ai_proxy::consumer {

enum class KeyType : uint8_t { rsa, p256, p384, p521, ed25519, ed448, oct };

// A signature algorithm of RFC 7518 or RFC 8037.
enum class Scheme : uint8_t { rsa_pkcs1, rsa_pss, ecdsa, eddsa, hmac };
struct Algorithm {
    std::string_view name;
    Scheme scheme;
    unsigned bits;   // of its digest, 0: it has none of its own
    KeyType type;    // of a key for it, unless there are several
    size_t part = 0; // bytes of each half of a signature (ECDSA)
};
// nullptr: unknown, or "none".
[[nodiscard]] const Algorithm* find_algorithm(std::string_view name) noexcept;

// One key.  Copies share what OpenSSL made of it.
class Jwk {
public:
    // Empty pointer: a key that is for something else (encryption, an unknown
    // type), to be left out.  Errors are phrases for the configuration log.
    [[nodiscard]] static Result<std::unique_ptr<Jwk>> make(json::Node key);

    [[nodiscard]] std::string_view id() const noexcept { return id_; }
    // May the algorithm be used with this key?  The key decides, not the token.
    [[nodiscard]] bool suits(const Algorithm& algorithm) const noexcept;
    [[nodiscard]] bool verify(const Algorithm& algorithm, std::string_view text,
        std::string_view signature) const;
    // A secret that can be guessed offline by who holds a token.
    [[nodiscard]] bool weak() const noexcept;

private:
    [[nodiscard]] bool verify_hmac(const Algorithm& algorithm,
        std::string_view text, std::string_view signature) const;

    std::string id_;
    std::string algorithm_; // the only one, "": any of its type
    KeyType type_ = KeyType::oct;
    std::shared_ptr<evp_pkey_st> key_;
    Secret secret_;
};

class JwkSet {
public:
    // {"keys":[...]}, or one key.
    [[nodiscard]] static Result<JwkSet> parse(std::string_view text);

    // Is there a key that made this signature?  kid: the one that the token
    // names, "" if it names none.
    [[nodiscard]] bool verify(const Algorithm& algorithm, std::string_view kid,
        std::string_view text, std::string_view signature) const;
    [[nodiscard]] size_t size() const noexcept { return keys_.size(); }
    [[nodiscard]] bool weak() const noexcept;

private:
    std::vector<std::unique_ptr<Jwk>> keys_;
};

} // namespace ai_proxy::consumer
