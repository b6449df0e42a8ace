#pragma once

#include "core/json/splice.h"

#include "core/config/gateway.h"
#include "core/policy/exchange.h"
#include "core/provider/registry.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ai_proxy::testing {

// A gateway put together by hand: one site, any providers and routes.
class GatewayFixture {
public:
    GatewayFixture()
    {
        gateway.sites.push_back(std::make_unique<config::Site>());
    }

    config::Provider& provider(std::string_view name, std::string_view type,
        std::vector<std::string> keys = {"sk-test-key-1"})
    {
        auto made = std::make_unique<config::Provider>();
        made->options.name = name;
        made->options.type = provider::find_type(type);
        for (std::string& key : keys) {
            made->options.api_tokens.emplace_back(std::move(key));
        }
        if (auto endpoint = provider::endpoint(made->options)) {
            made->endpoint = *endpoint;
        }
        return gateway.add(std::move(made));
    }

    route::Route& route(std::string_view name, std::vector<uint16_t> targets,
        std::vector<std::string> match = {})
    {
        auto made = std::make_unique<route::Route>();
        made->name = name;
        made->match = std::move(match);
        made->balance = route::Balance::round_robin;
        for (uint16_t index : targets) {
            route::Target target;
            target.provider = index;
            made->targets.push_back(target);
        }
        site().routes.push_back(made.get());
        gateway.routes.push_back(std::move(made));
        return *gateway.routes.back();
    }

    [[nodiscard]] config::Site& site() { return *gateway.sites.front(); }

    config::Gateway gateway;
};

// A client's request with its body in padded memory, as the glue keeps it.
struct ClientRequest {
    std::string method = "POST";
    std::string path = "/v1/chat/completions";
    std::string query;
    std::string content_type = "application/json";
    std::string authorization;
    std::string accept;
    std::vector<Header> headers;
    std::string body;

    [[nodiscard]] policy::ClientHead head() const
    {
        policy::ClientHead made;
        made.method = method;
        made.path = path;
        made.query = query;
        made.content_type = content_type;
        made.authorization = authorization;
        made.accept = accept;
        made.headers = headers;
        return made;
    }
    // Keeps the bytes; the result is for Exchange::receive().
    const char* padded()
    {
        memory_ = body;
        memory_.append(json::kPadding, '\0');
        return memory_.data();
    }

private:
    std::string memory_;
};

inline std::string body_text(const provider::Outbound& out)
{
    std::string text;
    for (std::string_view piece : out.body) {
        text += piece;
    }
    return text;
}

// The values of a header field, joined by "|"; "" when it is absent.
inline std::string header_text(
    const provider::Outbound& out, std::string_view name)
{
    std::string text;
    for (const auto& [key, value] : out.headers) {
        if (iequals(key, name)) {
            text += text.empty() ? "" : "|";
            text += value;
        }
    }
    return text;
}

} // namespace ai_proxy::testing
