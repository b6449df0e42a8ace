#include "vendor_probe.h"

#include "core/provider/gemini.h"
#include "core/provider/registry.h"

using namespace ai_proxy;
using vendor_probe::compact;

namespace {

auto gemini(std::string_view body, std::string_view model = "gemini-2.0-flash",
    const provider::Options& options = {})
{
    return vendor_probe::encode(provider::kGemini, body, model, options);
}

std::string with(std::string_view members)
{
    return R"({"messages":[{"role":"user","content":"hi"}],)"
        + std::string(members) + "}";
}

TEST(GeminiRequest, Plain)
{
    const auto sent =
        gemini(R"({"messages":[{"role":"user","content":"hi"}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->text(),
        R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],)"
        R"("generationConfig":{}})");
    EXPECT_EQ(
        sent->out.path, "/v1beta/models/gemini-2.0-flash:generateContent");
    EXPECT_EQ(sent->header("content-type"), "application/json");
}

TEST(GeminiRequest, Paths)
{
    provider::Options options;
    options.api_version = "v1";
    EXPECT_EQ(gemini(with(R"("stream":true)"), "gemini-x", options)->out.path,
        "/v1/models/gemini-x:streamGenerateContent?alt=sse");
    EXPECT_EQ(gemini(with(R"("n":1)"), "models/g")->out.path,
        "/v1beta/models/g:generateContent");
    EXPECT_EQ(gemini(with(R"("n":1)"), "tunedModels/g")->out.path,
        "/v1beta/tunedModels/g:generateContent");
    // A model is one segment of the path, whatever the client calls it.
    EXPECT_EQ(gemini(with(R"("n":1)"), "../x?y#z:a b")->out.path,
        "/v1beta/models/..%2Fx%3Fy%23z%3Aa%20b:generateContent");
}

TEST(GeminiRequest, GenerationConfig)
{
    const auto sent = gemini(with(R"("temperature":0,"top_p":0,"top_k":1,
        "max_tokens":9,"stop":["a","b"],"seed":-1,"n":2,
        "presence_penalty":0.5,"frequency_penalty":0,"logprobs":true,
        "top_logprobs":3,"modalities":["text","image"])"));
    EXPECT_EQ(compact(sent->body["generationConfig"]),
        R"({"temperature":0,"topP":0,"topK":1,"maxOutputTokens":9,)"
        R"("candidateCount":2,"presencePenalty":0.5,"frequencyPenalty":0,)"
        R"("seed":2147483647,"stopSequences":["a","b"],)"
        R"("responseLogprobs":true,"logprobs":3,)"
        R"("responseModalities":["TEXT","IMAGE"]})");
    EXPECT_EQ(compact(gemini(with(R"("temperature":null,"stop":"x")"))
                          ->body["generationConfig"]),
        R"({"stopSequences":["x"]})");
}

TEST(GeminiRequest, SystemAndTurns)
{
    const auto sent = gemini(R"({"messages":[
        {"role":"system","content":"one"},
        {"role":"developer","content":[{"type":"text","text":"two"}]},
        {"role":"user","content":"a"},{"role":"user","content":"b"},
        {"role":"assistant","content":"c"},
        {"role":"user","content":"d"}]})");
    EXPECT_EQ(compact(sent->body["systemInstruction"]),
        R"({"parts":[{"text":"one"},{"text":"two"}]})");
    EXPECT_EQ(compact(sent->body["contents"]),
        R"([{"role":"user","parts":[{"text":"a"},{"text":"b"}]},)"
        R"({"role":"model","parts":[{"text":"c"}]},)"
        R"({"role":"user","parts":[{"text":"d"}]}])");
}

TEST(GeminiRequest, Media)
{
    const auto sent = gemini(R"({"messages":[{"role":"user","content":[
        {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},
        {"type":"image_url","image_url":{"url":"https://e.com/a.WEBP?x=1"}},
        {"type":"image_url","image_url":{"url":"https://e.com/a"}},
        {"type":"input_audio","input_audio":{"data":"QQ","format":"mp3"}},
        {"type":"file","file":{"file_data":"data:application/pdf;base64,QQ"}},
        {"type":"file","file":{"file_id":"https://g/files/1"}}]}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["contents"].at(0)["parts"]),
        R"([{"inlineData":{"mimeType":"image/png","data":"QUJD"}},)"
        R"({"fileData":{"mimeType":"image/webp",)"
        R"("fileUri":"https://e.com/a.WEBP?x=1"}},)"
        R"({"fileData":{"mimeType":"image/jpeg","fileUri":"https://e.com/a"}},)"
        R"({"inlineData":{"mimeType":"audio/mp3","data":"QQ"}},)"
        R"({"inlineData":{"mimeType":"application/pdf","data":"QQ"}},)"
        R"({"fileData":{"fileUri":"https://g/files/1"}}])");
}

