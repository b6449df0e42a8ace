#include "core/config/fields.h"

#include "core/provider/registry.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

Result<void> check_belongs(const Field& field, const provider::Type* type)
{
    if (type == nullptr || belongs(field, type->name))
        return {};
    return config_error("field \"" + std::string(field.name)
        + "\" does not belong to type \"" + std::string(type->name) + "\"");
}

} // namespace

ProviderBuilder::ProviderBuilder(std::string name, SecretSource secrets)
    : provider_(std::make_unique<Provider>()), secrets_(std::move(secrets))
{
    provider_->options.name = std::move(name);
}

ProviderBuilder::~ProviderBuilder() = default;

Result<void> ProviderBuilder::line(const Words& words)
{
    std::string name(words.empty() ? std::string_view() : words[0]);
    const Field* field = find_field(name);
    if (field == nullptr)
        return config_error("unknown field \"" + name + "\"");
    bool seen = std::find(seen_.begin(), seen_.end(), name) != seen_.end();
    if (seen && !field->repeats)
        return config_error("\"" + name + "\" is duplicate");
    size_t arguments = words.size() - 1;
    if (arguments < field->least || arguments > field->most)
        return config_error("invalid number of arguments in \"" + name + "\"");

    FieldContext context{*provider_, secrets_};
    if (auto done = field->set(context, words); !done)
        return done;
    if (!seen)
        seen_.push_back(name);
    // The type may come after fields that are not its own.
    const provider::Type* type = provider_->options.type;
    if (name != "type")
        return check_belongs(*field, type);
    for (const std::string& earlier : seen_)
        if (auto done = check_belongs(*find_field(earlier), type); !done)
            return done;
    return {};
}

Result<std::unique_ptr<Provider>> ProviderBuilder::finish()
{
    provider::Options& options = provider_->options;
    if (options.type != nullptr && options.type->name == "claude"
        && options.claude_version.empty())
        options.claude_version = options.api_version;
    // The documented address of the coding plan says the mode.
    if (options.type != nullptr && options.type->name == "zhipuai"
        && options.base_url
        && options.base_url->path.ends_with("/api/coding/paas/v4"))
        options.zhipu_code_plan_mode = true;
    if (auto done = provider::check(options); !done)
        return done.error();
    if (provider_->health.interval_ms != 0
        && (options.type->mock || !options.location.empty()))
        return config_error("\"health_check\" needs a provider that has an "
                            "address of its own");
    if (!options.type->mock && options.location.empty()) {
        auto place = provider::endpoint(options);
        if (!place)
            return std::move(place).error();
        provider_->endpoint = std::move(*place);
    }
    return std::move(provider_);
}

} // namespace ai_proxy::config
