#include "core/config/fields_clouds.h"

#include "core/base/text.h"
#include "core/credential/service_account.h"
#include "core/json/writer.h"
#include "core/provider/bedrock.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using provider::Options;

constexpr size_t kMaxSecret = 8192;
constexpr size_t kMaxAdditional = 64;
constexpr uint64_t kMaxAhead = 1800'000; // half the life of a token

// Parts of host names and paths: a letter or digit first, then also '-', '_'.
bool is_name(std::string_view text) noexcept
{
    return !text.empty() && text.size() <= 128 && text[0] != '-'
        && std::all_of(text.begin(), text.end(), [](char c) {
               const char l = lower(c);
               return (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z')
                   || c == '-';
           });
}

Result<void> set_name(std::string& to, const Words& w, std::string_view like)
{
    if (!is_name(w[1])) {
        return invalid_value(w[1], w[0],
            "a name like \"" + std::string(like) + "\" is expected");
    }
    to = w[1];
    return {};
}

Result<void> set_secret(Secret& to, FieldContext& c, const Words& w)
{
    auto text = resolve_secret(w[1], c.secrets, w[0]);
    if (!text) {
        return std::move(text).error();
    }
    const bool clean = !text->empty() && text->size() <= kMaxSecret
        && std::all_of(text->begin(), text->end(), [](char ch) {
               const auto u = static_cast<unsigned char>(ch);
               return u > 0x20 && u < 0x7f;
           });
    if (!clean) {
        return config_error("\"" + std::string(w[0])
            + "\" is empty, too long or holds a blank or control character");
    }
    to = Secret(std::move(*text));
    return {};
}

std::string plain(std::string_view word)
{
    std::string out;
    for (const char c : word) {
        if (c != '-' && c != '_') {
            out += lower(c);
        }
    }
    return out;
}

} // namespace

Result<void> set_aws_region(FieldContext& c, const Words& w)
{
    return set_name(c.provider.options.aws_region, w, "us-east-1");
}

Result<void> set_aws_access_key(FieldContext& c, const Words& w)
{
    return set_secret(c.provider.options.aws_access_key, c, w);
}

Result<void> set_aws_secret_key(FieldContext& c, const Words& w)
{
    return set_secret(c.provider.options.aws_secret_key, c, w);
}

Result<void> set_aws_session_token(FieldContext& c, const Words& w)
{
    return set_secret(c.provider.options.aws_session_token, c, w);
}

Result<void> set_additional_fields(FieldContext& c, const Words& w)
{
    json::Parser parser;
    auto parsed = parser.parse(w[1]);
    if (!parsed || !parsed->is_object() || parsed->size() > kMaxAdditional) {
        return invalid_value(w[1], w[0], "a JSON object is expected");
    }
    if (auto unique = json::check_unique_keys(*parsed); !unique) {
        return invalid_value(w[1], w[0], "a key stands twice");
    }
    auto& fields = c.provider.options.bedrock_additional_fields;
    for (const json::Member member : parsed->members()) {
        std::string text;
        json::append_value(text, member.value);
        fields.emplace_back(member.key, std::move(text));
    }
    return {};
}

Result<void> set_cache_retention(FieldContext& c, const Words& w)
{
    const std::string_view known = provider::bedrock_retention(w[1]);
    if (known.empty()) {
        return invalid_value(w[1], w[0], "in_memory or 24h is expected");
    }
    c.provider.options.prompt_cache_retention = known;
    return {};
}

Result<void> set_cache_points(FieldContext& c, const Words& w)
{
    auto& points = c.provider.options.bedrock_cache_points;
    points = {false, false, false};
    for (size_t i = 1; i < w.size(); ++i) {
        const std::string name = plain(w[i]);
        if (name == "systemprompt") {
            points.system_prompt = true;
        } else if (name == "lastusermessage") {
            points.last_user_message = true;
        } else if (name == "lastmessage") {
            points.last_message = true;
        } else if (name != "none" || w.size() != 2) {
            return invalid_value(w[i], w[0],
                "system_prompt, last_user_message, last_message or none is "
                "expected");
        }
    }
    return {};
}

Result<void> set_vertex_auth_key(FieldContext& c, const Words& w)
{
    auto text = resolve_secret(w[1], c.secrets, w[0]);
    if (!text) {
        return std::move(text).error();
    }
    auto account = credential::ServiceAccount::parse(*text);
    if (!account) {
        return config_error(
            "invalid \"vertex_auth_key\": " + account.error().message);
    }
    auto url = provider::parse_url(account->token_uri());
    if (!url) {
        return config_error(
            "invalid \"vertex_auth_key\": \"token_uri\" is no URL: "
            + url.error().message);
    }
    Options& options = c.provider.options;
    if (options.vertex_project_id.empty() && is_name(account->project_id())) {
        options.vertex_project_id = account->project_id();
    }
    options.vertex_auth_key =
        std::make_shared<const credential::ServiceAccount>(std::move(*account));
    c.provider.token_endpoint = std::move(*url);
    return {};
}

Result<void> set_vertex_region(FieldContext& c, const Words& w)
{
    return set_name(c.provider.options.vertex_region, w, "us-central1");
}

Result<void> set_vertex_project(FieldContext& c, const Words& w)
{
    return set_name(c.provider.options.vertex_project_id, w, "my-project");
}

Result<void> set_refresh_ahead(FieldContext& c, const Words& w)
{
    const auto ms = parse_duration_ms(w[1]);
    if (!ms || *ms > kMaxAhead) {
        return invalid_value(
            w[1], w[0], "a duration of at most 30m is expected");
    }
    c.provider.options.vertex_token_refresh_ahead = *ms;
    return {};
}

Result<void> set_azure_token_file(FieldContext& c, const Words& w)
{
    if (!w[1].starts_with('/') || w[1].size() > 4000) {
        return invalid_value(w[1], w[0], "an absolute path is expected");
    }
    c.provider.options.azure_token_file = w[1];
    return {};
}

} // namespace ai_proxy::config
