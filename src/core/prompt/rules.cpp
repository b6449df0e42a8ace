#include "core/prompt/rules.h"

#include <algorithm>
#include <iterator>

namespace ai_proxy::prompt {

namespace {

// Of a pattern over texts of clients; the texts may be long.
constexpr Regex::Limits kLimits{1'000'000, 10'000, 20'000, true};

Error fault(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

bool is_role(std::string_view role) noexcept
{
    return role == "system" || role == "developer" || role == "user"
        || role == "assistant" || role == "tool";
}

// What a text says, and the nginx variable that knows it.
struct Place {
    std::string_view text, variable;
};
constexpr Place kPlaces[] = {
    {"${geo-country}", "geo_country"},
    {"${geo-province}", "geo_province"},
    {"${geo-city}", "geo_city"},
    {"${geo-isp}", "geo_isp"},
};

} // namespace

Text geo_text(std::string text)
{
    Text out;
    out.geo = std::any_of(
        std::begin(kPlaces), std::end(kPlaces), [&text](const Place& place) {
            return text.find(place.text) != std::string::npos;
        });
    out.text = std::move(text);
    return out;
}

std::optional<std::string> resolve(const Text& text, Values& values)
{
    if (text.value) {
        return values.text(*text.value);
    }
    std::string out = text.text;
    for (const Place& place : kPlaces) {
        size_t at = text.geo ? out.find(place.text) : std::string::npos;
        if (at == std::string::npos) {
            continue;
        }
        const std::string value = values.variable(place.variable);
        if (value.empty()) {
            return std::nullopt;
        }
        for (; at != std::string::npos;
             at = out.find(place.text, at + value.size())) {
            out.replace(at, place.text.size(), value);
        }
    }
    return out;
}

Result<Added> read_added(std::string_view role, std::string_view text)
{
    if (!is_role(role) || role == "tool") {
        return fault("invalid role \"" + std::string(role)
            + "\" (system, developer, user or assistant)");
    }
    if (text.empty()) {
        return fault("the text is empty");
    }
    Added added;
    added.role = role;
    added.content.text = text;
    return added;
}

Result<Replacement> read_replacement(std::string_view pattern,
    std::string_view with, std::string_view role, bool regex)
{
    if (pattern.empty()) {
        return fault("the pattern is empty");
    }
    if (!role.empty() && !is_role(role)) {
        return fault("invalid role \"" + std::string(role)
            + "\" (system, developer, user, assistant or tool)");
    }
    Replacement rule;
    rule.role = role;
    rule.pattern = pattern;
    rule.with = with;
    if (regex) {
        auto compiled = Regex::compile(pattern, with, kLimits);
        if (!compiled) {
            return std::move(compiled).error();
        }
        rule.regex = std::move(*compiled);
    }
    return rule;
}

} // namespace ai_proxy::prompt
