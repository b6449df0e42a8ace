#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

// What a request meets on its way besides answers: breakers, places, races.
namespace ai_proxy::policy {
namespace {

using async::RaceEnd;
using async::TryEnd;
using testing::ClientRequest;
using testing::CountedMemory;
using testing::FakeIo;
using testing::GatewayFixture;

constexpr std::string_view kAnswer =
    R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"yo"},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
    R"("completion_tokens":4,"total_tokens":7}})";

TryEnd failed(ErrorCode code, int64_t at)
{
    return {code, false, at - 10, at};
}

// A plain answer, whatever it says.
TryEnd replied(Try& attempt, int status, std::string_view body, int64_t at)
{
    const Header header{"Content-Type", "application/json"};
    std::string out;
    Response& response = *attempt.response;
    response.head(status, {&header, 1});
    response.feed(body, out, at);
    response.end(true, out, at);
    return {response.state() == Response::State::failed ? response.error().code
                                                        : ErrorCode::none,
        false, at - 10, at};
}

TryEnd answered(Try& attempt, int64_t at)
{
    return replied(attempt, 200, kAnswer, at);
}

class JourneyTest : public ::testing::Test {
protected:
    JourneyTest()
    {
        world.provider("a", "openai");
        world.provider("b", "openai");
        io.immediate = true;
        io.play = [this](Try& attempt) {
            ++tries;
            return broken == attempt.provider->options.name
                ? failed(ErrorCode::upstream_connect, io.clock)
                : answered(attempt, io.clock);
        };
        request.body = R"({"model":"m","messages":[{"role":"user",)"
                       R"("content":"hi"}]})";
    }
    Outcome run()
    {
        CountedMemory memory;
        async::FrameArena frames(memory);
        async::Scope scope{frames, io};
        exchange = std::make_unique<Exchange>(
            world.gateway, world.site(), request.head(), 1);
        EXPECT_TRUE(exchange->receive(request.padded(), request.body.size()));
        async::Root<Outcome> root(serve(scope, *exchange));
        EXPECT_TRUE(root.start());
        return root.take();
    }
    static std::string header(const Outcome& outcome, std::string_view name)
    {
        for (const auto& field : outcome.reply.headers)
            if (field.name == name)
                return field.value;
        return "";
    }

    GatewayFixture world;
    ClientRequest request;
    std::unique_ptr<Exchange> exchange;
    FakeIo io;
    std::string_view broken;
    int tries = 0;
};

TEST_F(JourneyTest, ABreakerOpensThenFailsAtOnceThenHeals)
{
    world.route("r", {0});
    route::Peer& peer = world.gateway.peers[0];
    peer.breaker = {.percent = 50, .least_calls = 3};
    peer.watch({"m"});
    broken = "a";
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(run().reply.status, 502);
    }
    EXPECT_EQ(tries, 3);
    const Outcome outcome = run();
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(outcome.reply.status, 503);
    EXPECT_EQ(header(outcome, "Retry-After"), "10");
    EXPECT_NE(
        outcome.reply.body.find("no provider is available"), std::string::npos);
    EXPECT_EQ(exchange->books().error, ErrorCode::breaker_open);
    io.clock += 10'000'000;
    broken = "";
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(tries, 5);
}

// A client's own mistakes say nothing against the provider.
TEST_F(JourneyTest, ARefusedRequestDoesNotOpenABreaker)
{
    world.route("r", {0});
    world.gateway.peers[0].breaker = {.percent = 1, .least_calls = 1};
    world.gateway.peers[0].watch({});
    for (const int status : {400, 404, 429}) {
        io.play = [status](Try& attempt) {
            return replied(attempt, status, "", 20);
        };
        EXPECT_EQ(run().reply.status, status);
    }
    EXPECT_EQ(world.gateway.peers[0].state("m")->trips.load(), 0u);
}

