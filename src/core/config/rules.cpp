#include "core/config/rules.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using yaml::Kind;
using yaml::Node;

bool match_domain(std::string_view pattern, std::string_view host) noexcept
{
    if (pattern.starts_with('*')) {
        return host.ends_with(pattern.substr(1));
    }
    if (pattern.ends_with('*')) {
        pattern.remove_suffix(1);
        return host.starts_with(pattern);
    }
    return host == pattern;
}

// A host may be an address of IPv6 in brackets.
std::string_view without_port(std::string_view name) noexcept
{
    const size_t colon = name.rfind(':');
    const bool port = colon != std::string_view::npos
        && name.find(']', colon) == std::string_view::npos
        && parse_uint(name.substr(colon + 1)).has_value();
    return port ? name.substr(0, colon) : name;
}

template <class Names, class Test>
bool any(const Names& names, Test test) noexcept
{
    return std::any_of(std::begin(names), std::end(names), test);
}

Result<void> take_names(std::vector<std::string>& to, Node list)
{
    if (!list.has_value()) {
        return {};
    }
    auto names = list.texts();
    if (!names) {
        return std::move(names).error();
    }
    for (std::string& name : *names) {
        if (name.empty()) {
            return list.error("a name is empty");
        }
        to.push_back(std::move(name));
    }
    return {};
}

void tidy(Matcher& matcher)
{
    for (std::string& domain : matcher.domains) {
        domain = without_port(domain);
        std::transform(domain.begin(), domain.end(), domain.begin(), lower);
    }
    for (std::string& service : matcher.services) {
        service = without_port(service);
    }
}

struct MatcherField {
    std::string_view name;
    std::vector<std::string> Matcher::*member;
};

constexpr MatcherField kOwn[] = {
    {"_match_route_", &Matcher::routes},
    {"_match_route_prefix_", &Matcher::route_prefixes},
    {"_match_domain_", &Matcher::domains},
    {"_match_service_", &Matcher::services},
};

constexpr MatcherField kKubernetes[] = {
    {"ingress", &Matcher::routes},
    {"domain", &Matcher::domains},
    {"service", &Matcher::services},
};

Result<Matcher> read_matcher(std::span<const MatcherField> fields, Node rule)
{
    if (auto done = rule.expect(Kind::mapping); !done) {
        return std::move(done).error();
    }
    Matcher matcher;
    bool some = false;
    for (const MatcherField& field : fields) {
        const Node names = rule[field.name];
        if (auto done = take_names(matcher.*field.member, names); !done) {
            return std::move(done).error();
        }
        some = some || !(matcher.*field.member).empty();
    }
    if (!some) {
        std::string wanted;
        for (const MatcherField& field : fields) {
            wanted += wanted.empty() ? "" : ", ";
            wanted += field.name;
        }
        return rule.error("the rule matches nothing (" + wanted + ")");
    }
    tidy(matcher);
    return matcher;
}

bool is_matcher_field(std::string_view name) noexcept
{
    return any(kOwn, [name](const MatcherField& f) { return f.name == name; });
}

Result<void> split_own(yaml::Document& document, Node settings, RuleNodes& to)
{
    const Node rules = settings["_rules_"];
    if (!rules.has_value()) {
        to.global = settings;
        return {};
    }
    if (auto done = rules.expect(Kind::sequence); !done) {
        return done;
    }
    to.global = document.without(
        settings, [](std::string_view name) { return name == "_rules_"; });
    if (to.global.size() == 0) {
        to.global = {};
    }
    for (size_t i = 0; i < rules.size(); ++i) {
        auto matcher = read_matcher(kOwn, rules.at(i));
        if (!matcher) {
            return std::move(matcher).error();
        }
        to.list.push_back({std::move(*matcher),
            document.without(rules.at(i), is_matcher_field)});
    }
    return {};
}

Result<bool> flag_of(Node node)
{
    return node.has_value() ? node.boolean() : Result<bool>(false);
}

// The fields of a resource that say where and when to run it mean nothing
// here.
Result<void> split_kubernetes(yaml::Document& document, RuleNodes& to)
{
    const Node spec = document.root()["spec"];
    if (auto done = spec.expect(Kind::mapping); !done) {
        return document.root().error("\"spec\" is missing or no mapping");
    }
    const auto off = flag_of(spec["defaultConfigDisable"]);
    if (!off) {
        return off.error();
    }
    const Node global = spec["defaultConfig"];
    if (global.has_value() && !*off) {
        if (auto done = global.expect(Kind::mapping); !done) {
            return done;
        }
        if (auto done = split_own(document, global, to); !done) {
            return done;
        }
    }
    const Node rules = spec["matchRules"];
    if (rules.has_value()) {
        if (auto done = rules.expect(Kind::sequence); !done) {
            return done;
        }
    }
    for (size_t i = 0; i < rules.size(); ++i) {
        const Node rule = rules.at(i);
        auto matcher = read_matcher(kKubernetes, rule);
        if (!matcher) {
            return std::move(matcher).error();
        }
        const auto skip = flag_of(rule["configDisable"]);
        if (!skip) {
            return skip.error();
        }
        if (!*skip) {
            const Node own = rule["config"];
            to.list.push_back({std::move(*matcher),
                own.has_value() ? own : document.empty_at(rule)});
        }
    }
    return {};
}

} // namespace

bool is_service(std::string_view service, std::string_view provider) noexcept
{
    if (service == provider) {
        return true;
    }
    for (std::string_view end : {".dns", ".static"}) {
        if (service.ends_with(end)) {
            service.remove_suffix(end.size());
            break;
        }
    }
    if (service == provider) {
        return true;
    }
    constexpr std::string_view kBegin = "llm-", kEnd = ".internal";
    if (!service.starts_with(kBegin) || !service.ends_with(kEnd)
        || service.size() < kBegin.size() + kEnd.size())
    {
        return false;
    }
    service.remove_prefix(kBegin.size());
    service.remove_suffix(kEnd.size());
    return service == provider;
}

bool Matcher::matches(const Subject& s) const noexcept
{
    const auto is_route = [&s](std::string_view name) {
        return name == s.route || name == s.location;
    };
    const auto is_prefix = [&s](std::string_view name) {
        return s.route.starts_with(name) || s.location.starts_with(name);
    };
    const auto is_domain = [&s](std::string_view name) {
        return match_domain(name, s.host);
    };
    const auto is_target = [&s](std::string_view name) {
        return !s.service.empty() && is_service(name, s.service);
    };
    return (routes.empty() || any(routes, is_route))
        && (route_prefixes.empty() || any(route_prefixes, is_prefix))
        && (domains.empty() || any(domains, is_domain))
        && (services.empty() || any(services, is_target));
}

bool Matcher::may_match(const Subject& subject) const noexcept
{
    Matcher known;
    if (!subject.route.empty()) {
        known.routes = routes;
        known.route_prefixes = route_prefixes;
    }
    if (!subject.host.empty()) {
        known.domains = domains;
    }
    if (!subject.service.empty()) {
        known.services = services;
    }
    return known.matches(subject);
}

Result<RuleNodes> split_rules(yaml::Document& document)
{
    RuleNodes nodes;
    const Node kind = document.root()["kind"];
    const bool resource = kind.is_scalar() && kind.item()->text == "WasmPlugin";
    auto done = resource ? split_kubernetes(document, nodes)
                         : split_own(document, document.root(), nodes);
    if (!done) {
        return std::move(done).error();
    }
    return nodes;
}

} // namespace ai_proxy::config
