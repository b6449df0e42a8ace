#include "core/provider/bedrock.h"

#include "core/base/text.h"
#include "core/provider/bedrock_documents.h"
#include "core/provider/citation.h"
#include "core/provider/claude.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

#include <algorithm>

namespace ai_proxy::provider {
namespace {

using chat::EventKind;

struct ExceptionStatus {
    std::string_view name; // without "Exception"
    uint16_t status;
};
constexpr ExceptionStatus kExceptions[] = {
    {"validation", 400},
    {"accessDenied", 403},
    {"resourceNotFound", 404},
    {"modelTimeout", 408},
    {"modelError", 424},
    {"throttling", 429},
    {"modelNotReady", 429},
    {"serviceQuotaExceeded", 429},
    {"internalServer", 500},
    {"modelStreamError", 502},
    {"serviceUnavailable", 503},
};

uint16_t status_of(std::string_view exception) noexcept
{
    constexpr std::string_view kEnd = "Exception";
    if (exception.ends_with(kEnd)) {
        exception.remove_suffix(kEnd.size());
    }
    for (const ExceptionStatus& row : kExceptions) {
        if (iequals(exception, row.name)) {
            return row.status;
        }
    }
    return 0;
}

class BedrockDecoder final : public Decoder {
public:
    Result<void> body(json::Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;

private:
    // A tool call between its start and its stop.
    struct Call {
        int64_t block = 0;
        uint32_t index = 0;
        bool has_arguments = false;
    };
    static constexpr size_t kMaxOpen = 64;

    void begin(chat::Sink& sink);
    void text(std::string_view text, chat::Sink& sink);
    void reasoning(json::Node content, chat::Sink& sink);
    void block(json::Node block, chat::Sink& sink);
    Result<void> start(int64_t index, json::Node start, chat::Sink& sink);
    void delta(int64_t index, json::Node delta, chat::Sink& sink);
    void cite(json::Node citation, chat::Sink& sink);
    void stop_block(int64_t index, chat::Sink& sink);
    void stop(json::Node answer, chat::Sink& sink);
    void usage(json::Node answer, chat::Sink& sink);
    void tool_begin(json::Node use, chat::Sink& sink);
    void end(chat::Sink& sink);

    std::vector<Call> open_;
    uint32_t calls_ = 0;
    int64_t text_length_ = 0; // code points so far
    int64_t block_ = -1;      // the last one that said something,
    int64_t cited_from_ = 0;  // and where it began
    bool begun_ = false;
    bool stopped_ = false;
    bool ended_ = false;
};

void BedrockDecoder::begin(chat::Sink& sink)
{
    if (!begun_) {
        begun_ = true;
        sink.on(event_of(EventKind::begin));
    }
}

void BedrockDecoder::text(std::string_view text, chat::Sink& sink)
{
    if (!text.empty()) {
        text_length_ += code_points(text);
        sink.on(event_of(EventKind::text, text));
    }
}

// Of a whole block ("reasoningText") and of a delta alike.
void BedrockDecoder::reasoning(json::Node content, chat::Sink& sink)
{
    const json::Node whole = content["reasoningText"];
    const json::Node said = whole.is_object() ? whole : content;
    if (const auto thought = said["text"].string_or(); !thought.empty()) {
        sink.on(event_of(EventKind::reasoning, thought));
    }
    if (const auto sign = said["signature"].string_or(); !sign.empty()) {
        sink.on(event_of(EventKind::signature, sign));
    }
    const std::string_view hidden = content["redactedContent"].string_or();
    if (!hidden.empty()) {
        sink.on(event_of(EventKind::redacted, hidden));
    }
}

void BedrockDecoder::tool_begin(json::Node use, chat::Sink& sink)
{
    chat::Event event = tool_event(EventKind::tool_begin, 0, calls_++);
    event.id = use["toolUseId"].string_or();
    event.name = use["name"].string_or();
    sink.on(event);
}

// The provider runs its own tools itself: those calls and their results are
// no business of an OpenAI client.
bool is_clients_tool(json::Node use) noexcept
{
    return use.is_object() && use["type"].string_or() != "server_tool_use";
}

// A citation stands behind the text that it is for.
void BedrockDecoder::cite(json::Node citation, chat::Sink& sink)
{
    if (!citation.is_object()) {
        return;
    }
    std::string content;
    for (const json::Node piece : citation["sourceContent"].items()) {
        content += piece["text"].string_or();
    }
    const json::Node location = citation["location"];
    Citation cited;
    const std::string_view source = citation["source"].string_or();
    cited.url = location["web"]["url"].string_or(
        source.starts_with("https://") || source.starts_with("http://")
            ? source
            : std::string_view());
    cited.title = citation["title"].string_or();
    cited.id = source;
    cited.content = content;
    for (const BedrockLocation& kind : kBedrockLocations) {
        const json::Node place = location[kind.member];
        if (!place.is_object()) {
            continue;
        }
        cited.index = place[kind.index].integer().value_or(0);
        json::Writer w(cited.location);
        w.begin_object().field("type", kind.type);
        w.field(kind.begin, place["start"].integer().value_or(0));
        w.field(kind.end, place["end"].integer().value_or(0)).end_object();
    }
    std::string items;
    begin_citation(items, cited);
    end_citation(items, {cited_from_, text_length_});
    items.insert(0, 1, '[').push_back(']');
    sink.on(event_of(EventKind::annotations, items));
}

void BedrockDecoder::block(json::Node block, chat::Sink& sink)
{
    text(block["text"].string_or(), sink);
    const json::Node cited = block["citationsContent"];
    cited_from_ = text_length_;
    for (const json::Node piece : cited["content"].items()) {
        text(piece["text"].string_or(), sink);
    }
    for (const json::Node citation : cited["citations"].items()) {
        cite(citation, sink);
    }
    reasoning(block["reasoningContent"], sink);
    const json::Node use = block["toolUse"];
    if (!is_clients_tool(use)) {
        return;
    }
    tool_begin(use, sink);
    std::string input;
    if (use["input"].is_object()) {
        json::append_value(input, use["input"]);
    }
    sink.on(tool_event(EventKind::tool_arguments, 0, calls_ - 1,
        input.empty() ? std::string_view("{}") : input));
}

// inputTokens leaves out what the cache gave and took.
void BedrockDecoder::usage(json::Node answer, chat::Sink& sink)
{
    // In OpenAI's words but for "reserved".
    const auto tier = answer["serviceTier"]["type"].string_or();
    if (!tier.empty()) {
        sink.on(event_of(
            EventKind::service_tier, tier == "reserved" ? "scale" : tier));
    }
    const chat::Usage read = usage::read_bedrock(answer["usage"]);
    if (read.known) {
        chat::Event event = event_of(EventKind::usage);
        event.usage = read;
        sink.on(event);
    }
}

// Of a whole answer and of messageStop alike.
void BedrockDecoder::stop(json::Node answer, chat::Sink& sink)
{
    if (stopped_) {
        return;
    }
    stopped_ = true;
    while (!open_.empty()) {
        stop_block(open_.front().block, sink);
    }
    const auto reason = answer["stopReason"].string_or("end_turn");
    const json::Node asked = answer["additionalModelResponseFields"];
    chat::Event event = event_of(EventKind::finish, reason);
    event.finish = chat::finish_of(reason);
    event.name = asked["stop_sequence"].string_or(
        asked["delta"]["stop_sequence"].string_or());
    sink.on(event);
}

void BedrockDecoder::end(chat::Sink& sink)
{
    ended_ = true;
    sink.on(event_of(EventKind::end));
}

Result<void> BedrockDecoder::body(json::Node body, chat::Sink& sink)
{
    const json::Node content = body["output"]["message"]["content"];
    if (!content.is_array()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer is no Converse answer");
    }
    begin(sink);
    for (const json::Node one : content.items()) {
        block(one, sink);
    }
    stop(body, sink);
    usage(body, sink);
    end(sink);
    return {};
}

Result<void> BedrockDecoder::start(
    int64_t index, json::Node start, chat::Sink& sink)
{
    const json::Node use = start["toolUse"];
    if (!is_clients_tool(use)) {
        return {};
    }
    stop_block(index, sink);
    if (open_.size() >= kMaxOpen) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider opened too many content blocks");
    }
    open_.push_back({index, calls_, false});
    tool_begin(use, sink);
    return {};
}

void BedrockDecoder::delta(int64_t index, json::Node delta, chat::Sink& sink)
{
    if (index != block_) {
        block_ = index;
        cited_from_ = text_length_;
    }
    text(delta["text"].string_or(), sink);
    cite(delta["citation"], sink);
    reasoning(delta["reasoningContent"], sink);
    const std::string_view piece = delta["toolUse"]["input"].string_or();
    const auto call = std::find_if(open_.begin(), open_.end(),
        [index](const Call& one) { return one.block == index; });
    if (!piece.empty() && call != open_.end()) {
        call->has_arguments = true;
        sink.on(tool_event(EventKind::tool_arguments, 0, call->index, piece));
    }
}

void BedrockDecoder::stop_block(int64_t index, chat::Sink& sink)
{
    const auto call = std::find_if(open_.begin(), open_.end(),
        [index](const Call& one) { return one.block == index; });
    if (call == open_.end()) {
        return;
    }
    if (!call->has_arguments) {
        sink.on(tool_event(EventKind::tool_arguments, 0, call->index, "{}"));
    }
    open_.erase(call);
}

Result<void> BedrockDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    if (event.is_error) {
        return bedrock_exception(event, parser);
    }
    const auto parsed = parser.parse(event.data);
    if (!parsed) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent an event that is not JSON: "
                + parsed.error().message);
    }
    const json::Node data = *parsed;
    const int64_t index = data["contentBlockIndex"].integer().value_or(0);
    begin(sink);
    if (event.event == "contentBlockStart") {
        return start(index, data["start"], sink);
    }
    if (event.event == "contentBlockDelta") {
        delta(index, data["delta"], sink);
    } else if (event.event == "contentBlockStop") {
        stop_block(index, sink);
    } else if (event.event == "messageStop") {
        stop(data, sink);
    } else if (event.event == "metadata") {
        usage(data, sink);
        if (stopped_) {
            end(sink);
        }
    }
    return {};
}

