#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <array>

// Qianfan's API before its version 2: one path per model, one call of a
// function at a time (providers.md 3.7).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kPath = "/rpc/2.0/ai_custom/v1/wenxinworkshop/chat/";

// Qianfan's own members that clients put beside OpenAI's.
constexpr std::array<std::string_view, 6> kOwn{"disable_search",
    "enable_citation", "enable_trace", "penalty_score", "user_setting",
    "max_input_tokens"};

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "stop", "user", "tools", "tool_choice.none", "tool_choice.named",
    "response_format.json_object"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

bool is_system(const chat::Message& message) noexcept
{
    return message.role == chat::Role::system
        || message.role == chat::Role::developer;
}

Error one_call(size_t index)
{
    return make_error(ErrorCode::invalid_request,
        "the provider takes one tool call a turn",
        message_path(index) + ".tool_calls");
}

Result<void> write_message(
    json::Writer& w, const chat::Request& request, size_t index)
{
    const chat::Message& message = request.messages[index];
    for (size_t i = 0; i < message.parts.size(); i++) {
        if (!is_text(message.parts[i])) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes text only", part_path(index, i));
        }
    }
    w.begin_object();
    if (message.role == chat::Role::tool) {
        w.field("role", "function");
        w.field("name", answered_tool(request, index));
    } else {
        w.field("role", plain_role(message.role));
    }
    const std::string text = joined_text(message);
    if (message.tool_calls.empty() || !text.empty()) {
        w.field("content", std::string_view(text));
    }
    if (message.tool_calls.size() > 1) {
        return one_call(index);
    }
    if (!message.tool_calls.empty()) {
        const chat::ToolCall& call = message.tool_calls[0];
        json::Parser scratch;
        const auto arguments = object_arguments(scratch, call, index, 0);
        if (!arguments) {
            return arguments.error();
        }
        w.key("function_call").begin_object().field("name", call.name);
        w.field("arguments", *arguments);
        if (!message.reasoning.empty()) {
            w.field("thoughts", message.reasoning);
        }
        w.end_object();
    }
    w.end_object();
    return {};
}

void write_system(json::Writer& w, const chat::Request& request)
{
    std::string system;
    for (const chat::Message& message : request.messages) {
        if (is_system(message)) {
            system += system.empty() ? "" : "\n";
            system += joined_text(message);
        }
    }
    if (!system.empty()) {
        w.field("system", std::string_view(system));
    }
}

void write_tools(json::Writer& w, const chat::Request& request)
{
    if (request.tools.empty() || request.tool_choice == chat::ToolChoice::none)
    {
        return;
    }
    w.key("functions").begin_array();
    for (const chat::Tool& tool : request.tools) {
        w.begin_object().field("name", tool.name);
        w.field("description", tool.description);
        w.key("parameters");
        write_schema(w, tool.parameters);
        // Beside OpenAI's members in the client's own tool.
        const Node own = tool.raw["function"];
        for (const std::string_view name : {"responses", "examples"}) {
            if (own[name].has_value()) {
                w.field(name, own[name]);
            }
        }
        w.end_object();
    }
    w.end_array();
    if (request.tool_choice == chat::ToolChoice::named) {
        w.key("tool_choice").begin_object().field("type", "function");
        w.key("function").begin_object();
        w.field("name", request.tool_choice_name).end_object().end_object();
    }
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().key("messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        if (is_system(request.messages[i])) {
            continue;
        }
        if (auto done = write_message(w, request, i); !done) {
            return done;
        }
    }
    w.end_array();
    write_system(w, request);
    write_tools(w, request);
    if (request.stream) {
        w.field("stream", true);
    }
    drop_if(context, "temperature",
        request.temperature && *request.temperature > 1.0);
    if (request.temperature) { // (0, 1]
        w.field("temperature", std::clamp(*request.temperature, 0.01, 1.0));
    }
    write_optional(w, "top_p", request.top_p);
    write_optional(w, "max_output_tokens", request.max_tokens);
    write_strings(w, "stop", request.stop);
    if (request.format == chat::Format::json_object
        || request.format == chat::Format::json_schema)
    {
        w.field("response_format", "json_object");
    }
    if (!request.user.empty()) {
        w.field("user_id", request.user);
    }
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = std::string(kPath).append(percent_encode(context.model));
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

class BaiduDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override
    {
        if (!body["result"].is_string() && !body["function_call"].is_object()) {
            return make_error(ErrorCode::upstream_invalid,
                "the provider's answer has no result");
        }
        say(body, sink);
        end(body, sink);
        return {};
    }
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override
    {
        say(chunk, sink);
        if (chunk["is_end"].boolean().value_or(false)) {
            end(chunk, sink);
            say_.end(sink);
        }
        return {};
    }
    void say(Node body, chat::Sink& sink);
    void end(Node body, chat::Sink& sink);
};

void BaiduDecoder::say(Node body, chat::Sink& sink)
{
    say_.begin(sink, body["id"].string_or(), {},
        body["created"].integer().value_or(0));
    say_.text(sink, body["result"].string_or());
    const Node call = body["function_call"];
    if (call.is_object()) {
        say_.reasoning(sink, call["thoughts"].string_or());
        say_.call(
            sink, {}, call["name"].string_or(), call["arguments"].string_or());
    }
    say_.usage(sink, usage::read_openai(body["usage"]));
}

void BaiduDecoder::end(Node body, chat::Sink& sink)
{
    const std::string_view word = body["finish_reason"].string_or("normal");
    chat::Finish finish = chat::Finish::stop;
    if (word == "length" || body["is_truncated"].boolean().value_or(false)) {
        finish = chat::Finish::length;
    } else if (word == "content_filter") {
        finish = chat::Finish::content_filter;
    }
    say_.finish(sink, finish, word);
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<BaiduDecoder>(context.random);
}

} // namespace

const Protocol kBaidu{"baidu", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
