#include "core/policy/response.h"

#include "core/dialect/call_text.h"
#include "core/dialect/caller.h"
#include "core/policy/output_text.h"
#include "core/policy/response_conversion.h"
#include "core/provider/registry.h"
#include "core/provider/signer.h"
#include "core/provider/spark.h"

#include <algorithm>

namespace ai_proxy::policy {

namespace {

// Of an answer's id and model.
constexpr size_t kLongestName = 512;
// No sign of life is as long as this; a long event comes in pieces.
constexpr size_t kLongestPing = 1024;

// Comments and pings say that the provider lives, not that it gets on.
bool is_progress(const wire::SseEvent& event) noexcept
{
    constexpr size_t most = 64;
    return event.has_data && !event.data.empty() && event.event != "ping"
        && (event.data.size() > most
            || event.data.find("\"ping\"") == std::string_view::npos);
}

const provider::Options& options_of(const ResponseContext& context)
{
    static const provider::Options none;
    return context.provider != nullptr ? context.provider->options : none;
}

const provider::Protocol& protocol_of(const ResponseContext& context)
{
    if (context.convert && context.provider != nullptr
        && provider::is_spark(context.provider->options))
    {
        return provider::kSpark;
    }
    return context.convert && context.provider != nullptr
            && !provider::relays(context.provider->options)
        ? provider::protocol(context.provider->options)
        : provider::kOpenai;
}

// Of the last event, behind which the blank line is missing: is the rest of it
// there?
bool is_finished(const wire::SseEvent& event, json::Parser& parser)
{
    return event.has_data
        && (event.data == "[DONE]" || parser.parse(event.data));
}

} // namespace

Response::Conversion::Conversion(const ResponseContext& context)
{
    const provider::EncodeContext call{options_of(context), context.model,
        context.now_seconds, context.random};
    decoder = protocol_of(context).decoder(call);
    if (context.convert && ThoughtFilter::wanted(call.options)) {
        thoughts.emplace(call.options, *this);
    }
    if (const auto signer = provider::signer(call.options, call.model);
        context.convert && signer)
    {
        mark_ = chat::mark_of(*signer);
    }
    const dialect::Caller* caller = dialect::find_caller(context.api);
    if (caller == nullptr) {
        caller = dialect::find_caller(dialect::Api::chat_completions);
    }
    const dialect::AnswerContext answer{context.fallback_id, context.model,
        context.now_seconds, context.show_usage, context.json_array,
        context.echo};
    stream = context.stream;
    writer = stream ? caller->stream(buffer, answer) : caller->plain(answer);
}

chat::Sink& Response::Conversion::sink()
{
    return thoughts ? static_cast<chat::Sink&>(*thoughts) : *this;
}

// As if the provider had reached the bound of the answer.
void Response::Conversion::end_early(const chat::Usage& estimate)
{
    chat::Event event;
    event.kind = chat::EventKind::finish;
    event.finish = chat::Finish::length;
    for (uint32_t choice = 0; choice < dialect::kMaxChoices; ++choice) {
        if (open.test(choice)) {
            event.choice = choice;
            sink().on(event);
        }
    }
    event.choice = 0;
    event.kind = chat::EventKind::usage;
    event.usage = estimate;
    sink().on(event);
    event.kind = chat::EventKind::end;
    sink().on(event);
}

bool Response::Conversion::is_impossible(const chat::Event& event)
{
    if (event.kind == chat::EventKind::tool_begin) {
        ++calls_;
    }
    return event.choice >= dialect::kMaxChoices
        || event.index >= dialect::kMaxCalls || calls_ > dialect::kMaxCalls;
}

void Response::Conversion::on(const chat::Event& event)
{
    overflowed = overflowed || is_impossible(event);
    if (overflowed) {
        return;
    }
    switch (event.kind) {
    case chat::EventKind::text:
    case chat::EventKind::reasoning:
    case chat::EventKind::refusal:
    case chat::EventKind::audio:
    case chat::EventKind::tool_begin:
    case chat::EventKind::tool_arguments:
        spoke = true;
        open.set(event.choice);
        if (tally != nullptr) {
            tally->add(event.name);
            tally->add(event.text);
        }
        break;
    case chat::EventKind::usage:
        usage = event.usage;
        break;
    case chat::EventKind::finish:
        open.reset(event.choice);
        if (finish == chat::Finish::none) {
            finish = event.finish;
        }
        break;
    case chat::EventKind::end:
        ended = true;
        break;
    case chat::EventKind::begin:
    case chat::EventKind::signature:
    case chat::EventKind::redacted:
    case chat::EventKind::annotations:
    case chat::EventKind::logprobs:
    case chat::EventKind::service_tier:
        break;
    }
    if (event.kind == chat::EventKind::begin
        && (event.id.size() > kLongestName
            || event.model.size() > kLongestName))
    {
        // They are repeated with each event: such a name is none.
        chat::Event begin = event;
        begin.id = begin.model = {};
        writer->on(begin);
        return;
    }
    if (event.kind == chat::EventKind::service_tier
        && event.text.size() > kLongestName)
    {
        return;
    }
    write(event);
}

// It comes back in the next request, which another vendor may get.
void Response::Conversion::write(const chat::Event& event)
{
    const bool opaque = event.kind == chat::EventKind::signature
        || event.kind == chat::EventKind::redacted;
    if (!opaque || mark_.empty()) {
        writer->on(event);
        return;
    }
    std::string text(mark_);
    text += event.text;
    chat::Event marked = event;
    marked.text = text;
    writer->on(marked);
}

// Of a relayed stream: most of its events are not parsed otherwise.
void Response::count_event(const wire::SseEvent& event, json::Parser& parser)
{
    if (context_.tally && event.has_data) {
        if (auto parsed = parser.parse(event.data); parsed) {
            tally_event(tally_, context_.api, *parsed);
            if (early_end_) {
                early_end_->note(*parsed);
            }
        }
    }
}

void Response::relay_event(const wire::SseEvent& event, json::Parser& parser,
    std::string& out, Micros now)
{
    count_event(event, parser);
    auto done = relay_->event(event, parser, out);
    usage_ = relay_->usage();
    finish_ = relay_->finish();
    if (first_token_ == 0 && relay_->spoke()) {
        first_token_ = now;
    }
    if (!done) {
        fail(std::move(done).error());
    } else if (relay_->ended()) {
        state_ = State::whole;
    }
}

void Response::convert_event(const wire::SseEvent& event, json::Parser& parser,
    std::string& out, Micros now)
{
    if (!event.has_data) {
        return;
    }
    auto done = conversion_->decoder->event(event, parser, conversion_->sink());
    if (first_token_ == 0 && conversion_->spoke && context_.stream) {
        first_token_ = now;
    }
    if (done && context_.stream && conversion_->held() > kMaxHeld) {
        done = too_large_answer();
    }
    if (!done || conversion_->ended || conversion_->overflowed) {
        finish_converted(std::move(done), out);
        return;
    }
    usage_ = conversion_->usage;
    finish_ = conversion_->finish;
    out += conversion_->buffer;
    conversion_->buffer.clear();
}

void Response::watch_event(const wire::SseEvent& event, json::Parser& parser,
    std::string& out, Micros now)
{
    count_event(event, parser);
    auto done = watch_->event(event, parser, out);
    usage_ = watch_->usage();
    finish_ = watch_->finish();
    if (first_token_ == 0 && watch_->spoke()) {
        first_token_ = now;
    }
    if (!done && !watch_->told()) {
        fail(std::move(done).error());
        return;
    }
    if (!done && !told_) {
        told_ = true;
        keep_error(std::move(done).error());
    }
}

// After an event.
void Response::ask_meter(std::string& out)
{
    const int64_t said = tally_.tokens();
    if (said <= metered_ || state_ != State::more || answered()) {
        return;
    }
    metered_ = said;
    const bool possible = streaming() && spoke()
        && (conversion_ ? conversion_->open.any()
                        : early_end_ && early_end_->is_possible());
    if (possible && !context_.meter->goes_on(said)) {
        end_early(out);
    }
}

// What the provider has not counted yet is counted here.
void Response::end_early(std::string& out)
{
    chat::Usage usage = usage_;
    if (!usage.known || usage.prompt == 0) {
        usage.prompt = context_.meter->prompt();
    }
    usage.known = true;
    usage.completion = std::max(usage.completion, tally_.tokens());
    usage.total = usage.prompt + usage.completion;
    if (conversion_) {
        conversion_->end_early(usage);
        (void)finish_converted({}, out);
    } else {
        early_end_->write(out, usage);
        usage_ = usage;
        finish_ = chat::Finish::length;
        state_ = State::whole;
    }
    ended_early_ = state_ == State::whole;
}

Response::State Response::sse(
    std::string_view bytes, std::string& out, Micros now, bool at_end)
{
    json::Parser& scratch = parser();
    const bool array = std::holds_alternative<wire::JsonArrayFramer>(framer_);
    const auto on_event = [&](const wire::SseEvent& event) {
        progress_ = progress_ || is_progress(event);
        if (at_end && !array && !is_finished(event, scratch)) {
            fail(truncated_answer());
            return false;
        }
        if (mode_ == Mode::sse_relay) {
            relay_event(event, scratch, out, now);
        } else if (mode_ == Mode::sse_watch) {
            watch_event(event, scratch, out, now);
        } else {
            convert_event(event, scratch, out, now);
        }
        if (context_.meter != nullptr && !at_end) {
            ask_meter(out);
        }
        return state_ == State::more;
    };
    auto done = std::visit(
        [&](auto& framer) {
            return at_end ? framer.finish(on_event)
                          : framer.feed(bytes, on_event);
        },
        framer_);
    if (!done) {
        fail(std::move(done).error());
    }
    progress_ = progress_ || buffered() > kLongestPing;
    return state_;
}

Response::State Response::finish_sse(std::string& out, Micros now)
{
    // An array that ends too soon is not closed: an error follows in it.
    if (mode_ == Mode::sse_watch && !watch_->whole()
        && std::holds_alternative<wire::JsonArrayFramer>(framer_))
    {
        fail(truncated_answer());
        return state_;
    }
    if (sse({}, out, now, true) != State::more) {
        return state_;
    }
    if (mode_ == Mode::sse_relay) {
        auto done = relay_->end(out);
        if (!done) {
            fail(std::move(done).error());
        } else {
            state_ = State::whole;
        }
        return state_;
    }
    if (mode_ == Mode::sse_watch) {
        if (watch_->whole() && watch_->begun()) {
            state_ = State::whole;
        } else {
            if (!out.empty()) {
                dialect::end_event(out); // an error event follows
            }
            fail(truncated_answer());
        }
        return state_;
    }
    return finish_converted(
        conversion_->decoder->finish(conversion_->sink()), out);
}

// The decoder has seen the last of the answer: result says whether it is
// whole.
Response::State Response::finish_converted(
    Result<void> result, std::string& out)
{
    usage_ = conversion_->usage;
    finish_ = conversion_->finish;
    // A plain body that fails leaves nothing: another try may follow.
    if (conversion_->stream && (result || mode_ != Mode::plain_convert)) {
        out += conversion_->buffer;
    }
    conversion_->buffer.clear();
    if (!result) {
        fail(std::move(result).error());
    } else if (conversion_->overflowed) {
        fail(too_large_answer());
    } else if (!conversion_->ended) {
        fail(truncated_answer());
    } else {
        if (!conversion_->stream) {
            gathered_.clear();
            conversion_->writer->write(gathered_);
        } else {
            gathered_ = {};
        }
        state_ = State::whole;
    }
    return state_;
}

} // namespace ai_proxy::policy
