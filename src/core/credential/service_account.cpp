#include "core/credential/service_account.h"

#include "core/base/text.h"
#include "core/credential/digest.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <limits>

namespace ai_proxy::credential {

namespace {

constexpr std::string_view kScope =
    "https://www.googleapis.com/auth/cloud-platform";
constexpr std::string_view kGrant =
    "urn:ietf:params:oauth:grant-type:jwt-bearer";
constexpr std::string_view kTokenUri = "https://oauth2.googleapis.com/token";
constexpr int64_t kLifetime = 3600;
constexpr size_t kMaxField = 4096;
constexpr size_t kMaxToken = 8192;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

bool has_control(std::string_view text) noexcept
{
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u <= 0x20 || u >= 0x7f;
    });
}

// Nobody is asked for a passphrase.
int no_passphrase(char*, int, int, void*)
{
    return -1;
}

std::shared_ptr<EVP_PKEY> read_key(std::string_view pem)
{
    if (pem.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
        return nullptr;
    }
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
    if (bio == nullptr) {
        return nullptr;
    }
    return {PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr),
        &EVP_PKEY_free};
}

std::string signature_of(EVP_PKEY& key, std::string_view text)
{
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
        EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    size_t length = 0;
    if (context == nullptr
        || EVP_DigestSignInit(
               context.get(), nullptr, EVP_sha256(), nullptr, &key)
            != 1
        || EVP_DigestSign(context.get(), nullptr, &length, bytes, text.size())
            != 1)
    {
        return {};
    }
    std::string out(length, '\0');
    auto* to = reinterpret_cast<unsigned char*>(out.data());
    if (EVP_DigestSign(context.get(), to, &length, bytes, text.size()) != 1) {
        return {};
    }
    out.resize(length);
    return out;
}

Result<std::string> required(json::Node document, std::string_view name)
{
    const auto value = document[name].string();
    if (!value || value->empty() || value->size() > kMaxField) {
        return fault(
            "the service account key has no \"" + std::string(name) + "\"");
    }
    return std::string(*value);
}

} // namespace

Result<ServiceAccount> ServiceAccount::parse(std::string_view text)
{
    json::Parser parser;
    auto document = parser.parse(text);
    if (!document || !document->is_object()) {
        return fault("the service account key is no JSON object");
    }
    ServiceAccount account;
    auto email = required(*document, "client_email");
    if (!email) {
        return std::move(email).error();
    }
    account.email_ = std::move(*email);
    account.key_id_ = (*document)["private_key_id"].string_or();
    account.project_id_ = (*document)["project_id"].string_or();
    account.token_uri_ = (*document)["token_uri"].string_or(kTokenUri);
    const auto pem = (*document)["private_key"].string();
    if (!pem || pem->empty()) {
        return fault("the service account key has no \"private_key\"");
    }
    account.key_ = read_key(*pem);
    if (account.key_ == nullptr
        || EVP_PKEY_base_id(account.key_.get()) != EVP_PKEY_RSA)
    {
        return fault("\"private_key\" of the service account key is no RSA "
                     "key in PEM");
    }
    if (EVP_PKEY_bits(account.key_.get()) < 2048) {
        return fault("\"private_key\" of the service account key is shorter "
                     "than 2048 bits");
    }
    return account;
}

Result<std::string> ServiceAccount::assertion(int64_t now_seconds) const
{
    std::string header, claims;
    json::Writer h(header);
    h.begin_object().field("alg", "RS256").field("typ", "JWT");
    if (!key_id_.empty()) {
        h.field("kid", key_id_);
    }
    h.end_object();
    json::Writer c(claims);
    c.begin_object().field("iss", email_).field("scope", kScope);
    c.field("aud", token_uri_).field("iat", now_seconds);
    c.field("exp", now_seconds + kLifetime).end_object();
    std::string text = base64url(header) + "." + base64url(claims);
    const std::string signature = signature_of(*key_, text);
    if (signature.empty()) {
        return make_error(
            ErrorCode::internal, "the service account cannot sign");
    }
    return text + "." + base64url(signature);
}

Result<std::string> ServiceAccount::token_request(int64_t now_seconds) const
{
    auto made = assertion(now_seconds);
    if (!made) {
        return made;
    }
    return "grant_type=" + percent_encode(kGrant) + "&assertion=" + *made;
}

Result<AccessToken> read_token_answer(int status, std::string_view body)
{
    json::Parser parser;
    auto document = parser.parse(body);
    if (status != 200) {
        std::string text =
            "the token endpoint answered status " + std::to_string(status);
        if (document) {
            const std::string_view code = (*document)["error"].string_or(
                (*document)["error"]["status"].string_or());
            if (!code.empty() && code.size() <= 64 && !has_control(code)) {
                text.append(" (").append(code).append(")");
            }
        }
        return make_error(ErrorCode::upstream_unavailable, std::move(text));
    }
    AccessToken out;
    const std::string_view token =
        document ? (*document)["access_token"].string_or() : std::string_view();
    if (token.empty() || token.size() > kMaxToken || has_control(token)) {
        return make_error(ErrorCode::upstream_unavailable,
            "the token endpoint sent no access token");
    }
    out.token = token;
    if (const auto seconds = (*document)["expires_in"].integer()) {
        out.expires_in = std::clamp<int64_t>(*seconds, 0, 24 * 3600);
    }
    return out;
}

} // namespace ai_proxy::credential
