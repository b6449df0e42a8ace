#include "core/provider/claude.h"

#include "core/provider/citation.h"
#include "core/provider/vendor.h"
#include "core/usage/merge.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using chat::EventKind;
using chat::Finish;

struct ErrorStatus {
    std::string_view type;
    uint16_t status;
};
constexpr std::array<ErrorStatus, 10> kErrorStatus{{
    {"invalid_request_error", 400},
    {"authentication_error", 401},
    {"billing_error", 402},
    {"permission_error", 403},
    {"not_found_error", 404},
    {"request_too_large", 413},
    {"rate_limit_error", 429},
    {"api_error", 500},
    {"timeout_error", 504},
    {"overloaded_error", 529},
}};

// An error object under 200 or in a stream.
Error reported_error(json::Node body)
{
    const json::Node error = body["error"];
    Error out = make_error(ErrorCode::upstream_error,
        std::string(error["message"].string_or(
            error.string_or("the provider reported an error"))));
    out.type = error["type"].string_or();
    for (const ErrorStatus& row : kErrorStatus) {
        if (row.type == out.type) {
            out.status = row.status;
        }
    }
    return out;
}

class ClaudeDecoder final : public Decoder {
public:
    Result<void> body(json::Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;
    size_t held() const noexcept override;

private:
    // A content block between its start and its stop.
    struct Block {
        int64_t index = 0;
        bool tool = false;
        bool has_arguments = false;
        uint32_t call = 0;
        int64_t text_begin = 0; // code points before it
        std::string input;      // given whole at the start
        std::string citations;  // of its text: members of a JSON array
    };
    // The API sends blocks one after the other.
    static constexpr size_t kMaxOpen = 64;
    // Stands for a span; JSON text has no NUL byte.
    static constexpr char kSpan = '\0';
    static constexpr size_t kMaxCitations = 64 * 1024; // bytes of one block

    void begin(json::Node message, chat::Sink& sink);
    void message(json::Node message, chat::Sink& sink);
    Result<void> block_start(int64_t index, json::Node block, chat::Sink& sink);
    void block_delta(int64_t index, json::Node delta, chat::Sink& sink);
    void block_stop(int64_t index, chat::Sink& sink);
    void close(Block& block, chat::Sink& sink);
    void cite(Block& block, json::Node citation);
    void text(std::string_view text, chat::Sink& sink);
    void stop(json::Node delta, chat::Sink& sink);
    void report_usage(chat::Sink& sink);
    void tier(json::Node usage, chat::Sink& sink);
    void end(chat::Sink& sink);
    Block* find(int64_t index);

    std::vector<Block> open_;
    chat::Usage usage_;
    uint32_t calls_ = 0;
    int64_t text_length_ = 0; // code points so far
    bool begun_ = false;
    bool told_tier_ = false;
    bool stopped_ = false;
    bool ended_ = false;
};

size_t ClaudeDecoder::held() const noexcept
{
    size_t sum = 0;
    for (const Block& block : open_) {
        sum += block.input.size() + block.citations.size();
    }
    return sum;
}

void ClaudeDecoder::begin(json::Node message, chat::Sink& sink)
{
    if (begun_) {
        return;
    }
    begun_ = true;
    chat::Event event = event_of(EventKind::begin);
    event.id = message["id"].string_or();
    event.model = message["model"].string_or();
    sink.on(event);
}

void ClaudeDecoder::report_usage(chat::Sink& sink)
{
    if (usage_.known) {
        chat::Event event = event_of(EventKind::usage);
        event.usage = usage_;
        sink.on(event);
    }
}

void ClaudeDecoder::tier(json::Node usage, chat::Sink& sink)
{
    const std::string_view name = usage["service_tier"].string_or();
    if (!name.empty() && !told_tier_) {
        told_tier_ = true;
        sink.on(event_of(
            EventKind::service_tier, name == "standard" ? "default" : name));
    }
}

void ClaudeDecoder::text(std::string_view text, chat::Sink& sink)
{
    if (!text.empty()) {
        text_length_ += code_points(text);
        sink.on(event_of(EventKind::text, text));
    }
}

ClaudeDecoder::Block* ClaudeDecoder::find(int64_t index)
{
    const auto it = std::find_if(open_.begin(), open_.end(),
        [index](const Block& block) { return block.index == index; });
    return it == open_.end() ? nullptr : &*it;
}

Result<void> ClaudeDecoder::block_start(
    int64_t index, json::Node block, chat::Sink& sink)
{
    block_stop(index, sink);
    if (open_.size() >= kMaxOpen) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider opened too many content blocks");
    }
    Block& opened = open_.emplace_back();
    opened.index = index;
    opened.text_begin = text_length_;
    const std::string_view type = block["type"].string_or();
    if (type == "text") {
        text(block["text"].string_or(), sink);
        for (const json::Node citation : block["citations"].items()) {
            cite(opened, citation);
        }
    } else if (type == "thinking") {
        if (const auto thought = block["thinking"].string_or();
            !thought.empty()) {
            sink.on(event_of(EventKind::reasoning, thought));
        }
        if (const auto sign = block["signature"].string_or(); !sign.empty()) {
            sink.on(event_of(EventKind::signature, sign));
        }
    } else if (type == "redacted_thinking") {
        sink.on(event_of(EventKind::redacted, block["data"].string_or()));
    } else if (type == "tool_use") {
        opened.tool = true;
        opened.call = calls_++;
        if (block["input"].size() > 0) {
            json::append_value(opened.input, block["input"]);
        }
        chat::Event event = tool_event(EventKind::tool_begin, 0, opened.call);
        event.id = block["id"].string_or();
        event.name = block["name"].string_or();
        sink.on(event);
    }
    // The provider runs server tools itself: server_tool_use and the
    // *_tool_result blocks are no business of an OpenAI client.
    return {};
}