TEST_F(JourneyTest, APlaceIsTakenAndGivenBack)
{
    world.route("r", {0});
    route::Peer& peer = world.gateway.peers[0];
    peer.concurrency = 1;
    peer.counted = true;
    io.play = [&](Try& attempt) {
        EXPECT_EQ(io.places.count(peer.id), 1u);
        return answered(attempt, io.clock);
    };
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(io.places.count(peer.id), 0u);

    // No queue: turned away at once.
    ASSERT_TRUE(io.places.enter(peer.id));
    const Outcome full = run();
    EXPECT_EQ(full.reply.status, 429);
    EXPECT_EQ(header(full, "Retry-After"), "1");
    EXPECT_EQ(exchange->books().error, ErrorCode::concurrency_limit);
    EXPECT_EQ(io.started.back(), "try a/0"); // of the first request

    // A queue: somebody leaves in time.
    peer.queue = 5;
    peer.queue_ms = 1'000;
    io.before_place = [&] { io.places.leave(peer.id); };
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(io.places.count(peer.id), 0u);
    // Nobody does.
    ASSERT_TRUE(io.places.enter(peer.id));
    io.before_place = nullptr;
    EXPECT_EQ(run().reply.status, 429);
}

TEST_F(JourneyTest, AFullProviderFallsBackOn429)
{
    route::Route& route = world.route("r", {0});
    route::Target fallback;
    fallback.provider = 1;
    fallback.on = *route::On::parse("429");
    route.fallbacks.push_back(fallback);
    route::Peer& peer = world.gateway.peers[0];
    peer.concurrency = 1;
    peer.counted = true;
    ASSERT_TRUE(io.places.enter(peer.id));
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(exchange->books().provider, 1);
}

TEST_F(JourneyTest, ARuleOfTheLocationCountsByItsValue)
{
    world.route("r", {0});
    io.texts = {"alice"};
    world.site().concurrency.push_back({"$user", 0, 1, 0, 0});
    EXPECT_EQ(run().reply.status, 200);
    const uint64_t id = in_flight_id("$user", "alice");
    ASSERT_TRUE(io.places.enter(id));
    EXPECT_EQ(run().reply.status, 429);
    EXPECT_TRUE(exchange->books().tries.empty());
    EXPECT_EQ(io.places.count(id), 1u);
    io.texts = {"bob"};
    EXPECT_EQ(run().reply.status, 200);
    io.texts = {""}; // who has no name is not counted
    EXPECT_EQ(run().reply.status, 200);
}

TEST_F(JourneyTest, AFilteredAnswerLeadsToWhoStandsInForIt)
{
    route::Route& route = world.route("r", {0});
    route::Target fallback;
    fallback.provider = 1;
    fallback.on = *route::On::parse("content_filter");
    route.fallbacks.push_back(fallback);
    bool both = false;
    io.play = [&](Try& attempt) {
        if (attempt.provider->options.name == "b" && !both) {
            return answered(attempt, io.clock);
        }
        if (attempt.provider->options.name == "b") {
            return failed(ErrorCode::upstream_connect, io.clock);
        }
        std::string text(kAnswer);
        text.replace(text.find("stop"), 4, "content_filter");
        return replied(attempt, 200, text, io.clock);
    };
    EXPECT_NE(run().reply.body.find("\"stop\""), std::string::npos);
    EXPECT_EQ(exchange->books().provider, 1);
    // The filtered answer is better than none.
    both = true;
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_NE(outcome.reply.body.find("content_filter"), std::string::npos);
    EXPECT_EQ(exchange->books().error, ErrorCode::none);
    EXPECT_EQ(exchange->books().tries.size(), 2u);
    // Nobody stands in: it is an answer like any other.
    route.fallbacks[0].on = route::On::standard();
    EXPECT_NE(run().reply.body.find("content_filter"), std::string::npos);
    EXPECT_EQ(exchange->books().tries.size(), 1u);
}

TEST_F(JourneyTest, AQuestionThatIsTooLongLeadsToWhoStandsInForIt)
{
    route::Route& route = world.route("r", {0});
    route::Target fallback;
    fallback.provider = 1;
    fallback.on = *route::On::parse("context_length");
    route.fallbacks.push_back(fallback);
    std::string_view code = "context_length_exceeded";
    io.play = [&](Try& attempt) {
        if (attempt.provider->options.name == "b") {
            return answered(attempt, io.clock);
        }
        const std::string body = R"({"error":{"message":"no","type":)"
                                 R"("invalid_request_error","code":")"
            + std::string(code) + R"("}})";
        return replied(attempt, 400, body, io.clock);
    };
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(exchange->books().provider, 1);
    code = "invalid_image";
    EXPECT_EQ(run().reply.status, 400);
}

