#include "exchange_fixture.h"

#include "core/provider/openai_models.h"

#include <string>
#include <string_view>

// How much to think, as clients of each dialect ask for it and providers of
// another take it.
namespace ai_proxy::testing {
namespace {

class AskedThinking : public ExchangeFixture {
protected:
    // What a provider of the type is sent; the param of the refusal where
    // nothing may be left out.
    std::string messages(std::string_view type, std::string_view model,
        std::string_view members, bool strict = false)
    {
        return sent(type, "/v1/messages",
            R"({"model":")" + std::string(model)
                + R"(","max_tokens":9000,)"
                  R"("messages":[{"role":"user","content":"x"}],)"
                + std::string(members) + "}",
            strict);
    }
    std::string gemini(std::string_view type, std::string_view model,
        std::string_view config, std::string_view members = "",
        bool strict = false)
    {
        return sent(type,
            "/v1beta/models/" + std::string(model) + ":generateContent",
            R"({"contents":[{"parts":[{"text":"x"}]}],)"
            R"("generationConfig":{"thinkingConfig":)"
                + std::string(config) + "}" + std::string(members) + "}",
            strict);
    }
    std::string chat(std::string_view type, std::string_view model,
        std::string_view members, bool strict = false)
    {
        return sent(type, "/v1/chat/completions",
            R"({"model":")" + std::string(model)
                + R"(","messages":[{"role":"user","content":"x"}],)"
                + std::string(members) + "}",
            strict);
    }

private:
    std::string sent(
        std::string_view type, std::string path, std::string body, bool strict)
    {
        attempt.reset();
        exchange.reset();
        world.site().routes.clear();
        world.site().strict = strict;
        world.gateway.routes.clear();
        world.gateway.providers.clear();
        world.gateway.keys.clear();
        config::Provider& made = world.provider("one", type);
        made.options.aws_region = "us-east-1";
        if (auto endpoint = provider::endpoint(made.options)) {
            made.endpoint = *endpoint;
        }
        request.path = std::move(path);
        request.body = std::move(body);
        if (!strict) {
            return body_text(prepare().outbound);
        }
        const auto received = receive();
        EXPECT_TRUE(received) << received.error().message;
        auto tried = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        return tried ? std::string() : tried.error().param;
    }
};

std::string effort(std::string_view word)
{
    return R"("reasoning_effort":")" + std::string(word) + '"';
}

struct Fitted {
    std::string_view model, asked, taken;
};

TEST(FitEffort, ByTheModel)
{
    for (const Fitted& row : {
             Fitted{"o3", "minimal", "low"},
             Fitted{"o4-mini-2025-04-16", "xhigh", "high"},
             Fitted{"gpt-5", "minimal", "minimal"},
             Fitted{"gpt-5-mini", "max", "high"},
             Fitted{"openai/gpt-5-nano", "medium", "medium"},
             Fitted{"gpt-5-codex", "minimal", "low"},
             Fitted{"gpt-5-pro", "low", "high"},
             Fitted{"gpt-5-pro-2025-10-06", "xhigh", "high"},
             Fitted{"gpt-5-chat-latest", "medium", ""},
             Fitted{"gpt-5.1", "minimal", "low"},
             Fitted{"gpt-5.1", "xhigh", "high"},
             Fitted{"gpt-5.1-codex", "xhigh", "high"},
             Fitted{"gpt-5.1-codex-mini", "max", "high"},
             Fitted{"gpt-5.1-codex-max", "max", "xhigh"},
             Fitted{"gpt-5.1-chat-latest", "high", "medium"},
             Fitted{"gpt-5.2-chat-latest", "low", "medium"},
             Fitted{"gpt-5.2", "max", "xhigh"},
             Fitted{"gpt-5.2-codex", "minimal", "low"},
             Fitted{"gpt-5.2-pro", "low", "medium"},
             Fitted{"gpt-6", "xhigh", "xhigh"},
             Fitted{"gpt-oss-120b", "max", "high"},
             Fitted{"qwen3", "xhigh", "high"},
             // The model's to refuse.
             Fitted{"gpt-5", "other", "other"},
         })
    {
        EXPECT_EQ(provider::fit_effort(row.model, row.asked), row.taken)
            << row.model << ' ' << row.asked;
    }
}

TEST_F(AskedThinking, EffortIsOneThatTheModelTakes)
{
    constexpr std::string_view kMax =
        R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})";
    constexpr std::string_view kMinimal = R"({"thinkingLevel":"MINIMAL"})";
    struct Row {
        std::string_view type, model, max, minimal;
    };
    for (const Row& row : {
             Row{"openai", "gpt-5", "high", "minimal"},
             Row{"azure", "gpt-5.1", "high", "low"},
             Row{"openai", "gpt-5.2", "xhigh", "low"},
             Row{"groq", "openai/gpt-oss-20b", "high", "low"},
             Row{"vllm", "m", "high", "low"},
             Row{"doubao", "m", "high", "minimal"},
         })
    {
        EXPECT_NE(messages(row.type, row.model, kMax).find(effort(row.max)),
            std::string::npos)
            << row.type << ' ' << row.model;
        // Their names may hold what no path of Gemini's does.
        if (row.model.find('/') == std::string_view::npos) {
            EXPECT_NE(
                gemini(row.type, row.model, kMinimal).find(effort(row.minimal)),
                std::string::npos)
                << row.type << ' ' << row.model;
        }
    }
    // Finds a level itself, whatever the model.
    EXPECT_NE(gemini("openrouter", "gpt-5.1", kMinimal).find(effort("minimal")),
        std::string::npos);
}

