#include "caller_probe.h"

#include <gtest/gtest.h>

#include <string>

// Reasoning that one vendor signed, in a conversation that goes on with a model
// of another one, and of the same.
namespace ai_proxy::testing {
namespace {

using dialect::Api;

std::string between(
    std::string_view text, std::string_view begin, std::string_view end)
{
    const size_t at = text.find(begin);
    if (at == std::string_view::npos) {
        return "(nothing)";
    }
    text.remove_prefix(at + begin.size());
    return std::string(text.substr(0, text.find(end)));
}

class ForeignReasoning : public ExchangeFixture {
protected:
    void serve(std::string_view type, std::string_view model)
    {
        auto& made = world.provider("one", type);
        made.options.vertex_project_id = "p";
        made.options.vertex_region = "us";
        made.options.aws_region = "us-east-1";
        ASSERT_TRUE(made.model_map.add("*", std::string(model)));
    }
    // A conversation whose assistant's content is this, as it is sent.
    std::string messages(const std::string& content,
        std::string_view members = R"("max_tokens":9)")
    {
        request.path = "/v1/messages";
        request.body = R"({"model":"m",)" + std::string(members)
            + R"(,"messages":[{"role":"user","content":"q"},)"
              R"({"role":"assistant","content":[)"
            + content + R"(]},{"role":"user","content":"go"}]})";
        return body_text(prepare().outbound);
    }
    // A conversation that goes on after OpenRouter gave that answer.
    std::string after(const std::string& answer)
    {
        const config::Provider& other = world.provider("two", "openrouter");
        const std::string said =
            feed(other, Api::messages, false, answer, 0).out;
        return messages(between(said, R"("content":[)", R"(],"stop_reason")"));
    }
    std::string chat(std::string_view assistant)
    {
        request.path = "/v1/chat/completions";
        request.body = R"({"model":"m","messages":[)"
                       R"({"role":"user","content":"q"},)"
                       R"({"role":"assistant",)"
            + std::string(assistant) + R"(},{"role":"user","content":"go"}]})";
        return body_text(prepare().outbound);
    }
    std::string gemini(const std::string& parts)
    {
        request.path = "/v1beta/models/m:generateContent";
        request.body = R"({"contents":[{"role":"user","parts":[{"text":"q"}]},)"
                       R"({"role":"model","parts":[)"
            + parts + R"(]},{"role":"user","parts":[{"text":"go"}]}]})";
        return body_text(prepare().outbound);
    }
};

constexpr std::string_view kText = R"({"type":"text","text":"a"})";

std::string thinking(std::string_view signature)
{
    return R"({"type":"thinking","thinking":"hm","signature":")"
        + std::string(signature) + "\"}";
}

TEST_F(ForeignReasoning, OfOthersStaysOutOfARelayToClaude)
{
    serve("claude", "claude-sonnet-4-5");
    const auto content = [this](const std::string& blocks) {
        return between(
            messages(blocks + "," + std::string(kText)), "tent\":[", "]}");
    };
    const std::string own = thinking("EqQB+/==");
    EXPECT_EQ(content(own), own + "," + std::string(kText));
    for (const std::string& other :
        {thinking(""), thinking("cHJveHk6Z29vZ2xlabc"),
            R"({"type":"thinking","thinking":"hm","signature": ""})"
                + std::string(),
            std::string(
                R"({"type":"redacted_thinking","data":"cHJveHk6YW1hem9uabc"})")})
    {
        EXPECT_EQ(content(other), kText) << other;
        EXPECT_EQ(content(own + "," + other), own + "," + std::string(kText));
    }
    const std::string untouched =
        R"({"type":"text","text":"\"signature\":\"\"})"
        R"( "})";
    EXPECT_EQ(content(untouched), untouched + "," + std::string(kText));
}

TEST_F(ForeignReasoning, ATurnOfNothingElseIsNotSent)
{
    serve("claude", "claude-sonnet-4-5");
    EXPECT_EQ(between(messages(thinking("")), "\"messages\":", "]}"),
        R"([{"role":"user","content":"q"},{"role":"user","content":"go"})");
}

