#include "core/route/route.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::route {

bool Route::matches(std::string_view model) const noexcept
{
    return match.empty()
        || std::any_of(
            match.begin(), match.end(), [model](const std::string& glob) {
                return glob_match(glob, model);
            });
}

} // namespace ai_proxy::route
