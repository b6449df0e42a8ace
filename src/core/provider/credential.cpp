#include "core/provider/registry.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::provider {

namespace {

// A header value must not end its line.
bool is_clean(std::string_view value) noexcept
{
    return std::none_of(value.begin(), value.end(), [](char c) {
        auto u = static_cast<unsigned char>(c);
        return u < 0x20 || u == 0x7f;
    });
}

bool has_header(const Outbound& out, std::string_view name) noexcept
{
    return std::any_of(out.headers.begin(), out.headers.end(),
        [name](const auto& h) { return iequals(h.first, name); });
}

// "Bearer x" and "x" both give "Bearer x".
std::string bearer(std::string_view token)
{
    if (istarts_with(token, "bearer "))
        token = trim(token.substr(7));
    return std::string("Bearer ").append(token);
}

std::string_view token_of(const Options& options, size_t key_index) noexcept
{
    if (options.api_tokens.empty())
        return {};
    return options.api_tokens[key_index % options.api_tokens.size()].reveal();
}

// What every call to Anthropic carries besides the key.
void add_anthropic_version(const Options& options, Outbound& out)
{
    if (has_header(out, "anthropic-version"))
        return;
    bool set = !options.claude_version.empty();
    out.header(
        "anthropic-version", set ? options.claude_version : "2023-06-01");
}

void add_token(Credential credential, std::string_view token, Outbound& out)
{
    switch (credential) {
    case Credential::none:
        return;
    case Credential::bearer:
    case Credential::bearer_optional:
    case Credential::bearer_or_client:
        return out.header("Authorization", bearer(token));
    case Credential::raw_authorization:
        return out.header("Authorization", token);
    case Credential::api_key:
        return out.header("api-key", token);
    case Credential::x_api_key:
        return out.header("x-api-key", token);
    case Credential::x_goog_api_key:
        return out.header("x-goog-api-key", token);
    case Credential::deepl:
        return out.header(
            "Authorization", std::string("DeepL-Auth-Key ").append(token));
    case Credential::access_token:
        out.path += out.path.find('?') == std::string::npos ? '?' : '&';
        out.path += "access_token=" + percent_encode(token);
        return;
    case Credential::tc3: // sign()
        return;
    }
}

} // namespace

void add_credential(const Options& options, size_t key_index,
    std::string_view client_authorization, Outbound& out)
{
    Credential credential = credential_of(options);
    if (credential == Credential::x_api_key)
        add_anthropic_version(options, out);

    std::string_view token = token_of(options, key_index);
    if (token.empty() && credential == Credential::bearer_or_client
        && !options.anonymous)
        token = trim(client_authorization);
    if (token.empty() || !is_clean(token))
        return;
    // Claude Code's tokens are OAuth tokens.
    if (options.claude_code_mode && credential == Credential::x_api_key)
        credential = Credential::bearer;
    add_token(credential, token, out);
}

} // namespace ai_proxy::provider
