#pragma once

#include "core/config/gateway.h"
#include "core/config/plugins.h"

#include <memory>
#include <span>
#include <string_view>
#include <utility>

// ai_proxy_plugin: the table of the plugins whose files are understood.
namespace ai_proxy::config {

// What reads a file.
struct LoadContext {
    yaml::Document& document;
    yaml::Warnings& warnings; // each with file and line
    const SecretSource& secrets;
    Gateway& gateway; // gets the providers that a file has
};

struct Plugin {
    std::string_view name;
    // Reads a document into the plugin's own member.
    Result<void> (*load)(LoadContext& context, Plugins& to);
    bool (*is_set)(const Plugins& plugins) noexcept;
    // Copies the member if it is not set.
    void (*inherit)(Plugins& to, const Plugins& from);
};

[[nodiscard]] std::span<const Plugin> plugins() noexcept;
// nullptr: nobody knows it.
[[nodiscard]] const Plugin* find_plugin(std::string_view name) noexcept;

// Reads what holds for all and each rule by itself; read is
// Result<T>(yaml::Node settings, LoadContext&).
template <class T, auto read>
[[nodiscard]] Result<Rules<T>> read_rules(LoadContext& context)
{
    auto nodes = split_rules(context.document);
    if (!nodes) {
        return std::move(nodes).error();
    }
    Rules<T> rules;
    if (nodes->global.has_value()) {
        auto settings = read(nodes->global, context);
        if (!settings) {
            return std::move(settings).error();
        }
        rules.global = std::move(*settings);
    }
    for (auto& rule : nodes->list) {
        auto settings = read(rule.settings, context);
        if (!settings) {
            return std::move(settings).error();
        }
        rules.list.push_back({std::move(rule.matcher), std::move(*settings)});
    }
    return rules;
}

// The row of a plugin whose member of Plugins is a
// std::shared_ptr<const Rules<T>>; read_all is Result<Rules<T>>(LoadContext&).
template <class T, std::shared_ptr<const Rules<T>> Plugins::*member,
    auto read_all>
[[nodiscard]] constexpr Plugin plugin_row(std::string_view name) noexcept
{
    return {name,
        [](LoadContext& context, Plugins& to) -> Result<void> {
            auto rules = read_all(context);
            if (!rules) {
                return std::move(rules).error();
            }
            to.*member = std::make_shared<const Rules<T>>(std::move(*rules));
            return {};
        },
        [](const Plugins& plugins) noexcept {
            return plugins.*member != nullptr;
        },
        [](Plugins& to, const Plugins& from) {
            if (to.*member == nullptr) {
                to.*member = from.*member;
            }
        }};
}

// The same when the rules do not know of each other.
template <class T, std::shared_ptr<const Rules<T>> Plugins::*member, auto read>
[[nodiscard]] constexpr Plugin plugin_of_rules(std::string_view name) noexcept
{
    return plugin_row<T, member, read_rules<T, read>>(name);
}

// The row of a plugin that reads its file itself.
template <class T, std::shared_ptr<const T> Plugins::*member>
[[nodiscard]] constexpr Plugin plugin_of_its_own(std::string_view name,
    Result<void> (*load)(LoadContext& context, Plugins& to)) noexcept
{
    return {name, load,
        [](const Plugins& plugins) noexcept {
            return plugins.*member != nullptr;
        },
        [](Plugins& to, const Plugins& from) {
            if (to.*member == nullptr) {
                to.*member = from.*member;
            }
        }};
}

} // namespace ai_proxy::config
