#include "core/provider/registry.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace ai_proxy;
using dialect::Api;
using provider::Options;

struct Call {
    Api api = Api::chat_completions;
    std::string_view path = "/v1/chat/completions";
    std::string_view query = {};
    std::string_view model = "m";
};

Options path_options(std::string_view type, std::string_view base = {})
{
    Options options;
    options.name = "x";
    options.type = provider::find_type(type);
    EXPECT_NE(options.type, nullptr) << type;
    if (!base.empty())
        options.base_url = *provider::parse_url(base);
    return options;
}

std::string path_of(const Options& options, const Call& call = {})
{
    auto endpoint = provider::endpoint(options);
    if (!endpoint)
        return "error: " + endpoint.error().message;
    auto path = provider::relay_path(
        options, *endpoint, call.api, call.path, call.query, call.model);
    return path ? *path : "error: " + path.error().message;
}

TEST(RelayPath, GithubsModelsAreACatalogue)
{
    const Call list{Api::models, "/v1/models", "", ""};
    EXPECT_EQ(path_of(path_options("github"), list), "/catalog/models");
    EXPECT_EQ(
        path_of(
            path_options("github", "https://models.github.ai/inference"), list),
        "/catalog/models");
    EXPECT_EQ(path_of(path_options("github", "http://127.0.0.1:1/x"), list),
        "/x/catalog/models");
}

TEST(RelayPath, DashscopesOwnPathsStandBesideTheCompatibleOnes)
{
    const Call task{Api::unknown, "/api/v1/tasks/7", "", ""};
    EXPECT_EQ(path_of(path_options("qwen"), task), "/api/v1/tasks/7");
    EXPECT_EQ(
        path_of(path_options("qwen", "https://h/compatible-mode/v1"), task),
        "/api/v1/tasks/7");
}

TEST(RelayPath, ModelsOfGooglesOwnOnVertex)
{
    Options options = path_options("vertex");
    options.vertex_project_id = "p";
    options.vertex_region = "us";
    EXPECT_EQ(path_of(options,
                  {Api::gemini_generate, "/v1beta/models/x:generateContent", "",
                      "google/gemini-2.5-pro"}),
        "/v1/projects/p/locations/us/publishers/google/models/"
        "gemini-2.5-pro:generateContent");
}

// Its images are jobs that have to be polled: clients that speak OpenAI are
// told so, others reach the vendor's own paths.
TEST(RelayPath, QwensImageJobs)
{
    EXPECT_EQ(path_of(path_options("qwen"),
                  {Api::image_generations, "/v1/images/generations"}),
        "error: provider \"x\" does not have openai/v1/imagegeneration");
    for (const std::string_view path :
        {"/api/v1/services/aigc/text2image/image-synthesis",
            "/api/v1/tasks/86ecf553"})
    {
        EXPECT_EQ(path_of(path_options("qwen"), {Api::unknown, path}), path);
    }
}

TEST(JoinPath, DoesNotDoubleTheVersion)
{
    using provider::join_path;
    EXPECT_EQ(join_path("", "/v1/messages"), "/v1/messages");
    EXPECT_EQ(join_path("/x", "/v1/messages"), "/x/v1/messages");
    EXPECT_EQ(join_path("/v1", "/v1/messages"), "/v1/messages");
    EXPECT_EQ(join_path("/x/v1", "/v1/messages"), "/x/v1/messages");
    EXPECT_EQ(join_path("/xv1", "/v1/messages"), "/xv1/v1/messages");
    EXPECT_EQ(join_path("/v1/x", "/v1/messages"), "/v1/x/v1/messages");
    EXPECT_EQ(
        join_path("/openai/v1", "/openai/v1/models"), "/openai/v1/models");
    EXPECT_EQ(join_path("/p/api/paas/v4", "/api/paas/v4/embeddings"),
        "/p/api/paas/v4/embeddings");
    // The base names another version, or leaves out what stands before it.
    EXPECT_EQ(join_path("/api/v3", "/v1/chat/completions"),
        "/api/v3/chat/completions");
    EXPECT_EQ(join_path("/v1", "/openai/v1/models"), "/v1/models");
    EXPECT_EQ(join_path("/v1beta", "/v1beta/models/g:generateContent"),
        "/v1beta/models/g:generateContent");
    EXPECT_EQ(join_path("/v1", "/v1"), "/v1");
    EXPECT_EQ(join_path("/v1", "/v12/x"), "/v1/x");
}

