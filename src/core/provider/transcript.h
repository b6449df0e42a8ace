#pragma once

#include "core/base/result.h"
#include "core/chat/request.h"

#include <string>
#include <string_view>

namespace ai_proxy::provider {

// A conversation as one text, for applications that take a single question:
// the last message alone when nothing precedes it or when the application
// keeps the conversation itself, else all of them under labels.
// Error invalid_request for parts that are neither text nor, with images,
// pictures by URL.
[[nodiscard]] Result<std::string> transcript(
    const chat::Request& request, bool last_only, bool images);

} // namespace ai_proxy::provider
