#include "core/policy/books.h"

namespace ai_proxy::policy {

std::string_view to_text(UsageSource source) noexcept
{
    switch (source) {
    case UsageSource::none:
        return "none";
    case UsageSource::provider:
        return "provider";
    case UsageSource::estimated:
        return "estimated";
    }
    return "none";
}

} // namespace ai_proxy::policy