TEST(RelayPath, OfEachTypesChat)
{
    const std::pair<std::string_view, std::string_view> kExpected[] = {
        {"openai", "/v1/chat/completions"},
        {"deepseek", "/v1/chat/completions"},
        {"moonshot", "/v1/chat/completions"},
        {"doubao", "/api/v3/chat/completions"},
        {"zhipuai", "/api/paas/v4/chat/completions"},
        {"groq", "/openai/v1/chat/completions"},
        {"grok", "/v1/chat/completions"},
        {"openrouter", "/api/v1/chat/completions"},
        {"mistral", "/v1/chat/completions"},
        {"together-ai", "/v1/chat/completions"},
        {"vllm", "/v1/chat/completions"},
        {"qwen", "/compatible-mode/v1/chat/completions"},
        {"baidu", "/v2/chat/completions"},
        {"github", "/inference/chat/completions"},
        {"fireworks", "/inference/v1/chat/completions"},
        {"longcat", "/openai/v1/chat/completions"},
        {"stepfun", "/v1/chat/completions"},
        {"yi", "/v1/chat/completions"},
        {"baichuan", "/v1/chat/completions"},
        {"ai360", "/v1/chat/completions"},
        {"spark", "/v1/chat/completions"},
        {"minimax", "/v1/chat/completions"},
        {"hunyuan", "/v1/chat/completions"},
        {"coze", "/v1/chat/completions"},
        {"huggingface", "/v1/chat/completions"},
        {"perplexity", "/chat/completions"},
        {"cerebras", "/v1/chat/completions"},
        {"ai21", "/studio/v1/chat/completions"},
        {"vercel-gateway", "/v1/chat/completions"},
    };
    for (auto [type, path] : kExpected) {
        EXPECT_EQ(path_of(path_options(type)), path) << type;
        EXPECT_EQ(
            path_of(path_options(type, "http://h/x")), "/x" + std::string(path))
            << type;
        // The base URL of the vendor's own documentation.
        size_t cut = path.find("/chat/completions");
        std::string base = "http://h" + std::string(path.substr(0, cut));
        EXPECT_EQ(path_of(path_options(type, base)), path) << type;
    }
}

TEST(RelayPath, OfWhatOnlySomeHave)
{
    EXPECT_EQ(path_of(path_options("deepseek"),
                  {Api::completions, "/v1/completions"}),
        "/beta/completions");
    EXPECT_EQ(path_of(path_options("claude"), {Api::files, "/v1/files"}),
        "/v1/files");
    EXPECT_EQ(path_of(path_options("claude"),
                  {Api::file_content, "/v1/files/file_1/content"}),
        "/v1/files/file_1/content");
    // Spark's models that think.
    Call call;
    call.model = "x1";
    EXPECT_EQ(path_of(path_options("spark"), call), "/v2/chat/completions");
    call.model = "spark-x";
    EXPECT_EQ(path_of(path_options("spark"), call), "/v2/chat/completions");
    call.model = "4.0Ultra";
    EXPECT_EQ(path_of(path_options("spark"), call), "/v1/chat/completions");
    // Qwen's conversations.
    EXPECT_EQ(path_of(path_options("qwen"),
                  {Api::unknown, "/x/v1/conversations/c-1", "a=b"}),
        "/compatible-mode/v1/conversations/c-1?a=b");
    EXPECT_EQ(path_of(path_options("qwen", "https://h/compatible-mode/v1"),
                  {Api::unknown, "/v1/conversations"}),
        "/compatible-mode/v1/conversations");
}

TEST(RelayPath, TheOperatorsCapabilitiesWin)
{
    Options options = path_options("fireworks", "https://h/x");
    EXPECT_FALSE(provider::supports(options, Api::moderations));
    options.capabilities = {{Api::moderations, "/m/v1/check"},
        {Api::embeddings, "/e?a=1"}, {Api::model, "/v9/models/{id}"}};
    EXPECT_TRUE(provider::supports(options, Api::moderations));
    EXPECT_EQ(path_of(options, {Api::moderations, "/v1/moderations"}),
        "/x/m/v1/check");
    EXPECT_EQ(path_of(options, {Api::embeddings, "/v1/embeddings", "b=2"}),
        "/x/e?a=1&b=2");
    EXPECT_EQ(path_of(options, {Api::model, "/v1/models/a"}), "/x/v9/models/a");
}