Result<void> BedrockDecoder::finish(chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    if (!stopped_) {
        return make_error(ErrorCode::upstream_truncated,
            "the provider's stream ended before messageStop");
    }
    end(sink);
    return {};
}

// InvokeModel's stream: {"bytes":"<an event of Anthropic's in base64>"}.
class BedrockClaudeDecoder final : public Decoder {
public:
    explicit BedrockClaudeDecoder(const EncodeContext& context)
        : claude_(make_claude_decoder(context))
    {
    }
    Result<void> body(json::Node body, chat::Sink& sink) override
    {
        return claude_->body(body, sink);
    }
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override
    {
        return claude_->finish(sink);
    }

private:
    std::unique_ptr<Decoder> claude_;
};

Result<void> BedrockClaudeDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    if (event.is_error) {
        return bedrock_exception(event, parser);
    }
    const auto parsed = parser.parse(event.data);
    const auto bytes =
        parsed ? decode_base64((*parsed)["bytes"].string_or()) : std::nullopt;
    if (!bytes || bytes->empty()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent an event without bytes");
    }
    wire::SseEvent inner;
    inner.data = *bytes;
    inner.has_data = true;
    return claude_->event(inner, parser, sink);
}

} // namespace

std::unique_ptr<Decoder> make_bedrock_decoder(const EncodeContext&)
{
    return std::make_unique<BedrockDecoder>();
}

