#include "exchange_fixture.h"

#include "core/provider/vocabulary.h"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace ai_proxy;
using ai_proxy::testing::ExchangeFixture;

// One of OpenAI's fields, with a value that asks for something.  "with" is
// what it needs beside it.
struct Field {
    std::string_view word; // as a vocabulary has it
    std::string_view json;
    std::string_view param; // that the refusal names
    std::string_view with = {};
};

constexpr std::string_view kTools =
    R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
constexpr Field kFields[] = {
    {"max_tokens", R"("max_tokens":77)", "max_tokens"},
    {"max_tokens", R"("max_completion_tokens":78)", "max_completion_tokens"},
    {"temperature", R"("temperature":0.5)", "temperature"},
    {"top_p", R"("top_p":0.75)", "top_p"},
    {"top_k", R"("top_k":7)", "top_k"},
    {"n", R"("n":2)", "n"},
    {"seed", R"("seed":0)", "seed"},
    {"stop", R"("stop":["xyz"])", "stop"},
    {"stop", R"("stop":"xyz")", "stop"},
    {"presence_penalty", R"("presence_penalty":0.5)", "presence_penalty"},
    {"frequency_penalty", R"("frequency_penalty":-1)", "frequency_penalty"},
    {"logit_bias", R"("logit_bias":{"50256":-100})", "logit_bias"},
    {"logprobs", R"("logprobs":true)", "logprobs"},
    {"top_logprobs", R"("top_logprobs":3)", "top_logprobs",
        R"(,"logprobs":true)"},
    {"modalities", R"("modalities":["text","image"])", "modalities"},
    {"audio", R"("audio":{"voice":"alloy","format":"pcm16"})", "audio"},
    {"prediction", R"("prediction":{"type":"content","content":"a"})",
        "prediction"},
    {"verbosity", R"("verbosity":"low")", "verbosity"},
    {"web_search_options", R"("web_search_options":{})", "web_search_options"},
    {"user", R"("user":"u-1")", "user"},
    {"user", R"("safety_identifier":"u-2")", "safety_identifier"},
    {"service_tier", R"("service_tier":"default")", "service_tier"},
    {"metadata", R"("metadata":{"a":"b"})", "metadata"},
    {"store", R"("store":true)", "store"},
    {"prompt_cache_key", R"("prompt_cache_key":"k")", "prompt_cache_key"},
    {"prompt_cache_retention", R"("prompt_cache_retention":"24h")",
        "prompt_cache_retention"},
    {"reasoning_effort", R"("reasoning_effort":"high")", "reasoning_effort"},
    {"tools", R"("tools":[{"type":"function","function":{"name":"f"}}])",
        "tools"},
    {"tools", R"("functions":[{"name":"f"}])", "functions"},
    {"tool_choice.none", R"("tool_choice":"none")", "tool_choice", kTools},
    {"tool_choice.required", R"("tool_choice":"required")", "tool_choice",
        kTools},
    {"tool_choice.named",
        R"("tool_choice":{"type":"function","function":{"name":"f"}})",
        "tool_choice", kTools},
    {"parallel_tool_calls", R"("parallel_tool_calls":false)",
        "parallel_tool_calls", kTools},
    {"response_format.json_object",
        R"("response_format":{"type":"json_object"})", "response_format"},
    {"response_format.json_schema",
        R"("response_format":{"type":"json_schema","json_schema":)"
        R"({"name":"s","schema":{"type":"object","properties":)"
        R"({"a":{"type":"string"}}}}})",
        "response_format"},
    {"x_unknown", R"("x_unknown":1)", "x_unknown"},
};

constexpr std::string_view kUser = R"({"role":"user","content":"hi"})";
constexpr std::string_view kWithSystem =
    R"({"role":"system","content":"be"},{"role":"user","content":"hi"})";

// What asks for nothing is nothing to refuse.
constexpr std::string_view kNothing =
    R"("n":1,"stop":null,"logit_bias":{},"logprobs":false,"store":false,)"
    R"("presence_penalty":0,"frequency_penalty":0.0,"metadata":{},)"
    R"("parallel_tool_calls":true,"service_tier":"auto","tools":[],)"
    R"("tool_choice":"auto","modalities":["text"],)"
    R"("response_format":{"type":"text"},"reasoning_effort":"none",)"
    R"("stream_options":{"include_usage":true})";

