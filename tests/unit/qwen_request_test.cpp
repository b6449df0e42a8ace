#include "vendor_probe.h"

using namespace ai_proxy;
using vendor_probe::compact;

namespace {

constexpr std::string_view kText =
    "/api/v1/services/aigc/text-generation/generation";
constexpr std::string_view kMultimodal =
    "/api/v1/services/aigc/multimodal-generation/generation";

auto qwen(std::string_view body, std::string_view model = "qwen-plus",
    const provider::Options& options = {})
{
    return vendor_probe::encode(provider::kQwen, body, model, options);
}

std::string with(std::string_view members)
{
    return R"({"messages":[{"role":"user","content":"hi"}],)"
        + std::string(members) + "}";
}

TEST(QwenRequest, Plain)
{
    const auto sent = qwen(R"({"messages":[{"role":"user","content":"hi"}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->text(),
        R"({"model":"qwen-plus","input":{"messages":[)"
        R"({"role":"user","content":"hi"}]},)"
        R"("parameters":{"result_format":"message"}})");
    EXPECT_EQ(sent->out.path, kText);
    EXPECT_EQ(sent->header("content-type"), "application/json");
    EXPECT_EQ(sent->header("accept"), "*/*");
    EXPECT_EQ(sent->header("x-dashscope-sse"), "");
}

TEST(QwenRequest, Stream)
{
    const auto sent = qwen(with(R"("stream":true,
        "tools":[{"type":"function","function":{"name":"f"}}])"));
    EXPECT_EQ(sent->header("accept"), "text/event-stream");
    EXPECT_EQ(sent->header("x-dashscope-sse"), "enable");
    EXPECT_EQ(sent->body["parameters"]["incremental_output"].boolean(), true);
}

TEST(QwenRequest, Parameters)
{
    const auto sent = qwen(with(R"("temperature":0,"top_p":1,"top_k":0,
        "max_tokens":9,"seed":0,"n":2,"stop":"x","presence_penalty":0,
        "logprobs":true,"top_logprobs":2,"repetition_penalty":1.05,
        "vl_high_resolution_images":true,"search_options":{"a":1})"));
    EXPECT_EQ(compact(sent->body["parameters"]),
        R"({"result_format":"message","max_tokens":9,"temperature":0,)"
        R"("top_p":0.999999,"top_k":0,"presence_penalty":0,"seed":0,"n":2,)"
        R"("stop":["x"],"logprobs":true,"top_logprobs":2,)"
        R"("search_options":{"a":1},"repetition_penalty":1.05,)"
        R"("vl_high_resolution_images":true})");
    // Out of the API's range: the nearest inside.
    EXPECT_EQ(
        qwen(with(R"("top_p":0)"))->body["parameters"]["top_p"].number(), 1e-6);
    EXPECT_LT(*qwen(with(R"("temperature":2)"))
                   ->body["parameters"]["temperature"]
                   .number(),
        2.0);
}

TEST(QwenRequest, ToolRound)
{
    const auto sent = qwen(R"({"messages":[
        {"role":"developer","content":"be"},
        {"role":"user","content":[{"type":"text","text":"a"},
            {"type":"text","text":"b"}]},
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"1","type":"function","function":{"name":"f",
             "arguments":"{\"a\":1}"}},
            {"id":"2","type":"function","function":{"name":"g",
             "arguments":""}}]},
        {"role":"tool","tool_call_id":"1","content":"r"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d",
            "strict":true,"parameters":{"type":"object"}}}],
        "parallel_tool_calls":false})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(compact(sent->body["input"]["messages"]),
        R"([{"role":"system","content":"be"},)"
        R"({"role":"user","content":"a\nb"},)"
        R"({"role":"assistant","content":"","tool_calls":[)"
        R"({"index":0,"id":"1","type":"function","function":)"
        R"({"name":"f","arguments":"{\"a\":1}"}},)"
        R"({"index":1,"id":"2","type":"function","function":)"
        R"({"name":"g","arguments":"{}"}}]},)"
        R"({"role":"tool","content":"r","tool_call_id":"1"}])");
    EXPECT_EQ(compact(sent->body["parameters"]),
        R"({"result_format":"message","tools":[{"type":"function",)"
        R"("function":{"name":"f","description":"d",)"
        R"("parameters":{"type":"object"}}}],"parallel_tool_calls":false})");
}

TEST(QwenRequest, ToolChoice)
{
    const auto choice = [](std::string_view value) {
        return compact(qwen(
            with(R"("tools":[{"type":"function","function":{"name":"f"}}],)"
                 R"("tool_choice":)"
                + std::string(value)))
                           ->body["parameters"]["tool_choice"]);
    };
    EXPECT_EQ(choice(R"("auto")"), R"("auto")");
    EXPECT_EQ(choice(R"("none")"), R"("none")");
    constexpr std::string_view named =
        R"({"type":"function","function":{"name":"f"}})";
    EXPECT_EQ(choice(named), named);
    EXPECT_EQ(choice(R"("required")"), named);
    EXPECT_EQ(choice("null"), "(missing)");
}