constexpr std::string_view kRound = R"({"messages":[
    {"role":"user","content":"q"},
    {"role":"assistant","content":"Looking.","tool_calls":[
        {"id":"a","type":"function","function":{"name":"w",
            "arguments":"{\"c\":1}"},
         "extra_content":{"google":{"thought_signature":"S+/="}}},
        {"id":"b","type":"function","function":{"name":"now",
            "arguments":""}}]},
    {"role":"tool","tool_call_id":"b","content":"12:00"},
    {"role":"tool","tool_call_id":"a","content":"{\"rain\": true}"}]})";

TEST(GeminiRequest, ToolRoundNamesFunctionsByTheirCall)
{
    const auto sent = gemini(kRound);
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["contents"].at(1)),
        R"({"role":"model","parts":[{"text":"Looking."},)"
        R"({"functionCall":{"name":"w","args":{"c":1}},)"
        R"("thoughtSignature":"S+/="},)"
        R"({"functionCall":{"name":"now","args":{}}}]})");
    EXPECT_EQ(compact(sent->body["contents"].at(2)),
        R"({"role":"user","parts":[)"
        R"({"functionResponse":{"name":"now","response":{"output":"12:00"}}},)"
        R"({"functionResponse":{"name":"w","response":{"rain":true}}}]})");
}

TEST(GeminiRequest, Gemini3HasIdsAndWantsSignatures)
{
    auto sent = gemini(kRound, "gemini-3-pro-preview");
    EXPECT_EQ(compact(sent->body["contents"].at(1)["parts"].at(1)),
        R"({"functionCall":{"id":"a","name":"w","args":{"c":1}},)"
        R"("thoughtSignature":"S+/="})");
    EXPECT_EQ(sent->body["contents"]
                  .at(2)["parts"]
                  .at(0)["functionResponse"]["id"]
                  .string(),
        "b");
    std::string foreign(kRound);
    foreign.replace(foreign.find("extra_content"), 13, "other_content");
    sent = gemini(foreign, "gemini-3-pro-preview");
    const json::Node parts = sent->body["contents"].at(1)["parts"];
    EXPECT_EQ(parts.at(1)["thoughtSignature"].string(),
        "skip_thought_signature_validator");
    EXPECT_FALSE(parts.at(2)["thoughtSignature"].exists());
    // Earlier models need none.
    EXPECT_EQ(
        gemini(foreign)->text().find("thoughtSignature"), std::string::npos);
}

TEST(GeminiRequest, SignatureOfTextReplays)
{
    auto sent = gemini(R"({"messages":[{"role":"user","content":"q"},
        {"role":"assistant","content":"a","thinking_blocks":[
            {"type":"thinking","thinking":"hm","signature":"S+/="}]},
        {"role":"user","content":"r"}]})");
    EXPECT_EQ(compact(sent->body["contents"].at(1)["parts"]),
        R"([{"text":"a","thoughtSignature":"S+/="}])");
    sent = gemini(R"({"messages":[{"role":"user","content":"q"},
        {"role":"assistant","content":null,"thinking_blocks":[
            {"type":"thinking","thinking":"hm","signature":"S+/="}]},
        {"role":"user","content":"r"}]})");
    EXPECT_EQ(compact(sent->body["contents"].at(1)["parts"]),
        R"([{"text":"","thoughtSignature":"S+/="}])");
}

TEST(GeminiRequest, ToolAnswersThatDoNotFit)
{
    auto sent = gemini(R"({"messages":[{"role":"user","content":"q"},
        {"role":"tool","tool_call_id":"x","content":"r"}]})");
    ASSERT_FALSE(sent->result.ok());
    EXPECT_EQ(sent->result.error().code, ErrorCode::invalid_request);
    EXPECT_EQ(sent->result.error().param, "messages[1].tool_call_id");
    sent = gemini(R"({"messages":[{"role":"user","content":"q"},
        {"role":"assistant","tool_calls":[{"id":"1",
            "function":{"name":"f","arguments":"{x"}}]}]})");
    ASSERT_FALSE(sent->result.ok());
    EXPECT_EQ(sent->result.error().param,
        "messages[1].tool_calls[0].function.arguments");
}

