#include "core/provider/registry.h"

#include "core/base/text.h"
#include "core/credential/digest.h"
#include "core/provider/header_fields.h"

#include <algorithm>
#include <utility>

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

// Anthropic takes OAuth tokens of Claude Code only.
void add_claude_code(Outbound& out)
{
    std::string betas = "oauth-2025-04-20,interleaved-thinking-2025-05-14,"
                        "claude-code-20250219";
    for (const auto& [name, value] : out.headers) {
        if (iequals(name, "anthropic-beta")) {
            betas.append(",").append(value);
        }
    }
    set_header(out, "anthropic-beta", betas);
    set_header(out, "User-Agent", "claude-cli/2.1.2 (external, cli)");
    set_header(out, "x-app", "cli");
    const size_t mark = out.path.find('?');
    const std::string_view path = std::string_view(out.path).substr(0, mark);
    if (path.ends_with("/v1/messages")
        && !query_value(mark == out.path.npos
                ? std::string_view()
                : std::string_view(out.path).substr(mark + 1),
            "beta"))
    {
        out.path += mark == out.path.npos ? "?beta=true" : "&beta=true";
    }
}

// The operator's key replaces one that the client sent.
void add_query_key(std::string_view token, Outbound& out)
{
    const size_t mark = std::min(out.path.find('?'), out.path.size());
    std::string path = out.path.substr(0, mark);
    std::string_view rest =
        std::string_view(out.path).substr(std::min(mark + 1, out.path.size()));
    char joint = '?';
    while (!rest.empty()) {
        const size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!pair.starts_with("key=")) {
            path += std::exchange(joint, '&');
            path += pair;
        }
    }
    path += joint;
    out.path = path + "key=" + percent_encode(token);
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
    case Credential::query_key:
    case Credential::google:
        return add_query_key(token, out);
    case Credential::basic:
        return out.header("Authorization",
            std::string("Basic ").append(credential::base64(token)));
    case Credential::aws:
        return out.header("Authorization", bearer(token));
    }
}

} // namespace

void add_credential(const Options& options, size_t key_index,
    std::string_view client_authorization, std::string_view access_token,
    Outbound& out)
{
    Credential credential = credential_of(options);
    if (!access_token.empty())
        return add_token(Credential::bearer, access_token, out);
    if (credential == Credential::x_api_key)
        add_anthropic_version(options, out);

    std::string_view token = token_of(options, key_index);
    if (token.empty() && credential == Credential::bearer_or_client
        && !options.anonymous)
        token = trim(client_authorization);
    if (token.empty() || !is_clean(token))
        return;
    // Claude Code's tokens are OAuth tokens.
    if (options.claude_code_mode && credential == Credential::x_api_key) {
        credential = Credential::bearer;
        add_claude_code(out);
    }
    add_token(credential, token, out);
}

bool wants_access_token(const Options& options) noexcept
{
    return options.vertex_auth_key != nullptr
        || !options.azure_token_file.empty();
}

} // namespace ai_proxy::provider