TEST(QwenRequest, MediaTakeTheMultimodalInterface)
{
    auto sent = qwen(R"({"messages":[{"role":"system","content":"s"},
        {"role":"user","content":[
        {"type":"image_url","image_url":{"url":"https://e.com/a.png"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},
        {"type":"input_audio","input_audio":{"data":"QQ","format":"wav"}},
        {"type":"text","text":"what?"}]}]})");
    ASSERT_TRUE(sent->result.ok());
    EXPECT_EQ(sent->out.path, kMultimodal);
    EXPECT_EQ(compact(sent->body["input"]["messages"]),
        R"([{"role":"system","content":[{"text":"s"}]},)"
        R"({"role":"user","content":[{"image":"https://e.com/a.png"},)"
        R"({"image":"data:image/png;base64,QUJD"},)"
        R"({"audio":"data:audio/wav;base64,QQ"},{"text":"what?"}]}])");
    sent = qwen(with(R"("n":1)"), "qwen3-vl-plus");
    EXPECT_EQ(sent->out.path, kMultimodal);
    EXPECT_EQ(qwen(with(R"("n":1)"), "qwen-max")->out.path, kText);
}

TEST(QwenRequest, CacheMarkers)
{
    const auto sent = qwen(R"({"messages":[{"role":"user","content":[
        {"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]})");
    EXPECT_EQ(sent->out.path, kText);
    EXPECT_EQ(compact(sent->body["input"]["messages"].at(0)["content"]),
        R"([{"text":"a","cache_control":{"type":"ephemeral"}}])");
}

TEST(QwenRequest, Refusals)
{
    auto sent = qwen(R"({"messages":[{"role":"user","content":[
        {"type":"text","text":"x"},
        {"type":"file","file":{"file_id":"f"}}]}]})");
    ASSERT_FALSE(sent->result.ok());
    EXPECT_EQ(sent->result.error().param, "messages[0].content[1]");
    sent = qwen(R"({"messages":[{"role":"assistant","tool_calls":[
        {"id":"1","function":{"name":"f","arguments":"nope"}}]}]})");
    ASSERT_FALSE(sent->result.ok());
    EXPECT_EQ(sent->result.error().param,
        "messages[0].tool_calls[0].function.arguments");
}

TEST(QwenRequest, Thinking)
{
    const auto parameters = [](std::string_view members) {
        return compact(qwen(with(members))->body["parameters"]);
    };
    EXPECT_EQ(parameters(R"("reasoning_effort":"low")"),
        R"({"result_format":"message","enable_thinking":true,)"
        R"("thinking_budget":1024})");
    EXPECT_EQ(parameters(R"("reasoning_max_tokens":77)"),
        R"({"result_format":"message","enable_thinking":true,)"
        R"("thinking_budget":77})");
    EXPECT_EQ(parameters(R"("reasoning_effort":"none")"),
        R"({"result_format":"message","enable_thinking":false})");
    EXPECT_EQ(parameters(R"("reasoning_effort":"low","enable_thinking":false)"),
        R"({"result_format":"message","enable_thinking":false})");
}

TEST(QwenRequest, ResponseFormat)
{
    EXPECT_EQ(compact(qwen(with(R"("response_format":{"type":"json_object"})"))
                          ->body["parameters"]["response_format"]),
        R"({"type":"json_object"})");
    constexpr std::string_view schema =
        R"({"type":"json_schema","json_schema":{"name":"n","schema":{}}})";
    EXPECT_EQ(compact(qwen(with(R"("response_format":)" + std::string(schema)))
                          ->body["parameters"]["response_format"]),
        schema);
}

TEST(QwenRequest, SearchAndFiles)
{
    provider::Options options;
    options.qwen_enable_search = true;
    options.qwen_file_ids = {"a", "b"};
    auto sent = qwen(with(R"("n":1)"), "qwen-plus", options);
    EXPECT_EQ(sent->body["parameters"]["enable_search"].boolean(), true);
    EXPECT_EQ(sent->body["input"]["messages"].size(), 1U);
    sent = qwen(with(R"("enable_search":false)"), "qwen-long", options);
    EXPECT_EQ(sent->body["parameters"]["enable_search"].boolean(), false);
    EXPECT_EQ(compact(sent->body["input"]["messages"]),
        R"([{"role":"system","content":"You are a helpful assistant."},)"
        R"({"role":"system","content":"fileid://a,fileid://b"},)"
        R"({"role":"user","content":"hi"}])");
    sent = qwen(R"({"messages":[{"role":"system","content":"x"},
        {"role":"system","content":"y"},{"role":"user","content":"hi"}]})",
        "qwen-long", options);
    EXPECT_EQ(compact(sent->body["input"]["messages"]),
        R"([{"role":"system","content":"x\ny"},)"
        R"({"role":"system","content":"fileid://a,fileid://b"},)"
        R"({"role":"user","content":"hi"}])");
}

} // namespace