// The API wants a turn that goes on to begin with thoughts, if there are any.
TEST_F(ForeignReasoning, ThinkingEndsWhereItsTurnLostIt)
{
    serve("claude", "claude-sonnet-4-5");
    constexpr std::string_view kThinking =
        R"("thinking":{"type":"enabled","budget_tokens":1024})";
    const std::string call =
        R"(,{"type":"tool_use","id":"t","name":"f","input":{}})";
    EXPECT_FALSE(has(messages(thinking("") + call, kThinking), kThinking));
    EXPECT_TRUE(has(messages(thinking("Eq") + call, kThinking), kThinking));
    EXPECT_TRUE(
        has(messages(thinking("") + "," + std::string(kText), kThinking),
            kThinking));
    constexpr std::string_view kAdaptive = R"("thinking":{"type":"adaptive"})";
    EXPECT_TRUE(has(messages(thinking("") + call, kAdaptive), kAdaptive));
}

// A service that signs nothing may want its thoughts back.
TEST_F(ForeignReasoning, OthersWithThatApiKeepTheirs)
{
    serve("moonshot", "kimi-k2-thinking");
    EXPECT_TRUE(has(messages(thinking("")), thinking("")));
    EXPECT_FALSE(has(
        messages(thinking("cHJveHk6Z29vZ2xlabc") + "," + std::string(kText)),
        "thinking\":\"hm"));
}

TEST_F(ForeignReasoning, ClaudesComesBackToClaudeAlone)
{
    const std::string block =
        R"("content":"a","thinking_blocks":[)" + thinking("EqQB+/==") + "]";
    serve("claude", "claude-sonnet-4-5");
    EXPECT_TRUE(has(chat(block), thinking("EqQB+/==")));
    for (const auto& [type, model] :
        {std::pair("gemini", "gemini-3-pro"), {"vertex", "gemini-2.5-pro"},
            {"bedrock", "amazon.nova-2-lite-v1:0"}})
    {
        world = GatewayFixture();
        serve(type, model);
        EXPECT_FALSE(has(chat(block), "EqQB")) << type;
        EXPECT_FALSE(has(chat(block), "hm")) << type;
    }
}

TEST_F(ForeignReasoning, GooglesComesBackToGoogleAlone)
{
    const std::string block = R"("content":"a","thinking_blocks":[)"
        + thinking("cHJveHk6Z29vZ2xlU0lH") + "]";
    serve("gemini", "gemini-2.5-pro");
    EXPECT_TRUE(has(chat(block), R"({"text":"a","thoughtSignature":"U0lH"})"));
    for (const auto& [type, model] : {std::pair("claude", "claude-sonnet-4-5"),
             {"bedrock", "anthropic.claude-sonnet-4-5-v1:0"},
             {"bedrock", "amazon.nova-2-lite-v1:0"}})
    {
        world = GatewayFixture();
        serve(type, model);
        EXPECT_FALSE(has(chat(block), "U0lH")) << type;
    }
}

// With thinking asked for and the thoughts of the turn lost.
TEST_F(ForeignReasoning, ThinkingIsNotAskedForInATurnWithoutIt)
{
    serve("bedrock", "anthropic.claude-sonnet-4-5-v1:0");
    request.path = "/v1/messages";
    request.body =
        R"({"model":"m","max_tokens":9000,"thinking":{"type":"enabled",)"
        R"("budget_tokens":1024},"messages":[{"role":"user","content":"q"},)"
        R"({"role":"assistant","content":[)"
        + thinking("cHJveHk6Z29vZ2xlU0lH")
        + R"(,{"type":"tool_use","id":"t","name":"f","input":{}}]},)"
          R"({"role":"user","content":[{"type":"tool_result",)"
          R"("tool_use_id":"t","content":"r"}]}]})";
    EXPECT_FALSE(has(body_text(prepare().outbound), "budget_tokens"));
}

