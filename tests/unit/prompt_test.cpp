#include "core/json/splice.h"

#include "core/json/elements.h"
#include "core/prompt/decorate.h"

#include "exchange_fixture.h"
#include "fake_io.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy {
namespace {

using dialect::Api;
using prompt::Added;
using prompt::Decorations;
using prompt::Rules;
using prompt::Template;
using testing::ExchangeFixture;
using testing::FakeIo;

Added added(std::string_view role, std::string_view text)
{
    auto made = prompt::read_added(role, text);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
}

prompt::Replacement replaced(std::string_view pattern, std::string_view with,
    std::string_view role = {}, bool regex = false)
{
    auto made = prompt::read_replacement(pattern, with, role, regex);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
}

class Named final : public prompt::Values {
public:
    std::string text(uint32_t value) override { return texts.at(value); }
    std::string variable(std::string_view name) override
    {
        return std::string(name == "geo_city" ? "Ulm" : "");
    }
    std::vector<std::string> texts;
};

// What becomes of a body.
class Decorate : public ::testing::Test {
protected:
    std::string of(Api api, std::string_view body)
    {
        std::string text(body);
        text.append(json::kPadding, ' ');
        json::Parser parser;
        auto parsed = parser.parse(text.data(), body.size());
        EXPECT_TRUE(parsed) << body;
        auto splice = json::Splice::scan(text.data(), body.size());
        EXPECT_TRUE(splice);
        const auto done =
            prompt::decorate(rules, values, api, *parsed, *splice);
        if (!done) {
            return done.error().message;
        }
        std::string made = splice->text();
        EXPECT_TRUE(parser.parse(std::string_view(made))) << made;
        return made;
    }
    std::string chat(std::string_view body)
    {
        return of(Api::chat_completions, body);
    }

    Decorations rules;
    Named values;
};

TEST(JsonElements, AreTheirOwnTexts)
{
    using List = std::vector<std::string_view>;
    EXPECT_EQ(json::elements("[]"), List{});
    EXPECT_EQ(json::elements(" [1]"), List{});
    EXPECT_EQ(json::elements("{}"), List{});
    EXPECT_EQ(json::elements("[ ]"), List{});
    EXPECT_EQ(json::elements("[1]"), List{"1"});
    EXPECT_EQ(json::elements(R"([ {"a":[1,2],"b":"],\"["} ,
        "x,\\" , [[]] , null ])"),
        (List{R"({"a":[1,2],"b":"],\"["})", R"("x,\\")", "[[]]", "null"}));
}

TEST_F(Decorate, WithoutRulesNothingChanges)
{
    const std::string_view body =
        R"({ "messages" : [ {"role":"user", "content":"hi"} ], "x":1.0 })";
    EXPECT_EQ(chat(body), body);
}

TEST_F(Decorate, MessagesStandBeforeAndBehind)
{
    rules.prepend.push_back(added("system", "be \"kind\""));
    rules.prepend.push_back(added("user", "first"));
    rules.append.push_back(added("assistant", "last"));
    EXPECT_EQ(chat(R"({"a": 1e0, "messages": [ {"role": "user",)"
                   R"( "content":"hi", "x": 1.50} ] , "b":2})"),
        R"({"a": 1e0, "messages": [{"role":"system","content":)"
        R"("be \"kind\""},{"role":"user","content":"first"}, {"role": "user",)"
        R"( "content":"hi", "x": 1.50} ,{"role":"assistant","content":)"
        R"("last"}] , "b":2})");
    EXPECT_EQ(chat(R"({"messages":[]})"),
        R"({"messages":[{"role":"system","content":"be \"kind\""},)"
        R"({"role":"user","content":"first"},)"
        R"({"role":"assistant","content":"last"}]})");
}

