#include "core/json/splice.h"

#include "core/policy/serve.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {
namespace {

using async::Scope;
using async::Task;
using async::TryEnd;
using testing::ClientRequest;
using testing::CountedMemory;
using testing::FakeIo;
using testing::GatewayFixture;
using testing::run_every_way;

// ---- what providers do

constexpr std::string_view kAnswer =
    R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m",)"
    R"("choices":[{"index":0,"message":{"role":"assistant","content":"yo"},)"
    R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
    R"("completion_tokens":4,"total_tokens":7}})";

TryEnd ended(Try& attempt, bool committed = false)
{
    TryEnd end;
    end.begin = 10;
    end.end = 20;
    end.committed = committed;
    if (attempt.response->state() == Response::State::failed) {
        end.code = attempt.response->error().code;
    }
    return end;
}

// A whole plain answer, as the glue would feed it.
TryEnd plain(Try& attempt, int status, std::string_view body,
    std::vector<Header> headers = {})
{
    headers.push_back({"Content-Type", "application/json"});
    std::string out;
    Response& response = *attempt.response;
    response.head(status, headers);
    response.feed(body, out, 15);
    response.end(true, out, 16);
    return ended(attempt);
}

TryEnd broken(ErrorCode code)
{
    TryEnd end;
    end.code = code;
    end.begin = 10;
    end.end = 20;
    return end;
}

// A stream of some events; whole when the last one ends it.
TryEnd stream(Try& attempt, std::string_view bytes, bool clean = true)
{
    const Header header{"Content-Type", "text/event-stream"};
    std::string out;
    Response& response = *attempt.response;
    response.head(200, {&header, 1});
    response.feed(bytes, out, 15);
    response.end(clean, out, 16);
    return ended(attempt, !out.empty());
}

constexpr std::string_view kDelta =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,)"
    R"("model":"m","choices":[{"index":0,"delta":{"role":"assistant",)"
    R"("content":"yo"},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kLast =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,)"
    R"("model":"m","choices":[{"index":0,"delta":{},)"
    R"("finish_reason":"stop"}]})"
    "\n\ndata: [DONE]\n\n";

std::string error_body(std::string_view message)
{
    return R"({"error":{"message":")" + std::string(message)
        + R"(","type":"some_type","param":null,"code":"some_code"}})";
}

// ---- one gateway, one request, a script of answers

class Kitchen {
public:
    using Play = std::function<TryEnd(Try&)>;

    Kitchen()
    {
        request.body = R"({"model":"m","messages":[{"role":"user",)"
                       R"("content":"hi"}]})";
    }
    void ask_for_stream()
    {
        request.body.insert(request.body.size() - 1, R"(,"stream":true)");
    }
    // Call after the gateway is complete.
    Exchange& open(FakeIo& io)
    {
        exchange = std::make_unique<Exchange>(
            world.gateway, world.site(), request.head(), 1);
        const auto received =
            exchange->receive(request.padded(), request.body.size());
        EXPECT_TRUE(received);
        io.play = [this](Try& attempt) {
            if (script.empty()) {
                ADD_FAILURE() << "one try too many";
                return broken(ErrorCode::internal);
            }
            const Play play = script.front();
            script.pop_front();
            return play(attempt);
        };
        return *exchange;
    }

    GatewayFixture world;
    ClientRequest request;
    std::deque<Play> script;
    std::unique_ptr<Exchange> exchange;
};

