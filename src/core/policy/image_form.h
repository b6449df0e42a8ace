#pragma once

#include "core/base/result.h"

#include <string>
#include <string_view>

namespace ai_proxy::policy {

// A form that asks for an edit or a variation of images, as the JSON body that
// asks for the same: files are data URLs.  Error invalid_request.
[[nodiscard]] Result<std::string> read_image_form(
    std::string_view body, std::string_view boundary, bool is_edit);

} // namespace ai_proxy::policy
