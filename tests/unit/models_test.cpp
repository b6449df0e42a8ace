#include "core/json/splice.h"

#include "core/policy/serve_models.h"

#include "core/config/site_models.h"
#include "core/dialect/model_list.h"

#include "fake_io.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {
namespace {

using ai_proxy::testing::ClientRequest;
using ai_proxy::testing::FakeIo;
using ai_proxy::testing::GatewayFixture;
using ai_proxy::testing::run_every_way;
using async::Scope;
using async::Task;
using async::TryEnd;
using dialect::Dialect;
using dialect::Model;

std::string read(std::string_view text)
{
    json::Parser parser;
    auto body = parser.parse(text);
    auto models = dialect::read_models(*body, "owner");
    if (!models) {
        return "error " + models.error().message;
    }
    std::string out;
    for (const Model& m : *models) {
        out += m.id + "|" + m.owner + "|" + m.title + "|"
            + std::to_string(m.created) + "\n";
    }
    return out;
}

TEST(ModelList, IsReadWhoeverWroteIt)
{
    EXPECT_EQ(read(R"({"object":"list","data":[
        {"id":"a","created":5,"owned_by":"o"},{"id":"b"},{"id":7},{"x":1},
        {"id":""},{"id":"with blank"},{"id":"c","created":-1}]})"),
        "a|o||5\nb|owner||0\nc|owner||0\n");
    EXPECT_EQ(read(R"({"data":[{"type":"model","id":"claude",
        "display_name":"Claude","created_at":"2025-01-01T00:00:00Z"}]})"),
        "claude|owner|Claude|0\n");
    EXPECT_EQ(read(R"({"models":[{"name":"models/g","displayName":"G"}]})"),
        "g|owner|G|0\n");
    EXPECT_EQ(read(R"([{"id":"x"}])"), "x|owner||0\n");
    EXPECT_EQ(read(R"({"data":[]})"), "");
    for (const auto* text : {"{}", R"({"data":{}})", "3", "null"}) {
        EXPECT_TRUE(read(text).starts_with("error ")) << text;
    }
}

TEST(ModelList, HasABound)
{
    std::string text = R"({"data":[)";
    for (int i = 0; i < 5001; ++i) {
        text += (i == 0 ? "" : ",") + std::string(R"({"id":"m)")
            + std::to_string(i) + "\"}";
    }
    text += "]}";
    json::Parser parser;
    EXPECT_EQ(
        dialect::read_models(*parser.parse(std::string_view(text)), "")->size(),
        5000U);
    EXPECT_EQ(read(R"([{"id":")" + std::string(257, 'x') + "\"}]"), "");
}

TEST(ModelList, TimesAreDates)
{
    const auto date = [](int64_t created) {
        Model model;
        model.id = "m";
        model.created = created;
        std::string out;
        dialect::write_model(out, Dialect::anthropic, model);
        const size_t at = out.find("created_at") + 13;
        return out.substr(at, 20);
    };
    EXPECT_EQ(date(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(date(951782400 + 86399), "2000-02-29T23:59:59Z");
    EXPECT_EQ(date(1740614399), "2025-02-26T23:59:59Z");
    EXPECT_EQ(date(4107542400), "2100-03-01T00:00:00Z");
    EXPECT_EQ(date(INT64_MAX), "9999-12-31T23:59:59Z");
}

TEST(ModelList, AnEmptyPageHasNoEnds)
{
    std::string out;
    dialect::write_models(out, Dialect::anthropic, {});
    EXPECT_EQ(
        out, R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
}

// ---- the flow

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

// Provider 0 has a token from outside, provider 1 a key, provider 2 nothing.
struct World {
    explicit World(FakeIo& with) : io(with)
    {
        auto& options = world.provider("cloud", "azure", {}).options;
        options.azure_token_file = "/token";
        options.azure_service_url = "https://r.example/openai/v1";
        world.provider("keyed", "openai");
        world.provider("own", "openai", {});
        world.route("main", {0, 1, 2});
        world.site().model_list = config::ModelList::merged;
        world.site().models.emplace_back().id = "first";
        request.method = "GET";
        request.path = "/v1/models";
        exchange.emplace(world.gateway, world.site(), request.head(), 1);
        EXPECT_TRUE(exchange->receive(request.padded(), 0));
        EXPECT_TRUE(exchange->lists_models());
        io.play = [this](Try& attempt) {
            ++asked;
            const std::string id(attempt.provider->options.name);
            return attempt.provider_index == failing
                ? answer(attempt, 500, "{}")
                : answer(attempt, 200,
                    R"({"data":[{"id":"m-)" + id + R"("},{"id":"first"}]})");
        };
    }
    Task<Outcome> task(Scope& s) { return serve_models(s, *exchange, lists); }

    FakeIo& io;
    GatewayFixture world;
    ClientRequest request;
    std::optional<Exchange> exchange;
    ModelLists lists;
    int asked = 0;
    int failing = -1;
};

std::string ids(const Outcome& outcome)
{
    json::Parser parser;
    auto body = parser.parse(std::string_view(outcome.reply.body));
    std::string out;
    for (const json::Node entry : (*body)["data"].items()) {
        out += std::string(entry["id"].string_or()) + " ";
    }
    return out;
}

struct AllWorld : World {
    using World::World;
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(ids(outcome), "first m-cloud m-keyed m-own ");
        EXPECT_EQ(lists.of(0).models.size(), 2U);
        EXPECT_EQ(lists.of(1).expires, 1'700'000'300);
        EXPECT_EQ(lists.of(1).asked, 0);
        EXPECT_TRUE(lists.of(2).models.empty()); // what one client may see
        EXPECT_EQ(exchange->books().tries.size(), 3U);
    }
};

TEST(ServeModels, ProvidersAreMergedEveryWay)
{
    run_every_way<AllWorld>();
}

struct KnownWorld : World {
    explicit KnownWorld(FakeIo& with) : World(with)
    {
        lists.of(0).models.emplace_back().id = "known";
        lists.of(0).expires = 1'700'000'001;
        lists.of(1).models.emplace_back().id = "old";
        lists.of(1).expires = 1'700'000'000;
        lists.of(1).asked = 1'699'999'990; // somebody else asks
    }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(ids(outcome), "first known old m-own ");
        EXPECT_EQ(asked, 1);
    }
};

TEST(ServeModels, WhatIsKnownIsNotAskedForEveryWay)
{
    run_every_way<KnownWorld>();
}

struct FailingWorld : World {
    explicit FailingWorld(FakeIo& with) : World(with)
    {
        io.token = make_error(ErrorCode::upstream_unavailable, "none");
        failing = 1;
        lists.of(1).models.emplace_back().id = "old";
    }
    void check(const Outcome& outcome)
    {
        EXPECT_EQ(outcome.reply.status, 200);
        EXPECT_EQ(ids(outcome), "first old m-own ");
        EXPECT_EQ(lists.of(0).expires, 1'700'000'010);
        EXPECT_EQ(lists.of(1).expires, 1'700'000'010);
        EXPECT_EQ(exchange->books().error, ErrorCode::none);
    }
};

TEST(ServeModels, WhoFailsIsLeftOutEveryWay)
{
    run_every_way<FailingWorld>();
}

} // namespace
} // namespace ai_proxy::policy
