#include "core/provider/cohere.h"

#include "core/dialect/chat_relay.h"
#include "core/dialect/openai_error.h"
#include "core/provider/citation.h"
#include "core/provider/logprobs.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

namespace ai_proxy::provider {
namespace {

using chat::EventKind;
using json::Node;

constexpr uint32_t kMaxCalls = 1024;

class CohereDecoder final : public Decoder {
public:
    Result<void> body(Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;

private:
    void begin(std::string_view id, chat::Sink& sink);
    void content(Node part, chat::Sink& sink);
    void begin_call(Node call, chat::Sink& sink);
    void arguments(Node call, chat::Sink& sink);
    void end_call(chat::Sink& sink);
    static void citation(std::string& items, Node citation);
    void citations(Node cited, chat::Sink& sink);
    void usage(Node usage, chat::Sink& sink);
    Result<void> end(std::string_view word, Node answer, chat::Sink& sink);

    bool begun_ = false, ended_ = false;
    uint32_t calls_ = 0;
    bool calling_ = false, any_arguments_ = false;
};

// The answer broke off at the provider.
Error broken(std::string_view word, Node answer)
{
    std::string message(answer["error"].string_or());
    if (message.empty()) {
        message = "the provider ended the answer with " + std::string(word);
    }
    Error out = make_error(ErrorCode::upstream_error, std::move(message));
    out.provider_code = word;
    out.status = word == "TIMEOUT" ? 504 : 500;
    return out;
}

void CohereDecoder::begin(std::string_view id, chat::Sink& sink)
{
    if (begun_) {
        return;
    }
    begun_ = true;
    chat::Event event = event_of(EventKind::begin);
    event.id = id;
    sink.on(event);
}

void CohereDecoder::content(Node part, chat::Sink& sink)
{
    if (const auto text = part["text"].string_or(); !text.empty()) {
        sink.on(event_of(EventKind::text, text));
    }
    if (const auto text = part["thinking"].string_or(); !text.empty()) {
        sink.on(event_of(EventKind::reasoning, text));
    }
}

void CohereDecoder::begin_call(Node call, chat::Sink& sink)
{
    end_call(sink);
    if (calls_ > kMaxCalls) {
        return; // the one before was too many already
    }
    calling_ = true;
    any_arguments_ = false;
    chat::Event event = tool_event(EventKind::tool_begin, 0, calls_++);
    event.id = call["id"].string_or();
    event.name = call["function"]["name"].string_or();
    sink.on(event);
    arguments(call, sink);
}

void CohereDecoder::arguments(Node call, chat::Sink& sink)
{
    const auto text = call["function"]["arguments"].string_or();
    if (calling_ && !text.empty()) {
        any_arguments_ = true;
        sink.on(tool_event(EventKind::tool_arguments, 0, calls_ - 1, text));
    }
}

void CohereDecoder::end_call(chat::Sink& sink)
{
    if (calling_ && !any_arguments_) {
        sink.on(tool_event(EventKind::tool_arguments, 0, calls_ - 1, "{}"));
    }
    calling_ = false;
}

// One for each source: a document, or what a tool said.
void CohereDecoder::citation(std::string& items, Node citation)
{
    for (const Node source : citation["sources"].items()) {
        const Node document = source["document"];
        Citation cited;
        cited.id = source["id"].string_or(document["id"].string_or());
        cited.url = document["url"].string_or();
        cited.title = document["title"].string_or(cited.id);
        cited.content = document["snippet"].string_or(
            document["text"].string_or(document["data"].string_or()));
        begin_citation(items, cited);
        end_citation(items,
            {citation["start"].integer().value_or(0),
                citation["end"].integer().value_or(0)});
    }
}

// A list, or in a stream one.
void CohereDecoder::citations(Node cited, chat::Sink& sink)
{
    std::string items;
    if (cited.is_object()) {
        citation(items, cited);
    }
    for (const Node one : cited.items()) {
        citation(items, one);
    }
    if (!items.empty()) {
        const std::string text = "[" + items + "]";
        sink.on(event_of(EventKind::annotations, text));
    }
}

void CohereDecoder::usage(Node usage, chat::Sink& sink)
{
    chat::Event event = event_of(EventKind::usage);
    event.usage = usage::read_cohere(usage);
    if (event.usage.known) {
        sink.on(event);
    }
}

Result<void> CohereDecoder::end(
    std::string_view word, Node answer, chat::Sink& sink)
{
    end_call(sink);
    usage(answer["usage"], sink);
    if (word == "ERROR" || word == "TIMEOUT" || word == "USER_CANCEL") {
        return broken(word, answer);
    }
    chat::Event event = event_of(EventKind::finish, word);
    event.finish = word.empty() ? chat::Finish::stop : chat::finish_of(word);
    sink.on(event);
    ended_ = true;
    sink.on(event_of(EventKind::end));
    return {};
}

Result<void> CohereDecoder::body(Node body, chat::Sink& sink)
{
    if (dialect::reports_error(body)) {
        return dialect::read_openai_error(0, body, {});
    }
    const Node message = body["message"];
    if (!message.is_object()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer has no message");
    }
    begin(body["id"].string_or(), sink);
    if (const auto plan = message["tool_plan"].string_or(); !plan.empty()) {
        sink.on(event_of(EventKind::reasoning, plan));
    }
    for (const Node part : message["content"].items()) {
        content(part, sink);
    }
    tell_cohere_logprobs(body["logprobs"], sink);
    citations(message["citations"], sink);
    for (const Node call : message["tool_calls"].items()) {
        begin_call(call, sink);
    }
    return end(body["finish_reason"].string_or("COMPLETE"), body, sink);
}

Result<void> CohereDecoder::event(
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
    const Node chunk = *parsed;
    const std::string_view type = chunk["type"].string_or(event.event);
    const Node delta = chunk["delta"];
    const Node message = delta["message"];
    if (type == "content-delta" || type == "content-start") {
        content(message["content"], sink);
        tell_cohere_logprobs(chunk["logprobs"], sink);
    } else if (type == "message-start") {
        begin(chunk["id"].string_or(), sink);
    } else if (type == "tool-plan-delta") {
        const std::string_view plan = message["tool_plan"].string_or();
        if (!plan.empty()) {
            sink.on(event_of(EventKind::reasoning, plan));
        }
    } else if (type == "tool-call-start") {
        begin_call(message["tool_calls"], sink);
    } else if (type == "tool-call-delta") {
        arguments(message["tool_calls"], sink);
    } else if (type == "tool-call-end") {
        end_call(sink);
    } else if (type == "citation-start") {
        citations(message["citations"], sink);
    } else if (type == "message-end") {
        return end(delta["finish_reason"].string_or("COMPLETE"), delta, sink);
    } else if (dialect::reports_error(chunk) || type == "error") {
        return dialect::read_openai_error(0, chunk, event.data);
    }
    return {};
}

Result<void> CohereDecoder::finish(chat::Sink&)
{
    if (ended_) {
        return {};
    }
    return make_error(ErrorCode::upstream_truncated,
        "the provider's stream ended without message-end");
}

} // namespace

std::unique_ptr<Decoder> make_cohere_decoder(const EncodeContext&)
{
    return std::make_unique<CohereDecoder>();
}

} // namespace ai_proxy::provider
