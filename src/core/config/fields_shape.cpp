#include "core/config/fields_shape.h"

#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/provider/registry.h"
#include "core/provider/url.h"

#include <algorithm>

namespace ai_proxy::config {
namespace {

using provider::Options;

constexpr size_t kMostSettings = 64;
constexpr size_t kMostContext = 1024 * 1024;
constexpr size_t kMostPath = 1024;

// What is JSON is meant so, everything else is a text.
std::string json_of(std::string_view value)
{
    json::Parser parser;
    std::string out;
    if (const auto parsed = parser.parse(value)) {
        json::append_value(out, *parsed);
    } else {
        json::append_string(out, value);
    }
    return out;
}

// Names of a dotted path; empty when one of them is.
std::vector<std::string> split_path(std::string_view text)
{
    std::vector<std::string> names;
    for (bool more = true; more;) {
        const size_t dot = text.find('.');
        more = dot != std::string_view::npos;
        names.emplace_back(text.substr(0, dot));
        if (names.back().empty())
            return {};
        if (more)
            text.remove_prefix(dot + 1);
    }
    return names;
}

bool is_common(std::string_view name) noexcept
{
    constexpr std::string_view kCommon[] = {
        "max_tokens", "temperature", "top_p", "top_k", "seed"};
    return std::find(std::begin(kCommon), std::end(kCommon), name)
        != std::end(kCommon);
}

Result<std::string> path_value(const Words& w)
{
    std::string_view path = w[1];
    while (path.ends_with('/'))
        path.remove_suffix(1);
    const bool good = path.starts_with('/') && path.size() <= kMostPath
        && path.find_first_of("?# ") == std::string_view::npos
        && provider::check_path(path).ok();
    if (!good)
        return invalid_value(w[1], w[0], "a path like \"/llm\" is expected");
    return std::string(path);
}

} // namespace

Result<void> set_custom_setting(FieldContext& c, const Words& w)
{
    auto& settings = c.provider.options.custom_settings;
    provider::CustomSetting setting;
    bool raw = false;
    for (size_t i = 3; i < w.size(); i++) {
        if (w[i] == "mode=raw" || w[i] == "mode=auto")
            raw = w[i] == "mode=raw";
        else if (w[i] == "overwrite=on" || w[i] == "overwrite=off")
            setting.overwrite = w[i] == "overwrite=on";
        else
            return invalid_value(w[i], w[0],
                "mode=auto, mode=raw, overwrite=on or overwrite=off is "
                "expected");
    }
    if (!raw && !is_common(w[1]))
        return invalid_value(w[1], w[0],
            "max_tokens, temperature, top_p, top_k or seed is expected, or "
            "mode=raw");
    setting.path = split_path(w[1]);
    if (setting.path.empty() || setting.path[0] == "messages"
        || setting.path[0] == "model" || setting.path[0] == "stream")
        return invalid_value(w[1], w[0], "this member cannot be set");
    if (settings.size() == kMostSettings)
        return config_error("too many \"custom_setting\"");
    setting.value = json_of(w[2]);
    settings.push_back(std::move(setting));
    return {};
}

Result<void> set_capability(FieldContext& c, const Words& w)
{
    auto& all = c.provider.options.capabilities;
    dialect::Api api = dialect::Api::unknown;
    for (size_t i = 1; i < dialect::kApis; i++)
        if (dialect::name(dialect::Api(i)) == w[1])
            api = dialect::Api(i);
    if (api == dialect::Api::unknown)
        return invalid_value(
            w[1], w[0], "a name like \"openai/v1/embeddings\" is expected");
    for (const auto& known : all)
        if (known.first == api)
            return config_error(
                "\"" + std::string(w[1]) + "\" in \"capability\" is duplicate");
    const std::string_view path = w[2];
    if (!path.starts_with('/') || path.size() > kMostPath
        || path.find_first_of("# ") != std::string_view::npos
        || !provider::check_path(path.substr(0, path.find('?'))).ok())
        return invalid_value(path, w[0], "a path is expected");
    all.emplace_back(api, path);
    return {};
}

Result<void> set_base_path(FieldContext& c, const Words& w)
{
    auto path = path_value(w);
    if (!path)
        return path.error();
    c.provider.options.base_path = std::move(*path);
    return {};
}

Result<void> set_base_path_handling(FieldContext& c, const Words& w)
{
    if (w[1] != "remove_prefix" && w[1] != "prepend")
        return invalid_value(
            w[1], w[0], "remove_prefix or prepend is expected");
    c.provider.options.base_path_prepend = w[1] == "prepend";
    return {};
}

Result<void> set_provider_base_path(FieldContext& c, const Words& w)
{
    auto path = path_value(w);
    if (!path)
        return path.error();
    c.provider.options.provider_base_path = std::move(*path);
    return {};
}

Result<void> set_provider_domain(FieldContext& c, const Words& w)
{
    const std::string url = "https://" + std::string(w[1]);
    auto host = provider::parse_url(url);
    if (!host || !host->path.empty()
        || w[1].find('/') != std::string_view::npos)
        return invalid_value(w[1], w[0], "a host name is expected");
    // Without a port the provider's own stays.
    const bool port =
        w[1].find(':') != std::string_view::npos && !w[1].ends_with(']');
    host->port = port ? host->port : uint16_t(0);
    c.provider.options.provider_domain = std::move(*host);
    return {};
}

Result<void> set_protocol(FieldContext& c, const Words& w)
{
    if (w[1] != "openai" && w[1] != "original")
        return invalid_value(w[1], w[0], "openai or original is expected");
    c.provider.options.original = w[1] == "original";
    return {};
}

Result<void> set_developer_role(FieldContext& c, const Words& w)
{
    if (w[1] != "on" && w[1] != "off")
        return invalid_value(w[1], w[0], "it must be \"on\" or \"off\"");
    c.provider.options.developer_role = w[1] == "on";
    return {};
}

Result<void> set_context_file(FieldContext& c, const Words& w)
{
    if (!c.secrets || w[1].empty())
        return invalid_value(w[1], w[0]);
    auto text = c.secrets("file:" + std::string(w[1]));
    if (!text)
        return text.error();
    const std::string_view trimmed = trim(*text);
    if (trimmed.empty() || trimmed.size() > kMostContext)
        return invalid_value(
            w[1], w[0], "the file must hold 1 byte to 1 megabyte of text");
    c.provider.options.context = trimmed;
    return {};
}

} // namespace ai_proxy::config