struct Vendor {
    friend std::ostream& operator<<(std::ostream& out, const Vendor& one)
    {
        return out << one.label;
    }
    std::string_view label, type, model;
    void (*set)(provider::Options& options);
};
void nothing(provider::Options&)
{
}
const Vendor kVendors[] = {
    {"claude", "claude", "claude-sonnet-4-5", nothing},
    {"gemini", "gemini", "gemini-2.5-flash", nothing},
    {"vertex", "vertex", "gemini-2.5-flash", nothing},
    {"vertex_claude", "vertex", "claude-sonnet-4-5", nothing},
    {"bedrock", "bedrock", "anthropic.claude-sonnet-4-5-v1:0",
        [](provider::Options& o) { o.aws_region = "us-east-1"; }},
    {"bedrock_invoke", "bedrock", "anthropic.claude-sonnet-4-5-v1:0",
        [](provider::Options& o) {
            o.aws_region = "us-east-1";
            o.bedrock_invoke = true;
        }},
    {"qwen", "qwen", "qwen-plus",
        [](provider::Options& o) { o.qwen_enable_compatible = false; }},
    {"cohere", "cohere", "command-a-03-2025", nothing},
    {"ollama", "ollama", "llama3.2",
        [](provider::Options& o) {
            o.ollama_native = true;
            o.ollama_server_host = "127.0.0.1";
            o.ollama_server_port = 11434;
        }},
    {"cloudflare", "cloudflare", "@cf/meta/llama",
        [](provider::Options& o) {
            o.cloudflare_native = true;
            o.cloudflare_account_id = "a";
        }},
    {"baidu", "baidu", "ernie",
        [](provider::Options& o) { o.baidu_native = true; }},
    {"minimax", "minimax", "abab6.5",
        [](provider::Options& o) {
            o.minimax_pro = true;
            o.minimax_group_id = "g";
        }},
    {"hunyuan", "hunyuan", "hunyuan-pro",
        [](provider::Options& o) {
            o.hunyuan_auth_id.emplace("id");
            o.hunyuan_auth_key.emplace("key");
        }},
    {"coze", "coze", "bot", [](provider::Options& o) { o.coze_bot_id = "b"; }},
    {"dify", "dify", "app", [](provider::Options& o) { o.bot_type = "chat"; }},
    {"deepl", "deepl", "deepl",
        [](provider::Options& o) { o.target_lang = "DE"; }},
    {"triton", "triton", "m",
        [](provider::Options& o) { o.triton_domain = "127.0.0.1:8000"; }},
};

// Said as what comes nearest when nothing is refused.
bool is_adapted(std::string_view label, std::string_view word)
{
    return (label == "baidu" && word == "response_format.json_schema")
        || (label == "hunyuan" && word == "tool_choice.required")
        // The default tier, there without a word.
        || (label.starts_with("vertex") && word == "service_tier");
}

class Strict : public ExchangeFixture,
               public ::testing::WithParamInterface<Vendor> {
protected:
    Strict()
    {
        config::Provider& made = world.provider("v", GetParam().type);
        GetParam().set(made.options);
        if (auto place = provider::endpoint(made.options)) {
            made.endpoint = *place;
        }
        world.route("main", {0});
    }

    [[nodiscard]] const provider::Options& options() const
    {
        return world.gateway.providers[0]->options;
    }

    [[nodiscard]] const provider::Vocabulary& vocabulary() const
    {
        const provider::Vocabulary* words =
            provider::protocol(options()).vocabulary(
                {options(), GetParam().model});
        EXPECT_NE(words, nullptr);
        return *words;
    }

    // What is sent, or the refusal.
    Result<std::string> say(
        bool strict, std::string_view members, std::string_view message = kUser)
    {
        world.site().strict = strict;
        request.body = R"({"model":")" + std::string(GetParam().model)
            + R"(","messages":[)" + std::string(message) + "]"
            + std::string(members) + "}";
        const auto received = receive();
        if (!received) {
            ADD_FAILURE() << received.error().message << request.body;
            return received.error();
        }
        auto made = exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        if (!made) {
            return std::move(made).error();
        }
        std::string said = ai_proxy::testing::body_text((*made)->outbound);
        for (const auto& [name, value] : (*made)->outbound.headers) {
            if (name == "X-Amzn-Bedrock-Service-Tier") {
                said += name + ": " + value;
            }
        }
        return said;
    }
};