TEST(RelayPath, BasePathsComeAndGo)
{
    Options options = path_options("generic", "https://h");
    options.base_path = "/team";
    EXPECT_EQ(path_of(options, {Api::unknown, "/team/v1/x"}), "/v1/x");
    EXPECT_EQ(path_of(options, {Api::unknown, "/teams/v1/x"}), "/teams/v1/x");
    options.base_path_prepend = true;
    EXPECT_EQ(provider::with_base_paths(options, "/v1/x"), "/team/v1/x");
    EXPECT_EQ(provider::with_base_paths(options, "/team?a"), "/team?a");
    options.provider_base_path = "/edge";
    EXPECT_EQ(provider::with_base_paths(options, "/v1/x"), "/edge/team/v1/x");
    options.provider_domain = *provider::parse_url("https://other.example");
    options.provider_domain->port = 0;
    EXPECT_EQ(provider::endpoint(options)->authority(), "other.example");
}

TEST(RelayPath, OriginalProtocolKeepsThePath)
{
    Options options = path_options("qwen");
    options.original = true;
    EXPECT_TRUE(provider::relays(options));
    EXPECT_EQ(
        path_of(options, {Api::unknown, "/api/v1/services/aigc/x", "a=1"}),
        "/api/v1/services/aigc/x?a=1");
    EXPECT_EQ(path_of(options), "/v1/chat/completions");
}

TEST(RelayPath, CloudflareNamesTheAccountInThePath)
{
    const std::string_view kPath =
        "/client/v4/accounts/0a1b/ai/v1/chat/completions";
    Options options = path_options("cloudflare");
    options.cloudflare_account_id = "0a1b";
    EXPECT_EQ(path_of(options), kPath);
    EXPECT_EQ(path_of(options, {Api::embeddings, "/v1/embeddings"}),
        "/client/v4/accounts/0a1b/ai/v1/embeddings");
    // A base URL that has the account needs no option.
    EXPECT_EQ(path_of(path_options("cloudflare",
                  "https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1")),
        kPath);
    EXPECT_EQ(path_of(path_options("cloudflare",
                  "https://gateway.ai.cloudflare.com/v1/0a1b/g/workers-ai")),
        "/v1/0a1b/g/workers-ai/v1/chat/completions");
    options = path_options("cloudflare");
    options.api_tokens.emplace_back("tok");
    auto checked = provider::check(options);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().message, "no \"cloudflare_account_id\"");
}

TEST(RelayPath, OtherApisStandBehindTheSameSurface)
{
    EXPECT_EQ(path_of(path_options("fireworks"), {Api::rerank, "/v1/rerank"}),
        "/inference/v1/rerank");
    EXPECT_EQ(path_of(path_options("fireworks", "http://h/inference/v1"),
                  {Api::messages, "/v1/messages"}),
        "/inference/v1/messages");
    EXPECT_EQ(path_of(path_options("baidu", "http://h/v2"),
                  {Api::embeddings, "/v1/embeddings"}),
        "/v2/embeddings");
    EXPECT_EQ(path_of(path_options("longcat", "http://h/openai"),
                  {Api::messages, "/v1/messages"}),
        "/anthropic/v1/messages");
    EXPECT_EQ(path_of(path_options("snowflake", "https://a.example"),
                  {Api::messages, "/v1/messages"}),
        "/api/v2/cortex/v1/messages");
    EXPECT_EQ(
        path_of(path_options("coze"), {Api::unknown, "/v3/chat"}), "/v3/chat");
}

TEST(RelayPath, TheSurfaceOfTheBaseUrlDoesNotLeakIntoOtherSurfaces)
{
    const Call messages{Api::messages, "/v1/messages"};
    EXPECT_EQ(path_of(path_options("deepseek", "http://h/v1"), messages),
        "/anthropic/v1/messages");
    EXPECT_EQ(path_of(path_options("qwen", "http://h/p/compatible-mode/v1"),
                  messages),
        "/p/apps/anthropic/v1/messages");
    EXPECT_EQ(path_of(path_options("claude", "http://h/v1"), messages),
        "/v1/messages");
    EXPECT_EQ(path_of(path_options("claude", "http://h/x"), messages),
        "/x/v1/messages");
}

