#include "core/provider/header_fields.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::provider {

bool has_header(const Outbound& out, std::string_view name) noexcept
{
    return std::any_of(out.headers.begin(), out.headers.end(),
        [name](const auto& field) { return iequals(field.first, name); });
}

void set_header(Outbound& out, std::string_view name, std::string_view value)
{
    std::erase_if(out.headers,
        [name](const auto& field) { return iequals(field.first, name); });
    if (!value.empty())
        out.header(name, value);
}

void add_anthropic_version(const Options& options, Outbound& out)
{
    if (!has_header(out, "anthropic-version"))
        out.header("anthropic-version",
            options.claude_version.empty()
                ? "2023-06-01"
                : std::string_view(options.claude_version));
}

} // namespace ai_proxy::provider
