#include "core/dialect/chat_relay.h"
#include "core/dialect/openai_error.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/transcript.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

// Dify's applications (providers.md 4.7).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kWords[] = {"user"};
constexpr std::string_view kOwn[] = {"inputs"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

bool is_workflow(const Options& options) noexcept
{
    return options.bot_type == "workflow";
}

std::string_view path_of(const Options& options) noexcept
{
    if (is_workflow(options)) {
        return "/v1/workflows/run";
    }
    return options.bot_type == "completion" ? "/v1/completion-messages"
                                            : "/v1/chat-messages";
}

void write_files(json::Writer& w, const chat::Request& request)
{
    bool any = false;
    for (const chat::Message& message : request.messages) {
        for (const chat::Part& part : message.parts) {
            if (part.kind != chat::PartKind::image_url) {
                continue;
            }
            if (!any) {
                w.key("files").begin_array();
            }
            any = true;
            w.begin_object().field("type", "image");
            w.field("transfer_method", "remote_url");
            w.field("url", part.url).end_object();
        }
    }
    if (any) {
        w.end_array();
    }
}

// The application's own variables, which clients may send as "inputs".
void write_inputs(json::Writer& w, const chat::Request& request,
    std::string_view name, std::string_view query)
{
    w.key("inputs").begin_object();
    for (const json::Member own : request.raw["inputs"].members()) {
        if (own.key != name) {
            w.field(own.key, own.value);
        }
    }
    if (!name.empty()) {
        w.field(name, query);
    }
    w.end_object();
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    const Options& options = context.options;
    const bool chats =
        options.bot_type == "chat" || options.bot_type == "agent";
    const std::string_view conversation =
        chats ? context.conversation : std::string_view();
    auto query = transcript(request, !conversation.empty(), true);
    if (!query) {
        return std::move(query).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    const std::string_view input = is_workflow(options)
        ? std::string_view(options.input_variable)
        : chats ? ""
                : "query";
    write_inputs(w, request, input, *query);
    if (chats) {
        w.field("query", std::string_view(*query));
        w.field("auto_generate_name", false);
        if (!conversation.empty()) {
            w.field("conversation_id", conversation);
        }
    }
    w.field("response_mode", request.stream ? "streaming" : "blocking");
    w.field("user", request.user.empty() ? "api-user" : request.user);
    write_files(w, request);
    w.end_object();
    out.path = path_of(options);
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

// A text, or what else the output variable holds as JSON.
std::string text_of(Node value)
{
    std::string text(value.string_or());
    if (!value.is_string() && value.has_value()) {
        json::append_value(text, value);
    }
    return text;
}

class DifyDecoder final : public ChunkDecoder {
public:
    DifyDecoder(const Options& options, uint64_t random)
        : ChunkDecoder(random), workflow_(is_workflow(options)),
          completion_(options.bot_type == "completion"),
          output_(options.output_variable)
    {
    }

private:
    Result<void> answer(Node body, chat::Sink& sink) override;
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override;
    Result<void> finish_workflow(Node data, chat::Sink& sink);
    void begin(Node body, chat::Sink& sink);

    bool workflow_, completion_;
    bool spoke_ = false;
    std::string output_;
};

// The conversation is the id of the answer: with it the next turn goes on.
void DifyDecoder::begin(Node body, chat::Sink& sink)
{
    const Node id = workflow_ ? body["workflow_run_id"]
        : completion_         ? body["message_id"]
                              : body["conversation_id"];
    say_.begin(
        sink, id.string_or(), {}, body["created_at"].integer().value_or(0));
}

Result<void> DifyDecoder::finish_workflow(Node data, chat::Sink& sink)
{
    const std::string_view status = data["status"].string_or();
    if (status == "failed" || status == "stopped") {
        Error out = make_error(ErrorCode::upstream_error,
            std::string(data["error"].string_or("the workflow failed")));
        out.status = 500;
        return out;
    }
    if (!spoke_) {
        say_.text(sink, text_of(data["outputs"][output_]));
    }
    const auto total = data["total_tokens"].integer();
    if (total && *total > 0) {
        chat::Usage usage; // it tells no more
        usage.known = true;
        usage.completion = usage.total = *total;
        say_.usage(sink, usage);
    }
    say_.finish(sink, chat::Finish::stop, status);
    return {};
}

Result<void> DifyDecoder::answer(Node body, chat::Sink& sink)
{
    if (workflow_) {
        if (!body["data"].is_object()) {
            return make_error(ErrorCode::upstream_invalid,
                "the provider's answer has no data");
        }
        begin(body, sink);
        return finish_workflow(body["data"], sink);
    }
    if (!body["answer"].is_string()) {
        return make_error(
            ErrorCode::upstream_invalid, "the provider's answer has no text");
    }
    begin(body, sink);
    say_.text(sink, body["answer"].string_or());
    say_.usage(sink, usage::read_openai(body["metadata"]["usage"]));
    return {};
}

Result<void> DifyDecoder::chunk(std::string_view, Node chunk, chat::Sink& sink)
{
    const std::string_view event = chunk["event"].string_or();
    if (event == "error") {
        return dialect::read_openai_error(0, chunk, {});
    }
    if (event == "message" || event == "agent_message") {
        begin(chunk, sink);
        spoke_ = true;
        say_.text(sink, chunk["answer"].string_or());
    } else if (event == "text_chunk") {
        begin(chunk, sink);
        spoke_ = true;
        say_.text(sink, chunk["data"]["text"].string_or());
    } else if (event == "agent_thought") {
        begin(chunk, sink);
        say_.reasoning(sink, chunk["thought"].string_or());
    } else if (event == "message_end") {
        begin(chunk, sink);
        say_.usage(sink, usage::read_openai(chunk["metadata"]["usage"]));
        say_.finish(sink, chat::Finish::stop, event);
        say_.end(sink);
    } else if (event == "workflow_finished" && workflow_) {
        begin(chunk, sink);
        if (auto done = finish_workflow(chunk["data"], sink); !done) {
            return done;
        }
        say_.end(sink);
    }
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<DifyDecoder>(context.options, context.random);
}

} // namespace

const Protocol kDify{"dify", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
