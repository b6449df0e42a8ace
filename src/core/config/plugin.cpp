#include "core/config/plugin.h"

#include "core/config/plugin_auth.h"
#include "core/config/plugin_model_mapper.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

// A plugin is a row here, a member of Plugins and a reader of its settings.
constexpr Plugin kPlugins[] = {
    plugin_of_its_own<AuthPlugin, &Plugins::jwt_auth>(
        "jwt-auth", load_jwt_auth),
    plugin_of_its_own<AuthPlugin, &Plugins::key_auth>(
        "key-auth", load_key_auth),
    plugin_of_rules<route::ModelMapper, &Plugins::model_mapper,
        read_model_mapper>("model-mapper"),
};

} // namespace

std::span<const Plugin> plugins() noexcept
{
    return kPlugins;
}

std::vector<std::string_view> Plugins::models() const
{
    std::vector<std::string_view> all;
    const auto add = [&all](const route::ModelMapper& mapper) {
        const auto names = mapper.names();
        all.insert(all.end(), names.begin(), names.end());
    };
    if (model_mapper != nullptr) {
        if (model_mapper->global) {
            add(*model_mapper->global);
        }
        for (const auto& rule : model_mapper->list) {
            add(rule.settings);
        }
    }
    return all;
}

const Plugin* find_plugin(std::string_view name) noexcept
{
    const auto found = std::find_if(std::begin(kPlugins), std::end(kPlugins),
        [name](const Plugin& plugin) { return plugin.name == name; });
    return found == std::end(kPlugins) ? nullptr : found;
}

} // namespace ai_proxy::config
