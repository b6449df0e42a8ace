#include "core/config/status_regex.h"

#include "core/base/regex.h"

namespace ai_proxy::config {

namespace {

constexpr Regex::Limits kLimits{20'000, 1'000, 1'024};

} // namespace

Result<void> add_statuses(route::Statuses& to, const std::string& pattern)
{
    const auto regex = Regex::compile(pattern, kLimits);
    if (!regex) {
        return regex.error();
    }
    for (int status = 400; status < 600; ++status) {
        if (regex->finds(std::to_string(status))) {
            to.add(status);
        }
    }
    return {};
}

} // namespace ai_proxy::config