TEST(RelayPath, FillsIdsFromTheClientsPath)
{
    Options qwen = path_options("qwen");
    EXPECT_EQ(path_of(qwen, {Api::file_content, "/v1/files/f-1/content"}),
        "/compatible-mode/v1/files/f-1/content");
    EXPECT_EQ(path_of(qwen, {Api::batch_cancel, "/v1/batches/b-1/cancel"}),
        "/compatible-mode/v1/batches/b-1/cancel");
    EXPECT_EQ(path_of(qwen, {Api::batch_cancel, "/v1/batches/b%2F1/cancel"}),
        "error: invalid character in the path");
    Options openai = path_options("openai");
    EXPECT_EQ(path_of(openai,
                  {Api::fine_tuning, "/v1/fine_tuning/jobs/j-1/events",
                      "limit=2&after=e"}),
        "/v1/fine_tuning/jobs/j-1/events?limit=2&after=e");
    EXPECT_EQ(path_of(openai, {Api::response, "/v1/responses/r-1/input_items"}),
        "/v1/responses/r-1/input_items");
    EXPECT_EQ(path_of(path_options("groq"), {Api::model, "/v1/models/a"}),
        "/openai/v1/models/a");
}

TEST(RelayPath, RefusesWhatWouldLeaveThePrefix)
{
    Options options = path_options("openai", "http://h/tenant-a");
    for (std::string_view bad :
        {"/v1/files/../../tenant-b", "/v1/files/%2e%2e/x",
            "/v1/files/a%2f..%2f..%2fb", "/v1/files/a b", "/v1/files/a\nb"})
    {
        auto path = path_of(options, {Api::file, bad});
        EXPECT_TRUE(path.starts_with("error: invalid request path")) << path;
        path = path_of(options, {Api::unknown, bad});
        EXPECT_TRUE(path.starts_with("error: invalid request path")) << path;
    }
    for (std::string_view bad : {"a=b c", "a=b\r\nX: y", "a#b"})
        EXPECT_EQ(path_of(options, {Api::models, "/v1/models", bad}),
            "error: invalid character in the query");
    EXPECT_EQ(path_of(options, {Api::file, "/v1/files/f\xc3\xa9"}),
        "/tenant-a/v1/files/f%C3%A9");
}

TEST(RelayPath, RelaysUnknownPathsAsTheyCame)
{
    const Call call{Api::unknown, "/v1/vector_stores/v-1", "a=b"};
    EXPECT_EQ(
        path_of(path_options("openai"), call), "/v1/vector_stores/v-1?a=b");
    EXPECT_EQ(path_of(path_options("openai", "http://h/x/v1"), call),
        "/x/v1/vector_stores/v-1?a=b");
    EXPECT_EQ(
        path_of(path_options("claude"), {Api::unknown, "/v1/messages/batches"}),
        "/v1/messages/batches");
    EXPECT_EQ(path_of(path_options("generic", "http://h/x"), {}),
        "/x/v1/chat/completions");
}

TEST(RelayPath, WhatTheVendorLacksIsAnError)
{
    auto path = provider::relay_path(path_options("deepseek"), {},
        Api::embeddings, "/v1/embeddings", "", "m");
    ASSERT_FALSE(path.ok());
    EXPECT_EQ(path.error().code, ErrorCode::unsupported_api);
    EXPECT_EQ(path.error().message,
        "provider \"x\" does not have openai/v1/embeddings");
}

TEST(RelayPath, OpenaiCustomUrl)
{
    Options options = path_options("openai");
    options.openai_custom_url = "https://h/compatible/v3/";
    EXPECT_EQ(path_of(options), "/compatible/v3/chat/completions");
    EXPECT_EQ(
        path_of(options, {Api::file, "/v1/files/f"}), "/compatible/v3/files/f");
    options.openai_custom_url = "h/v1beta/openai";
    EXPECT_EQ(path_of(options), "/v1beta/openai/chat/completions");
    options.openai_custom_url = "https://h";
    EXPECT_EQ(path_of(options), "/chat/completions");
    // Direct: the path names an API and serves every call.
    options.openai_custom_url = "https://h/a/chat/completions";
    EXPECT_EQ(path_of(options, {Api::embeddings, "/v1/embeddings", "q=1"}),
        "/a/chat/completions");
}

TEST(RelayPath, VllmCustomUrl)
{
    Options options = path_options("vllm");
    options.vllm_custom_url = "http://h:8000/gpu/v1";
    EXPECT_EQ(path_of(options), "/gpu/v1/chat/completions");
    options.vllm_custom_url = "http://h:8000/score/rerank";
    EXPECT_EQ(path_of(options), "/score/rerank");
}

TEST(RelayPath, ZhipuCodePlan)
{
    Options options = path_options("zhipuai");
    options.zhipu_code_plan_mode = true;
    EXPECT_EQ(path_of(options), "/api/coding/paas/v4/chat/completions");
    EXPECT_EQ(path_of(options, {Api::embeddings, "/v1/embeddings"}),
        "/api/paas/v4/embeddings");
}

