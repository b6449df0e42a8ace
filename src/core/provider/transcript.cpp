#include "core/provider/transcript.h"

#include "core/provider/vendor.h"

namespace ai_proxy::provider {
namespace {

std::string_view label(chat::Role role) noexcept
{
    switch (role) {
    case chat::Role::system:
    case chat::Role::developer:
        return "SYSTEM: \n";
    case chat::Role::assistant:
        return "ASSISTANT: \n";
    case chat::Role::tool:
    case chat::Role::user:
        break;
    }
    return "USER: \n";
}

} // namespace

Result<std::string> transcript(
    const chat::Request& request, bool last_only, bool images)
{
    const size_t count = request.messages.size();
    std::string text;
    for (size_t i = 0; i < count; i++) {
        const chat::Message& message = request.messages[i];
        for (size_t k = 0; k < message.parts.size(); k++) {
            const chat::Part& part = message.parts[k];
            if (!is_text(part)
                && !(images && part.kind == chat::PartKind::image_url)) {
                return make_error(ErrorCode::invalid_request,
                    images ? "the provider takes text, and images by URL"
                           : "the provider takes text only",
                    part_path(i, k));
            }
        }
        if (last_only && i + 1 < count) {
            continue;
        }
        if (!last_only && count > 1) {
            text += label(message.role);
        }
        text += joined_text(message);
        if (!last_only && count > 1) {
            text += '\n';
        }
    }
    return text;
}

} // namespace ai_proxy::provider
