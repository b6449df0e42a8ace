#include "core/dialect/chat_relay.h"
#include "core/dialect/openai_error.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

// Tencent Cloud's own API of Hunyuan, signed with TC3 (providers.md 4.10).
namespace ai_proxy::provider {
namespace {

using json::Node;

// Hunyuan's own members that clients put beside OpenAI's.
constexpr std::array<std::string_view, 8> kOwn{"EnableEnhancement",
    "StreamModeration", "SearchInfo", "Citation", "EnableThinking",
    "ForceSearchEnhancement", "TopicChoice", "EnableSpeedSearch"};

constexpr std::string_view kWords[] = {"temperature", "top_p", "seed", "stop",
    "tools", "tool_choice.none", "tool_choice.named"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

Result<void> write_contents(
    json::Writer& w, const chat::Message& message, size_t index)
{
    w.key("Contents").begin_array();
    for (size_t i = 0; i < message.parts.size(); i++) {
        const chat::Part& part = message.parts[i];
        if (part.kind == chat::PartKind::text) {
            w.begin_object().field("Type", "text");
            w.field("Text", part.text).end_object();
        } else if (part.kind == chat::PartKind::image_url
            || part.kind == chat::PartKind::image_data)
        {
            w.begin_object().field("Type", "image_url").key("ImageUrl");
            w.begin_object().field("Url", image_url(part));
            w.end_object().end_object();
        } else if (!is_text(part)) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes text and images only", part_path(index, i));
        }
    }
    w.end_array();
    return {};
}

Result<void> write_calls(
    json::Writer& w, const chat::Message& message, size_t index)
{
    json::Parser scratch;
    w.key("ToolCalls").begin_array();
    for (size_t i = 0; i < message.tool_calls.size(); i++) {
        const chat::ToolCall& call = message.tool_calls[i];
        const auto arguments = object_arguments(scratch, call, index, i);
        if (!arguments) {
            return arguments.error();
        }
        w.begin_object().field("Id", call.id).field("Type", "function");
        w.key("Function").begin_object().field("Name", call.name);
        w.field("Arguments", *arguments).end_object().end_object();
    }
    w.end_array();
    return {};
}

Result<void> write_message(
    json::Writer& w, const chat::Message& message, size_t index)
{
    w.begin_object().field("Role", plain_role(message.role));
    if (message.role == chat::Role::tool) {
        w.field("ToolCallId", message.tool_call_id);
    }
    if (std::all_of(message.parts.begin(), message.parts.end(), is_text)) {
        w.field("Content", std::string_view(joined_text(message)));
    } else if (auto done = write_contents(w, message, index); !done) {
        return done;
    }
    if (!message.tool_calls.empty()) {
        if (auto done = write_calls(w, message, index); !done) {
            return done;
        }
    }
    w.end_object();
    return {};
}

void write_tools(json::Writer& w, const chat::Request& request)
{
    if (request.tools.empty()) {
        return;
    }
    w.key("Tools").begin_array();
    for (const chat::Tool& tool : request.tools) {
        std::string schema;
        json::Writer inner(schema);
        write_schema(inner, tool.parameters);
        w.begin_object().field("Type", "function").key("Function");
        w.begin_object().field("Name", tool.name);
        if (!tool.description.empty()) {
            w.field("Description", tool.description);
        }
        // A text that holds JSON.
        w.field("Parameters", std::string_view(schema));
        w.end_object().end_object();
    }
    w.end_array();
    switch (request.tool_choice) {
    case chat::ToolChoice::unset:
        break;
    case chat::ToolChoice::automatic:
    case chat::ToolChoice::required: // it has no word for it
        w.field("ToolChoice", "auto");
        break;
    case chat::ToolChoice::none:
        w.field("ToolChoice", "none");
        break;
    case chat::ToolChoice::named:
        w.field("ToolChoice", "custom").key("CustomTool").begin_object();
        w.field("Type", "function").key("Function").begin_object();
        w.field("Name", request.tool_choice_name);
        w.end_object().end_object();
        break;
    }
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().field("Model", context.model);
    w.key("Messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        if (auto done = write_message(w, request.messages[i], i); !done) {
            return done;
        }
    }
    w.end_array();
    if (request.stream) {
        w.field("Stream", true);
    }
    write_optional(w, "Temperature", request.temperature);
    write_optional(w, "TopP", request.top_p);
    write_optional(w, "Seed", request.seed);
    write_strings(w, "Stop", request.stop);
    write_tools(w, request);
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = "/";
    // The signature covers it: nothing may be added.
    out.header("Content-Type", "application/json");
    out.header("X-TC-Action", "ChatCompletions");
    out.header("X-TC-Version", "2023-09-01");
    out.own_body(std::move(body));
    return {};
}

class HunyuanDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override;
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override;
    void say(Node body, std::string_view key, chat::Sink& sink);
    void call(Node call, chat::Sink& sink);

    int64_t call_index_ = -1;
};

// In a stream a call comes in pieces, the first of which has its name.
void HunyuanDecoder::call(Node call, chat::Sink& sink)
{
    const Node function = call["Function"];
    const std::string_view name = function["Name"].string_or();
    const int64_t index = call["Index"].integer().value_or(-1);
    if (!name.empty()
        && (say_.calls() == 0 || index < 0 || index != call_index_)) {
        call_index_ = index;
        say_.open_call(sink, call["Id"].string_or(), name);
    }
    say_.arguments(sink, function["Arguments"].string_or());
}

void HunyuanDecoder::say(Node body, std::string_view key, chat::Sink& sink)
{
    say_.begin(sink, body["Id"].string_or(body["RequestId"].string_or()), {},
        body["Created"].integer().value_or(0));
    for (const Node choice : body["Choices"].items()) {
        const Node message = choice[key];
        say_.reasoning(sink, message["ReasoningContent"].string_or());
        say_.text(sink, message["Content"].string_or());
        for (const Node one : message["ToolCalls"].items()) {
            call(one, sink);
        }
        const std::string_view word = choice["FinishReason"].string_or();
        if (!word.empty()) {
            say_.finish(sink, chat::finish_of(word), word);
        }
    }
    const Node usage = body["Usage"];
    say_.usage(sink, counted(usage["PromptTokens"], usage["CompletionTokens"]));
}

Result<void> HunyuanDecoder::answer(Node body, chat::Sink& sink)
{
    const Node answer = body["Response"].is_object() ? body["Response"] : body;
    if (answer["Choices"].size() == 0) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer has no choices");
    }
    say(answer, "Message", sink);
    return {};
}

Result<void> HunyuanDecoder::chunk(
    std::string_view, Node chunk, chat::Sink& sink)
{
    if (chunk["Choices"].size() > 0) {
        say(chunk, "Delta", sink);
    }
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<HunyuanDecoder>(context.random);
}

} // namespace

const Protocol kHunyuan{"hunyuan", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