class ServeTest : public ::testing::Test {
protected:
    Outcome run()
    {
        CountedMemory memory;
        async::FrameArena frames(memory);
        Scope scope{frames, io};
        io.immediate = true;
        Exchange& exchange = kitchen.open(io);
        async::Root<Outcome> root(serve(scope, exchange));
        EXPECT_TRUE(root.start());
        EXPECT_TRUE(kitchen.script.empty()) << "a try was not made";
        frame_bytes = memory.bytes;
        return root.take();
    }
    void add_provider(std::string_view name, std::string_view type = "openai")
    {
        kitchen.world.provider(name, type);
    }
    route::Route& add_route(
        std::vector<uint16_t> targets, std::vector<uint16_t> fallbacks = {})
    {
        auto& route = kitchen.world.route("main", std::move(targets));
        for (uint16_t index : fallbacks) {
            route::Target target;
            target.provider = index;
            route.fallbacks.push_back(target);
        }
        return route;
    }
    void then(Kitchen::Play play) { kitchen.script.push_back(std::move(play)); }
    [[nodiscard]] const Books& books() const
    {
        return kitchen.exchange->books();
    }
    static json::Node error_of(json::Parser& parser, const Reply& reply)
    {
        const auto body = parser.parse(reply.body);
        EXPECT_TRUE(body) << reply.body;
        return body ? (*body)["error"] : json::Node();
    }

    FakeIo io;
    Kitchen kitchen;
    size_t frame_bytes = 0;
};

TEST_F(ServeTest, FirstProviderAnswers)
{
    add_provider("a");
    add_route({0});
    then([](Try& t) {
        return plain(t, 200, kAnswer, {{"x-request-id", "r1"}});
    });
    const Outcome outcome = run();
    EXPECT_FALSE(outcome.streamed);
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_EQ(outcome.reply.body, kAnswer);
    EXPECT_EQ(outcome.reply.content_type, "application/json");
    ASSERT_EQ(outcome.reply.headers.size(), 1u);
    EXPECT_EQ(outcome.reply.headers[0].value, "r1");
    EXPECT_EQ(io.started, (std::vector<std::string>{"try a/0"}));
    EXPECT_EQ(books().status, 200);
    EXPECT_EQ(books().error, ErrorCode::none);
    EXPECT_EQ(books().usage.total, 7);
    EXPECT_EQ(books().tries.size(), 1u);
}

// Memory per waiting request is a bar of the design.
TEST_F(ServeTest, OneSmallBlockHoldsTheFrame)
{
    add_provider("a");
    add_route({0});
    then([](Try& t) { return plain(t, 200, kAnswer); });
    (void)run();
    EXPECT_LE(frame_bytes, 1680u);
}