TEST_F(AskedThinking, NoEffortForWhoTakesNone)
{
    constexpr std::string_view kThink =
        R"("thinking":{"type":"enabled","budget_tokens":5000})";
    const std::string sent = messages("openai", "gpt-5-chat-latest", kThink);
    EXPECT_EQ(sent.find("reasoning_effort"), std::string::npos) << sent;
    EXPECT_NE(sent.find(R"("max_completion_tokens":9000)"), std::string::npos)
        << sent;
    EXPECT_EQ(
        messages("openai", "gpt-5-chat-latest", kThink, true), "thinking");
    EXPECT_EQ(messages("openai", "gpt-5.1-chat-latest", kThink, true), "");
}

// A budget of Gemini's is a wish, which goes as far as Claude takes it.
TEST_F(AskedThinking, BudgetsOfGeminiFitClaude)
{
    constexpr std::string_view kSmall = R"({"thinkingBudget":512})";
    constexpr std::string_view kLeast =
        R"("thinking":{"type":"enabled","budget_tokens":1024})";
    constexpr std::string_view kForced =
        R"(,"tools":[{"functionDeclarations":[{"name":"f"}]}],)"
        R"("toolConfig":{"functionCallingConfig":{"mode":"ANY"}})";
    for (const std::string_view type : {"claude", "bedrock"}) {
        const std::string amazon = type == "bedrock" ? "anthropic." : "";
        const std::string sonnet = amazon + "claude-sonnet-4-5";
        std::string sent = gemini(type, sonnet, kSmall);
        EXPECT_NE(sent.find(kLeast), std::string::npos) << sent;
        sent = gemini(type, sonnet, kSmall, kForced);
        EXPECT_EQ(sent.find("thinking"), std::string::npos) << sent;
        sent = gemini(type, amazon + "claude-opus-4-7", kSmall);
        EXPECT_NE(sent.find(R"({"type":"adaptive",)"), std::string::npos)
            << sent;
        const std::string old = amazon + "claude-3-5-sonnet-20241022";
        sent = gemini(type, old, kSmall);
        EXPECT_EQ(sent.find("thinking"), std::string::npos) << sent;
        EXPECT_EQ(gemini(type, old, kSmall, "", true), "reasoning_effort");
        sent = gemini(type, sonnet, R"({"thinkingBudget":0})");
        EXPECT_EQ(sent.find("thinking"), std::string::npos) << sent;
    }
}

TEST_F(AskedThinking, BudgetsOfGeminiAreEffortsElsewhere)
{
    constexpr std::string_view kBudget = R"({"thinkingBudget":5000})";
    for (const std::string_view type : {"openai", "openrouter", "mock"}) {
        const std::string sent = gemini(type, "gpt-5", kBudget);
        EXPECT_NE(sent.find(effort("medium")), std::string::npos) << sent;
        EXPECT_EQ(sent.find("max_tokens"), std::string::npos) << sent;
    }
    const std::string sent = gemini("deepseek", "m", kBudget);
    EXPECT_NE(sent.find(R"("thinking":{"type":"enabled"})"), std::string::npos)
        << sent;
}

TEST_F(AskedThinking, SomeModelsCannotButThink)
{
    constexpr std::string_view kNone = R"("reasoning_effort":"none")";
    constexpr std::string_view kZero = R"({"thinkingBudget":0})";
    for (const std::string_view model :
        {"claude-fable-5", "claude-mythos-5", "claude-mythos-preview"})
    {
        const std::string name(model);
        for (const std::string& sent :
            {chat("claude", name, kNone), gemini("claude", name, kZero),
                chat("bedrock", "anthropic." + name, kNone)})
        {
            EXPECT_EQ(sent.find("thinking"), std::string::npos) << sent;
        }
        EXPECT_EQ(chat("claude", name, kNone, true), "reasoning_effort");
        EXPECT_EQ(chat("bedrock", "anthropic." + name, kNone, true),
            "reasoning_effort");
    }
    EXPECT_EQ(chat("claude", "claude-opus-4-7", kNone, true), "");
}

// What the client said in the provider's own dialect is its own affair.
TEST_F(AskedThinking, EffortIsRelayedAsItIs)
{
    const std::string sent =
        chat("openai", "gpt-5.1", R"("reasoning_effort":"xhigh")");
    EXPECT_NE(sent.find(effort("xhigh")), std::string::npos) << sent;
}

} // namespace
} // namespace ai_proxy::testing
