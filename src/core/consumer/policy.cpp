#include "core/consumer/policy.h"

#include <algorithm>
#include <array>

namespace ai_proxy::consumer {

namespace {

enum class Reason : uint8_t {
    missing,
    several,
    unknown,
    bad_token,
    expired,
    not_yet,
    forbidden,
};

struct Phrase {
    Reason reason;
    ErrorCode code;
    std::string_view own, key_auth, jwt_auth;
};

// clang-format off
constexpr std::array<Phrase, 7> kPhrases{{
    {Reason::missing, ErrorCode::no_credential,
        "There is no API key in the request. Send it as "
        "\"Authorization: Bearer KEY\".",
        "No API key found in request.", "No token found in request."},
    {Reason::several, ErrorCode::invalid_credential,
        "There is more than one API key in the request.",
        "Multiple API keys found in request.",
        "Multiple tokens found in request."},
    {Reason::unknown, ErrorCode::invalid_credential,
        "The API key is not known here.",
        "Invalid API key.", "Invalid token."},
    {Reason::bad_token, ErrorCode::invalid_credential,
        "The token is not valid here.",
        "Invalid API key.", "Token verification failed."},
    {Reason::expired, ErrorCode::expired_credential,
        "The token has expired.",
        "Invalid API key.", "Token has expired."},
    {Reason::not_yet, ErrorCode::expired_credential,
        "The token is not valid yet.",
        "Invalid API key.", "Token is not valid yet."},
    {Reason::forbidden, ErrorCode::consumer_forbidden,
        "You may not use this address.",
        "Unauthorized consumer.", "Unauthorized consumer."},
}};
// clang-format on

std::string_view prefix(Voice voice) noexcept
{
    switch (voice) {
    case Voice::own:
        return "";
    case Voice::key_auth:
        return "Request denied by Key Auth check. ";
    case Voice::jwt_auth:
        return "Request denied by JWT Auth check. ";
    }
    return "";
}

// RFC 6750 section 3; the realm holds no quote.
std::string challenge(const Policy& policy, Reason reason)
{
    std::string text = policy.voice == Voice::key_auth ? "Key" : "Bearer";
    text += " realm=\"" + policy.realm + "\"";
    if (policy.voice != Voice::key_auth && reason != Reason::missing) {
        text += reason == Reason::forbidden ? ", error=\"insufficient_scope\""
            : reason == Reason::several     ? ", error=\"invalid_request\""
                                            : ", error=\"invalid_token\"";
    }
    return text;
}

Refusal refuse(const Policy& policy, Reason reason)
{
    const Phrase& phrase = kPhrases[static_cast<size_t>(reason)];
    Refusal refusal;
    refusal.code = phrase.code;
    refusal.message = prefix(policy.voice);
    refusal.message += policy.voice == Voice::own ? phrase.own
        : policy.voice == Voice::key_auth         ? phrase.key_auth
                                                  : phrase.jwt_auth;
    refusal.challenge = challenge(policy, reason);
    return refusal;
}

// One request before one policy.
class Check {
public:
    Check(const Policy& policy, const Call& call, int64_t now) noexcept
        : policy_(policy), call_(call), now_(now)
    {
    }

    [[nodiscard]] Verdict run();

private:
    void judge_keys(const Presented& presented);
    [[nodiscard]] const Token* token_of(std::string_view text);
    void judge_token(std::string_view text);
    void judge(const TokenRules& rules, const Token& token);
    [[nodiscard]] bool fits(const TokenRules& rules, const Token& token) const;
    [[nodiscard]] bool is_signed(const TokenRules& rules, const Token& token);
    void search_own_places();
    void found(const Consumer& consumer);
    void worse(Reason reason) noexcept { reason_ = std::max(reason_, reason); }

