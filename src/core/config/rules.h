#pragma once

#include "core/base/result.h"
#include "core/config/yaml.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Which of a plugin's settings hold for a request (features.md 0.1).
namespace ai_proxy::config {

// What rules may go by.  "": not known (yet).
struct Subject {
    std::string_view route;    // of ai_proxy_route
    std::string_view location; // of nginx, which is a route's name as well
    std::string_view host;     // without port, in lower case
    std::string_view service;  // the provider
};

// Every kind of name that a rule has must match.
struct Matcher {
    std::vector<std::string> routes, route_prefixes;
    std::vector<std::string> domains;  // exact, "*.x.com", "x*", "*"
    std::vector<std::string> services; // as the rule names them, without port

    [[nodiscard]] bool matches(const Subject& subject) const noexcept;
    // May it match once those that are not known yet are known?
    [[nodiscard]] bool may_match(const Subject& subject) const noexcept;
};

// Does a service's name mean the provider?  "qwen", "qwen.static", "qwen.dns"
// and "llm-qwen.internal.dns" all mean "qwen".
[[nodiscard]] bool is_service(
    std::string_view service, std::string_view provider) noexcept;

template <class T>
struct Rules {
    struct Rule {
        Matcher matcher;
        T settings;
    };
    std::optional<T> global;
    std::vector<Rule> list; // the first that matches holds

    // nullptr: the plugin is off.
    [[nodiscard]] const T* find(const Subject& subject) const noexcept
    {
        for (const Rule& rule : list) {
            if (rule.matcher.matches(subject)) {
                return &rule.settings;
            }
        }
        return global ? &*global : nullptr;
    }
};

// A document apart: what holds for all, and each rule with its matcher.
// WasmPlugin resources of Kubernetes are the same thing in other words.
struct RuleNodes {
    struct Rule {
        Matcher matcher;
        yaml::Node settings; // the matcher's own members are gone
    };
    yaml::Node global; // missing: nothing holds for all
    std::vector<Rule> list;
};
[[nodiscard]] Result<RuleNodes> split_rules(yaml::Document& document);

} // namespace ai_proxy::config
