#include "core/config/fields.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::config {

Error config_error(std::string phrase)
{
    return make_error(ErrorCode::invalid_request, std::move(phrase));
}

Error invalid_value(
    std::string_view value, std::string_view field, std::string_view reason)
{
    std::string text = "invalid value ";
    // A URL with user information may hold a password.
    if (value.find('@') == std::string_view::npos)
        text.append("\"").append(value).append("\" ");
    text.append("in \"").append(field).append("\"");
    if (!reason.empty())
        text.append(": ").append(reason);
    return config_error(std::move(text));
}

std::optional<Pair> split_pair(std::string_view word) noexcept
{
    size_t equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0)
        return std::nullopt;
    return Pair{word.substr(0, equals), word.substr(equals + 1)};
}

std::optional<DurationRange> parse_duration_range(
    std::string_view text, uint64_t most_ms) noexcept
{
    const size_t dots = text.find("..");
    const auto least = parse_duration_ms(text.substr(0, dots));
    const auto most = dots == std::string_view::npos
        ? least
        : parse_duration_ms(text.substr(dots + 2));
    if (!least || !most || *least == 0 || *least > *most || *most > most_ms)
        return std::nullopt;
    return DurationRange{*least, *most};
}

std::optional<uint32_t> parse_count(
    std::string_view text, uint32_t most) noexcept
{
    const auto n = parse_uint(text);
    if (!n || *n == 0 || *n > most)
        return std::nullopt;
    return static_cast<uint32_t>(*n);
}

std::optional<uint32_t> parse_unit(std::string_view text) noexcept
{
    if (text == "s")
        return 1;
    if (text == "m")
        return 60;
    if (text == "h")
        return 3600;
    if (text == "d")
        return 86'400;
    return std::nullopt;
}

std::optional<uint16_t> parse_refusal_status(std::string_view text) noexcept
{
    const auto n = parse_uint(text);
    if (!n || *n < 400 || *n > 599)
        return std::nullopt;
    return static_cast<uint16_t>(*n);
}

std::optional<uint32_t> parse_percent(std::string_view text) noexcept
{
    if (!text.ends_with('%'))
        return std::nullopt;
    text.remove_suffix(1);
    return parse_count(text, 100);
}

Result<void> take_parameters(std::span<const Parameter> table, void* rules,
    const Words& words, size_t first)
{
    std::vector<std::string_view> seen;
    for (size_t i = first; i < words.size(); ++i) {
        const auto pair = split_pair(words[i]);
        const auto found = std::find_if(table.begin(), table.end(),
            [&](const Parameter& p) { return pair && p.name == pair->name; });
        if (found == table.end())
            return config_error("unknown parameter \"" + std::string(words[i])
                + "\" in \"" + std::string(words[0]) + "\"");
        if (std::find(seen.begin(), seen.end(), pair->name) != seen.end())
            return config_error("\"" + std::string(pair->name) + "\" in \""
                + std::string(words[0]) + "\" is duplicate");
        seen.push_back(pair->name);
        if (!found->set(rules, pair->value))
            return invalid_value(pair->value, found->name, found->expected);
    }
    return {};
}

} // namespace ai_proxy::config
