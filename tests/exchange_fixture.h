#pragma once

#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace ai_proxy::testing {

using policy::Exchange;
using policy::Try;

inline constexpr std::string_view kHello =
    R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]})";

class ExchangeFixture : public ::testing::Test {
protected:
    // One openai provider, one route, unless a test adds more first.
    Exchange& begin()
    {
        if (world.gateway.providers.empty()) {
            world.provider("one", "openai");
        }
        if (world.gateway.routes.empty()) {
            world.route("main", {0});
        }
        exchange.emplace(world.gateway, world.site(), request.head(), 100);
        return *exchange;
    }
    Result<void> receive()
    {
        Exchange& made = begin();
        return made.receive(request.padded(), request.body.size());
    }
    // The first target's try of a request that must be accepted.
    Try& prepare(size_t target = 0)
    {
        const auto received = receive();
        EXPECT_TRUE(received) << received.error().message;
        return again(target);
    }
    Try& again(size_t target)
    {
        auto made =
            exchange->make_try(exchange->route().targets[target], 0, 1, 2);
        if (!made) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        attempt = std::move(*made);
        return *attempt;
    }
    Error refused()
    {
        const auto received = receive();
        if (received) {
            ADD_FAILURE() << "was accepted";
            return {};
        }
        return received.error();
    }

    GatewayFixture world;
    ClientRequest request;
    std::optional<Exchange> exchange;
    std::unique_ptr<Try> attempt;
};

} // namespace ai_proxy::testing