class RaceTest : public JourneyTest {
protected:
    RaceTest()
    {
        route::Route& route = world.route("r", {0, 1});
        route.hedge = {.percent = 100, .after_ms = 300};
        route.state = &state;
    }
    route::RouteState state;
};

TEST_F(RaceTest, TheSecondTryMayWin)
{
    io.race = [this](Try&, Try& second) {
        RaceEnd race;
        race.end = answered(second, io.clock);
        race.second = true;
        race.raced = true;
        race.other = failed(ErrorCode::superseded, io.clock);
        return race;
    };
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_EQ(io.started,
        (std::vector<std::string>{"try a/0", "second after 300: b/0"}));
    const Books& books = exchange->books();
    ASSERT_EQ(books.tries.size(), 2u);
    EXPECT_EQ(books.tries[0].provider, 0);
    EXPECT_EQ(books.tries[0].code, ErrorCode::superseded);
    EXPECT_EQ(books.tries[1].provider, 1);
    EXPECT_EQ(books.tries[1].code, ErrorCode::none);
    EXPECT_EQ(books.provider, 1);
    EXPECT_EQ(books.error, ErrorCode::none);
    EXPECT_EQ(books.usage.total, 7);
}

TEST_F(RaceTest, TheFirstTryMayWin)
{
    io.race = [this](Try& first, Try&) {
        RaceEnd race;
        race.end = answered(first, io.clock);
        race.raced = true;
        race.other = failed(ErrorCode::superseded, io.clock);
        return race;
    };
    EXPECT_EQ(run().reply.status, 200);
    EXPECT_EQ(exchange->books().provider, 0);
    EXPECT_EQ(exchange->books().tries.size(), 2u);
}

TEST_F(RaceTest, WhenBothFailTheClientHearsOfTheLast)
{
    io.race = [this](Try&, Try&) {
        RaceEnd race;
        race.end = failed(ErrorCode::timeout_first_byte, io.clock);
        race.second = true;
        race.raced = true;
        race.other = failed(ErrorCode::upstream_closed, io.clock);
        return race;
    };
    EXPECT_EQ(run().reply.status, 504);
    EXPECT_EQ(exchange->books().tries.size(), 2u);
}

TEST_F(RaceTest, OnlyCallsThatChangeNothingAreMadeTwice)
{
    io.race = [](Try&, Try&) { return RaceEnd{}; };
    request.path = "/v1/audio/speech";
    request.body = R"({"model":"m","input":"hi","voice":"v"})";
    (void)run();
    EXPECT_EQ(io.started.size(), 1u);
}

TEST_F(JourneyTest, ADeadlineBoundsAllTriesTogether)
{
    auto& route = world.route("r", {0});
    route.retries = 9;
    route.deadline_ms = 5000;
    route.backoff_min_ms = route.backoff_max_ms = 100;
    std::vector<uint64_t> bounds;
    io.play = [&](Try& attempt) {
        bounds.push_back(attempt.most);
        io.clock += 2'000'000;
        return failed(ErrorCode::timeout_total, io.clock);
    };
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 504);
    ASSERT_EQ(bounds.size(), 3u);
    EXPECT_EQ(bounds[0], 5000u);
    EXPECT_LE(bounds[1], 3000u);
    EXPECT_GE(bounds[1], 2800u);
    EXPECT_LE(bounds[2], 1000u);
}

TEST_F(JourneyTest, NobodyWaitsForATryThatWouldBeginTooLate)
{
    auto& route = world.route("r", {0});
    route.retries = 3;
    route.deadline_ms = 5000;
    route.backoff_min_ms = route.backoff_max_ms = 60'000;
    broken = "a";
    const int64_t begin = io.clock;
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 502);
    EXPECT_EQ(exchange->books().error, ErrorCode::upstream_connect);
    EXPECT_LT(io.clock - begin, 5'000'000);
}

} // namespace
} // namespace ai_proxy::policy