    const Policy& policy_;
    const Call& call_;
    int64_t now_;
    Verdict verdict_;
    Reason reason_ = Reason::missing;
    std::string text_; // of token_
    std::optional<Result<Token>> token_;
    // Who shares keys shares the work of checking a signature.
    const JwkSet* checked_ = nullptr;
    bool checked_result_ = false;
};

void Check::found(const Consumer& consumer)
{
    if (policy_.allows(consumer)) {
        verdict_.consumer = &consumer;
    } else {
        worse(Reason::forbidden);
    }
}

bool Check::fits(const TokenRules& rules, const Token& token) const
{
    const json::Node claims = token.claims();
    if (!rules.issuer.empty() && claims["iss"].string_or() != rules.issuer) {
        return false;
    }
    const auto& audiences = rules.audiences;
    if (!audiences.empty()
        && std::none_of(audiences.begin(), audiences.end(),
            [&](const std::string& one) { return is_for(claims, one); }))
    {
        return false;
    }
    const auto holds = [&](const auto& wanted) {
        return std::any_of(
            rules.claims.begin(), rules.claims.end(), [&](const auto& claim) {
                return claim.first == wanted.first
                    && has_value(claims[claim.first], claim.second);
            });
    };
    return std::all_of(rules.claims.begin(), rules.claims.end(), holds);
}

bool Check::is_signed(const TokenRules& rules, const Token& token)
{
    if (checked_ != rules.keys.get()) {
        checked_ = rules.keys.get();
        checked_result_ = checked_->verify(token.algorithm(), token.key_id(),
            token.signed_text(), token.signature());
    }
    return checked_result_;
}

void Check::judge(const TokenRules& rules, const Token& token)
{
    // What costs nothing first: the token itself says whose it may be.
    if (!fits(rules, token) || !is_signed(rules, token)) {
        return worse(Reason::bad_token);
    }
    switch (validity(token.claims(), now_, rules.skew_seconds)) {
    case Validity::now:
        break;
    case Validity::no_longer:
        return worse(Reason::expired);
    case Validity::not_yet:
        return worse(Reason::not_yet);
    case Validity::nonsense:
        return worse(Reason::bad_token);
    }
    found(*rules.consumer);
    if (verdict_.consumer == nullptr) {
        return;
    }
    for (const ClaimHeader& header : rules.headers) {
        std::string text = claim_text(token.claims()[header.claim]);
        if (!text.empty()) {
            verdict_.headers.emplace_back(&header, std::move(text));
        }
    }
}

const Token* Check::token_of(std::string_view text)
{
    if (!token_ || text_ != text) {
        text_ = text;
        token_.emplace(Token::read(text_));
        checked_ = nullptr;
    }
    return token_->ok() ? &**token_ : nullptr;
}

// By the rules that do not say where their tokens are.
void Check::judge_token(std::string_view text)
{
    worse(Reason::bad_token);
    const Token* token = token_of(without_bearer(text));
    for (const TokenRules& rules : *policy_.tokens) {
        if (token != nullptr && verdict_.consumer == nullptr
            && rules.places.empty()) {
            judge(rules, *token);
        }
    }
}

void Check::judge_keys(const Presented& presented)
{
    const std::string_view whole = presented.value;
    const std::string_view bare = without_bearer(whole);
    const Consumer* owner = policy_.keys->find(whole);
    if (owner == nullptr && bare.size() != whole.size()) {
        owner = policy_.keys->find(bare);
    }
    if (owner != nullptr) {
        found(*owner);
    } else {
        worse(Reason::unknown);
    }
}

// Rules that say themselves where their tokens are.
void Check::search_own_places()
{
    for (const TokenRules& rules : *policy_.tokens) {
        if (rules.places.empty()) {
            continue;
        }
        std::vector<Presented> there = find_presented(rules.places, call_);
        for (Presented& one : there) {
            if (verdict_.consumer == nullptr && &one == &there.front()) {
                worse(Reason::bad_token);
                if (const Token* token = token_of(one.value)) {
                    judge(rules, *token);
                }
            }
            verdict_.presented.push_back(std::move(one));
        }
    }
}

Verdict Check::run()
{
    verdict_.presented = find_presented(policy_.places, call_);
    const std::vector<Presented>& there = verdict_.presented;
    const bool several =
        std::any_of(there.begin(), there.end(), [&there](const Presented& one) {
            return without_bearer(one.value)
                != without_bearer(there.front().value);
        });
    if (several) {
        verdict_.refusal = refuse(policy_, Reason::several);
        return std::move(verdict_);
    }
    if (!there.empty() && policy_.keys != nullptr) {
        judge_keys(there.front());
    }
    if (!there.empty() && policy_.tokens != nullptr
        && verdict_.consumer == nullptr && reason_ != Reason::forbidden)
    {
        const std::string_view value = there.front().value;
        if (policy_.keys == nullptr || Token::resembles(without_bearer(value)))
        {
            judge_token(value);
        }
    }
    if (policy_.tokens != nullptr && verdict_.consumer == nullptr) {
        search_own_places();
    }
    if (verdict_.consumer == nullptr) {
        verdict_.refusal = refuse(policy_, reason_);
    }
    return std::move(verdict_);
}

} // namespace

bool Policy::allows(const Consumer& consumer) const
{
    return !allowed
        || std::find(allowed->begin(), allowed->end(), consumer.name)
        != allowed->end();
}

bool Policy::owns(Where where, std::string_view name) const
{
    if (is_place(places, where, name)) {
        return true;
    }
    return tokens != nullptr
        && std::any_of(
            tokens->begin(), tokens->end(), [&](const TokenRules& rules) {
                return is_place(rules.places, where, name);
            });
}

std::string Policy::kept_query(std::string_view query, bool seldom) const
{
    std::string kept = without_places(places, query, seldom);
    if (tokens != nullptr) {
        for (const TokenRules& rules : *tokens) {
            if (!rules.places.empty() && !kept.empty()) {
                kept = without_places(rules.places, kept, seldom);
            }
        }
    }
    return kept;
}

bool Policy::tells(std::string_view header) const
{
    if (tokens == nullptr) {
        return false;
    }
    for (const TokenRules& rules : *tokens) {
        for (const ClaimHeader& told : rules.headers) {
            if (told.override_client && iequals(told.header, header)) {
                return true;
            }
        }
    }
    return false;
}

Verdict authenticate(
    const Policy& policy, const Call& call, int64_t now_seconds)
{
    return Check(policy, call, now_seconds).run();
}

std::optional<Refusal> check_allowed(
    const Policy& policy, const Consumer& consumer)
{
    return policy.allows(consumer) ? std::optional<Refusal>()
                                   : refuse(policy, Reason::forbidden);
}

} // namespace ai_proxy::consumer
