#include "core/limit/form.h"

#include "core/base/text.h"

namespace ai_proxy::limit {

std::optional<std::string> form_value(
    std::string_view form, std::string_view name)
{
    const auto raw = query_value(form, name);
    return raw ? std::optional(form_decode(*raw)) : std::nullopt;
}

} // namespace ai_proxy::limit
