#include "core/config/gateway.h"

#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

Provider& Gateway::add(std::unique_ptr<Provider> provider)
{
    route::KeyPool& pool = keys.emplace_back(
        static_cast<uint32_t>(provider->options.api_tokens.size()));
    pool.select = provider->key_select;
    pool.cooldown_least_ms = provider->cooldown_least_ms;
    // Without keys of its own the client's are what is refused.
    pool.cooldown_most_ms =
        provider->options.api_tokens.empty() ? 0 : provider->cooldown_most_ms;
    return *providers.emplace_back(std::move(provider));
}

int Gateway::find_provider(std::string_view name) const noexcept
{
    for (size_t i = 0; i < providers.size(); ++i)
        if (providers[i]->options.name == name)
            return static_cast<int>(i);
    return -1;
}

route::Route* Gateway::find_route(std::string_view name) noexcept
{
    for (auto& route : routes)
        if (route->name == name)
            return route.get();
    return nullptr;
}

Result<void> add_model_map(
    route::ModelMap& map, const Words& words, size_t first)
{
    size_t count = words.size() - std::min(first, words.size());
    if (count == 2)
        return map.add(words[first], words[first + 1]);
    // One word holds both: "~^gpt-(.*)$ qwen-$1"
    size_t space = count == 1 ? words[first].rfind(' ') : std::string::npos;
    if (space == std::string_view::npos)
        return config_error("invalid number of arguments in \"model_map\"");
    return map.add(
        words[first].substr(0, space), words[first].substr(space + 1));
}

} // namespace ai_proxy::config
