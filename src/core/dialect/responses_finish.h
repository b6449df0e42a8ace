#pragma once

#include "core/chat/event.h"
#include "core/json/reader.h"

namespace ai_proxy::dialect {

// Why a response object of status "incomplete" ended.
[[nodiscard]] inline chat::Finish incomplete_finish(json::Node response)
{
    return response["incomplete_details"]["reason"].string_or()
            == "content_filter"
        ? chat::Finish::content_filter
        : chat::Finish::length;
}

} // namespace ai_proxy::dialect