TEST(GeminiRequest, ToolsAndChoice)
{
    const auto sent = gemini(with(R"("tools":[
        {"type":"function","function":{"name":"f","description":"d",
         "strict":true,"parameters":{"$schema":"s","type":"object",
         "additionalProperties":false,"required":["a"],
         "properties":{"a":{"type":"string","format":"uri"}}}}},
        {"type":"function","function":{"name":"g",
         "parameters":{"type":"object","properties":{}}}}],
        "tool_choice":{"type":"function","function":{"name":"f"}},
        "parallel_tool_calls":false)"));
    EXPECT_EQ(compact(sent->body["tools"]),
        R"([{"functionDeclarations":[{"name":"f","description":"d",)"
        R"("parameters":{"type":"object","properties":)"
        R"({"a":{"type":"string"}},"required":["a"]}},{"name":"g"}]}])");
    EXPECT_EQ(compact(sent->body["toolConfig"]),
        R"({"functionCallingConfig":{"mode":"ANY",)"
        R"("allowedFunctionNames":["f"]}})");
    const auto mode = [](std::string_view choice) {
        return std::string(
            gemini(
                with(R"("tools":[{"type":"function","function":{"name":"f"}}],)"
                     R"("tool_choice":")"
                    + std::string(choice) + '"'))
                ->body["toolConfig"]["functionCallingConfig"]["mode"]
                .string_or("-"));
    };
    EXPECT_EQ(mode("auto"), "AUTO");
    EXPECT_EQ(mode("none"), "NONE");
    EXPECT_EQ(mode("required"), "ANY");
}

TEST(GeminiRequest, ResponseFormat)
{
    auto sent = gemini(with(R"("response_format":{"type":"json_object"})"));
    EXPECT_EQ(compact(sent->body["generationConfig"]),
        R"({"responseMimeType":"application/json"})");
    sent = gemini(with(R"("response_format":{"type":"json_schema",
        "json_schema":{"name":"n","schema":{"type":"object",
        "additionalProperties":false,
        "properties":{"a":{"type":["integer","null"]}}}}})"));
    EXPECT_EQ(compact(sent->body["generationConfig"]),
        R"({"responseMimeType":"application/json","responseSchema":)"
        R"({"type":"object","properties":)"
        R"({"a":{"type":"integer","nullable":true}}}})");
    sent = gemini(with(R"("response_format":{"type":"json_schema",
        "json_schema":{"name":"n","schema":{"$schema":"x","type":"object",
        "additionalProperties":{"type":"string"}}}})"));
    EXPECT_EQ(compact(sent->body["generationConfig"]),
        R"({"responseMimeType":"application/json","responseJsonSchema":)"
        R"({"type":"object","additionalProperties":{"type":"string"}}})");
}

// Before Gemini 3 the API refuses a type of the answer beside functions.
TEST(GeminiRequest, ResponseFormatBesideFunctions)
{
    const std::string body = with(R"("response_format":{"type":"json_schema",
        "json_schema":{"name":"n","schema":{"type":"object",
        "properties":{"a":{"type":"string"}}}}},
        "tools":[{"type":"function","function":{"name":"f"}}])");
    auto sent = gemini(body, "gemini-2.5-flash-lite");
    EXPECT_EQ(sent->text().find("response"), std::string::npos) << sent->text();
    EXPECT_EQ(sent->body["tools"].size(), 1U);
    sent = gemini(body, "gemini-3-flash-preview");
    EXPECT_EQ(compact(sent->body["generationConfig"]),
        R"({"responseMimeType":"application/json","responseSchema":)"
        R"({"type":"object","properties":{"a":{"type":"string"}}}})");
    EXPECT_EQ(sent->body["tools"].size(), 1U);
}

std::string thinking(std::string_view model, std::string_view members,
    const provider::Options& options = {})
{
    const auto sent = gemini(with(members), model, options);
    return compact(sent->body["generationConfig"]["thinkingConfig"]);
}

