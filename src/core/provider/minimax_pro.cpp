#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/minimax.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

// MiniMax's older API, chatcompletion_pro: a play of named speakers
// (providers.md 4.9).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kBot = "assistant", kUser = "user";

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "tools", "tool_choice.none", "messages.name"};
constexpr std::string_view kOwn[] = {"mask_sensitive_info"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

bool is_system(const chat::Message& message) noexcept
{
    return message.role == chat::Role::system
        || message.role == chat::Role::developer;
}

// The bot's name: that of the first system message with one.
std::string_view bot_name(const chat::Request& request) noexcept
{
    for (const chat::Message& message : request.messages) {
        if (is_system(message) && !message.name.empty()) {
            return message.name;
        }
    }
    return kBot;
}

void write_bot(json::Writer& w, const chat::Request& request)
{
    std::string text;
    for (const chat::Message& message : request.messages) {
        if (is_system(message)) {
            text += text.empty() ? "" : "\n";
            text += joined_text(message);
        }
    }
    if (text.empty()) { // required
        text = "You are a helpful assistant.";
    }
    w.key("bot_setting").begin_array().begin_object();
    w.field("bot_name", bot_name(request));
    w.field("content", std::string_view(text)).end_object().end_array();
    w.key("reply_constraints").begin_object().field("sender_type", "BOT");
    w.field("sender_name", bot_name(request)).end_object();
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
    switch (message.role) {
    case chat::Role::assistant:
        w.field("sender_type", "BOT");
        w.field("sender_name",
            message.name.empty() ? bot_name(request) : message.name);
        break;
    case chat::Role::tool:
        w.field("sender_type", "FUNCTION");
        w.field("sender_name", answered_tool(request, index));
        break;
    case chat::Role::user:
    case chat::Role::system:
    case chat::Role::developer:
        w.field("sender_type", "USER");
        w.field("sender_name", message.name.empty() ? kUser : message.name);
        break;
    }
    w.field("text", std::string_view(joined_text(message)));
    if (message.tool_calls.size() > 1) {
        return make_error(ErrorCode::invalid_request,
            "the provider takes one tool call a turn",
            message_path(index) + ".tool_calls");
    }
    for (const chat::ToolCall& call : message.tool_calls) {
        json::Parser scratch;
        const auto arguments = object_arguments(scratch, call, index, 0);
        if (!arguments) {
            return arguments.error();
        }
        w.key("function_call").begin_object().field("name", call.name);
        w.field("arguments", *arguments).end_object();
    }
    w.end_object();
    return {};
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.field("stream", request.stream);
    write_optional(w, "tokens_to_generate", request.max_tokens);
    write_optional(w, "temperature", request.temperature);
    write_optional(w, "top_p", request.top_p);
    w.field("mask_sensitive_info",
        request.raw["mask_sensitive_info"].boolean().value_or(true));
    w.key("messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        if (is_system(request.messages[i])) {
            continue;
        }
        if (auto done = write_message(w, request, i); !done) {
            return done;
        }
    }
    w.end_array();
    write_bot(w, request);
    if (!request.tools.empty() && request.tool_choice != chat::ToolChoice::none)
    {
        w.key("functions").begin_array();
        for (const chat::Tool& tool : request.tools) {
            w.begin_object().field("name", tool.name);
            w.field("description", tool.description).key("parameters");
            write_schema(w, tool.parameters);
            w.end_object();
        }
        w.end_array();
    }
    w.end_object();
    out.path = minimax_path(context.options, "/v1/text/chatcompletion_pro");
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

class MinimaxDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override
    {
        if (body["choices"].size() == 0) {
            return make_error(ErrorCode::upstream_invalid,
                "the provider's answer has no choices");
        }
        return chunk({}, body, sink);
    }
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override;

    bool spoke_ = false;
};

Result<void> MinimaxDecoder::chunk(
    std::string_view, Node chunk, chat::Sink& sink)
{
    const Node choice = chunk["choices"].at(0);
    const std::string_view word = choice["finish_reason"].string_or();
    if (choice.is_object()) {
        say_.begin(sink, chunk["id"].string_or(), chunk["model"].string_or(),
            chunk["created"].integer().value_or(0));
    }
    // The last event of a stream repeats all that was said.
    const bool repeated = !word.empty() && spoke_;
    for (const Node message : choice["messages"].items()) {
        if (!repeated) {
            spoke_ = true;
            say_.text(sink, message["text"].string_or());
            const Node call = message["function_call"];
            if (!call["name"].string_or().empty()) {
                say_.call(sink, {}, call["name"].string_or(),
                    call["arguments"].string_or());
            }
        }
    }
    say_.usage(sink, usage::read_openai(chunk["usage"]));
    if (!word.empty()) {
        say_.finish(sink, chat::finish_of(word), word);
    }
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<MinimaxDecoder>(context.random);
}

} // namespace

const Protocol kMinimaxPro{"minimax", vocabulary_of<kVocabulary>, encode,
    decoder, dialect::read_openai_error};

} // namespace ai_proxy::provider
