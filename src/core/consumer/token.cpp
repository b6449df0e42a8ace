#include "core/consumer/token.h"

#include "core/base/text.h"
#include "core/consumer/base64url.h"

#include <algorithm>
#include <cmath>

namespace ai_proxy::consumer {

namespace {

constexpr size_t kMaxToken = 16 * 1024;
constexpr size_t kMaxHeader = 4 * 1024;
constexpr size_t kMaxSignature = 2 * 1024;
constexpr size_t kMaxKeyId = 1024;
constexpr size_t kMaxClaim = 4096; // in a header field
constexpr size_t npos = std::string_view::npos;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_credential, std::move(phrase));
}

Result<json::Node> read_object(json::Parser& parser, std::string_view part)
{
    const auto text = decode_base64url(part);
    if (!text) {
        return fault("no base64url");
    }
    auto object = parser.parse(std::string_view(*text));
    if (!object || !object->is_object()) {
        return fault("no JSON object");
    }
    if (!json::check_unique_keys(*object)) {
        return fault("a member twice");
    }
    return object;
}

} // namespace

bool Token::resembles(std::string_view text) noexcept
{
    // {" in base64url
    return text.starts_with("ey")
        && std::count(text.begin(), text.end(), '.') == 2;
}

Result<Token> Token::read(std::string_view text)
{
    if (text.size() > kMaxToken) {
        return fault("too long");
    }
    const size_t first = text.find('.');
    const size_t second = first == npos ? npos : text.find('.', first + 1);
    // Five parts are an encrypted one.
    if (second == npos || text.find('.', second + 1) != npos) {
        return fault("not of three parts");
    }
    Token token;
    if (auto header = token.read_header(text.substr(0, first)); !header) {
        return std::move(header).error();
    }
    const std::string_view signature = text.substr(second + 1);
    auto bytes = signature.size() <= kMaxSignature
        ? decode_base64url(signature)
        : std::optional<std::string>();
    if (!bytes || bytes->empty()) {
        return fault("no signature");
    }
    token.signature_ = std::move(*bytes);
    token.signed_text_ = text.substr(0, second);
    const std::string_view claims = text.substr(first + 1, second - first - 1);
    if (auto read = token.read_claims(claims); !read) {
        return std::move(read).error();
    }
    return token;
}

Result<void> Token::read_header(std::string_view text)
{
    if (text.size() > kMaxHeader) {
        return fault("a header too long");
    }
    json::Parser parser;
    auto header = read_object(parser, text);
    if (!header) {
        return std::move(header).error();
    }
    // RFC 7515 section 4.1.11: what we do not know must be refused; RFC 7797's
    // "b64" is such a thing.
    if ((*header)["crit"].exists() || (*header)["b64"].exists()) {
        return fault("extensions");
    }
    if ((*header)["enc"].exists() || (*header)["zip"].exists()) {
        return fault("encrypted");
    }
    if ((*header)["cty"].exists()
        && iequals((*header)["cty"].string_or(), "JWT")) {
        return fault("nested");
    }
    algorithm_ = find_algorithm((*header)["alg"].string_or());
    if (algorithm_ == nullptr) {
        return fault("an algorithm that is not known");
    }
    const json::Node id = (*header)["kid"];
    if (id.exists() && (!id.is_string() || id.string_or().size() > kMaxKeyId)) {
        return fault("a key id that is none");
    }
    key_id_ = id.string_or();
    return {};
}

Result<void> Token::read_claims(std::string_view text)
{
    auto claims = read_object(parser_, text);
    if (!claims) {
        return std::move(claims).error();
    }
    claims_ = *claims;
    return {};
}

Validity validity(json::Node claims, int64_t now_seconds, int64_t skew) noexcept
{
    const json::Node expires = claims["exp"];
    const json::Node begins = claims["nbf"];
    for (const json::Node date : {expires, begins}) {
        // A number, whatever its size: RFC 7519 section 2.
        if (date.exists() && !std::isfinite(date.number().value_or(NAN))) {
            return Validity::nonsense;
        }
    }
    const auto now = static_cast<double>(now_seconds);
    const auto apart = static_cast<double>(skew);
    if (expires.exists() && now >= *expires.number() + apart) {
        return Validity::no_longer;
    }
    if (begins.exists() && now + apart < *begins.number()) {
        return Validity::not_yet;
    }
    return Validity::now;
}

bool is_for(json::Node claims, std::string_view audience)
{
    return has_value(claims["aud"], audience);
}

bool has_value(json::Node claim, std::string_view value)
{
    if (!claim.is_array()) {
        return claim.exists() && !value.empty() && claim_text(claim) == value;
    }
    for (const json::Node one : claim.items()) {
        if (!one.is_array() && !one.is_object() && !value.empty()
            && claim_text(one) == value)
        {
            return true;
        }
    }
    return false;
}

std::string claim_text(json::Node claim)
{
    std::string text;
    if (const auto string = claim.string()) {
        text = *string;
    } else if (const auto flag = claim.boolean()) {
        text = *flag ? "true" : "false";
    } else if (const auto integer = claim.integer()) {
        text = std::to_string(*integer);
    } else if (claim.is_array()) {
        for (const json::Node one : claim.items()) {
            if (!one.is_string()) {
                return {};
            }
            text += text.empty() ? "" : ",";
            text += one.string_or();
        }
    }
    const bool clean = text.size() <= kMaxClaim
        && std::none_of(text.begin(), text.end(), [](char c) {
               const auto u = static_cast<unsigned char>(c);
               return u < 0x20 || u == 0x7f;
           });
    return clean ? text : std::string();
}

} // namespace ai_proxy::consumer