TEST(GeminiRequest, ThinkingBudgets)
{
    const char* flash = "gemini-2.5-flash";
    EXPECT_EQ(thinking(flash, R"("reasoning_effort":"low")"),
        R"({"includeThoughts":true,"thinkingBudget":1024})");
    EXPECT_EQ(thinking(flash, R"("reasoning_effort":"medium")"),
        R"({"includeThoughts":true,"thinkingBudget":8192})");
    EXPECT_EQ(thinking(flash, R"("reasoning_effort":"high")"),
        R"({"includeThoughts":true,"thinkingBudget":24576})");
    EXPECT_EQ(thinking(flash, R"("reasoning_effort":"none")"),
        R"({"thinkingBudget":0})");
    EXPECT_EQ(thinking(flash, R"("thinking":{"type":"disabled"})"),
        R"({"thinkingBudget":0})");
    EXPECT_EQ(thinking(flash, R"("reasoning_max_tokens":99999)"),
        R"({"includeThoughts":true,"thinkingBudget":24576})");
    EXPECT_EQ(thinking("gemini-2.5-pro", R"("reasoning_effort":"none")"),
        R"({"includeThoughts":true,"thinkingBudget":128})");
    EXPECT_EQ(thinking(flash, R"("n":1)"), R"({"includeThoughts":true})");
    EXPECT_EQ(thinking("gemini-2.5-flash-image", R"("n":1)"), "(missing)");
    EXPECT_EQ(thinking("gemini-2.0-flash", R"("reasoning_effort":"low")"),
        "(missing)");
}

TEST(GeminiRequest, ThinkingLevels)
{
    EXPECT_EQ(thinking("gemini-3-pro-preview", R"("reasoning_effort":"low")"),
        R"({"includeThoughts":true,"thinkingLevel":"low"})");
    EXPECT_EQ(
        thinking("gemini-3-pro-preview", R"("reasoning_effort":"medium")"),
        R"({"includeThoughts":true,"thinkingLevel":"high"})");
    EXPECT_EQ(
        thinking("gemini-3-flash-preview", R"("reasoning_effort":"none")"),
        R"({"includeThoughts":false,"thinkingLevel":"minimal"})");
    EXPECT_EQ(
        thinking("gemini-3-flash-preview", R"("reasoning_max_tokens":77)"),
        R"({"includeThoughts":true,"thinkingBudget":77})");
}

TEST(GeminiRequest, Options)
{
    provider::Options options;
    options.gemini_thinking_budget = -1;
    options.gemini_safety_setting = {{"HARM_CATEGORY_HATE_SPEECH", "OFF"}};
    EXPECT_EQ(thinking("gemini-2.5-pro", R"("n":1)", options),
        R"({"includeThoughts":true,"thinkingBudget":-1})");
    // What the client asks for wins.
    EXPECT_EQ(
        thinking("gemini-2.5-pro", R"("reasoning_effort":"low")", options),
        R"({"includeThoughts":true,"thinkingBudget":1024})");
    EXPECT_EQ(
        compact(gemini(with(R"("n":1)"), "g", options)->body["safetySettings"]),
        R"([{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"OFF"}])");
    EXPECT_EQ(thinking("g", R"("extra_body":{"google":{"thinking_config":
        {"thinking_budget":5}}})"),
        R"({"thinking_budget":5})");
}

// Beside functions the search is for models from 3 on.
TEST(GeminiRequest, SearchBesideFunctions)
{
    const std::string both = with(R"("web_search_options":{},
        "tools":[{"type":"function","function":{"name":"f"}}])");
    auto sent = gemini(both, "gemini-2.5-pro");
    EXPECT_EQ(compact(sent->body["tools"]),
        R"([{"functionDeclarations":[{"name":"f"}]}])");
    EXPECT_FALSE(sent->body["toolConfig"].exists());
    const std::string tools =
        R"([{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}])";
    sent = gemini(both, "gemini-3-pro-preview");
    EXPECT_EQ(compact(sent->body["tools"]), tools);
    EXPECT_EQ(compact(sent->body["toolConfig"]),
        R"({"includeServerSideToolInvocations":true})");
    // Vertex AI does not know the member.
    provider::Options options;
    options.type = provider::find_type("vertex");
    sent = vendor_probe::encode(
        provider::kVertex, both, "gemini-3-pro-preview", options);
    EXPECT_EQ(compact(sent->body["tools"]), tools);
    EXPECT_FALSE(sent->body["toolConfig"].exists());
    // Alone it is for all.
    sent = gemini(with(R"("web_search_options":{})"), "gemini-2.5-pro");
    EXPECT_EQ(compact(sent->body["tools"]), R"([{"googleSearch":{}}])");
    EXPECT_FALSE(sent->body["toolConfig"].exists());
}