TEST_F(Decorate, BodiesWithoutMessagesStay)
{
    rules.prepend.push_back(added("system", "x"));
    rules.replace.push_back(replaced("a", "b"));
    for (const std::string_view body :
        {R"({"prompt":"a"})", R"({"messages":"a"})", R"({"messages":null})"})
    {
        EXPECT_EQ(chat(body), body);
        EXPECT_EQ(of(Api::messages, body), body);
        EXPECT_EQ(of(Api::gemini_generate, body), body);
    }
    EXPECT_EQ(of(Api::embeddings, R"({"input":"a"})"), R"({"input":"a"})");
    EXPECT_EQ(of(Api::completions, R"({"prompt":"a"})"), R"({"prompt":"a"})");
}

TEST_F(Decorate, VariablesAreResolved)
{
    rules.prepend.push_back(added("system", "from $city"));
    rules.prepend.back().content.value = 0;
    rules.append.push_back(added("user", "$nothing"));
    rules.append.back().content.value = 1;
    values.texts = {"from \"Ulm\"", ""};
    EXPECT_EQ(chat(R"({"messages":[]})"),
        R"({"messages":[{"role":"system","content":"from \"Ulm\""}]})")
        << "a text that is empty is no message";
}

TEST_F(Decorate, PlacesOfClients)
{
    rules.prepend.push_back(
        {"system", prompt::geo_text("in ${geo-city}${geo-city}")});
    rules.append.push_back({"user", prompt::geo_text("${geo-isp}?")});
    rules.append.push_back({"user", prompt::geo_text("${geo-x}")});
    EXPECT_EQ(chat(R"({"messages":[]})"),
        R"({"messages":[{"role":"system","content":"in UlmUlm"},)"
        R"({"role":"user","content":"${geo-x}"}]})")
        << "without the ISP there is no message of it";
}

TEST_F(Decorate, TextsAreReplacedInOrder)
{
    rules.replace.push_back(replaced("cat", "dog"));
    rules.replace.push_back(replaced("dog", "cow"));
    rules.replace.push_back(
        replaced(R"((\w+)@(\w+)\.com)", "<$1 of $2>", {}, true));
    rules.prepend.push_back(added("system", "a cat"));
    EXPECT_EQ(chat(R"({"messages":[{"role":"user","content":"cat a@b.com )"
                   R"(cat", "n":1.0}, {"role":"user","content":"bird" } ]})"),
        R"({"messages":[{"role":"system","content":"a cow"},)"
        R"({"role":"user","content":"cow <a of b> cow","n":1.0}, )"
        R"({"role":"user","content":"bird" } ]})");
}

TEST_F(Decorate, OnlyMessagesOfTheRole)
{
    rules.replace.push_back(replaced("x", "Y", "user"));
    rules.replace.push_back(replaced("x", "T", "tool"));
    EXPECT_EQ(chat(R"({"messages":[{"role":"system","content":"x"},)"
                   R"({"role":"user","content":"x"},)"
                   R"({"role":"tool","tool_call_id":"x","content":"x"}]})"),
        R"({"messages":[{"role":"system","content":"x"},)"
        R"({"role":"user","content":"Y"},)"
        R"({"role":"tool","tool_call_id":"x","content":"T"}]})");
}

TEST_F(Decorate, PartsAreTextsToo)
{
    rules.replace.push_back(replaced("secret", "***"));
    EXPECT_EQ(chat(R"({"messages":[{"role":"user","content":[{"type":"text",)"
                   R"("text":"a secret","cache_control":{"type":"ephemeral"}},)"
                   R"({"type":"image_url","image_url":{"url":"secret"}}]}]})"),
        R"({"messages":[{"role":"user","content":[{"type":"text",)"
        R"("text":"a ***","cache_control":{"type":"ephemeral"}},)"
        R"({"type":"image_url","image_url":{"url":"secret"}}]}]})");
}