void ClaudeDecoder::block_delta(
    int64_t index, json::Node delta, chat::Sink& sink)
{
    const std::string_view type = delta["type"].string_or();
    Block* block = find(index);
    if (type == "text_delta") {
        text(delta["text"].string_or(), sink);
    } else if (type == "thinking_delta") {
        if (const auto thought = delta["thinking"].string_or();
            !thought.empty()) {
            sink.on(event_of(EventKind::reasoning, thought));
        }
    } else if (type == "signature_delta") {
        if (const auto sign = delta["signature"].string_or(); !sign.empty()) {
            sink.on(event_of(EventKind::signature, sign));
        }
    } else if (type == "input_json_delta" && block != nullptr && block->tool) {
        const std::string_view piece = delta["partial_json"].string_or();
        if (!piece.empty()) {
            block->has_arguments = true;
            sink.on(
                tool_event(EventKind::tool_arguments, 0, block->call, piece));
        }
    } else if (type == "citations_delta" && block != nullptr) {
        cite(*block, delta["citation"]);
    }
}

void ClaudeDecoder::block_stop(int64_t index, chat::Sink& sink)
{
    if (Block* block = find(index)) {
        close(*block, sink);
        open_.erase(open_.begin() + (block - open_.data()));
    }
}

void ClaudeDecoder::close(Block& block, chat::Sink& sink)
{
    if (block.tool && !block.has_arguments) {
        sink.on(tool_event(EventKind::tool_arguments, 0, block.call,
            block.input.empty() ? std::string_view("{}") : block.input));
    }
    if (block.citations.empty()) {
        return;
    }
    // The cited span is the block's text, which is known only now.
    std::string span;
    end_citation(span, {block.text_begin, text_length_});
    std::string all = "[";
    for (const char c : block.citations) {
        if (c == kSpan) {
            all += span;
        } else {
            all += c;
        }
    }
    all += ']';
    sink.on(event_of(EventKind::annotations, all));
}

