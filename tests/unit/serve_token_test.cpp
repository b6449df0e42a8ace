#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

// Providers that want an access token before a try.

namespace ai_proxy::policy {
namespace {

using ai_proxy::testing::ClientRequest;
using ai_proxy::testing::FakeIo;
using ai_proxy::testing::GatewayFixture;
using ai_proxy::testing::run_every_way;
using async::Scope;
using async::Task;
using async::TryEnd;

constexpr std::string_view kAnswer =
    R"({"id":"1","object":"chat.completion","created":1,"model":"m",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"yo"},)"
    R"("finish_reason":"stop"}]})";

TryEnd answer(Try& attempt, int status, std::string_view body)
{
    const Header header{"Content-Type", "application/json"};
    std::string out;
    Response& response = *attempt.response;
    response.head(status, {&header, 1});
    response.feed(body, out, 15);
    response.end(true, out, 16);
    TryEnd end;
    end.begin = 10;
    end.end = 20;
    if (response.state() == Response::State::failed) {
        end.code = response.error().code;
    }
    return end;
}

std::string authorization(const Try& attempt)
{
    for (const auto& [name, value] : attempt.outbound.headers) {
        if (name == "Authorization") {
            return value;
        }
    }
    return {};
}

// Provider 0 wants tokens, provider 1 has a key.
struct World {
    explicit World(FakeIo& with) : io(with)
    {
        auto& options = world.provider("cloud", "azure", {}).options;
        options.azure_token_file = "/token";
        options.azure_service_url = "https://r.example/openai/v1";
        world.provider("other", "openai");
        auto& route = world.route("main", {0});
        route::Target fallback;
        fallback.provider = 1;
        route.fallbacks.push_back(fallback);
        request.body = R"({"model":"m","messages":[{"role":"user",)"
                       R"("content":"hi"}]})";
        exchange.emplace(world.gateway, world.site(), request.head(), 1);
        EXPECT_TRUE(exchange->receive(request.padded(), request.body.size()));
        io.play = [this](Try& attempt) {
            seen.push_back(authorization(attempt));
            return answer(attempt, status, status == 200 ? kAnswer : "{}");
        };
    }
    Task<Outcome> task(Scope& s) { return serve(s, *exchange); }

    FakeIo& io;
    GatewayFixture world;
    ClientRequest request;
    std::optional<Exchange> exchange;
    std::vector<std::string> seen; // Authorization of each try
    int status = 200;
};

struct GivenWorld : World {
    using World::World;
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 200);
        EXPECT_EQ(outcome.reply.body, kAnswer);
        EXPECT_EQ(seen, std::vector<std::string>{"Bearer access-token"});
        EXPECT_EQ(io.dropped, 0);
    }
};

TEST(ServeToken, TheTryCarriesTheTokenEveryWay)
{
    run_every_way<GivenWorld>();
}

struct MissingWorld : World {
    explicit MissingWorld(FakeIo& with) : World(with)
    {
        io.token =
            make_error(ErrorCode::upstream_unavailable, "no token there");
    }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 200);
        // Only the fallback was asked.
        EXPECT_EQ(seen, std::vector<std::string>{"Bearer sk-test-key-1"});
        ASSERT_EQ(exchange->books().tries.size(), 2U);
        EXPECT_EQ(
            exchange->books().tries[0].code, ErrorCode::upstream_unavailable);
    }
};

TEST(ServeToken, WithoutATokenTheFallbackAnswersEveryWay)
{
    run_every_way<MissingWorld>();
}

struct HopelessWorld : MissingWorld {
    explicit HopelessWorld(FakeIo& with) : MissingWorld(with)
    {
        world.gateway.routes[0]->fallbacks.clear();
        world.gateway.routes[0]->retries = 2;
    }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 502);
        EXPECT_NE(outcome.reply.body.find("no token there"), std::string::npos);
        EXPECT_EQ(exchange->books().tries.size(), 3U);
        EXPECT_TRUE(seen.empty());
    }
};

TEST(ServeToken, AFailedExchangeIsRetriedEveryWay)
{
    run_every_way<HopelessWorld>();
}

struct RefusedWorld : World {
    explicit RefusedWorld(FakeIo& with) : World(with) { status = 401; }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 401);
        EXPECT_EQ(io.dropped, 1);
    }
};

TEST(ServeToken, ARefusedTokenIsDroppedEveryWay)
{
    run_every_way<RefusedWorld>();
}

} // namespace
} // namespace ai_proxy::policy
