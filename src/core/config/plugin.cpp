#include "core/config/plugin.h"

#include "core/config/plugin_auth.h"
#include "core/config/plugin_ai_proxy.h"
#include "core/config/plugin_limits.h"
#include "core/config/plugin_model_mapper.h"
#include "core/config/plugin_model_router.h"
#include "core/config/plugin_prompts.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

// A plugin is a row here, a member of Plugins and a reader of its settings.
constexpr Plugin kPlugins[] = {
    plugin_of_its_own<AuthPlugin, &Plugins::jwt_auth>(
        "jwt-auth", load_jwt_auth),
    plugin_of_its_own<AuthPlugin, &Plugins::key_auth>(
        "key-auth", load_key_auth),
    plugin_row<AiProxy, &Plugins::ai_proxy, read_ai_proxy>("ai-proxy"),
    plugin_of_rules<route::ModelRouter, &Plugins::model_router,
        read_model_router>("model-router"),
    plugin_of_rules<route::ModelMapper, &Plugins::model_mapper,
        read_model_mapper>("model-mapper"),
    plugin_of_rules<prompt::Templates, &Plugins::prompt_template,
        read_prompt_templates>("ai-prompt-template"),
    plugin_of_rules<prompt::Decorations, &Plugins::prompt_decorator,
        read_prompt_decorations>("ai-prompt-decorator"),
    plugin_of_rules<prompt::ContextLimit, &Plugins::context_limit,
        read_context_limit>("ai-context-limit"),
    plugin_of_rules<Quota, &Plugins::quota, read_quota>("ai-quota"),
    plugin_of_rules<KeyLimit, &Plugins::token_limit, read_token_limit>(
        "ai-token-ratelimit"),
    plugin_of_rules<KeyLimit, &Plugins::request_limit, read_request_limit>(
        "cluster-key-rate-limit"),
};

} // namespace

std::span<const Plugin> plugins() noexcept
{
    return kPlugins;
}

namespace {

template <class T>
void add_names(std::vector<std::string_view>& to, const Rules<T>* rules)
{
    const auto add = [&to](const T& settings) {
        const auto names = settings.names();
        to.insert(to.end(), names.begin(), names.end());
    };
    if (rules != nullptr && rules->global) {
        add(*rules->global);
    }
    for (size_t i = 0; rules != nullptr && i < rules->list.size(); ++i) {
        add(rules->list[i].settings);
    }
}

} // namespace

std::vector<std::string_view> Plugins::models() const
{
    std::vector<std::string_view> all;
    add_names(all, model_router.get());
    add_names(all, model_mapper.get());
    return all;
}

const Plugin* find_plugin(std::string_view name) noexcept
{
    const auto found = std::find_if(std::begin(kPlugins), std::end(kPlugins),
        [name](const Plugin& plugin) { return plugin.name == name; });
    return found == std::end(kPlugins) ? nullptr : found;
}

} // namespace ai_proxy::config