// Where in its source it is: what only this API tells.
std::string location_of(json::Node citation)
{
    constexpr std::string_view kTold[] = {"cited_text", "document_title",
        "document_index", "title", "url", "source", "file_id"};
    std::string out;
    json::Writer w(out);
    w.begin_object();
    for (const json::Member member : citation.members()) {
        if (std::find(std::begin(kTold), std::end(kTold), member.key)
                == std::end(kTold)
            && member.value.has_value())
        {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
    return out;
}

void ClaudeDecoder::cite(Block& block, json::Node citation)
{
    if (block.citations.size() > kMaxCitations || !citation.is_object()) {
        return;
    }
    Citation cited;
    cited.url = citation["url"].string_or(citation["source"].string_or());
    cited.title =
        citation["title"].string_or(citation["document_title"].string_or());
    cited.id = citation["file_id"].string_or();
    cited.content = citation["cited_text"].string_or();
    cited.index = citation["document_index"].integer().value_or(0);
    if (citation["type"].string_or() != "web_search_result_location"
        || citation["encrypted_index"].exists())
    {
        cited.location = location_of(citation);
    }
    begin_citation(block.citations, cited);
    block.citations += kSpan;
}

void ClaudeDecoder::stop(json::Node delta, chat::Sink& sink)
{
    const std::string_view reason = delta["stop_reason"].string_or();
    if (reason.empty() || stopped_) {
        return;
    }
    stopped_ = true;
    for (Block& block : open_) {
        close(block, sink);
    }
    open_.clear();
    const std::string_view explanation =
        delta["stop_details"]["explanation"].string_or();
    if (reason == "refusal" && !explanation.empty()) {
        sink.on(event_of(EventKind::refusal, explanation));
    }
    chat::Event event = event_of(EventKind::finish, reason);
    event.finish = chat::finish_of(reason);
    event.name = delta["stop_sequence"].string_or();
    sink.on(event);
}

void ClaudeDecoder::end(chat::Sink& sink)
{
    for (Block& block : open_) {
        close(block, sink);
    }
    open_.clear();
    if (!stopped_) {
        stopped_ = true;
        chat::Event event = event_of(EventKind::finish);
        event.finish = calls_ > 0 ? Finish::tool_calls : Finish::stop;
        sink.on(event);
    }
    ended_ = true;
    sink.on(event_of(EventKind::end));
}

void ClaudeDecoder::message(json::Node message, chat::Sink& sink)
{
    begin(message, sink);
    tier(message["usage"], sink);
    usage::merge_anthropic(usage_, message["usage"]);
    report_usage(sink);
}

Result<void> ClaudeDecoder::body(json::Node body, chat::Sink& sink)
{
    if (body["type"].string_or() == "error" || body["error"].is_object()) {
        return reported_error(body);
    }
    if (!body["content"].is_array()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer is no Anthropic message");
    }
    begin(body, sink);
    tier(body["usage"], sink);
    int64_t index = 0;
    for (const json::Node block : body["content"].items()) {
        if (auto done = block_start(index, block, sink); !done) {
            return done;
        }
        block_stop(index++, sink);
    }
    usage::merge_anthropic(usage_, body["usage"]);
    stop(body, sink);
    report_usage(sink);
    end(sink);
    return {};
}

Result<void> ClaudeDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    if (ended_ || event.data == "[DONE]") {
        return {};
    }
    const auto parsed = parser.parse(event.data);
    if (!parsed) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent an event that is not JSON: "
                + parsed.error().message);
    }
    const json::Node data = *parsed;
    const std::string_view type = data["type"].string_or(event.event);
    const int64_t index = data["index"].integer().value_or(0);
    if (type == "error") {
        return reported_error(data);
    }
    if (type == "message_start") {
        message(data["message"], sink);
        return {};
    }
    if (type == "content_block_start") {
        begin({}, sink);
        return block_start(index, data["content_block"], sink);
    }
    if (type == "content_block_delta") {
        begin({}, sink);
        block_delta(index, data["delta"], sink);
    } else if (type == "content_block_stop") {
        block_stop(index, sink);
    } else if (type == "message_delta") {
        begin({}, sink);
        usage::merge_anthropic(usage_, data["usage"]);
        stop(data["delta"], sink);
        report_usage(sink);
    } else if (type == "message_stop") {
        begin({}, sink);
        end(sink);
    }
    return {};
}

Result<void> ClaudeDecoder::finish(chat::Sink&)
{
    if (ended_) {
        return {};
    }
    return make_error(ErrorCode::upstream_truncated,
        "the provider's stream ended before message_stop");
}

} // namespace

std::unique_ptr<Decoder> make_claude_decoder(const EncodeContext&)
{
    return std::make_unique<ClaudeDecoder>();
}

Error claude_error(int status, json::Node body, std::string_view text)
{
    const json::Node error = body["error"];
    Error out = make_error(ErrorCode::upstream_status, {});
    out.status = uint16_t(status);
    out.type = error["type"].string_or();
    const std::string_view message = error["message"].string_or(
        error.string_or(body["message"].string_or()));
    out.message =
        message.empty() ? plain_message(status, text) : std::string(message);
    return out;
}

} // namespace ai_proxy::provider