TEST(GeminiRequest, ChoiceBesideTheSearch)
{
    const auto config = [](std::string_view choice) {
        return compact(gemini(with(R"("web_search_options":{},
            "tools":[{"type":"function","function":{"name":"f"}}],
            "tool_choice":")" + std::string(choice)
                                  + "\""),
            "gemini-3-flash")
                           ->body["toolConfig"]);
    };
    EXPECT_EQ(config("auto"), R"({"includeServerSideToolInvocations":true})");
    EXPECT_EQ(config("required"),
        R"({"functionCallingConfig":{"mode":"ANY"},)"
        R"("includeServerSideToolInvocations":true})");
}

std::string cleaned(std::string_view schema, bool union_alone = false)
{
    json::Parser parser;
    const auto root = parser.parse(schema);
    EXPECT_TRUE(root.ok());
    EXPECT_TRUE(provider::fits_gemini_schema(*root, union_alone)) << schema;
    std::string out;
    json::Writer w(out);
    provider::write_gemini_schema(w, *root, union_alone);
    json::Parser again;
    const auto written = again.parse(std::string_view(out));
    EXPECT_TRUE(written.ok()) << out;
    EXPECT_TRUE(json::check_unique_keys(*written).ok()) << out;
    return out;
}

TEST(GeminiSchema, Subset)
{
    EXPECT_EQ(cleaned(R"({"$schema":"x","title":"T","type":"string",
        "format":"email","examples":[1],"pattern":"^a"})"),
        R"({"title":"T","pattern":"^a","type":"string"})");
    EXPECT_EQ(cleaned(R"({"type":"string","format":"date-time"})"),
        R"({"type":"string","format":"date-time"})");
    EXPECT_EQ(cleaned(R"({"const":"a"})"), R"({"type":"string","enum":["a"]})");
    EXPECT_EQ(cleaned(R"({"enum":["a",null]})"),
        R"({"type":"string","enum":["a"],"nullable":true})");
    EXPECT_EQ(cleaned(R"({"anyOf":[{"type":"string"},{"type":"null"}],
        "title":"T","description":"d"})"),
        R"({"title":"T","description":"d","type":"string","nullable":true})");
    EXPECT_EQ(cleaned(R"({"oneOf":[{"type":"string"},{"type":"integer"},
        {"type":"null"}]})"),
        R"({"anyOf":[{"type":"string"},{"type":"integer"}],"nullable":true})");
    EXPECT_EQ(cleaned(R"({"type":"array","minItems":1,
        "items":{"type":"number"},"uniqueItems":true})"),
        R"({"minItems":1,"type":"array","items":{"type":"number"}})");
    // A property may bear the name of a keyword.
    EXPECT_EQ(cleaned(R"({"type":"object","properties":{"$schema":
        {"type":"string"},"not":{"type":"string"}},"required":["not","gone"]})"),
        R"({"type":"object","properties":{"$schema":{"type":"string"},)"
        R"("not":{"type":"string"}},"required":["not"]})");
}

// Vertex AI: "When using any_of, it must be the only field set."
TEST(GeminiSchema, AUnionAlone)
{
    EXPECT_EQ(cleaned(R"({"title":"T","description":"d","default":null,
        "anyOf":[{"type":"string"},{"type":"integer","description":"own"},
        {"type":"null"}]})",
                  true),
        R"({"anyOf":[{"type":"string","description":"d","nullable":true},)"
        R"({"description":"own","type":"integer","nullable":true}]})");
    EXPECT_EQ(cleaned(R"({"type":"object","properties":{
        "a":{"$ref":"#/$defs/U","description":"d"}},
        "$defs":{"U":{"description":"u","anyOf":[{"anyOf":[
            {"type":"string"},{"type":"number"}]},{"type":"boolean"}]}}})",
                  true),
        R"({"type":"object","properties":{"a":{"anyOf":[{"anyOf":[)"
        R"({"type":"string","description":"d"},{"type":"number"}]},)"
        R"({"type":"boolean"}]}}})");
    EXPECT_EQ(cleaned(R"({"description":"d","anyOf":[{"type":"string"},
        {"type":"null"}]})",
                  true),
        R"({"description":"d","type":"string","nullable":true})");
    // What the alternatives cannot do without is for JSON Schema itself.
    json::Parser parser;
    const auto mixed = parser.parse(std::string_view(
        R"({"type":"object","properties":{"a":{"type":"string"}},)"
        R"("anyOf":[{"required":["a"]},{"required":["b"]}]})"));
    EXPECT_FALSE(provider::fits_gemini_schema(*mixed, true));
    EXPECT_TRUE(provider::fits_gemini_schema(*mixed, false));
}

