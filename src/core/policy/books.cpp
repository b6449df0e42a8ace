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

std::optional<int64_t> cost_of(const Books& books) noexcept
{
    return books.price != nullptr && books.usage_source != UsageSource::none
        ? std::optional(usage::cost(*books.price, books.usage))
        : std::nullopt;
}

std::string_view to_text(LimitStatus status) noexcept
{
    switch (status) {
    case LimitStatus::passed:
        return "passed";
    case LimitStatus::rejected:
        return "rejected";
    case LimitStatus::logged:
        return "logged";
    case LimitStatus::ended:
        return "ended";
    default:
        return "";
    }
}

} // namespace ai_proxy::policy