TEST_F(ForeignReasoning, OfOthersStaysOutOfARelayToGemini)
{
    serve("gemini", "gemini-3-pro");
    const auto parts = [this](const std::string& given) {
        return between(gemini(given), R"("model","parts":[)", "]}");
    };
    EXPECT_EQ(parts(R"({"text":"","thoughtSignature":"cHJveHk6EqQB"},)"
                    R"({"text":"","thoughtSignature":"cmVkYWN0ZWQ6QUJD"},)"
                    R"({"text": "a","thoughtSignature":"cHJveHk6EqQB"},)"
                    R"({"text":"b","thoughtSignature":"U0lH"})"),
        R"({"text": "a"},{"text":"b","thoughtSignature":"U0lH"})");
    constexpr std::string_view kCall =
        R"({"functionCall":{"name":"f","args":{"n":1.0}})";
    const std::string call(kCall);
    EXPECT_EQ(parts(call + R"(,"thought_signature":"cHJveHk6EqQB"})"),
        call + R"(,"thought_signature":"skip_thought_signature_validator"})");
    EXPECT_EQ(between(gemini(R"({"text":"","thoughtSignature":"cHJveHk6Eq"})"),
                  "\"contents\":", "]}]}"),
        R"([{"role":"user","parts":[{"text":"q"}]},)"
        R"({"role":"user","parts":[{"text":"go"})");
    const std::string own = call + R"(,"thoughtSignature":"U0lH"})";
    EXPECT_EQ(parts(own), own);
    EXPECT_EQ(body_text(attempt->outbound), request.body);

    world = GatewayFixture();
    serve("gemini", "gemini-2.5-pro");
    EXPECT_EQ(
        parts(call + R"(,"thoughtSignature":"cHJveHk6EqQB"})"), call + "}");
}

// Gemini's client whose model is Claude now.
TEST_F(ForeignReasoning, GooglesOwnDialectReachesClaudeWithoutIt)
{
    serve("claude", "claude-sonnet-4-5");
    EXPECT_FALSE(
        has(gemini(R"({"text":"a","thoughtSignature":"U0lH"})"), "U0lH"));
    EXPECT_TRUE(has(gemini(R"({"text":"so","thought":true},)"
                           R"({"text":"a","thoughtSignature":"cHJveHk6EqQB"})"),
        R"("thinking":"so","signature":"EqQB")"));
}

constexpr std::string_view kSigned =
    R"({"candidates":[{"content":{"role":"model","parts":[)"
    R"({"text":"so","thought":true},{"text":"a","thoughtSignature":"VGV4"},)"
    R"({"functionCall":{"id":"1","name":"f","args":{}},)"
    R"("thoughtSignature":"Q2Fs"}]},"finishReason":"STOP"}],)"
    R"("modelVersion":"g","responseId":"r"})";

// The answer of Google's model, given back in the next request.
TEST_F(ForeignReasoning, SignaturesOfCallsComeBackToTheirCalls)
{
    serve("gemini", "gemini-3-pro");
    const config::Provider& google = *world.gateway.providers[0];
    constexpr std::string_view kBack =
        R"({"text":"a","thoughtSignature":"VGV4"},)"
        R"({"functionCall":{"id":"1","name":"f","args":{}},)"
        R"("thoughtSignature":"Q2Fs"}])";
    for (const bool stream : {false, true}) {
        const std::string answer = stream
            ? "data: " + std::string(kSigned) + "\n\n"
            : std::string(kSigned);
        const std::string said =
            feed(google, Api::messages, stream, answer, 0).out;
        EXPECT_TRUE(has(said, "cHJveHk6Z29vZ2xlVGV4")) << said;
        EXPECT_TRUE(has(said, "cHJveHk6Z29vZ2xlZm46Q2Fs")) << said;
        if (!stream) {
            const std::string content =
                between(said, R"("content":[)", R"(],"stop_reason")");
            EXPECT_TRUE(has(messages(content), kBack))
                << body_text(attempt->outbound);
        }
    }
    const std::string said =
        feed(google, Api::responses, false, kSigned, 0).out;
    request.path = "/v1/responses";
    request.body = R"({"model":"m","input":[)"
        + between(said, R"("output":[)", R"(],"usage")") + "]}";
    EXPECT_TRUE(has(body_text(prepare().outbound), kBack))
        << said << body_text(attempt->outbound);
}

// Gemini 3 refuses calls without a signature, also those of others.
TEST_F(ForeignReasoning, CallsOfOthersHaveAStandIn)
{
    serve("gemini", "gemini-3-pro");
    const config::Provider& other = world.provider("two", "mistral");
    const Fed said = feed(other, Api::gemini_stream, true, kBusyStream, 0);
    const std::string first = between(said.out, R"({"functionCall":)", "}}");
    EXPECT_EQ(count(said.out, "functionCall"), 2U) << said.out;
    EXPECT_EQ(count(said.out, R"("thoughtSignature":"cHJveHk6")"), 1U)
        << said.out;
    const std::string part =
        R"({"functionCall":)" + first + R"(}},"thoughtSignature":"cHJveHk6"})";
    EXPECT_TRUE(has(said.out, part)) << said.out;
    EXPECT_TRUE(has(gemini(part),
        R"("thoughtSignature":"skip_thought_signature_validator")"))
        << body_text(attempt->outbound);
}