// A field is either in what is sent or refused by its name: the vocabulary and
// the encoder agree.
TEST_P(Strict, EachFieldIsSaidOrNamed)
{
    for (const Field& field : kFields) {
        const bool known = vocabulary().has(field.word);
        // What it needs is refused first.
        if ((field.with == kTools && !vocabulary().has("tools"))
            || (field.word == "top_logprobs" && !vocabulary().has("logprobs")))
        {
            EXPECT_FALSE(known) << field.json;
            continue;
        }
        const std::string members =
            std::string(field.with) + "," + std::string(field.json);
        // Where a cache point stands.
        const std::string_view message =
            field.word == "prompt_cache_retention" ? kWithSystem : kUser;
        const auto without = say(false, field.with, message);
        const auto with = say(false, members, message);
        ASSERT_TRUE(without && with) << field.json;
        if (!is_adapted(GetParam().label, field.word)) {
            EXPECT_EQ(*without != *with, known) << field.json << "\n" << *with;
        }
        const auto strict =
            say(true, members, GetParam().label == "triton" ? kUser : message);
        // How a cache is kept is no loss.
        const bool is_hint = field.word.starts_with("prompt_cache_");
        EXPECT_EQ(strict.ok(), known || is_hint) << field.json;
        if (!strict && !known) {
            EXPECT_EQ(strict.error().param, field.param);
            EXPECT_EQ(strict.error().code, ErrorCode::invalid_request);
            EXPECT_NE(
                strict.error().message.find(field.param), std::string::npos);
        }
    }
}

TEST_P(Strict, WhatAsksForNothingIsNoLoss)
{
    const auto said = say(true, "," + std::string(kNothing));
    EXPECT_TRUE(said) << said.error().param;
}

TEST_P(Strict, OwnMembersAreNoLoss)
{
    for (const std::string_view own : vocabulary().own) {
        const auto said =
            say(true, R"(,")" + std::string(own) + R"(":{"a":1})");
        EXPECT_TRUE(said) << own;
    }
}

TEST_P(Strict, MessagesAreLookedInto)
{
    constexpr std::string_view kNamed =
        R"({"role":"user","name":"Ann","content":"hi"})";
    EXPECT_TRUE(say(false, {}, kNamed));
    const auto named = say(true, {}, kNamed);
    EXPECT_EQ(named.ok(), vocabulary().has("messages.name"));
    if (!named) {
        EXPECT_EQ(named.error().param, "messages[0].name");
    }
    const auto spoken = say(true, {},
        R"({"role":"user","content":"hi"},)"
        R"({"role":"assistant","content":"a","audio":{"id":"audio_1"}},)"
        R"({"role":"user","content":"go on"})");
    ASSERT_FALSE(spoken);
    EXPECT_EQ(spoken.error().param, "messages[1].audio");
}

TEST_P(Strict, ToolsAreLookedInto)
{
    if (!vocabulary().has("tools")) {
        return;
    }
    constexpr std::string_view kStrict =
        R"(,"tools":[{"type":"function","function":{"name":"f","strict":true,)"
        R"("parameters":{"type":"object","properties":{}}}}])";
    EXPECT_TRUE(say(false, kStrict));
    const auto said = say(true, kStrict);
    EXPECT_EQ(said.ok(), vocabulary().has("tools.strict"));
    if (!said) {
        EXPECT_EQ(said.error().param, "tools[0].function.strict");
    }
}

TEST_P(Strict, DetailOfPictures)
{
    constexpr std::string_view kPicture =
        R"({"role":"user","content":[{"type":"text","text":"a"},)"
        R"({"type":"image_url","image_url":{"detail":"high",)"
        R"("url":"data:image/png;base64,AAAA"}}]})";
    if (!say(false, {}, kPicture)) {
        return; // no pictures: always refused
    }
    const auto said = say(true, {}, kPicture);
    EXPECT_EQ(said.ok(), vocabulary().has("image_url.detail"));
    if (!said) {
        EXPECT_EQ(
            said.error().param, "messages[0].content[1].image_url.detail");
    }
}

