#include "core/policy/sign_of_life.h"

namespace ai_proxy::policy {

std::string_view sign_of_life(dialect::Api api) noexcept
{
    switch (api) {
    case dialect::Api::chat_completions:
    case dialect::Api::completions:
    case dialect::Api::responses:
        return ": keepalive\n\n";
    case dialect::Api::messages:
        return "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    default:
        return "";
    }
}

} // namespace ai_proxy::policy