TEST_F(ForeignReasoning, TheMarkOfACallStaysOut)
{
    serve("mistral", "m");
    const std::string sent =
        gemini(R"({"functionCall":{"id":"1","name":"f","args":{}},)"
               R"("thoughtSignature":"cHJveHk6"})");
    EXPECT_TRUE(has(sent, R"("name":"f")")) << sent;
    EXPECT_FALSE(has(sent, "thought")) << sent;
    EXPECT_FALSE(has(sent, "cHJveHk6")) << sent;
}

// What a vendor hands out that speaks like OpenAI, whosever model it was.
constexpr std::string_view kDetails =
    R"({"type":"reasoning.text","format":"anthropic-claude-v1","index":0,)"
    R"("signature":"S+/=","text":"why"},)"
    R"({"type":"reasoning.encrypted","data":"ENC","id":"rs_1",)"
    R"("format":"anthropic-claude-v1","index":1})";
constexpr std::string_view kBlocks =
    R"({"type":"thinking","signature":"S+/=","thinking":"why"},)"
    R"({"type":"redacted_thinking","data":"ENC"})";
// "proxy:vendor"
constexpr std::string_view kVendorMark = "cHJveHk6dmVuZG9y";

std::string detailed(std::string_view key, std::string_view objects)
{
    return R"({"choices":[{"message":{"content":"a","reasoning":"why",")"
        + std::string(key) + "\":[" + std::string(objects)
        + R"(]},"finish_reason":"stop"}]})";
}

TEST_F(ForeignReasoning, DetailsComeBackInMessages)
{
    serve("mistral", "m");
    const config::Provider& vendor = *world.gateway.providers[0];
    for (const auto& [key, objects] : {std::pair("reasoning_details", kDetails),
             std::pair("thinking_blocks", kBlocks)})
    {
        const std::string said =
            feed(vendor, Api::messages, false, detailed(key, objects), 0).out;
        EXPECT_EQ(count(said, "why"), 1U) << said;
        EXPECT_EQ(count(said, kVendorMark), 2U) << said;
        const std::string sent =
            messages(between(said, R"("content":[)", R"(],"stop_reason")"));
        EXPECT_TRUE(has(sent,
            "\"" + std::string(key) + "\":[" + std::string(objects) + "]"))
            << sent;
    }
}

TEST_F(ForeignReasoning, DetailsComeBackInResponses)
{
    serve("minimax", "m");
    const config::Provider& vendor = *world.gateway.providers[0];
    const std::string said = feed(vendor, Api::responses, false,
        detailed("reasoning_details", kDetails), 0)
                                 .out;
    EXPECT_TRUE(has(said, R"("text":"why")")) << said;
    request.path = "/v1/responses";
    request.body = R"({"model":"m","input":[)"
        + between(said, R"("output":[)", R"(],"usage")") + "]}";
    const std::string sent = body_text(prepare().outbound);
    EXPECT_TRUE(
        has(sent, R"("reasoning_details":[)" + std::string(kDetails) + "]"))
        << said << "\n"
        << sent;
    EXPECT_FALSE(has(sent, "reasoning_content")) << sent;
}

