#include "gateway_fixture.h"

#include "core/provider/embeddings.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;

class Embeddings : public ::testing::Test {
protected:
    void use(std::string_view type, bool native = false)
    {
        config::Provider& made = fixture_.provider("p", type);
        made.options.qwen_enable_compatible = !native;
        fixture_.route("r", {0});
    }

    Result<std::unique_ptr<policy::Try>> ask(std::string body)
    {
        client_.path = "/v1/embeddings";
        client_.body = std::move(body);
        exchange_ = std::make_unique<policy::Exchange>(
            fixture_.gateway, fixture_.site(), client_.head(), 0);
        auto received =
            exchange_->receive(client_.padded(), client_.body.size());
        if (!received)
            return std::move(received).error();
        return exchange_->make_try(exchange_->route().targets[0], 0, 1, 2);
    }

    // The answer that the client gets.
    static std::string answer(policy::Try& attempt, std::string_view body)
    {
        const Header kHead[] = {{"content-type", "application/json"}};
        std::string out;
        attempt.response->head(200, kHead);
        for (char c : body)
            attempt.response->feed({&c, 1}, out, 1);
        attempt.response->end(true, out, 2);
        EXPECT_TRUE(out.empty());
        return attempt.response->state() == policy::Response::State::whole
            ? attempt.response->take_body()
            : "failed: " + attempt.response->error().message;
    }

    ai_proxy::testing::GatewayFixture fixture_;
    ai_proxy::testing::ClientRequest client_;
    std::unique_ptr<policy::Exchange> exchange_;
};

TEST_F(Embeddings, OfCohere)
{
    use("cohere");
    auto attempt = ask(R"({"model":"embed-v4.0","input":["a","b"],)"
                       R"("dimensions":256,"input_type":"search_query"})");
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_EQ((*attempt)->outbound.path, "/v2/embed");
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"embed-v4.0","texts":["a","b"],)"
        R"("input_type":"search_query","embedding_types":["float"],)"
        R"("output_dimension":256})");
    EXPECT_EQ(
        answer(**attempt,
            R"({"id":"x","embeddings":{"float":[[0.5,-1],[0.25,2]]},)"
            R"("texts":["a","b"],"meta":{"billed_units":{"input_tokens":7}}})"),
        R"({"object":"list","data":[)"
        R"({"object":"embedding","index":0,"embedding":[0.5,-1]},)"
        R"({"object":"embedding","index":1,"embedding":[0.25,2]}],)"
        R"("model":"embed-v4.0","usage":{"prompt_tokens":7,"total_tokens":7}})");
    EXPECT_EQ((*attempt)->response->usage().prompt, 7);
    EXPECT_TRUE((*attempt)->response->usage().known);
}

TEST_F(Embeddings, InBase64AreLittleEndianFloats)
{
    use("cohere");
    auto attempt =
        ask(R"({"model":"m","input":"a","encoding_format":"base64"})");
    ASSERT_TRUE(attempt);
    // 1.0f is 00 00 80 3f, -2.0f is 00 00 00 c0.
    EXPECT_EQ(answer(**attempt, R"({"embeddings":{"float":[[1.0,-2]]}})"),
        R"({"object":"list","data":[{"object":"embedding","index":0,)"
        R"("embedding":"AACAPwAAAMA="}],"model":"m",)"
        R"("usage":{"prompt_tokens":0,"total_tokens":0}})");
    EXPECT_FALSE((*attempt)->response->usage().known);
}

TEST_F(Embeddings, OfQwenNative)
{
    use("qwen", true);
    auto attempt =
        ask(R"({"model":"text-embedding-v4","input":"a","dimensions":64})");
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_EQ((*attempt)->outbound.path,
        "/api/v1/services/embeddings/text-embedding/text-embedding");
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"text-embedding-v4","input":{"texts":["a"]},)"
        R"("parameters":{"dimension":64}})");
    EXPECT_EQ(
        answer(**attempt,
            R"({"output":{"embeddings":[{"text_index":1,"embedding":[2]},)"
            R"({"text_index":0,"embedding":[1]}]},"usage":{"total_tokens":3}})"),
        R"({"object":"list","data":[)"
        R"({"object":"embedding","index":1,"embedding":[2]},)"
        R"({"object":"embedding","index":0,"embedding":[1]}],)"
        R"("model":"text-embedding-v4",)"
        R"("usage":{"prompt_tokens":3,"total_tokens":3}})");
}

TEST_F(Embeddings, OfQwenCompatibleAreRelayed)
{
    use("qwen");
    auto attempt = ask(R"({"model":"m","input":[1,2],"x":1.0})");
    ASSERT_TRUE(attempt);
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"m","input":[1,2],"x":1.0})");
}

TEST_F(Embeddings, RefuseWhatTheVendorCannotEmbed)
{
    use("cohere");
    for (std::string_view input :
        {"[1,2]", "[[1],[2]]", "[]", "null", "7", R"(["a",1])"})
    {
        auto attempt =
            ask(R"({"model":"m","input":)" + std::string(input) + "}");
        ASSERT_FALSE(attempt) << input;
        EXPECT_EQ(attempt.error().code, ErrorCode::invalid_request) << input;
        EXPECT_EQ(attempt.error().param, "input") << input;
    }
    auto attempt = ask(R"({"model":"m","input":"a","dimensions":-1})");
    ASSERT_FALSE(attempt);
    EXPECT_EQ(attempt.error().param, "dimensions");
}