std::unique_ptr<Decoder> make_bedrock_claude_decoder(
    const EncodeContext& context)
{
    return std::make_unique<BedrockClaudeDecoder>(context);
}

Error bedrock_exception(const wire::SseEvent& event, json::Parser& parser)
{
    Error out = make_error(ErrorCode::upstream_error, {});
    out.type = event.event;
    const auto parsed = parser.parse(event.data);
    const json::Node body = parsed ? *parsed : json::Node();
    out.message = body["message"].string_or(
        body["Message"].string_or(parsed ? std::string_view() : event.data));
    if (out.message.empty()) {
        out.message = "the provider reported an error";
    }
    const int64_t original = body["originalStatusCode"].integer().value_or(0);
    out.status = original >= 400 && original <= 599
        ? static_cast<uint16_t>(original)
        : status_of(event.event);
    return out;
}

Error bedrock_error(int status, json::Node body, std::string_view text)
{
    Error out = make_error(ErrorCode::upstream_status, {});
    out.status = static_cast<uint16_t>(status);
    std::string_view type = body["__type"].string_or();
    type = type.substr(type.rfind('#') + 1);
    out.type = type;
    const std::string_view message = body["message"].string_or(
        body["Message"].string_or(body["error"]["message"].string_or()));
    out.message =
        message.empty() ? plain_message(status, text) : std::string(message);
    return out;
}

} // namespace ai_proxy::provider
