#include "core/base/text.h"
#include "core/chat/signer.h"
#include "core/dialect/chat_relay.h"
#include "core/dialect/content_parts.h"
#include "core/dialect/openai_error.h"
#include "core/json/writer.h"
#include "core/provider/logprobs.h"
#include "core/provider/openai.h"
#include "core/provider/reasoning_details.h"
#include "core/provider/registry.h"
#include "core/usage/reading.h"

#include <string>
#include <vector>

// OpenAI's chat completions and its imitators, read into canonical events.
namespace ai_proxy::provider {

namespace {

using chat::Event;
using chat::EventKind;

// OpenAI's own limit of n, and more calls than any answer has.
constexpr uint32_t kMaxChoices = 128;
constexpr size_t kMaxCalls = 1024;

class OpenaiDecoder final : public Decoder {
public:
    explicit OpenaiDecoder(std::string_view vendor) : vendor_(vendor) {}
    Result<void> body(json::Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;
    size_t held() const noexcept override { return ids_; }

private:
    // A tool call that has begun: what the vendor calls it.
    struct Call {
        uint32_t choice = 0;
        uint32_t index = 0;       // ours, within the choice
        int64_t vendor_index = 0; // -1: the vendor gives none
        std::string id;
    };

    void begin(json::Node body, chat::Sink& sink);
    Result<void> choices(
        json::Node body, std::string_view key, chat::Sink& sink);
    void message(json::Node message, uint32_t choice, chat::Sink& sink);
    void reasoning(json::Node message, uint32_t choice, chat::Sink& sink);
    void thoughts(json::Node objects, uint32_t choice,
        std::string_view text_member, bool with_text, chat::Sink& sink);
    void opaque(EventKind kind, uint32_t choice, json::Node object,
        std::string_view text_member, chat::Sink& sink);
    void calls(json::Node message, uint32_t choice, chat::Sink& sink);
    void call(json::Node call, uint32_t choice, chat::Sink& sink);
    Call* find_call(json::Node call, uint32_t choice);
    void finish_choice(json::Node choice, uint32_t index, chat::Sink& sink);
    void usage(json::Node body, chat::Sink& sink);
    void end(chat::Sink& sink);

    std::string_view vendor_; // the provider's type
    bool begun_ = false, spoke_ = false, ended_ = false;
    std::vector<bool> finished_; // per choice
    std::vector<Call> calls_;
    size_t ids_ = 0; // bytes of their ids
};

void emit(
    chat::Sink& sink, EventKind kind, uint32_t choice, std::string_view text)
{
    Event event;
    event.kind = kind;
    event.choice = choice;
    event.text = text;
    sink.on(event);
}

void emit_text(
    chat::Sink& sink, EventKind kind, uint32_t choice, std::string_view text)
{
    if (!text.empty()) {
        emit(sink, kind, choice, text);
    }
}

std::string_view text_of(json::Node thought, std::string_view member)
{
    return thought[member].string_or(thought["summary"].string_or());
}

bool have_text(json::Node thoughts, std::string_view member)
{
    for (const json::Node one : thoughts.items()) {
        if (!text_of(one, member).empty()) {
            return true;
        }
    }
    return false;
}

Error no_answer()
{
    return make_error(ErrorCode::upstream_invalid,
        "The provider's answer is not a chat completion.");
}

void OpenaiDecoder::begin(json::Node body, chat::Sink& sink)
{
    // Azure's first chunk has neither id nor model.
    if (begun_
        || (body["choices"].size() == 0 && body["id"].string_or().empty())) {
        return;
    }
    begun_ = true;
    Event event;
    event.kind = EventKind::begin;
    event.id = body["id"].string_or();
    event.model = body["model"].string_or();
    event.created = body["created"].integer().value_or(0);
    sink.on(event);
    emit_text(
        sink, EventKind::service_tier, 0, body["service_tier"].string_or());
}

// What is signed or hidden in an object: whosever models these are, it goes back
// to the vendor that handed it out.
void OpenaiDecoder::opaque(EventKind kind, uint32_t choice, json::Node object,
    std::string_view text_member, chat::Sink& sink)
{
    const std::string_view value =
        object[kind == EventKind::redacted ? "data" : "signature"].string_or();
    if (value.starts_with(chat::kForeignMark)) {
        emit(sink, kind, choice, value); // another gateway's, marked already
    } else if (!value.empty()) {
        emit(sink, kind, choice, wrap_reasoning(vendor_, object, text_member));
    }
}

// Blocks as Anthropic's, or details as OpenRouter defines them.
void OpenaiDecoder::thoughts(json::Node objects, uint32_t choice,
    std::string_view text_member, bool with_text, chat::Sink& sink)
{
    for (const json::Node one : objects.items()) {
        const std::string_view type = one["type"].string_or();
        if (type == "redacted_thinking" || type == "reasoning.encrypted") {
            opaque(EventKind::redacted, choice, one, {}, sink);
            continue;
        }
        if (with_text) {
            emit_text(
                sink, EventKind::reasoning, choice, text_of(one, text_member));
        }
        opaque(EventKind::signature, choice, one, text_member, sink);
    }
}

void OpenaiDecoder::reasoning(
    json::Node message, uint32_t choice, chat::Sink& sink)
{
    constexpr std::string_view kBlockText = "thinking", kDetailText = "text";
    // Blocks and details carry the same text as reasoning_content, cut at the
    // signatures.
    const json::Node blocks = message["thinking_blocks"];
    const json::Node details = message["reasoning_details"];
    const bool in_blocks = have_text(blocks, kBlockText);
    const bool in_details = !in_blocks && have_text(details, kDetailText);
    if (!in_blocks && !in_details) {
        std::string_view text = message["reasoning_content"].string_or();
        if (text.empty()) {
            text = message["reasoning"].string_or();
        }
        emit_text(sink, EventKind::reasoning, choice, text);
        if (text.empty() && message["content"].is_array()) {
            std::string joined;
            dialect::join_thinking(joined, message["content"]);
            emit_text(sink, EventKind::reasoning, choice, joined);
        }
    }
    thoughts(blocks, choice, kBlockText, in_blocks, sink);
    thoughts(details, choice, kDetailText, in_details, sink);
}

void OpenaiDecoder::message(
    json::Node message, uint32_t choice, chat::Sink& sink)
{
    reasoning(message, choice, sink);
    const json::Node content = message["content"];
    if (content.is_array()) {
        std::string joined;
        dialect::join_text(joined, content);
        emit_text(sink, EventKind::text, choice, joined);
    } else {
        emit_text(sink, EventKind::text, choice, content.string_or());
    }
    emit_text(sink, EventKind::refusal, choice, message["refusal"].string_or());
    const json::Node annotations = message["annotations"];
    if (annotations.is_array() && annotations.size() > 0) {
        std::string text;
        json::append_value(text, annotations);
        emit(sink, EventKind::annotations, choice, text);
    }
    const json::Node audio = message["audio"];
    if (audio.is_object() && audio.size() > 0) {
        std::string text;
        json::append_value(text, audio);
        emit(sink, EventKind::audio, choice, text);
    }
}

void OpenaiDecoder::calls(json::Node message, uint32_t choice, chat::Sink& sink)
{
    for (const json::Node item : message["tool_calls"].items()) {
        call(item, choice, sink);
    }
    // The form before tools: one call without id, passed on as a tool call.
    const json::Node legacy = message["function_call"];
    if (legacy.is_object()) {
        call(message, choice, sink);
    }
}

// The running call that a delta belongs to; nullptr: it begins a new one.
OpenaiDecoder::Call* OpenaiDecoder::find_call(json::Node call, uint32_t choice)
{
    const int64_t index = call["index"].integer().value_or(-1);
    const std::string_view id = call["id"].string_or();
    for (auto it = calls_.rbegin(); it != calls_.rend(); ++it) {
        if (it->choice != choice) {
            continue;
        }
        if (index < 0) {
            // Without an index pieces belong to the last call.
            return id.empty() || id == it->id ? &*it : nullptr;
        }
        if (it->vendor_index == index) {
            // Some vendors number all calls 0 and tell them apart by id.
            return id.empty() || it->id.empty() || id == it->id ? &*it
                                                                : nullptr;
        }
    }
    return nullptr;
}

void OpenaiDecoder::call(json::Node call, uint32_t choice, chat::Sink& sink)
{
    const json::Node function =
        call["function"].is_object() ? call["function"] : call["function_call"];
    // A plain body gives calls one by one, mostly without index.
    Call* running = find_call(call, choice);
    const std::string_view name = function["name"].string_or();
    Event event;
    event.choice = choice;
    if (running == nullptr
        || (!name.empty() && call["index"].integer().value_or(-1) < 0
            && call["id"].string_or().empty()))
    {
        if (calls_.size() > kMaxCalls) {
            return; // the one before was too many already
        }
        uint32_t index = 0;
        for (const Call& other : calls_) {
            index += other.choice == choice ? 1 : 0;
        }
        calls_.push_back({choice, index, call["index"].integer().value_or(-1),
            std::string(call["id"].string_or())});
        running = &calls_.back();
        ids_ += running->id.size();
        event.kind = EventKind::tool_begin;
        event.index = running->index;
        event.id = running->id;
        event.name = name;
        event.text =
            call["extra_content"]["google"]["thought_signature"].string_or();
        sink.on(event);
    }
    std::string rebuilt;
    const json::Node arguments = function["arguments"];
    event = {};
    event.kind = EventKind::tool_arguments;
    event.choice = choice;
    event.index = running->index;
    event.text = arguments.string_or();
    if (arguments.is_object()) {
        json::append_value(rebuilt, arguments);
        event.text = rebuilt;
    }
    if (!event.text.empty()) {
        sink.on(event);
    }
}

// What OpenAI's word leaves out: OpenRouter gives the word of the vendor behind
// it, vLLM and SGLang the stop sequence (or, a number, the token).
void refine_finish(Event& event, json::Node choice)
{
    const chat::Finish native =
        chat::finish_of(choice["native_finish_reason"].string_or());
    if (chat::to_text(native) == chat::to_text(event.finish)) {
        event.finish = native;
    }
    const std::string_view met =
        choice["stop_reason"].string_or(choice["matched_stop"].string_or());
    if (event.finish == chat::Finish::stop && !met.empty() && met != event.text)
    {
        event.finish = chat::Finish::stop_sequence;
        event.name = met;
    }
}

void OpenaiDecoder::finish_choice(
    json::Node choice, uint32_t index, chat::Sink& sink)
{
    const std::string_view word = choice["finish_reason"].string_or();
    if (finished_.size() <= index) {
        finished_.resize(index + 1);
    }
    // OpenRouter repeats the reason on later chunks.
    if (word.empty() || finished_[index]) {
        return;
    }
    finished_[index] = true;
    Event event;
    event.kind = EventKind::finish;
    event.choice = index;
    event.finish = chat::finish_of(word);
    event.text = word;
    refine_finish(event, choice);
    sink.on(event);
}

Result<void> OpenaiDecoder::choices(
    json::Node body, std::string_view key, chat::Sink& sink)
{
    for (const json::Node choice : body["choices"].items()) {
        const int64_t index = choice["index"].integer().value_or(0);
        if (index < 0 || index >= kMaxChoices) {
            return make_error(ErrorCode::upstream_invalid,
                "The provider sent a choice with an impossible index.");
        }
        const auto number = static_cast<uint32_t>(index);
        spoke_ = true;
        message(choice[key], number, sink);
        tell_openai_logprobs(choice["logprobs"]["content"], number, sink);
        calls(choice[key], number, sink);
        finish_choice(choice, number, sink);
    }
    return {};
}

void OpenaiDecoder::usage(json::Node body, chat::Sink& sink)
{
    Event event;
    event.kind = EventKind::usage;
    event.usage = usage::read_openai(dialect::find_usage(body));
    if (event.usage.known) {
        sink.on(event);
    }
}

void OpenaiDecoder::end(chat::Sink& sink)
{
    if (!ended_) {
        ended_ = true;
        emit(sink, EventKind::end, 0, {});
    }
}

Result<void> OpenaiDecoder::body(json::Node body, chat::Sink& sink)
{
    usage(body, sink);
    if (dialect::reports_error(body)) {
        return dialect::read_openai_error(0, body, {});
    }
    if (body["choices"].size() == 0) {
        return no_answer();
    }
    begin(body, sink);
    if (auto done = choices(body, "message", sink); !done) {
        return done;
    }
    end(sink);
    return {};
}

Result<void> OpenaiDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    if (trim(event.data) == "[DONE]") {
        if (!spoke_) {
            return make_error(ErrorCode::upstream_truncated,
                "The provider's stream ended without an answer.");
        }
        end(sink);
        return {};
    }
    auto parsed = parser.parse(event.data);
    const json::Node chunk = parsed ? *parsed : json::Node();
    if (event.event == "error" || dialect::reports_error(chunk)) {
        usage(chunk, sink);
        return dialect::read_openai_error(0, chunk, event.data);
    }
    if (!chunk.is_object()) {
        return make_error(ErrorCode::upstream_invalid,
            "The provider sent a stream event that is not valid JSON.");
    }
    begin(chunk, sink);
    usage(chunk, sink);
    return choices(chunk, "delta", sink);
}

Result<void> OpenaiDecoder::finish(chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    for (const bool finished : finished_) {
        if (finished) {
            end(sink);
            return {};
        }
    }
    return make_error(ErrorCode::upstream_truncated,
        "The provider's stream ended before the answer was complete.");
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    const Type* const type = context.options.type;
    return std::make_unique<OpenaiDecoder>(
        type == nullptr ? std::string_view() : type->name);
}

const Vocabulary* everything(const EncodeContext&)
{
    return nullptr;
}

} // namespace

const Protocol kOpenai = {
    "openai", everything, encode_openai, decoder, dialect::read_openai_error};

} // namespace ai_proxy::provider