TEST_F(Decorate, Messages)
{
    rules.prepend.push_back(added("system", "S1"));
    rules.prepend.push_back(added("user", "U"));
    rules.append.push_back(added("system", "S2"));
    rules.append.push_back(added("assistant", "{"));
    EXPECT_EQ(of(Api::messages,
                  R"({"messages":[{"role":"user","content":)"
                  R"("hi"}],"max_tokens":9})"),
        R"({"messages":[{"role":"user","content":"U"},{"role":"user",)"
        R"("content":"hi"},{"role":"assistant","content":"{"}],)"
        R"("max_tokens":9,"system":"S1\n\nS2"})");
    EXPECT_EQ(of(Api::messages_count, R"({"system":"mine","messages":[]})"),
        R"({"system":"S1\n\nmine\n\nS2","messages":[{"role":"user",)"
        R"("content":"U"},{"role":"assistant","content":"{"}]})");
    EXPECT_EQ(of(Api::messages,
                  R"({"system":[ {"type":"text","text":"mine",)"
                  R"("cache_control":{"type":"ephemeral"}} ],)"
                  R"("messages":[]})"),
        R"({"system":[{"type":"text","text":"S1"}, {"type":"text","text":)"
        R"("mine","cache_control":{"type":"ephemeral"}} ,{"type":"text",)"
        R"("text":"S2"}],"messages":[{"role":"user","content":"U"},)"
        R"({"role":"assistant","content":"{"}]})");
}

TEST_F(Decorate, ReplacementsInMessages)
{
    rules.replace.push_back(replaced("x", "Y", "user"));
    rules.replace.push_back(replaced("x", "S", "system"));
    rules.replace.push_back(replaced("x", "T", "tool"));
    EXPECT_EQ(of(Api::messages,
                  R"({"system":"x","messages":[{"role":"user","content":[)"
                  R"({"type":"tool_result","tool_use_id":"x","content":"x"},)"
                  R"({"type":"text","text":"x"}]},{"role":"assistant",)"
                  R"("content":[{"type":"thinking","thinking":"x",)"
                  R"("signature":"x"}]}]})"),
        R"({"system":"S","messages":[{"role":"user","content":[)"
        R"({"type":"tool_result","tool_use_id":"x","content":"T"},)"
        R"({"type":"text","text":"Y"}]},{"role":"assistant",)"
        R"("content":[{"type":"thinking","thinking":"x",)"
        R"("signature":"x"}]}]})");
    EXPECT_EQ(of(Api::messages,
                  R"({"system":[{"type":"text","text":"x"}],)"
                  R"("messages":[]})"),
        R"({"system":[{"type":"text","text":"S"}],"messages":[]})");
}

TEST_F(Decorate, Responses)
{
    rules.replace.push_back(replaced("x", "Y"));
    EXPECT_EQ(of(Api::responses, R"({"instructions":"x","input":"x"})"),
        R"({"instructions":"Y","input":"Y"})");
    rules.prepend.push_back(added("developer", "D"));
    rules.append.push_back(added("user", "U"));
    EXPECT_EQ(of(Api::responses, R"({"input":"x"})"),
        R"({"input":[{"role":"developer","content":"D"},{"role":"user",)"
        R"("content":"Y"},{"role":"user","content":"U"}]})");
    EXPECT_EQ(of(Api::responses,
                  R"({"input":[{"type":"message","role":"user","content":[)"
                  R"({"type":"input_text","text":"x"}]},{"type":"reasoning",)"
                  R"("id":"x"},{"type":"function_call_output","call_id":"x",)"
                  R"("output":"x"}]})"),
        R"({"input":[{"role":"developer","content":"D"},{"type":"message",)"
        R"("role":"user","content":[{"type":"input_text","text":"Y"}]},)"
        R"({"type":"reasoning","id":"x"},{"type":"function_call_output",)"
        R"("call_id":"x","output":"Y"},{"role":"user","content":"U"}]})");
}

TEST_F(Decorate, Gemini)
{
    rules.replace.push_back(replaced("x", "Y", "assistant"));
    rules.replace.push_back(replaced("x", "S", "system"));
    const std::string_view turns =
        R"({"contents":[{"role":"model","parts":[{"text":"x"},)"
        R"({"text":"x","thought":true}]},{"parts":[{"text":"x"}]}],)"
        R"("system_instruction":{"parts":[{"text":"x"}]}})";
    EXPECT_EQ(of(Api::gemini_stream, turns),
        R"({"contents":[{"role":"model","parts":[{"text":"Y"},)"
        R"({"text":"x","thought":true}]},{"parts":[{"text":"x"}]}],)"
        R"("system_instruction":{"parts":[{"text":"S"}]}})");
    rules.replace.clear();
    rules.prepend.push_back(added("system", "S1"));
    rules.prepend.push_back(added("assistant", "A"));
    rules.append.push_back(added("user", "U"));
    EXPECT_EQ(of(Api::gemini_generate, R"({"contents":[]})"),
        R"({"contents":[{"role":"model","parts":[{"text":"A"}]},)"
        R"({"role":"user","parts":[{"text":"U"}]}],)"
        R"("systemInstruction":{"parts":[{"text":"S1"}]}})");
    EXPECT_EQ(of(Api::gemini_count,
                  R"({"contents":[],"systemInstruction":{"role":"user",)"
                  R"("parts":[{"text":"x"}]}})"),
        R"({"contents":[{"role":"model","parts":[{"text":"A"}]},)"
        R"({"role":"user","parts":[{"text":"U"}]}],)"
        R"("systemInstruction":{"role":"user","parts":[{"text":"S1"},)"
        R"({"text":"x"}]}})");
}

TEST_F(Decorate, APatternThatTakesTooLongRefusesTheRequest)
{
    rules.replace.push_back(replaced("(a+)+$", "", {}, true));
    EXPECT_EQ(chat(R"({"messages":[{"role":"user","content":")"
                  + std::string(60, 'a') + R"(!"}]})"),
        "a pattern for prompts takes too long on this request");
}