INSTANTIATE_TEST_SUITE_P(Vendors, Strict, ::testing::ValuesIn(kVendors),
    [](const auto& one) { return std::string(one.param.label); });

// Every type and mode that speaks its own protocol is in the list above.
TEST(StrictVendors, AreAll)
{
    const auto listed = [](const provider::Protocol* protocol) {
        return std::any_of(std::begin(kVendors), std::end(kVendors),
            [protocol](const Vendor& vendor) {
                provider::Options options;
                options.type = provider::find_type(vendor.type);
                vendor.set(options);
                return &provider::protocol(options) == protocol;
            });
    };
    for (const provider::Type& type : provider::types()) {
        if (type.protocol != &provider::kOpenai) {
            EXPECT_TRUE(listed(type.protocol)) << type.name;
        }
        if (type.native != nullptr) {
            EXPECT_TRUE(listed(type.native->protocol)) << type.name;
        }
    }
}

class StrictValues : public ExchangeFixture {
protected:
    // The param of the refusal; "" when it is sent.
    std::string refusal(std::string_view type, std::string_view model,
        std::string_view body, std::string_view path = "/v1/chat/completions")
    {
        world.gateway.providers.clear();
        world.gateway.routes.clear();
        world.gateway.keys.clear();
        world.site().routes.clear();
        world.site().strict = true;
        config::Provider& made = world.provider("v", type);
        made.options.aws_region = "us-east-1";
        made.options.triton_domain = "127.0.0.1:8000";
        made.endpoint = *provider::endpoint(made.options);
        world.route("main", {0});
        request.path = path;
        request.body = R"({"model":")" + std::string(model) + R"(",)"
            + std::string(body) + "}";
        const auto received = receive();
        EXPECT_TRUE(received) << received.error().message;
        auto made_try =
            exchange->make_try(exchange->route().targets[0], 0, 1, 2);
        return made_try ? std::string() : made_try.error().param;
    }
    std::string chat(
        std::string_view type, std::string_view model, std::string_view members)
    {
        return refusal(type, model,
            R"("messages":[{"role":"user","content":"hi"}],)"
                + std::string(members));
    }
};