TEST(GeminiRequest, UnionsOnVertexStandAlone)
{
    const std::string body = with(R"("tools":[{"type":"function","function":
        {"name":"f","parameters":{"type":"object","properties":{"a":{
            "title":"A","anyOf":[{"type":"string"},{"type":"integer"}]}}}}}])");
    const auto schema = [](const auto& sent) {
        return compact(sent->body["tools"].at(0)["functionDeclarations"].at(
            0)["parameters"]["properties"]["a"]);
    };
    const std::string alone =
        R"("anyOf":[{"type":"string"},{"type":"integer"}]})";
    EXPECT_EQ(schema(gemini(body)), R"({"title":"A",)" + alone);
    provider::Options options;
    options.type = provider::find_type("vertex");
    EXPECT_EQ(schema(vendor_probe::encode(
                  provider::kVertex, body, "gemini-2.5-pro", options)),
        "{" + alone);
}

TEST(GeminiSchema, ReferencesAreResolved)
{
    EXPECT_EQ(cleaned(R"({"type":"object","properties":{
        "a":{"$ref":"#/$defs/A~1B","description":"mine"},
        "b":{"allOf":[{"$ref":"#/$defs/A~1B"}]}},
        "$defs":{"A/B":{"type":"object","description":"its","properties":{
            "x":{"$ref":"#/$defs/E"}}},"E":{"enum":["p","q"]}}})"),
        R"({"type":"object","properties":{"a":{"description":"mine",)"
        R"("type":"object","properties":{"x":{"type":"string",)"
        R"("enum":["p","q"]}}},"b":{"description":"its","type":"object",)"
        R"("properties":{"x":{"type":"string","enum":["p","q"]}}}}})");
}

TEST(GeminiSchema, WhatDoesNotFit)
{
    for (const char* schema :
        {
            R"({"$ref":"#"})",
            R"({"properties":{"a":{"$ref":"#"}}})",
            R"({"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}})",
            R"({"$ref":"#/$defs/gone"})",
            R"({"$ref":"https://e.com/s"})",
            R"({"$ref":7})",
            R"({"type":"object","additionalProperties":{"type":"string"}})",
            R"({"type":["string","integer"]})",
            R"({"enum":[1,2]})",
            R"({"const":true})",
            R"({"properties":{"a":true}})",
            R"({"allOf":[{"type":"string"},{"type":"string"}]})",
            R"({"not":{"type":"string"}})",
            "true",
        })
    {
        json::Parser parser;
        const auto root = parser.parse(std::string_view(schema));
        EXPECT_FALSE(provider::fits_gemini_schema(*root, false)) << schema;
    }
}

// Each level names the next one twice: unfolded it would fill the memory.
TEST(GeminiSchema, UnfoldingIsBounded)
{
    std::string schema = R"({"$ref":"#/$defs/L0","$defs":{)";
    for (int i = 0; i < 30; i++) {
        const std::string next =
            R"({"$ref":"#/$defs/L)" + std::to_string(i + 1) + R"("})";
        schema += R"("L)" + std::to_string(i) + R"(":{"properties":{"a":)"
            + next + R"(,"b":)" + next + "}},";
    }
    schema += R"("L30":{"type":"string"}}})";
    json::Parser parser;
    const auto root = parser.parse(std::string_view(schema));
    ASSERT_TRUE(root.ok());
    EXPECT_FALSE(provider::fits_gemini_schema(*root, false));
}

TEST(GeminiModel, Generation)
{
    EXPECT_TRUE(provider::is_gemini3("gemini-3-pro-preview"));
    EXPECT_TRUE(provider::is_gemini3("models/gemini-3.5-flash"));
    EXPECT_FALSE(provider::is_gemini3("gemini-2.5-pro"));
    EXPECT_FALSE(provider::is_gemini3("gemini-"));
    EXPECT_FALSE(provider::is_gemini3("gemma-3-27b"));
}

} // namespace