TEST_F(ForeignReasoning, DetailsOfAStreamComeBackInGooglesDialect)
{
    serve("openrouter", "anthropic/claude-opus-4.5");
    const config::Provider& vendor = *world.gateway.providers[0];
    std::string stream;
    for (const std::string_view delta :
        {R"({"reasoning":"wh","reasoning_details":[{"type":"reasoning.text",)"
         R"("text":"wh","format":"anthropic-claude-v1","index":0}]})",
            R"({"reasoning":"y","reasoning_details":[{"type":)"
            R"("reasoning.text","text":"y","format":"anthropic-claude-v1",)"
            R"("index":0}]})",
            R"({"reasoning":"","reasoning_details":[{"type":)"
            R"("reasoning.text","format":"anthropic-claude-v1","index":0,)"
            R"("signature":"S+/="}]})",
            R"({"reasoning_details":[{"type":"reasoning.encrypted","data":)"
            R"("ENC","id":"rs_1","format":"anthropic-claude-v1",)"
            R"("index":1}]})",
            R"({"content":"a"})"})
    {
        stream +=
            R"(data: {"choices":[{"delta":)" + std::string(delta) + "}]}\n\n";
    }
    stream += R"(data: {"choices":[{"delta":{},"finish_reason":"stop"}]})"
              "\n\ndata: [DONE]\n\n";
    const std::string said =
        feed(vendor, Api::gemini_stream, true, stream, 0).out;
    std::string parts;
    for (size_t at = 0; (at = said.find("\"parts\":[", at)) < said.size(); at++)
    {
        const std::string some =
            between(said.substr(at), "\"parts\":[", R"(],"role")");
        parts += (parts.empty() || some.empty() ? "" : ",") + some;
    }
    EXPECT_TRUE(has(gemini(parts),
        R"("reasoning_details":[)" + std::string(kDetails) + "]"))
        << said << "\n"
        << body_text(attempt->outbound);
}

TEST_F(ForeignReasoning, DetailsGoToNobodyElse)
{
    serve("mistral", "m");
    const std::string sent = after(detailed("reasoning_details", kDetails));
    EXPECT_FALSE(has(sent, "reasoning_details")) << sent;
    EXPECT_FALSE(has(sent, kVendorMark)) << sent;
}

TEST_F(ForeignReasoning, DetailsStayOutOfClaude)
{
    serve("bedrock", "anthropic.claude-opus-4-5");
    const std::string sent = after(detailed("reasoning_details", kDetails));
    EXPECT_FALSE(has(sent, "reasoning")) << sent;
}

TEST_F(ForeignReasoning, DetailsWithoutASignatureAreText)
{
    serve("minimax", "m");
    const config::Provider& vendor = *world.gateway.providers[0];
    constexpr std::string_view kUnsigned =
        R"({"choices":[{"message":{"content":"a","reasoning_details":[)"
        R"({"type":"reasoning.summary","summary":"so "},)"
        R"({"type":"reasoning.text","text":"it is"}]},)"
        R"("finish_reason":"stop"}]})";
    EXPECT_TRUE(has(feed(vendor, Api::messages, false, kUnsigned, 0).out,
        R"("thinking":"so it is","signature":"")"));
}

// Thoughts that are told right before a call and the call's signature are one
// block in Messages.
TEST(ForeignReasoningHub, ACallTakesTheSignatureBeforeIt)
{
    const auto hub = [](const std::string& blocks) {
        const Hub made = to_hub(Api::messages,
            R"({"max_tokens":9,"messages":[{"role":"assistant","content":[)"
                + blocks + "]}]}");
        EXPECT_TRUE(made.ok) << made.error.message;
        return between(made.text, "\"thinking_blocks\":", "}]}");
    };
    const std::string of_call = thinking("cHJveHk6Z29vZ2xlZm46Q2Fs");
    const std::string call =
        R"({"type":"tool_use","id":"t","name":"f","input":{}})";
    const std::string function = R"("tool_calls":[{"id":"t",)"
                                 R"("type":"function","function":{)"
                                 R"("name":"f","arguments":"{}"})";
    EXPECT_EQ(hub(of_call + "," + call),
        "[" + thinking("") + "]," + function
            + R"(,"extra_content":{"google":{"thought_signature":"Q2Fs"}})");
    EXPECT_EQ(hub(of_call + "," + std::string(kText) + "," + call),
        "[" + of_call + "]," + function);
    EXPECT_EQ(hub(thinking("cHJveHk6Z29vZ2xlQ2Fs") + "," + call),
        "[" + thinking("cHJveHk6Z29vZ2xlQ2Fs") + "]," + function);
}

TEST(ForeignReasoningHub, MarksLiveThroughGooglesDialect)
{
    const Hub hub = to_hub(Api::gemini_generate,
        R"({"contents":[{"role":"model","parts":[{"text":"so","thought":true},)"
        R"({"text":"a","thoughtSignature":"cHJveHk6YW1hem9uU-_I"}]}]})");
    EXPECT_TRUE(has(hub.text, R"("signature":"cHJveHk6YW1hem9uU+/I")"))
        << hub.text;
}

} // namespace
} // namespace ai_proxy::testing
