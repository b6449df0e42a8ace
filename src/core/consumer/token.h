#pragma once

#include "core/base/result.h"
#include "core/consumer/jwk.h"
#include "core/json/reader.h"

#include <string>
#include <string_view>

namespace ai_proxy::consumer {

// A signed token, read and not yet believed: RFC 7519 in the compact form of
// RFC 7515.  Views point into the text it was read from.
class Token {
public:
    // Refused: what is no such token, is encrypted or nested, has no signature
    // ("none"), wants extensions, or says something twice.
    [[nodiscard]] static Result<Token> read(std::string_view text);
    // Three parts, the first the beginning of a JSON object?
    [[nodiscard]] static bool resembles(std::string_view text) noexcept;

    [[nodiscard]] const Algorithm& algorithm() const noexcept
    {
        return *algorithm_;
    }
    [[nodiscard]] std::string_view key_id() const noexcept { return key_id_; }
    [[nodiscard]] std::string_view signed_text() const noexcept
    {
        return signed_text_;
    }
    [[nodiscard]] std::string_view signature() const noexcept
    {
        return signature_;
    }
    [[nodiscard]] json::Node claims() const noexcept { return claims_; }

private:
    [[nodiscard]] Result<void> read_header(std::string_view text);
    [[nodiscard]] Result<void> read_claims(std::string_view text);

    const Algorithm* algorithm_ = nullptr;
    std::string key_id_;
    std::string_view signed_text_;
    std::string signature_;
    json::Parser parser_;
    json::Node claims_;
};

// When a token holds, with the clocks at most skew seconds apart.
enum class Validity : uint8_t { now, no_longer, not_yet, nonsense };
[[nodiscard]] Validity validity(
    json::Node claims, int64_t now_seconds, int64_t skew) noexcept;

// Is the token for this audience?
[[nodiscard]] bool is_for(json::Node claims, std::string_view audience);
// Has the claim the value, or is it a list that holds it?
[[nodiscard]] bool has_value(json::Node claim, std::string_view value);
// A claim as a header field says it: texts, numbers, yes or no, and lists of
// texts with commas between; "": it cannot.
[[nodiscard]] std::string claim_text(json::Node claim);

} // namespace ai_proxy::consumer
