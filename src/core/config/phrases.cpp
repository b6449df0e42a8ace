#include "core/config/fields.h"

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

} // namespace ai_proxy::config