TEST(PromptRules, FaultsAreNamed)
{
    EXPECT_EQ(prompt::read_added("tool", "x").error().message,
        "invalid role \"tool\" (system, developer, user or assistant)");
    EXPECT_EQ(
        prompt::read_added("user", "").error().message, "the text is empty");
    EXPECT_EQ(prompt::read_replacement("", "x", "", false).error().message,
        "the pattern is empty");
    EXPECT_EQ(prompt::read_replacement("(", "x", "", true).error().message,
        "invalid regex \"(\": missing closing parenthesis at offset 1");
    EXPECT_EQ(prompt::read_replacement("a", "$1", "", true).error().message,
        "no group \"1\" for target \"$1\"");
    EXPECT_TRUE(prompt::read_replacement("(", "$1", "", false))
        << "both are meant literally";
    EXPECT_EQ(prompt::read_replacement("a", "x", "me", true).error().message,
        "invalid role \"me\" (system, developer, user, assistant or tool)");
}

// ---- templates

std::string filled(std::string_view text, std::string_view properties)
{
    auto made = Template::compile("t", text);
    if (!made) {
        return made.error().message;
    }
    json::Parser parser;
    auto out = made->fill(*parser.parse(properties));
    return out ? *out : out.error().message;
}

TEST(PromptTemplate, PlacesAreFilled)
{
    EXPECT_EQ(filled(R"({"m":"{{a}} and {{b}}","t":{{c}},"u":{{a}}})",
                  R"({"a":"x \"y\"\n","b":1.5,"c":0.5})"),
        R"({"m":"x \"y\"\n and 1.5","t":0.5,"u":"x \"y\"\n"})")
        << "a text cannot leave its string";
    EXPECT_EQ(filled(R"({"a":{{n}},"b":{{o}},"c":{{s}}})",
                  R"({"n":"7","o":{"x":[1]},"s":"1,\"model\":\"other\""})"),
        R"({"a":7,"b":{"x":[1]},"c":"1,\"model\":\"other\""})")
        << "nor its place";
    EXPECT_EQ(filled(R"({"a":"{{x}}","b":"{{ y }}","c":"\"{{x}}"})",
                  R"({"x":"1","y":"2"})"),
        R"({"a":"1","b":"{{ y }}","c":"\"1"})");
    EXPECT_EQ(filled(R"({"a":"{{x}}"})", R"({"x":{"y":"z"}})"),
        R"({"a":"{\"y\":\"z\"}"})");
    EXPECT_EQ(filled("{\"a\":\"{{\u57ce}}\"}", "{\"\u57ce\":\"\u5e02\"}"),
        "{\"a\":\"\u5e02\"}");
}