TEST_F(ServeTest, FiveFailInFiveWaysTheSixthAnswers)
{
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
        add_provider(name);
    }
    add_route({0}, {1, 2, 3, 4, 5});
    then([](Try&) { return broken(ErrorCode::upstream_connect); });
    then([](Try& t) { return plain(t, 503, error_body("busy")); });
    then([](Try&) { return broken(ErrorCode::timeout_first_byte); });
    then([](Try& t) { return plain(t, 200, R"({"error":{"message":"x"}})"); });
    then([](Try& t) { return plain(t, 200, R"({"choices":)"); });
    then([](Try& t) { return plain(t, 200, kAnswer); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_EQ(outcome.reply.body, kAnswer);
    EXPECT_EQ(io.started,
        (std::vector<std::string>{
            "try a/0", "try b/0", "try c/0", "try d/0", "try e/0", "try f/0"}));
    ASSERT_EQ(books().tries.size(), 6u);
    EXPECT_EQ(books().tries[0].code, ErrorCode::upstream_connect);
    EXPECT_EQ(books().tries[1].status, 503);
    EXPECT_EQ(books().tries[2].code, ErrorCode::timeout_first_byte);
    EXPECT_EQ(books().tries[5].code, ErrorCode::none);
    EXPECT_EQ(books().provider, 5);
}

TEST_F(ServeTest, RetriesAfterADelay)
{
    add_provider("a");
    auto& route = add_route({0});
    route.retries = 1;
    route.backoff_min_ms = 200;
    route.backoff_max_ms = 200;
    then([](Try& t) { return plain(t, 500, error_body("oops")); });
    then([](Try& t) { return plain(t, 200, kAnswer); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_EQ(io.started,
        (std::vector<std::string>{"try a/0", "sleep 200", "try a/0"}));
}

TEST_F(ServeTest, RetryAfterIsHonoured)
{
    add_provider("a");
    add_route({0}).retries = 1;
    then([](Try& t) {
        return plain(t, 429, error_body("slow down"), {{"Retry-After", "7"}});
    });
    then([](Try& t) { return plain(t, 200, kAnswer); });
    (void)run();
    EXPECT_EQ(io.started,
        (std::vector<std::string>{"try a/0", "sleep 7000", "try a/0"}));
}

TEST_F(ServeTest, ProvidersErrorKeepsStatusMessageAndHeaders)
{
    for (int status : {400, 401, 403, 404, 413, 422, 429, 500, 503, 529}) {
        io.started.clear();
        kitchen.world = GatewayFixture();
        add_provider("a");
        add_route({0});
        then([status](Try& t) {
            return plain(t, status, error_body("the reason"),
                {{"x-request-id", "r7"}, {"retry-after", "9"},
                    {"set-cookie", "no"}});
        });
        const Outcome outcome = run();
        EXPECT_FALSE(outcome.streamed);
        EXPECT_EQ(outcome.reply.status, status);
        EXPECT_EQ(books().status, status);
        json::Parser parser;
        const json::Node error = error_of(parser, outcome.reply);
        EXPECT_EQ(error["message"].string_or(), "the reason");
        EXPECT_EQ(error["type"].string_or(), "some_type");
        EXPECT_EQ(error["code"].string_or(), "some_code");
        std::string names;
        for (const auto& field : outcome.reply.headers) {
            names += field.name + "=" + field.value + ";";
        }
        EXPECT_NE(names.find("r7"), std::string::npos) << names;
        EXPECT_NE(names.find("9"), std::string::npos) << names;
        EXPECT_EQ(names.find("cookie"), std::string::npos) << names;
        EXPECT_EQ(io.started.size(), 1u);
    }
}

TEST_F(ServeTest, ClientErrorsDoNotFallBack)
{
    add_provider("a");
    add_provider("b");
    add_route({0}, {1});
    then([](Try& t) { return plain(t, 400, error_body("bad field")); });
    EXPECT_EQ(run().reply.status, 400);
}

TEST_F(ServeTest, ConnectionFailuresHaveGatewayStatuses)
{
    const struct {
        ErrorCode code;
        int status;
    } rows[] = {
        {ErrorCode::upstream_connect, 502},
        {ErrorCode::upstream_tls, 502},
        {ErrorCode::upstream_closed, 502},
        {ErrorCode::upstream_unavailable, 502},
        {ErrorCode::timeout_connect, 504},
        {ErrorCode::timeout_tls, 504},
        {ErrorCode::timeout_first_byte, 504},
        {ErrorCode::timeout_first_token, 504},
        {ErrorCode::timeout_idle, 504},
        {ErrorCode::timeout_total, 504},
    };
    add_provider("a");
    add_route({0});
    for (const auto& row : rows) {
        then([row](Try&) { return broken(row.code); });
        const Outcome outcome = run();
        EXPECT_EQ(outcome.reply.status, row.status);
        EXPECT_EQ(books().error, row.code);
        json::Parser parser;
        EXPECT_FALSE(
            error_of(parser, outcome.reply)["message"].string_or().empty());
        EXPECT_TRUE(outcome.reply.headers.empty());
    }
}

TEST_F(ServeTest, ShutdownEndsTheRequestWithoutAnotherTry)
{
    add_provider("a");
    add_provider("b");
    add_route({0, 1});
    then([](Try&) { return broken(ErrorCode::shutdown); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 503);
    EXPECT_EQ(books().error, ErrorCode::shutdown);
    EXPECT_EQ(io.started.size(), 1u);
}

TEST_F(ServeTest, LastFailureIsReported)
{
    add_provider("a");
    add_provider("b");
    add_route({0}, {1});
    then([](Try& t) { return plain(t, 500, error_body("first")); });
    then([](Try& t) { return plain(t, 429, error_body("second")); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 429);
    EXPECT_NE(outcome.reply.body.find("second"), std::string::npos);
}

TEST_F(ServeTest, StreamThatCameWhole)
{
    add_provider("a");
    add_route({0});
    kitchen.ask_for_stream();
    then([](Try& t) { return stream(t, std::string(kDelta).append(kLast)); });
    const Outcome outcome = run();
    EXPECT_TRUE(outcome.streamed);
    EXPECT_FALSE(outcome.broken);
    EXPECT_EQ(outcome.tail, "");
    EXPECT_EQ(books().status, 200);
    EXPECT_EQ(books().error, ErrorCode::none);
    EXPECT_EQ(books().finish, chat::Finish::stop);
}

TEST_F(ServeTest, StreamThatDiesEndsInOneErrorEvent)
{
    add_provider("a");
    add_provider("b");
    add_route({0}, {1}).retries = 3;
    kitchen.ask_for_stream();
    then([](Try& t) { return stream(t, kDelta, false); });
    const Outcome outcome = run();
    EXPECT_TRUE(outcome.streamed);
    EXPECT_TRUE(outcome.broken);
    EXPECT_EQ(outcome.tail.find("data: {\"error\":"), 0u);
    EXPECT_EQ(outcome.tail.find("[DONE]"), std::string::npos);
    EXPECT_EQ(books().error, ErrorCode::upstream_truncated);
    EXPECT_EQ(books().status, 200);
    EXPECT_EQ(io.started.size(), 1u);
}

TEST_F(ServeTest, IdleTimeoutInAStreamSaysSo)
{
    add_provider("a");
    add_route({0});
    kitchen.ask_for_stream();
    then([](Try& t) {
        const Header header{"Content-Type", "text/event-stream"};
        std::string out;
        t.response->head(200, {&header, 1});
        t.response->feed(kDelta, out, 15);
        TryEnd end = ended(t, true);
        end.code = ErrorCode::timeout_idle;
        return end;
    });
    const Outcome outcome = run();
    EXPECT_TRUE(outcome.broken);
    EXPECT_NE(outcome.tail.find("timeout"), std::string::npos) << outcome.tail;
    EXPECT_EQ(books().error, ErrorCode::timeout_idle);
}

TEST_F(ServeTest, ErrorBeforeTheFirstOutputFallsBack)
{
    add_provider("a");
    add_provider("b");
    add_route({0}, {1});
    kitchen.ask_for_stream();
    then([](Try& t) {
        return stream(t, "data: {\"error\":{\"message\":\"late\"}}\n\n");
    });
    then([](Try& t) { return stream(t, std::string(kDelta).append(kLast)); });
    const Outcome outcome = run();
    EXPECT_TRUE(outcome.streamed);
    EXPECT_FALSE(outcome.broken);
    ASSERT_EQ(books().tries.size(), 2u);
    EXPECT_EQ(books().tries[0].code, ErrorCode::upstream_error);
}

TEST_F(ServeTest, UntouchedBodyThatDiesHasNoTail)
{
    add_provider("a");
    add_route({0});
    kitchen.request.path = "/v1/unknown";
    then([](Try& t) {
        const Header header{"Content-Type", "image/png"};
        std::string out;
        t.response->head(200, {&header, 1});
        t.response->feed("PNG", out, 15);
        TryEnd end = ended(t, true);
        end.code = ErrorCode::upstream_closed;
        return end;
    });
    const Outcome outcome = run();
    EXPECT_TRUE(outcome.streamed);
    EXPECT_TRUE(outcome.broken);
    EXPECT_EQ(outcome.tail, "");
}

TEST_F(ServeTest, EmptyUntouchedBodyIsAReply)
{
    add_provider("a");
    add_route({0});
    kitchen.request.path = "/v1/unknown";
    then([](Try& t) {
        std::string out;
        t.response->head(204, {});
        t.response->end(true, out, 16);
        return ended(t);
    });
    const Outcome outcome = run();
    EXPECT_FALSE(outcome.streamed);
    EXPECT_EQ(outcome.reply.status, 204);
    EXPECT_EQ(outcome.reply.body, "");
}

TEST_F(ServeTest, ClientThatLeftIsNotServedElsewhere)
{
    add_provider("a");
    add_provider("b");
    add_route({0}, {1}).retries = 2;
    then([](Try&) { return broken(ErrorCode::client_closed); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 499);
    EXPECT_EQ(books().error, ErrorCode::client_closed);
}

TEST_F(ServeTest, ProviderWithoutTheApiIsPassedOver)
{
    add_provider("claude", "claude");
    add_provider("b");
    add_route({0}, {1}).retries = 2;
    kitchen.request.path = "/v1/embeddings";
    kitchen.request.body = R"({"model":"m","input":"x"})";
    then([](Try& t) { return plain(t, 200, R"({"object":"list"})"); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 200);
    EXPECT_EQ(io.started, (std::vector<std::string>{"try b/0"}));
    ASSERT_EQ(books().tries.size(), 2u);
    EXPECT_EQ(books().tries[0].code, ErrorCode::unsupported_api);
    EXPECT_EQ(books().tries[0].status, 0);
}

TEST_F(ServeTest, NoProviderHasTheApi)
{
    add_provider("claude", "claude");
    add_route({0});
    kitchen.request.path = "/v1/embeddings";
    kitchen.request.body = R"({"model":"m","input":"x"})";
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 404);
    EXPECT_EQ(books().error, ErrorCode::unsupported_api);
    EXPECT_NE(outcome.reply.body.find("claude"), std::string::npos);
    EXPECT_TRUE(io.started.empty());
}

TEST_F(ServeTest, RealFailureSaysMoreThanAProviderWithoutTheApi)
{
    add_provider("b");
    add_provider("claude", "claude");
    add_route({0}, {1});
    kitchen.request.path = "/v1/embeddings";
    kitchen.request.body = R"({"model":"m","input":"x"})";
    then([](Try& t) { return plain(t, 500, error_body("the cause")); });
    const Outcome outcome = run();
    EXPECT_EQ(outcome.reply.status, 500);
    EXPECT_NE(outcome.reply.body.find("the cause"), std::string::npos);
}

// ---- every way a flow can be cut

struct WholeWorld {
    explicit WholeWorld(FakeIo& io)
    {
        kitchen.world.provider("a", "openai", {"k1", "k2"});
        kitchen.world.provider("claude", "claude");
        kitchen.world.provider("c", "openai");
        auto& route = kitchen.world.route("main", {0});
        route.retries = 2;
        for (uint16_t index : {uint16_t{1}, uint16_t{2}}) {
            route::Target target;
            target.provider = index;
            route.fallbacks.push_back(target);
        }
        const auto fail = [](Try& t) {
            return plain(t, 500, error_body("no"));
        };
        kitchen.script = {fail, fail, fail, fail, fail, fail,
            [](Try& t) { return plain(t, 200, kAnswer); }};
        exchange = &kitchen.open(io);
    }
    Task<Outcome> task(Scope& s) { return serve(s, *exchange); }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 200);
        EXPECT_EQ(outcome.reply.body, kAnswer);
        EXPECT_EQ(exchange->books().tries.size(), 7u);
        EXPECT_TRUE(kitchen.script.empty());
    }
    Kitchen kitchen;
    Exchange* exchange = nullptr;
};

TEST(Serve, EveryWay)
{
    run_every_way<WholeWorld>();
}

struct HopelessWorld {
    explicit HopelessWorld(FakeIo& io)
    {
        kitchen.world.provider("a", "openai");
        kitchen.world.provider("b", "openai");
        kitchen.world.route("main", {0, 1}).retries = 1;
        const auto fail = [](Try&) {
            return broken(ErrorCode::timeout_connect);
        };
        kitchen.script = {fail, fail, fail, fail};
        exchange = &kitchen.open(io);
    }
    Task<Outcome> task(Scope& s) { return serve(s, *exchange); }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 504);
        EXPECT_EQ(exchange->books().tries.size(), 4u);
    }
    Kitchen kitchen;
    Exchange* exchange = nullptr;
};

TEST(Serve, EveryWayToFail)
{
    run_every_way<HopelessWorld>();
}

} // namespace
} // namespace ai_proxy::policy
