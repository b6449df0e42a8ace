#include "core/provider/qwen.h"

#include "core/base/hash.h"
#include "core/dialect/error_codes.h"
#include "core/provider/growing_text.h"
#include "core/provider/logprobs.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::provider {
namespace {

using chat::EventKind;
using json::Node;

// {"code","message","request_id"}; an answer may carry an empty code.
bool is_error(Node body) noexcept
{
    return !body["code"].string_or().empty() && !body["output"].has_value();
}

Error reported_error(Node body, int status)
{
    Error out = make_error(ErrorCode::upstream_error,
        std::string(
            body["message"].string_or("the provider reported an error")));
    out.provider_code = body["code"].string_or();
    if (status >= 400 && status <= 599) {
        out.status = uint16_t(status);
        return out;
    }
    out.status = dialect::status_of_code(
        dialect::CodeFamily::dashscope, out.provider_code);
    if (out.status == 0) {
        out.status = 400; // most of the others are about the request
    }
    return out;
}

enum class Reasoning : uint8_t { passthrough, ignore, concat };

class QwenDecoder final : public Decoder {
public:
    QwenDecoder(Reasoning reasoning, uint64_t random)
        : reasoning_(reasoning), random_(random)
    {
    }

    Result<void> body(Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;
    size_t held() const noexcept override;

private:
    struct Call {
        GrowingText arguments;
        bool begun = false;
        bool any = false; // arguments were sent
    };
    enum class Thought : uint8_t { none, open, closed };
    struct Choice {
        bool seen = false;
        GrowingText text;
        GrowingText reasoning;
        Thought thought = Thought::none; // of concat's <think>
        std::vector<Call> calls;
        std::string finish; // vendor's word; "" while running
    };
    static constexpr size_t kMaxChoices = 128;
    static constexpr size_t kMaxCalls = 1024;
    static constexpr size_t kMaxFinishName = 64;

    Result<void> chunk(Node chunk, chat::Sink& sink);
    Result<void> choice(Node node, size_t place, chat::Sink& sink);
    void content(Node content, uint32_t choice, bool still, chat::Sink& sink);
    void answer(std::string_view text, uint32_t choice, chat::Sink& sink);
    void reason(std::string_view fresh, uint32_t choice, chat::Sink& sink);
    void close_thought(uint32_t choice, chat::Sink& sink);
    Result<void> calls(Node calls, uint32_t choice, chat::Sink& sink);
    void call(Node call, uint32_t choice, uint32_t index, chat::Sink& sink);
    void begin_call(
        Node call, uint32_t choice, uint32_t index, chat::Sink& sink);
    void end_call(uint32_t choice, uint32_t index, chat::Sink& sink);
    void end(chat::Sink& sink);

    Reasoning reasoning_;
    uint64_t random_;
    std::vector<Choice> choices_;
    chat::Usage usage_;
    bool grew_ = false; // the event counts more output than the one before
    bool begun_ = false;
    bool ended_ = false;
};

size_t QwenDecoder::held() const noexcept
{
    size_t sum = 0;
    for (const Choice& choice : choices_) {
        sum += choice.text.held() + choice.reasoning.held();
        for (const Call& call : choice.calls) {
            sum += call.arguments.held();
        }
    }
    return sum;
}

void QwenDecoder::close_thought(uint32_t choice, chat::Sink& sink)
{
    Choice& state = choices_[choice];
    if (state.thought == Thought::open) {
        state.thought = Thought::closed;
        sink.on(event_of(EventKind::text, "</think>\n", choice));
    }
}

void QwenDecoder::reason(
    std::string_view fresh, uint32_t choice, chat::Sink& sink)
{
    Choice& state = choices_[choice];
    if (fresh.empty() || reasoning_ == Reasoning::ignore) {
        return;
    }
    if (reasoning_ == Reasoning::passthrough) {
        sink.on(event_of(EventKind::reasoning, fresh, choice));
        return;
    }
    if (state.thought == Thought::none) {
        state.thought = Thought::open;
        sink.on(event_of(EventKind::text, "<think>", choice));
    }
    sink.on(event_of(EventKind::text, fresh, choice));
}

// A string, or the multimodal interface's array of {"text"}.
void QwenDecoder::content(
    Node content, uint32_t choice, bool still, chat::Sink& sink)
{
    std::string joined;
    std::string_view text = content.string_or();
    if (content.is_array()) {
        for (const Node part : content.items()) {
            joined += part["text"].string_or();
        }
        text = joined;
    }
    if (!text.empty()) {
        reason(choices_[choice].reasoning.flush(), choice, sink);
        answer(choices_[choice].text.next(text, still), choice, sink);
    }
}

void QwenDecoder::answer(
    std::string_view text, uint32_t choice, chat::Sink& sink)
{
    if (!text.empty()) {
        close_thought(choice, sink);
        sink.on(event_of(EventKind::text, text, choice));
    }
}

void QwenDecoder::begin_call(
    Node call, uint32_t choice, uint32_t index, chat::Sink& sink)
{
    std::string id(call["id"].string_or());
    if (id.empty()) {
        id = "call_";
        append_hex(id, random_);
        id += '_' + std::to_string(choice) + '_' + std::to_string(index);
    }
    chat::Event begin = tool_event(EventKind::tool_begin, choice, index);
    begin.id = id;
    begin.name = call["function"]["name"].string_or();
    sink.on(begin);
}

void QwenDecoder::call(
    Node call, uint32_t choice, uint32_t index, chat::Sink& sink)
{
    Call& state = choices_[choice].calls[index];
    if (!state.begun) {
        state.begun = true;
        close_thought(choice, sink);
        begin_call(call, choice, index, sink);
    }
    const std::string_view fresh =
        state.arguments.next(call["function"]["arguments"].string_or());
    if (!fresh.empty()) {
        state.any = true;
        sink.on(tool_event(EventKind::tool_arguments, choice, index, fresh));
    }
}

Result<void> QwenDecoder::calls(Node calls, uint32_t choice, chat::Sink& sink)
{
    size_t place = 0;
    for (const Node one : calls.items()) {
        const int64_t index = one["index"].integer().value_or(int64_t(place));
        place++;
        if (index < 0 || size_t(index) >= kMaxCalls) {
            return make_error(ErrorCode::upstream_invalid,
                "the provider sent a tool call with an impossible index");
        }
        std::vector<Call>& known = choices_[choice].calls;
        if (known.size() <= size_t(index)) {
            known.resize(size_t(index) + 1);
        }
        call(one, choice, uint32_t(index), sink);
    }
    return {};
}

Result<void> QwenDecoder::choice(Node node, size_t place, chat::Sink& sink)
{
    const int64_t index = node["index"].integer().value_or(int64_t(place));
    if (index < 0 || size_t(index) >= kMaxChoices) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent a choice with an impossible index");
    }
    const auto number = uint32_t(index);
    if (choices_.size() <= number) {
        choices_.resize(number + 1);
    }
    Choice& state = choices_[number];
    state.seen = true;
    const Node message = node["message"];
    const bool calling = message["tool_calls"].size() > 0;
    const bool answering = !message["content"].string_or().empty()
        || message["content"].size() > 0;
    reason(state.reasoning.next(message["reasoning_content"].string_or(),
               !grew_ || calling || answering),
        number, sink);
    content(message["content"], number, !grew_ || calling, sink);
    tell_openai_logprobs(node["logprobs"]["content"], number, sink);
    if (auto done = calls(message["tool_calls"], number, sink); !done) {
        return done;
    }
    const std::string_view finish = node["finish_reason"].string_or();
    if (!finish.empty() && finish != "null") {
        state.finish = finish.substr(0, kMaxFinishName);
    }
    return {};
}

Result<void> QwenDecoder::chunk(Node chunk, chat::Sink& sink)
{
    if (!begun_) {
        begun_ = true;
        chat::Event begin = event_of(EventKind::begin);
        begin.id = chunk["request_id"].string_or();
        sink.on(begin);
    }
    const chat::Usage usage = usage::read_dashscope(chunk["usage"]);
    grew_ = usage.completion > usage_.completion;
    const Node output = chunk["output"];
    size_t place = 0;
    for (const Node node : output["choices"].items()) {
        if (auto done = choice(node, place++, sink); !done) {
            return done;
        }
    }
    // result_format "text", for models that know no other.
    if (place == 0 && output["text"].is_string()) {
        if (choices_.empty()) {
            choices_.emplace_back();
        }
        choices_[0].seen = true;
        content(output["text"], 0, !grew_, sink);
        const std::string_view finish = output["finish_reason"].string_or();
        if (!finish.empty() && finish != "null") {
            choices_[0].finish = finish.substr(0, kMaxFinishName);
        }
    }
    if (usage.known && usage != usage_) {
        usage_ = usage;
        chat::Event event = event_of(EventKind::usage);
        event.usage = usage;
        sink.on(event);
    }
    return {};
}

void QwenDecoder::end_call(uint32_t choice, uint32_t index, chat::Sink& sink)
{
    Call& state = choices_[choice].calls[index];
    if (!state.begun) {
        return;
    }
    std::string_view rest = state.arguments.flush();
    if (rest.empty() && !state.any) {
        rest = "{}";
    }
    if (!rest.empty()) {
        sink.on(tool_event(EventKind::tool_arguments, choice, index, rest));
    }
}

void QwenDecoder::end(chat::Sink& sink)
{
    for (uint32_t i = 0; i < choices_.size(); i++) {
        Choice& state = choices_[i];
        if (!state.seen) {
            continue;
        }
        reason(state.reasoning.flush(), i, sink);
        answer(state.text.flush(), i, sink);
        close_thought(i, sink);
        for (uint32_t k = 0; k < state.calls.size(); k++) {
            end_call(i, k, sink);
        }
        chat::Event event = event_of(EventKind::finish, state.finish, i);
        event.finish = chat::finish_of(state.finish);
        if (event.finish == chat::Finish::stop && !state.calls.empty()) {
            event.finish = chat::Finish::tool_calls;
        }
        sink.on(event);
    }
    ended_ = true;
    sink.on(event_of(EventKind::end));
}

Result<void> QwenDecoder::body(Node body, chat::Sink& sink)
{
    if (is_error(body)) {
        return reported_error(body, 0);
    }
    if (!body["output"].is_object()) {
        return make_error(
            ErrorCode::upstream_invalid, "the provider's answer has no output");
    }
    if (auto done = chunk(body, sink); !done) {
        return done;
    }
    if (choices_.empty()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer has no choices");
    }
    for (Choice& state : choices_) {
        if (state.finish.empty()) {
            state.finish = "stop"; // a whole body needs no other sign
        }
    }
    end(sink);
    return {};
}

Result<void> QwenDecoder::event(
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
    if (event.event == "error" || event.http_status >= 400 || is_error(*parsed))
    {
        return reported_error(*parsed, event.http_status);
    }
    if (!parsed.value()["output"].has_value()) {
        return {};
    }
    return chunk(*parsed, sink);
}

Result<void> QwenDecoder::finish(chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    const bool whole = !choices_.empty()
        && std::all_of(choices_.begin(), choices_.end(),
            [](const Choice& c) { return !c.seen || !c.finish.empty(); });
    if (!whole) {
        return make_error(ErrorCode::upstream_truncated,
            "the provider's stream ended without a finish_reason");
    }
    end(sink);
    return {};
}

} // namespace

std::unique_ptr<Decoder> make_qwen_decoder(const EncodeContext& context)
{
    const std::string_view mode = context.options.reasoning_content_mode;
    Reasoning reasoning = Reasoning::passthrough;
    if (mode == "ignore") {
        reasoning = Reasoning::ignore;
    } else if (mode == "concat") {
        reasoning = Reasoning::concat;
    }
    return std::make_unique<QwenDecoder>(reasoning, context.random);
}

Error qwen_error(int status, Node body, std::string_view text)
{
    Error out = make_error(
        ErrorCode::upstream_status, std::string(body["message"].string_or()));
    out.status = uint16_t(status);
    out.provider_code = body["code"].string_or();
    // The compatible endpoints of the same host answer in OpenAI's shape.
    const Node error = body["error"];
    if (error.is_object()) {
        out.message = error["message"].string_or();
        out.type = error["type"].string_or();
        out.provider_code = error["code"].string_or();
    }
    if (out.message.empty()) {
        out.message = plain_message(status, text);
    }
    return out;
}

} // namespace ai_proxy::provider