TEST_F(StrictValues, DependOnTheModel)
{
    EXPECT_EQ(chat("claude", "claude-opus-4-7", R"("temperature":0.5)"),
        "temperature");
    EXPECT_EQ(chat("claude", "claude-opus-4-7", R"("temperature":1)"), "");
    EXPECT_EQ(chat("claude", "claude-opus-4-7", R"("top_k":3)"), "top_k");
    EXPECT_EQ(chat("claude", "claude-opus-4-7", R"("stop":"\n")"), "stop");
    EXPECT_EQ(
        chat("claude", "claude-sonnet-4-5", R"("temperature":0.5,"top_p":0.9)"),
        "top_p");
    EXPECT_EQ(chat("claude", "claude-sonnet-4-5", R"("top_p":0.9)"), "");
    EXPECT_EQ(
        chat("bedrock", "anthropic.claude-opus-4-7", R"("top_k":3)"), "top_k");
    EXPECT_EQ(chat("claude", "claude-sonnet-4-5", R"("temperature":1.5)"),
        "temperature");
    EXPECT_EQ(chat("claude", "claude-sonnet-4-5",
                  R"("reasoning_effort":"low","temperature":0.5)"),
        "temperature");
    EXPECT_EQ(chat("claude", "claude-sonnet-4-5",
                  R"("reasoning_effort":"low","tool_choice":"required",)"
                  R"("tools":[{"type":"function","function":{"name":"f"}}])"),
        "reasoning_effort");
    EXPECT_EQ(chat("claude", "claude-3-5-haiku",
                  R"("tools":[{"type":"function","function":{"name":"f",)"
                  R"("strict":true}}])"),
        "tools[0].function.strict");
    EXPECT_EQ(chat("bedrock", "amazon.nova-lite-v1:0",
                  R"("tools":[{"type":"function","function":{"name":"f",)"
                  R"("strict":true}}])"),
        "tools[0].function.strict");
    EXPECT_EQ(chat("claude", "claude-sonnet-4-5", R"("service_tier":"flex")"),
        "service_tier");
    EXPECT_EQ(chat("gemini", "gemini-1.5-pro", R"("reasoning_effort":"low")"),
        "reasoning_effort");
    const std::string search =
        R"("web_search_options":{},"tools":[{"type":"function",)"
        R"("function":{"name":"f"}}])";
    EXPECT_EQ(chat("gemini", "gemini-2.5-pro", search), "web_search_options");
    EXPECT_EQ(chat("gemini", "gemini-3-pro", search), "");
    const std::string json =
        R"("response_format":{"type":"json_object"},"tools":[)"
        R"({"type":"function","function":{"name":"f"}}])";
    EXPECT_EQ(chat("gemini", "gemini-2.5-pro", json), "response_format");
    EXPECT_EQ(chat("gemini", "gemini-3-pro", json), "");
    const std::string schema =
        R"("response_format":{"type":"json_schema","json_schema":)"
        R"({"name":"n","schema":{"type":"object"}}})";
    for (const std::string_view model : {"claude-3-5-sonnet-20241022",
             "claude-sonnet-4-20250514", "claude-3-7-sonnet-20250219"})
    {
        EXPECT_EQ(chat("claude", model, schema), "response_format") << model;
    }
    for (const std::string_view model :
        {"claude-opus-4-1-20250805", "claude-sonnet-4-5", "claude-opus-4-7"})
    {
        EXPECT_EQ(chat("claude", model, schema), "") << model;
    }
    // Converse takes one for models of before.
    EXPECT_EQ(
        chat("bedrock", "anthropic.claude-3-sonnet-20240229-v1:0", schema), "");
    EXPECT_EQ(chat("bedrock", "meta.llama3", R"("top_k":3)"), "top_k");
    EXPECT_EQ(chat("bedrock", "meta.llama3", R"("reasoning_effort":"low")"),
        "reasoning_effort");
    EXPECT_EQ(chat("bedrock", "meta.llama3", R"("service_tier":"turbo")"),
        "service_tier");
    EXPECT_EQ(chat("gemini", "gemini-3-flash", R"("service_tier":"scale")"),
        "service_tier");
    EXPECT_EQ(chat("triton", "m", R"("temperature":0.1)"), "");
    EXPECT_EQ(refusal("triton", "m",
                  R"("messages":[{"role":"system","content":"a"},)"
                  R"({"role":"user","content":"b"}])"),
        "messages");
}

TEST_F(StrictValues, StopsOfModelsThatThink)
{
    constexpr std::string_view kBody =
        R"("max_tokens":9,"messages":[{"role":"user","content":"hi"}],)"
        R"("stop_sequences":["END"])";
    EXPECT_EQ(refusal("openai", "gpt-5", kBody, "/v1/messages"), "stop");
    EXPECT_EQ(refusal("openai", "gpt-4o", kBody, "/v1/messages"), "");
}

TEST_F(StrictValues, TranslationsAreLookedInto)
{
    constexpr std::string_view kPath = "/v1/embeddings";
    EXPECT_EQ(refusal("cohere", "embed-v4.0",
                  R"("input":"a","encoding_format":"base64","dimensions":256,)"
                  R"("input_type":"search_query")",
                  kPath),
        "");
    EXPECT_EQ(
        refusal("cohere", "embed-v4.0", R"("input":"a","user":"u")", kPath),
        "user");
    EXPECT_EQ(
        refusal("minimax", "embo-01", R"("input":"a","dimensions":2)", kPath),
        "dimensions");
    EXPECT_EQ(refusal("minimax", "image-01", R"("prompt":"a","style":"vivid")",
                  "/v1/images/generations"),
        "style");
    EXPECT_EQ(refusal("voyage", "rerank-2.5",
                  R"("query":"a","documents":["b"],"top_n":1,)"
                  R"("truncation":true)",
                  "/v1/rerank"),
        "");
    EXPECT_EQ(refusal("voyage", "rerank-2.5",
                  R"("query":"a","documents":["b"],"max_chunks_per_doc":1)",
                  "/v1/rerank"),
        "max_chunks_per_doc");
}

} // namespace
