#include "core/route/model_map.h"

#include "core/base/regex.h"

#include <algorithm>
#include <map>
#include <optional>

namespace ai_proxy::route {

namespace {

// Bounds of what a client's model name can make a regex cost.
constexpr size_t kMaxSubject = 1024;
constexpr Regex::Limits kLimits{20'000, 1'000, 1'024};
constexpr size_t kMaxRules = 10'000;

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

std::string quoted(std::string_view text)
{
    return std::string("\"").append(text).append("\"");
}

// nullopt: no match, also when a limit was reached.
std::optional<std::string> replace(const Regex& regex, std::string_view name)
{
    std::string out;
    if (regex.replace(name, out) == Regex::Outcome::replaced)
        return out;
    return std::nullopt;
}

} // namespace

struct ModelMap::Rules {
    struct Prefix {
        std::string prefix, target;
    };
    struct Pattern {
        std::string key, target;
        Regex regex;
    };
    std::map<std::string, std::string, std::less<>> exact;
    std::vector<Prefix> prefixes; // longest first
    std::vector<Pattern> patterns;
    std::optional<std::string> otherwise;

    [[nodiscard]] size_t size() const noexcept
    {
        return exact.size() + prefixes.size() + patterns.size();
    }
};

ModelMap::ModelMap() : rules_(std::make_unique<Rules>())
{
}
ModelMap::~ModelMap() = default;
ModelMap::ModelMap(ModelMap&&) noexcept = default;
ModelMap& ModelMap::operator=(ModelMap&&) noexcept = default;

namespace {

Error duplicate(std::string_view from)
{
    return fault("model " + quoted(from) + " is duplicate");
}

std::string or_name(std::string_view target, std::string_view model)
{
    return std::string(target.empty() ? model : target);
}

} // namespace

Result<void> ModelMap::add(std::string_view from, std::string_view to)
{
    Rules& rules = *rules_;
    if (from.empty() || from == "~")
        return fault("empty model name in the model map");
    if (rules.size() >= kMaxRules)
        return fault("too many entries in the model map");
    if (from == "*") {
        if (rules.otherwise)
            return duplicate(from);
        rules.otherwise = to;
        return {};
    }
    if (from[0] == '~') {
        for (const Rules::Pattern& known : rules.patterns)
            if (known.key == from)
                return duplicate(from);
        auto regex = Regex::compile(from.substr(1), to, kLimits);
        if (!regex)
            return regex.error();
        rules.patterns.push_back(
            {std::string(from), std::string(to), std::move(*regex)});
        return {};
    }
    size_t star = from.find('*');
    if (star == std::string_view::npos) {
        bool added = rules.exact.emplace(from, to).second;
        return added ? Result<void>() : Result<void>(duplicate(from));
    }
    if (star + 1 != from.size())
        return fault("\"*\" inside " + quoted(from)
            + " (only the last character can be one)");
    std::string_view prefix = from.substr(0, star);
    auto place = rules.prefixes.begin();
    for (; place != rules.prefixes.end(); ++place) {
        if (place->prefix == prefix)
            return duplicate(from);
        if (place->prefix.size() < prefix.size())
            break;
    }
    rules.prefixes.insert(place, {std::string(prefix), std::string(to)});
    return {};
}

bool ModelMap::empty() const noexcept
{
    return rules_->size() == 0 && !rules_->otherwise;
}

std::string ModelMap::map(std::string_view model) const
{
    const Rules& rules = *rules_;
    if (auto hit = rules.exact.find(model); hit != rules.exact.end())
        return or_name(hit->second, model);
    for (const Rules::Prefix& rule : rules.prefixes)
        if (model.starts_with(rule.prefix))
            return or_name(rule.target, model);
    if (model.size() <= kMaxSubject)
        for (const Rules::Pattern& rule : rules.patterns)
            if (auto text = replace(rule.regex, model))
                return rule.target.empty() ? std::string(model)
                                           : or_name(*text, model);
    return or_name(rules.otherwise ? *rules.otherwise : "", model);
}

std::vector<std::string_view> ModelMap::exact_names() const
{
    std::vector<std::string_view> all;
    for (const auto& rule : rules_->exact)
        all.push_back(rule.first);
    return all;
}

std::vector<std::string_view> ModelMap::names() const
{
    std::vector<std::string_view> all;
    for (const auto& [from, to] : rules_->exact) {
        all.push_back(from);
        all.push_back(to);
    }
    for (const Rules::Prefix& rule : rules_->prefixes)
        all.push_back(rule.target);
    if (rules_->otherwise)
        all.push_back(*rules_->otherwise);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (!all.empty() && all.front().empty())
        all.erase(all.begin());
    return all;
}

} // namespace ai_proxy::route
