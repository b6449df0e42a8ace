#include "core/config/fields.h"
#include "core/config/route_rules.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

constexpr size_t kMaxTargets = 64;
constexpr size_t kMaxGlobs = 1000;
constexpr uint64_t kMaxWeight = 65535;

Result<void> set_weight(route::Target& target, std::string_view value)
{
    auto n = parse_uint(value);
    if (!n || *n == 0 || *n > kMaxWeight)
        return invalid_value(
            value, "weight", "a number from 1 to 65535 is expected");
    target.weight = static_cast<uint32_t>(*n);
    return {};
}

Result<void> set_model(route::Target& target, std::string_view value)
{
    if (value.empty())
        return invalid_value(value, "model");
    target.model = value;
    return {};
}

Result<void> set_on(route::Target& target, std::string_view value)
{
    auto on = route::On::parse(value);
    if (!on)
        return on.error();
    target.on = std::move(*on);
    return {};
}

Result<void> set_match(route::Route& route, const Words& words)
{
    if (words.size() < 2)
        return config_error("invalid number of arguments in \"match\"");
    for (size_t i = 1; i < words.size(); ++i) {
        if (words[i].empty())
            return invalid_value(words[i], "match");
        if (std::find(route.match.begin(), route.match.end(), words[i])
            != route.match.end())
            return config_error(
                "\"" + std::string(words[i]) + "\" in \"match\" is duplicate");
        if (route.match.size() == kMaxGlobs)
            return config_error("too many words in \"match\"");
        route.match.emplace_back(words[i]);
    }
    return {};
}

Result<void> add_target(std::vector<route::Target>& targets, const Words& words,
    const Gateway& gateway, bool is_fallback)
{
    if (targets.size() == kMaxTargets)
        return config_error("too many \"" + std::string(words[0]) + "\"");
    auto target = parse_target(words, 1, gateway, is_fallback);
    if (!target)
        return target.error();
    for (const route::Target& known : targets)
        if (known.provider == target->provider && known.model == target->model)
            return config_error("\"" + std::string(words[1]) + "\" in \""
                + std::string(words[0]) + "\" is duplicate");
    targets.push_back(std::move(*target));
    return {};
}

Result<void> set_tier(route::Target& target, std::string_view value)
{
    auto n = parse_uint(value);
    if (!n || *n == 0 || *n > kMaxTargets)
        return invalid_value(
            value, "tier", "a number from 1 to 64 is expected");
    target.tier = static_cast<uint16_t>(*n);
    return {};
}

} // namespace

Result<route::Target> parse_target(
    const Words& words, size_t first, const Gateway& gateway, bool is_fallback)
{
    if (words.size() <= first)
        return config_error("no provider name");
    route::Target target;
    int index = gateway.find_provider(words[first]);
    if (index < 0)
        return config_error(
            "unknown provider \"" + std::string(words[first]) + "\"");
    target.provider = static_cast<uint16_t>(index);

    struct Setting {
        std::string_view name;
        bool allowed;
        Result<void> (*set)(route::Target&, std::string_view);
        bool seen = false;
    };
    Setting settings[] = {{"weight", !is_fallback, set_weight},
        {"tier", !is_fallback, set_tier}, {"model", true, set_model},
        {"on", is_fallback, set_on}};
    for (size_t i = first + 1; i < words.size(); ++i) {
        auto pair = split_pair(words[i]);
        auto found = std::find_if(
            std::begin(settings), std::end(settings), [&](const Setting& s) {
                return pair && s.allowed && s.name == pair->name;
            });
        if (found == std::end(settings))
            return config_error(
                "unknown parameter \"" + std::string(words[i]) + "\"");
        if (found->seen)
            return config_error(
                "\"" + std::string(found->name) + "\" is duplicate");
        found->seen = true;
        if (auto done = found->set(target, pair->value); !done)
            return done.error();
    }
    return target;
}

RouteBuilder::RouteBuilder(std::string name, const Gateway& gateway)
    : route_(std::make_unique<route::Route>()), gateway_(gateway)
{
    route_->name = std::move(name);
}

Result<void> RouteBuilder::line(const Words& words)
{
    std::string name(words.empty() ? std::string_view() : words[0]);
    if (name == "match")
        return set_match(*route_, words);
    if (name == "provider")
        return add_target(route_->targets, words, gateway_, false);
    if (name == "fallback")
        return add_target(route_->fallbacks, words, gateway_, true);
    if (name == "model_map")
        return add_model_map(route_->model_map, words, 1);
    const RouteRule* rule = find_route_rule(name);
    if (rule == nullptr)
        return config_error("unknown field \"" + name + "\"");
    if (std::find(seen_.begin(), seen_.end(), name) != seen_.end())
        return config_error("\"" + name + "\" is duplicate");
    seen_.push_back(name);
    return rule->set(*route_, words);
}

Result<std::unique_ptr<route::Route>> RouteBuilder::finish()
{
    if (route_->targets.empty())
        return config_error(
            "no \"provider\" in route \"" + route_->name + "\"");
    return std::move(route_);
}

} // namespace ai_proxy::config
