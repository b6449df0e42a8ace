#include "core/config/site_models.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

// The route that serves the model; mapped: its name there.
const route::Route* route_for(
    const Site& site, std::string_view model, std::string& mapped)
{
    mapped = site.model_map.map(model);
    const auto found = std::find_if(site.routes.begin(), site.routes.end(),
        [&mapped](const route::Route* r) { return r->matches(mapped); });
    if (found == site.routes.end()) {
        return nullptr;
    }
    mapped = (*found)->model_map.map(mapped);
    return *found;
}

class Names {
public:
    Names(const Gateway& gateway, const Site& site)
        : gateway_(gateway), site_(site)
    {
    }

    void add(std::string_view name)
    {
        const auto same = [name](const auto& m) { return m.id == name; };
        std::string mapped;
        const route::Route* route = route_for(site_, name, mapped);
        if (name.empty() || route == nullptr
            || std::any_of(models_.begin(), models_.end(), same))
        {
            return;
        }
        dialect::Model model;
        model.id = name;
        model.owner =
            gateway_.providers[route->targets.front().provider]->options.name;
        models_.push_back(std::move(model));
    }

    void add(const std::vector<std::string_view>& names)
    {
        for (const std::string_view name : names) {
            add(name);
        }
    }

    void add(const route::Route& route)
    {
        for (const std::string& pattern : route.match) {
            if (pattern.find('*') == std::string::npos) {
                add(std::string_view(pattern));
            }
        }
        add(route.model_map.exact_names());
        for (const route::Target& target : route.targets) {
            const Provider& provider = *gateway_.providers[target.provider];
            if (target.model.empty()) {
                add(provider.model_map.exact_names());
            }
            for (const std::string& name : provider.options.models) {
                add(std::string_view(name));
            }
        }
    }

    [[nodiscard]] std::vector<dialect::Model> take()
    {
        return std::move(models_);
    }

private:
    const Gateway& gateway_;
    const Site& site_;
    std::vector<dialect::Model> models_;
};

} // namespace

std::vector<dialect::Model> own_models(const Gateway& gateway, const Site& site)
{
    Names names(gateway, site);
    names.add(site.model_map.exact_names());
    for (const route::Route* route : site.routes) {
        names.add(*route);
    }
    return names.take();
}

bool reaches(const Gateway& gateway, const Site& site, std::string_view model,
    uint16_t provider)
{
    std::string mapped;
    const route::Route* route = route_for(site, model, mapped);
    return route != nullptr
        && std::any_of(route->targets.begin(), route->targets.end(),
            [&](const route::Target& target) {
                return target.provider == provider && target.model.empty()
                    && gateway.providers[provider]->model_map.map(mapped)
                    == model;
            });
}

} // namespace ai_proxy::config
