#pragma once

#include "core/base/result.h"
#include "core/dialect/api.h"
#include "core/json/splice.h"
#include "core/provider/protocol.h"

#include <span>
#include <string_view>

// What vendors there are: one row each.  An OpenAI-compatible vendor is a row
// and nothing else.
namespace ai_proxy::provider {

enum class Credential : uint8_t {
    none,
    bearer,            // Authorization: Bearer <token>, required
    bearer_optional,   // the same when there is a token
    bearer_or_client,  // without a token the client's own goes on
    raw_authorization, // Authorization: <token>
    api_key,           // api-key: <token> (azure)
    x_api_key,         // x-api-key: <token> (claude)
    x_goog_api_key,    // x-goog-api-key: <token>
    deepl,             // Authorization: DeepL-Auth-Key <token>
    access_token,      // query access_token=<token> (baidu's older API)
    tc3,               // Tencent Cloud's signature of two secrets of their own
    query_key,         // key=<token> in the query
    basic,             // Authorization: Basic <base64 of the token>
    aws,               // bearer with a token, else AWS Signature Version 4
    google,            // query_key with a token, else an access token
};

struct ApiPath {
    dialect::Api api;
    std::string_view path; // {id} is filled from the client's path, {model}
};

// How a vendor that imitates OpenAI is reached in its own words instead.
struct Native {
    const Protocol* protocol;
    std::string_view host; // "": the type's
    Credential credential;
    std::span<const ApiPath> paths; // of the other APIs that it has there
};

struct Type {
    std::string_view name;    // value of the directive "type"
    std::string_view title;   // for the documentation
    const Protocol* protocol; // how it speaks chat
    std::string_view host;    // default host; "" = must be configured
    bool tls;
    Credential credential;
    std::span<const ApiPath> paths; // APIs it has; others are unsupported,
    bool relays_unknown;            //   or relayed as they came
    bool relay;                     // speaks the OpenAI dialect: bytes pass
    bool stream_options;            // takes stream_options.include_usage
    bool developer_role;            // takes role "developer"
    bool mock;                      // answers without network
    // Rewrites of an OpenAI chat body (zhipuai's thinking, openrouter's
    // reasoning.max_tokens, mistral's random_seed, ...); nullptr = none.
    Result<void> (*adjust)(
        json::Splice& body, json::Node parsed, const EncodeContext& context);
    // What stands before each of its paths ("/inference").
    std::string_view surface = {};
    // APIs that it serves in words of its own.
    std::span<const Translation> translations = {};
    const Native* native = nullptr;
};

[[nodiscard]] std::span<const Type> types() noexcept;
[[nodiscard]] const Type* find_type(std::string_view name) noexcept;

// Does the provider, as configured, relay the client's OpenAI chat (qwen
// depends on qwen_enable_compatible)?
[[nodiscard]] bool relays(const Options& options) noexcept;
// In force for this provider; nullptr when it speaks as its row says.
[[nodiscard]] const Native* native_mode(const Options& options) noexcept;
[[nodiscard]] Credential credential_of(const Options& options) noexcept;
[[nodiscard]] const Protocol& protocol(const Options& options) noexcept;
// How the provider, as configured, serves an API in its own words; nullptr: it
// does not.
[[nodiscard]] const Translation* translation(
    const Options& options, dialect::Api api) noexcept;
// Does the provider speak the caller's API itself, so that bytes are relayed?
// Asked for the APIs that could be converted instead (dialect::Caller).
// model: the name to send, "" when it does not matter.
[[nodiscard]] bool native(const Options& options, dialect::Api api,
    std::string_view model = {}) noexcept;
[[nodiscard]] bool supports(const Options& options, dialect::Api api) noexcept;

// Where to connect: base_url, else the type's own options (qwen_domain, ...),
// else its default host.  Error when nothing tells (configuration error).
[[nodiscard]] Result<Endpoint> endpoint(const Options& options);
// "https://host:8443/prefix" -> Endpoint; the error names the fault.
[[nodiscard]] Result<Endpoint> parse_url(std::string_view url);

// The upstream path (prefix and query included) for a relayed call.
// client_path: canonical path; client_query without '?'.
[[nodiscard]] Result<std::string> relay_path(const Options& options,
    const Endpoint& endpoint, dialect::Api api, std::string_view client_path,
    std::string_view client_query, std::string_view model);
// The path of a finished call with base_path and provider_base_path.
[[nodiscard]] std::string with_base_paths(
    const Options& options, std::string path);
// Joins the endpoint's prefix and a path so that a version segment that both
// have (/v1 + /v1/messages) is not doubled.
[[nodiscard]] std::string join_path(
    std::string_view prefix, std::string_view path);

// Adds the credential of key key_index; client_authorization is used by
// bearer_or_client only.
// access_token: what wants_access_token() asked for.
void add_credential(const Options& options, size_t key_index,
    std::string_view client_authorization, std::string_view access_token,
    Outbound& out);

// Does a call need a token that is fetched beforehand (an OAuth exchange of
// vertex, a file of azure)?
[[nodiscard]] bool wants_access_token(const Options& options) noexcept;

// Signs the finished request where the credential is a signature of it.
void sign(const Options& options, const Endpoint& endpoint, int64_t now_seconds,
    Outbound& out);

// Checks the fields of a finished block that depend on each other (a missing
// api_token, azure_service_url without api-version, ...).
[[nodiscard]] Result<void> check(const Options& options);

} // namespace ai_proxy::provider
