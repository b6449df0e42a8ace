#include "core/provider/protocol.h"

namespace ai_proxy::provider {

void Outbound::header(std::string_view name, std::string_view value)
{
    headers.emplace_back(std::string(name), std::string(value));
}

void Outbound::own_body(std::string text)
{
    owned.push_back(std::make_unique<std::string>(std::move(text)));
    body.assign(1, *owned.back());
}

void Outbound::post_json(std::string_view to, std::string text)
{
    path = to;
    header("Content-Type", "application/json");
    header("Accept", "application/json");
    own_body(std::move(text));
}

} // namespace ai_proxy::provider
