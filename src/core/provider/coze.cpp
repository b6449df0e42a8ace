#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/dialect/error_codes.h"
#include "core/dialect/openai_error.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/vendor.h"

#include <algorithm>

// Coze's bots, version 3 of its chat (providers.md 4.8).  A plain answer of
// Coze is a job to ask for again and again: its stream is always asked for, and
// gathered when the client wants no stream.
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kWords[] = {"user"};
constexpr std::string_view kOwn[] = {
    "custom_variables", "auto_save_history", "meta_data", "parameters"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

Result<void> write_content(
    json::Writer& w, const chat::Message& message, size_t index)
{
    if (std::all_of(message.parts.begin(), message.parts.end(), is_text)) {
        w.field("content", std::string_view(joined_text(message)));
        w.field("content_type", "text");
        return {};
    }
    // A text that holds JSON.
    std::string parts;
    json::Writer inner(parts);
    inner.begin_array();
    for (size_t i = 0; i < message.parts.size(); i++) {
        const chat::Part& part = message.parts[i];
        if (part.kind == chat::PartKind::text) {
            inner.begin_object().field("type", "text");
            inner.field("text", part.text).end_object();
        } else if (part.kind == chat::PartKind::image_url) {
            inner.begin_object().field("type", "image");
            inner.field("file_url", part.url).end_object();
        } else if (!is_text(part)) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes text, and images by URL",
                part_path(index, i));
        }
    }
    inner.end_array();
    w.field("content", std::string_view(parts));
    w.field("content_type", "object_string");
    return {};
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().field("bot_id", context.options.coze_bot_id);
    w.field("user_id", request.user.empty() ? "api-user" : request.user);
    w.field("stream", true);
    w.key("additional_messages").begin_array();
    // A conversation that Coze keeps needs the newest message only.
    const size_t count = request.messages.size();
    const size_t first =
        context.conversation.empty() || count == 0 ? 0 : count - 1;
    for (size_t i = first; i < count; i++) {
        const chat::Message& message = request.messages[i];
        const bool bot = message.role == chat::Role::assistant;
        w.begin_object().field("role", bot ? "assistant" : "user");
        w.field("type", bot ? "answer" : "question");
        if (auto done = write_content(w, message, i); !done) {
            return done;
        }
        w.end_object();
    }
    w.end_array();
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = "/v3/chat";
    if (!context.conversation.empty()) {
        out.path += "?conversation_id=" + percent_encode(context.conversation);
    }
    out.header("Content-Type", "application/json");
    out.header("Accept", "text/event-stream");
    out.own_body(std::move(body));
    return {};
}

class CozeDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node, chat::Sink&) override
    {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent no stream of events");
    }
    Result<void> chunk(
        std::string_view name, Node chunk, chat::Sink& sink) override;

    bool spoke_ = false;
};

Error failed(Node last)
{
    Error out = make_error(ErrorCode::upstream_error,
        std::string(last["msg"].string_or("the bot failed")));
    if (const auto code = last["code"].integer()) {
        out.provider_code = std::to_string(*code);
    }
    out.status =
        dialect::status_of_code(dialect::CodeFamily::coze, out.provider_code);
    return out;
}

Result<void> CozeDecoder::chunk(
    std::string_view name, Node chunk, chat::Sink& sink)
{
    if (name == "conversation.chat.failed") {
        return failed(chunk["last_error"]);
    }
    if (name == "conversation.chat.requires_action") {
        return make_error(ErrorCode::upstream_error,
            "the bot asks for the result of a plugin of its own");
    }
    const Node conversation = chunk["conversation_id"];
    if (name == "conversation.message.delta") {
        // Not follow-up questions, nor calls of the bot's own tools.
        if (chunk["type"].string_or() == "answer") {
            say_.begin(sink, conversation.string_or());
            spoke_ = true;
            say_.reasoning(sink, chunk["reasoning_content"].string_or());
            say_.text(sink, chunk["content"].string_or());
        }
    } else if (name == "conversation.message.completed") {
        // The whole again, unless it came in no pieces.
        if (!spoke_ && chunk["type"].string_or() == "answer") {
            say_.begin(sink, conversation.string_or());
            say_.text(sink, chunk["content"].string_or());
        }
    } else if (name == "conversation.chat.completed") {
        say_.begin(sink, conversation.string_or());
        const Node usage = chunk["usage"];
        say_.usage(sink, counted(usage["input_count"], usage["output_count"]));
        say_.finish(sink, chat::Finish::stop, "completed");
        say_.end(sink);
    }
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<CozeDecoder>(context.random);
}

} // namespace

const Protocol kCoze{"coze", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
