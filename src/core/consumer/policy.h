#pragma once

#include "core/base/error.h"
#include "core/consumer/consumer.h"
#include "core/consumer/jwk.h"
#include "core/consumer/places.h"
#include "core/consumer/token.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Who may come to a place of the configuration, and how they prove who they
// are.
namespace ai_proxy::consumer {

// A claim and the header field that tells it.
struct ClaimHeader {
    std::string claim, header;
    bool override_client = true; // a field that the client sent is replaced
};

// The tokens of one consumer.
struct TokenRules {
    const Consumer* consumer = nullptr;
    std::shared_ptr<const JwkSet> keys;
    std::string issuer;                 // "": any
    std::vector<std::string> audiences; // one of them, none: any
    // Claims that must have a value; of one claim one of its values.
    std::vector<std::pair<std::string, std::string>> claims;
    std::vector<ClaimHeader> headers;
    std::vector<Place> places; // of its own, instead of the policy's
    int64_t skew_seconds = 60;
};

// Whose words refusals are in.
enum class Voice : uint8_t { own, key_auth, jwt_auth };

struct Policy {
    const KeyRing* keys = nullptr;                   // are accepted
    const std::vector<TokenRules>* tokens = nullptr; // likewise
    std::vector<Place> places;
    // Names of consumers; nullopt: all of them may come.
    std::optional<std::vector<std::string>> allowed;
    std::string realm;
    Voice voice = Voice::own;

    [[nodiscard]] bool allows(const Consumer& consumer) const;
    // Is it something that only this policy has a use for?
    [[nodiscard]] bool owns(Where where, std::string_view name) const;
    // A query without what is.
    [[nodiscard]] std::string kept_query(
        std::string_view query, bool seldom) const;
    // Header fields that tell claims and nothing that clients say.
    [[nodiscard]] bool tells(std::string_view header) const;
};

struct Refusal {
    ErrorCode code = ErrorCode::no_credential;
    std::string message;
    // Of the WWW-Authenticate field.
    std::string challenge;
};

struct Verdict {
    const Consumer* consumer = nullptr; // who it is, if he may come
    std::optional<Refusal> refusal;     // or why not
    std::vector<std::pair<const ClaimHeader*, std::string>> headers;
    std::vector<Presented> presented;
};

[[nodiscard]] Verdict authenticate(
    const Policy& policy, const Call& call, int64_t now_seconds);

// The refusal of somebody who is known already, or nothing.
[[nodiscard]] std::optional<Refusal> check_allowed(
    const Policy& policy, const Consumer& consumer);

} // namespace ai_proxy::consumer
