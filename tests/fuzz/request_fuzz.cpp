#include "gateway_fixture.h"

#include "core/policy/exchange.h"
#include "core/provider/registry.h"

#include "vendors.h"

#include <string>

// Requests of every dialect on their way to every protocol, from any bytes.
// The first byte of the input chooses the provider, the second the path and
// ai_proxy_strict.

using namespace ai_proxy;

namespace {

struct World {
    World()
    {
        uint16_t place = 0;
        for (auto& one : fuzz::vendors()) {
            config::Provider& made = gateway.gateway.add(std::move(one));
            if (auto endpoint = provider::endpoint(made.options)) {
                made.endpoint = *endpoint;
            }
            gateway.route("r", {place++});
        }
    }
    testing::GatewayFixture gateway;
};

constexpr std::string_view kPaths[] = {"/v1/chat/completions", "/v1/messages",
    "/v1/responses", "/v1beta/models/m:generateContent", "/v1/completions",
    "/v1/embeddings", "/v1/rerank", "/v1beta/models/m:streamGenerateContent",
    "/v1/messages/count_tokens"};

// Multipart bodies and relays pass what they do not understand.
void check(const policy::Try& made, std::string_view path)
{
    if (made.reply) {
        return;
    }
    fuzz::require(made.outbound.path.starts_with("/"), "a path begins so");
    for (const auto& [name, value] : made.outbound.headers) {
        fuzz::require(value.find_first_of("\r\n") == std::string::npos,
            "a header stays on its line");
    }
    fuzz::require(
        made.outbound.path.find_first_of("\r\n ") == std::string::npos,
        "a path stays on its line");
    json::Parser parser;
    const std::string text = testing::body_text(made.outbound);
    const auto parsed = parser.parse(std::string_view(text));
    fuzz::require(parsed.ok(), "a body is JSON");
    if (made.api != dialect::recognise(path)) { // converted
        fuzz::require(
            json::check_unique_keys(*parsed).ok(), "no key stands twice");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static World world;
    if (size < 2) {
        return 0;
    }
    config::Site& site = world.gateway.site();
    const size_t chosen = data[0] % world.gateway.gateway.providers.size();
    site.strict = (data[1] & 128) != 0;
    site.routes = {world.gateway.gateway.routes[chosen].get()};
    testing::ClientRequest request;
    request.path = kPaths[(data[1] & 127) % std::size(kPaths)];
    request.body.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
    policy::Exchange exchange(world.gateway.gateway, site, request.head(), 100);
    const auto received =
        exchange.receive(request.padded(), request.body.size());
    if (!received) {
        fuzz::require(!received.error().message.empty(), "a refusal says why");
        return 0;
    }
    auto made = exchange.make_try(exchange.route().targets[0], 0, 1, 2);
    if (!made) {
        fuzz::require(!made.error().message.empty(), "a refusal says why");
        return 0;
    }
    check(**made, request.path);
    // Another try says the same.
    const std::string first = testing::body_text((*made)->outbound);
    auto again = exchange.make_try(exchange.route().targets[0], 0, 1, 2);
    fuzz::require(again.ok() && testing::body_text((*again)->outbound) == first,
        "another try says the same");
    return 0;
}