Options azure_options(std::string_view url)
{
    Options options = path_options("azure");
    options.azure_service_url = url;
    return options;
}

TEST(AzurePath, DomainOnlyTakesTheModelAsDeployment)
{
    for (std::string_view url : {"https://r.openai.azure.com?api-version=1",
             "https://r.openai.azure.com/?api-version=1"})
    {
        Options options = azure_options(url);
        EXPECT_EQ(path_of(options, {.model = "gpt 4/o"}),
            "/openai/deployments/gpt%204%2Fo/chat/completions?api-version=1");
        EXPECT_EQ(path_of(options, {Api::models, "/v1/models", "a=b"}),
            "/openai/models?api-version=1&a=b");
        EXPECT_EQ(path_of(options, {Api::file, "/v1/files/f-1"}),
            "/openai/files/f-1?api-version=1");
        EXPECT_EQ(path_of(options, {Api::embeddings, "/v1/embeddings"}),
            "/openai/deployments/m/embeddings?api-version=1");
    }
}

TEST(AzurePath, ModelCannotClimb)
{
    Options options = azure_options("https://r.openai.azure.com?api-version=1");
    EXPECT_EQ(path_of(options, {.model = ".."}), "error: invalid model");
    EXPECT_EQ(
        path_of(options, {.model = ""}), "error: no model in the request");
    EXPECT_EQ(path_of(options, {.model = "../x?y#z"}),
        "/openai/deployments/..%2Fx%3Fy%23z/chat/completions?api-version=1");
}

TEST(AzurePath, WithDeployment)
{
    Options options = azure_options(
        "https://r.openai.azure.com/openai/deployments/dep?api-version=2");
    EXPECT_EQ(path_of(options),
        "/openai/deployments/dep/chat/completions?api-version=2");
    EXPECT_EQ(path_of(options, {Api::batches, "/v1/batches"}),
        "/openai/batches?api-version=2");
}

TEST(AzurePath, FullUrlIsUsedVerbatim)
{
    Options options =
        azure_options("https://r.openai.azure.com/openai/deployments/dep/"
                      "chat/completions?api-version=3");
    EXPECT_EQ(path_of(options, {.query = "a=b"}),
        "/openai/deployments/dep/chat/completions?api-version=3&a=b");
    options = azure_options("https://r.services.ai.azure.com/models/chat/"
                            "completions?api-version=4");
    EXPECT_EQ(path_of(options), "/models/chat/completions?api-version=4");
}

TEST(AzurePath, VersionOneSurface)
{
    Options options = azure_options("https://r.openai.azure.com/openai/v1/");
    EXPECT_EQ(path_of(options), "/openai/v1/chat/completions");
    EXPECT_EQ(path_of(options, {Api::response, "/v1/responses/r-1"}),
        "/openai/v1/responses/r-1");
    options =
        azure_options("https://r.openai.azure.com/openai/v1?api-version=p");
    EXPECT_EQ(path_of(options), "/openai/v1/chat/completions?api-version=p");
    EXPECT_EQ(path_of(path_options("azure", "http://h/x/openai/v1")),
        "/x/openai/v1/chat/completions");
}

TEST(AzurePath, BaseUrlMovesTheShapeElsewhere)
{
    Options options = path_options("azure", "http://127.0.0.1:9000/x");
    options.azure_service_url = "https://r.openai.azure.com?api-version=1";
    EXPECT_EQ(path_of(options),
        "/x/openai/deployments/m/chat/completions?api-version=1");
}

TEST(GeminiPath, NativeCallsKeepTheirVersionAndTakeTheMappedModel)
{
    Options options = path_options("gemini");
    const Call call{Api::gemini_stream,
        "/v1/models/gemini-pro:streamGenerateContent", "alt=sse",
        "gemini-2.5-pro"};
    EXPECT_EQ(path_of(options, call),
        "/v1/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    Call unnamed = call;
    unnamed.model = "";
    EXPECT_EQ(path_of(options, unnamed),
        "/v1/models/gemini-pro:streamGenerateContent?alt=sse");
    options.api_version = "v1alpha";
    EXPECT_EQ(path_of(options, call),
        "/v1alpha/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    EXPECT_EQ(path_of(path_options("gemini"), {Api::models, "/v1/models"}),
        "/v1beta/models");
}

} // namespace