TEST_F(Embeddings, OfHuggingFace)
{
    use("huggingface");
    auto attempt = ask(R"({"model":"BAAI/bge-m3","input":["a","b"]})");
    ASSERT_TRUE(attempt);
    EXPECT_EQ((*attempt)->outbound.path,
        "/hf-inference/models/BAAI/bge-m3/pipeline/feature-extraction");
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"inputs":["a","b"]})");
    EXPECT_EQ(answer(**attempt, "[[1],[2]]"),
        R"({"object":"list","data":[)"
        R"({"object":"embedding","index":0,"embedding":[1]},)"
        R"({"object":"embedding","index":1,"embedding":[2]}],)"
        R"("model":"BAAI/bge-m3",)"
        R"("usage":{"prompt_tokens":0,"total_tokens":0}})");
    EXPECT_FALSE(ask(R"({"model":"a/../b","input":"a"})"));
}

TEST_F(Embeddings, OfMinimax)
{
    use("minimax");
    auto attempt = ask(R"({"model":"embo-01","input":"a"})");
    ASSERT_TRUE(attempt);
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"embo-01","texts":["a"],"type":"db"})");
    EXPECT_EQ(answer(**attempt,
                  R"({"vectors":[[0.5]],"total_tokens":4,)"
                  R"("base_resp":{"status_code":0}})"),
        R"({"object":"list","data":[{"object":"embedding","index":0,)"
        R"("embedding":[0.5]}],"model":"embo-01",)"
        R"("usage":{"prompt_tokens":4,"total_tokens":4}})");
}

class Rerank : public Embeddings {
protected:
    Result<std::unique_ptr<policy::Try>> rank(std::string body)
    {
        client_.path = "/v2/rerank";
        client_.body = std::move(body);
        exchange_ = std::make_unique<policy::Exchange>(
            fixture_.gateway, fixture_.site(), client_.head(), 0);
        auto received =
            exchange_->receive(client_.padded(), client_.body.size());
        if (!received)
            return std::move(received).error();
        return exchange_->make_try(exchange_->route().targets[0], 0, 1, 2);
    }
};

constexpr std::string_view kRank =
    R"({"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1,)"
    R"("return_documents":true})";

TEST_F(Rerank, OfQwenNative)
{
    use("qwen", true);
    auto attempt = rank(std::string(kRank));
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"m","input":{"query":"q","documents":["a","b"]},)"
        R"("parameters":{"top_n":1,"return_documents":true}})");
    EXPECT_EQ(answer(**attempt,
                  R"({"output":{"results":[{"index":1,"relevance_score":0.5,)"
                  R"("document":{"text":"b"}}]},"usage":{"total_tokens":7},)"
                  R"("request_id":"r"})"),
        R"({"id":"r","model":"m","results":[{"index":1,)"
        R"("relevance_score":0.5,"document":{"text":"b"}}],)"
        R"("usage":{"total_tokens":7}})");
    EXPECT_EQ((*attempt)->response->usage().total, 7);
}

TEST_F(Rerank, OfVoyage)
{
    use("voyage");
    auto attempt = rank(std::string(kRank));
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_EQ((*attempt)->outbound.path, "/v1/rerank");
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound),
        R"({"model":"m","query":"q","documents":["a","b"],"top_k":1,)"
        R"("return_documents":true})");
    EXPECT_EQ(answer(**attempt,
                  R"({"object":"list","data":[{"relevance_score":0.25,)"
                  R"("index":0,"document":"a"}],"usage":{"total_tokens":3}})"),
        R"({"id":"","model":"m","results":[{"index":0,)"
        R"("relevance_score":0.25,"document":{"text":"a"}}],)"
        R"("usage":{"total_tokens":3}})");
    attempt = rank(std::string(kRank));
    ASSERT_TRUE(attempt);
    EXPECT_EQ(answer(**attempt, R"({"data":[{"index":0}]})"),
        "failed: a result of the provider has no index or score");
}

TEST_F(Rerank, OfCohereIsRelayed)
{
    use("cohere");
    auto attempt = rank(std::string(kRank));
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_EQ((*attempt)->outbound.path, "/v2/rerank");
    EXPECT_EQ(ai_proxy::testing::body_text((*attempt)->outbound), kRank);
}

TEST_F(Rerank, RefusesWhatIsNoText)
{
    use("voyage");
    for (std::string_view bad : {R"({"model":"m","documents":["a"]})",
             R"({"model":"m","query":"q","documents":[]})",
             R"({"model":"m","query":"q","documents":[1]})",
             R"({"model":"m","query":"q","documents":["a"],"top_n":0})"})
    {
        auto attempt = rank(std::string(bad));
        ASSERT_FALSE(attempt) << bad;
        EXPECT_EQ(attempt.error().code, ErrorCode::invalid_request) << bad;
    }
}

TEST_F(Embeddings, AnAnswerWithoutVectorsIsNone)
{
    use("cohere");
    for (std::string_view body : {R"({})", R"({"embeddings":{"float":[]}})",
             R"({"embeddings":{"float":[[]]}})",
             R"({"embeddings":{"float":[["a"]]}})",
             R"({"embeddings":{"float":[1]}})", R"([])"})
    {
        auto attempt = ask(R"({"model":"m","input":"a"})");
        ASSERT_TRUE(attempt);
        EXPECT_TRUE(answer(**attempt, body).starts_with("failed: ")) << body;
        EXPECT_EQ(
            (*attempt)->response->error().code, ErrorCode::upstream_invalid)
            << body;
    }
    auto attempt = ask(R"({"model":"m","input":"a"})");
    ASSERT_TRUE(attempt);
    EXPECT_EQ(answer(**attempt,
                  R"({"message":"later","code":"Throttling",)"
                  R"("request_id":"r"})"),
        "failed: later");
    EXPECT_EQ((*attempt)->response->error().http_status(), 429);
}

} // namespace