TEST(PromptTemplate, MissingProperties)
{
    EXPECT_EQ(filled(R"({"a":"{{x}}"})", "{}"), R"({"a":"{{x}}"})")
        << "inside a text it may be meant";
    EXPECT_EQ(filled(R"({"a":{{x}}})", "{}"),
        "the template \"t\" needs the property \"x\"");
}

TEST(PromptTemplate, FaultsOfTheConfiguration)
{
    EXPECT_EQ(filled("[]", "{}"), "template \"t\" is no JSON object");
    EXPECT_EQ(filled("{{x}}", "{}"), "template \"t\" is no JSON object");
    EXPECT_TRUE(
        filled(R"({"a":})", "{}").starts_with("template \"t\" is no JSON: "));
    EXPECT_EQ(Template::compile("", "{}").error().message,
        "invalid name \"\" of a template");
    EXPECT_EQ(
        Template::compile("t", std::string(2'000'000, ' ')).error().message,
        "template \"t\" is too big");
}

// ---- in a request

class Prompted : public ExchangeFixture {
protected:
    void configure(std::string_view text)
    {
        auto rules = std::make_shared<Rules>();
        auto made = Template::compile("greet", text);
        ASSERT_TRUE(made) << made.error().message;
        rules->templates.push_back(std::move(*made));
        rules->decorations.append.push_back(added("user", "$x"));
        rules->decorations.append.back().content.value = 0;
        world.site().prompts = std::move(rules);
        io.texts = {"appended"};
    }
    Result<void> taken()
    {
        return begin().receive(request.padded(), request.body.size(), &io);
    }
    std::string sent()
    {
        const auto received = taken();
        EXPECT_TRUE(received) << received.error().message;
        std::string out;
        for (const std::string_view piece : again(0).outbound.body) {
            out += piece;
        }
        return out;
    }
    FakeIo io;
};

constexpr std::string_view kGreet =
    R"({"model":"{{m}}","messages":[{"role":"user","content":"Hi {{who}}"}]})";

TEST_F(Prompted, TheTemplateIsTheRequest)
{
    configure(kGreet);
    request.body = R"({"template":"greet","properties":{"m":"gpt-x",)"
                   R"("who":"\"Bob\""},"stream":true})";
    EXPECT_EQ(sent(),
        R"({"model":"gpt-x","messages":[{"role":"user","content":)"
        R"("Hi \"Bob\""},{"role":"user","content":"appended"}]})");
    EXPECT_EQ(exchange->books().request_model, "gpt-x");
    EXPECT_FALSE(exchange->books().stream);
}

TEST_F(Prompted, OtherBodiesAreDecoratedAlone)
{
    configure(kGreet);
    request.body = R"({"model":"m", "template": "greet", "messages":[]})";
    EXPECT_EQ(sent(),
        R"({"model":"m", "template": "greet", "messages":[{"role":"user",)"
        R"("content":"appended"}]})");
    request.body = R"({"model":"m","template":"greet","properties":{},)"
                   R"("messages":[]})";
    request.headers = {{"Template-Enable", "false"}};
    EXPECT_NE(sent().find(R"("template":"greet")"), std::string::npos);
}

TEST_F(Prompted, FaultsOfTheRequest)
{
    configure(R"({"model":"m","messages":{{list}}})");
    request.body = R"({"template":"other","properties":{}})";
    auto refused = taken();
    EXPECT_EQ(refused.error().message, "there is no template \"other\"");
    EXPECT_EQ(refused.error().param, "template");
    EXPECT_EQ(refused.error().http_status(), 400);
    request.body = R"({"template":"greet","properties":{}})";
    EXPECT_EQ(taken().error().param, "properties.list");
    request.body = R"({"template":"greet","properties":{"list":"x"}})";
    EXPECT_EQ(taken().error().http_status(), 400) << "messages is no array";
    request.body = R"({"messages":[],"messages":[]})";
    EXPECT_EQ(taken().error().code, ErrorCode::invalid_json);
    request.body = R"({"messages":[)";
    EXPECT_EQ(taken().error().code, ErrorCode::invalid_json);
}

} // namespace
} // namespace ai_proxy
