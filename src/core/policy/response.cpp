#include "core/policy/response.h"

#include "core/dialect/error_writer.h"
#include "core/policy/provider_headers.h"
#include "core/policy/retry_hints.h"
#include "core/policy/response_conversion.h"
#include "core/policy/sign_of_life.h"
#include "core/provider/registry.h"

#include <algorithm>

namespace ai_proxy::policy {

namespace {

using dialect::Api;
using provider::Framing;

constexpr size_t kMaxHeaders = 48;
constexpr size_t kMaxReserve = 4 * 1024 * 1024;

// APIs whose 2xx answer is one JSON document that the books are read from.
bool answers_json(Api api)
{
    switch (api) {
    case Api::chat_completions:
    case Api::completions:
    case Api::embeddings:
    case Api::models:
    case Api::model:
    case Api::gemini_models:
    case Api::gemini_model:
    case Api::moderations:
    case Api::rerank:
    case Api::responses:
    case Api::responses_compact:
    case Api::responses_count:
    case Api::messages:
    case Api::messages_count:
    case Api::gemini_generate:
    case Api::gemini_count:
        return true;
    default:
        return false;
    }
}

// APIs that answer JSON or, asked so, something else.
bool may_answer_json(Api api)
{
    switch (api) {
    case Api::audio_transcriptions:
    case Api::audio_translations:
    case Api::image_generations:
    case Api::image_variations:
    case Api::image_edits:
    case Api::gemini_stream:
    case Api::complete:
        return true;
    default:
        return answers_json(api);
    }
}

// A provider may quote the key it refused.
void hide_tokens(std::string& text, const config::Provider* provider)
{
    constexpr size_t shortest = 8;
    if (provider == nullptr) {
        return;
    }
    for (const Secret& token : provider->options.api_tokens) {
        const std::string_view plain = token.reveal();
        if (plain.size() < shortest) {
            continue;
        }
        for (size_t at; (at = text.find(plain)) != std::string::npos;) {
            text.replace(at, plain.size(), "***");
        }
    }
}

// At most so many bytes, and no half of a character.
void cut_message(std::string& text, size_t most)
{
    if (text.size() > most) {
        while (most > 0 && (uint8_t(text[most]) & 0xc0U) == 0x80U) {
            --most;
        }
        text.resize(most);
    }
}

} // namespace

bool is_chat_like(Api api) noexcept
{
    return api == Api::chat_completions || api == Api::completions;
}

Error truncated_answer()
{
    return make_error(ErrorCode::upstream_truncated,
        "The provider's answer ended before it was complete.");
}

Error too_large_answer()
{
    return make_error(
        ErrorCode::upstream_too_large, "The provider's answer is too large.");
}

Response::Response(ResponseContext context) : context_(std::move(context))
{
}

Response::~Response() = default;

// A parser keeps what its largest document needed: a big one is parsed apart.
size_t Response::buffered() const noexcept
{
    return std::visit(
        [](const auto& framer) { return framer.buffered(); }, framer_);
}

json::Parser& Response::parser()
{
    constexpr size_t kShared = 256 * 1024;
    const size_t pending = gathered_.size() + buffered();
    if (context_.parser != nullptr && pending <= kShared) {
        return *context_.parser;
    }
    if (!own_parser_) {
        own_parser_ = std::make_unique<json::Parser>();
    }
    return *own_parser_;
}

void Response::keep_error(Error error)
{
    cut_message(error.message, kMaxError);
    hide_tokens(error.message, context_.provider);
    error_ = std::move(error);
}

void Response::fail(Error error)
{
    if (state_ != State::more) {
        return;
    }
    keep_error(std::move(error));
    state_ = State::failed;
    gathered_ = {};
}

void Response::read_headers(std::span<const Header> headers)
{
    RetryHints hints(context_.now_seconds);
    for (const Header& header : headers) {
        if (iequals(header.name, "content-type")) {
            content_type_ = header.value.substr(0, 256);
        } else if (iequals(header.name, "content-encoding")) {
            encoded_ = !iequals(trim(header.value), "identity")
                && !trim(header.value).empty();
        } else if (status_ >= 400) {
            hints.header(header);
        }
    }
    retry_after_ms_ = hints.wait_ms();
}

Framing Response::own_framing() const
{
    return context_.convert && context_.provider != nullptr
        ? provider::protocol(context_.provider->options).framing
        : Framing::sse;
}

// How the events of the answer are told apart; nullopt: it is no stream.
std::optional<Framing> Response::stream_framing() const
{
    const std::string_view media = media_type(content_type_);
    const Framing own = own_framing();
    if (iequals(media, "text/event-stream")) {
        return Framing::sse;
    }
    if (media.empty() && context_.stream
        && (context_.convert || is_chat_like(context_.api)))
    {
        return own;
    }
    if (!context_.convert) {
        return std::nullopt;
    }
    if (is_ndjson_type(media)) {
        return Framing::ndjson;
    }
    if (iequals(media, "application/vnd.amazon.eventstream")) {
        return Framing::aws_event_stream;
    }
    const bool unclear = iequals(media, "text/plain")
        || iequals(media, "application/octet-stream");
    return unclear && context_.stream && own != Framing::sse
        ? std::optional(own)
        : std::nullopt;
}

// Gemini's stream without alt=sse, for a client that asked for it so.
bool Response::is_array() const noexcept
{
    return !context_.convert && context_.api == Api::gemini_stream
        && is_json_type(media_type(content_type_));
}

Response::Mode Response::choose_mode() const
{
    if (status_ >= 300 || status_ < 200) {
        return Mode::error;
    }
    const bool nothing = status_ == 204 || status_ == 205;
    if (context_.no_body || (nothing && !answers_json(context_.api))) {
        return Mode::passthrough;
    }
    if (context_.translation != nullptr) {
        return Mode::plain;
    }
    const Api api = context_.api;
    const std::string_view media = media_type(content_type_);
    const bool stream = stream_framing().has_value() || is_array();
    if (context_.convert) {
        if (stream) {
            return context_.stream ? Mode::sse_convert : Mode::sse_gather;
        }
        return Mode::plain_convert;
    }
    if (stream) {
        if (api == Api::chat_completions && !context_.stream) {
            return Mode::sse_gather;
        }
        if (is_chat_like(api)) {
            return Mode::sse_relay;
        }
        return may_answer_json(api) ? Mode::sse_watch : Mode::passthrough;
    }
    if (answers_json(api)) {
        return Mode::plain;
    }
    return may_answer_json(api) && is_json_type(media) ? Mode::plain
                                                       : Mode::passthrough;
}

void Response::frame(Framing framing)
{
    switch (framing) {
    case Framing::sse:
        framer_.emplace<wire::SseFramer>();
        break;
    case Framing::ndjson:
        framer_.emplace<wire::NdjsonFramer>();
        break;
    case Framing::aws_event_stream:
        framer_.emplace<wire::EventStreamFramer>();
        break;
    }
}

void Response::prepare()
{
    frame(stream_framing().value_or(Framing::sse));
    if (is_array()) {
        framer_.emplace<wire::JsonArrayFramer>();
    }
    if (context_.meter != nullptr
        && (mode_ == Mode::sse_relay || mode_ == Mode::sse_watch))
    {
        early_end_ =
            make_early_end({context_.api, context_.show_usage, is_array()});
    }
    switch (mode_) {
    case Mode::sse_relay:
        relay_.emplace(context_.show_usage);
        break;
    case Mode::sse_watch:
        watch_.emplace(context_.api);
        break;
    case Mode::sse_convert:
    case Mode::plain_convert:
    case Mode::sse_gather:
        conversion_ = std::make_unique<Conversion>(context_);
        conversion_->tally = context_.tally ? &tally_ : nullptr;
        break;
    case Mode::error:
    case Mode::plain:
    case Mode::passthrough:
        break;
    }
    const bool to_client_json = mode_ == Mode::error || mode_ == Mode::plain
        || mode_ == Mode::sse_gather
        || (mode_ == Mode::plain_convert && !context_.stream);
    if (to_client_json) {
        const bool own =
            mode_ != Mode::plain || !is_json_type(media_type(content_type_));
        if (own) {
            content_type_ = "application/json";
        }
    } else if (mode_ == Mode::sse_convert || mode_ == Mode::plain_convert
        || content_type_.empty())
    {
        content_type_ = mode_ == Mode::passthrough ? "application/octet-stream"
            : context_.json_array                  ? "application/json"
                                                   : "text/event-stream";
    }
}

void Response::head(int status, std::span<const Header> headers)
{
    status_ = status;
    read_headers(headers);
    mode_ = choose_mode();
    for (const Header& header : headers) {
        if (headers_.size() < kMaxHeaders
            && passes(header, mode_ == Mode::passthrough)) {
            headers_.push_back(
                {std::string(header.name), std::string(header.value)});
        }
    }
    prepare();
    if (encoded_ && mode_ != Mode::passthrough && mode_ != Mode::error) {
        fail(make_error(ErrorCode::upstream_invalid,
            "The provider sent a content encoding that was not asked for."));
    }
}

void Response::expect(uint64_t length)
{
    length_ = length;
    if (mode_ != Mode::plain && mode_ != Mode::plain_convert) {
        return;
    }
    if (length > kMaxPlain) {
        fail(too_large_answer());
        return;
    }
    gathered_.reserve(
        std::min(static_cast<size_t>(length), kMaxReserve) + json::kPadding);
}

Response::State Response::gather(std::string_view bytes, size_t limit)
{
    if (gathered_.size() + bytes.size() > limit) {
        fail(too_large_answer());
    } else {
        gathered_ += bytes;
    }
    return state_;
}

// Some servers call their event streams JSON or text: no JSON text begins with
// the name of an event's field.  True when the body is such a stream.
bool Response::sniff(std::string_view bytes)
{
    constexpr std::string_view begins = "de:";
    if (!context_.stream || !gathered_.empty()
        || !(context_.convert || is_chat_like(context_.api)))
    {
        return false;
    }
    if (begins.find(bytes.front()) == std::string_view::npos) {
        return false;
    }
    content_type_ = "text/event-stream";
    mode_ = context_.convert ? Mode::sse_convert : Mode::sse_relay;
    prepare();
    return true;
}

Response::State Response::feed(
    std::string_view bytes, std::string& out, Micros now)
{
    if (state_ != State::more || bytes.empty()) {
        return state_;
    }
    fed_ += bytes.size();
    switch (mode_) {
    case Mode::error:
        // The beginning of a page says enough.
        gathered_ += bytes.substr(0, kMaxError - gathered_.size());
        return gathered_.size() < kMaxError ? state_ : finish_error();
    case Mode::plain:
    case Mode::plain_convert:
        if (sniff(bytes)) {
            return sse(bytes, out, now, false);
        }
        return gather(bytes, kMaxPlain);
    case Mode::sse_gather:
        if (fed_ > kMaxPlain) {
            fail(too_large_answer());
            return state_;
        }
        return sse(bytes, out, now, false);
    case Mode::sse_relay:
    case Mode::sse_convert:
    case Mode::sse_watch:
        return sse(bytes, out, now, false);
    case Mode::passthrough:
        out += bytes;
        return state_;
    }
    return state_;
}

Response::State Response::end(bool clean, std::string& out, Micros now)
{
    if (state_ != State::more) {
        return state_;
    }
    if (mode_ == Mode::error) {
        return finish_error();
    }
    if (!answered() && (!clean || (length_ && fed_ < *length_))) {
        fail(truncated_answer());
        return state_;
    }
    switch (mode_) {
    case Mode::plain:
    case Mode::plain_convert:
        return finish_plain(out);
    case Mode::sse_relay:
    case Mode::sse_convert:
    case Mode::sse_gather:
    case Mode::sse_watch:
        return finish_sse(out, now);
    case Mode::passthrough:
    case Mode::error:
        state_ = State::whole;
        break;
    }
    return state_;
}

uint64_t Response::retry_after_ms() const noexcept
{
    return retry_after_ms_;
}

bool Response::streaming() const noexcept
{
    switch (mode_) {
    case Mode::sse_relay:
    case Mode::sse_convert:
    case Mode::sse_watch:
    case Mode::passthrough:
        return true;
    case Mode::plain_convert:
        return context_.stream;
    case Mode::error:
    case Mode::plain:
    case Mode::sse_gather:
        return false;
    }
    return false;
}

bool Response::has_events() const noexcept
{
    switch (mode_) {
    case Mode::sse_relay:
    case Mode::sse_convert:
    case Mode::sse_gather:
    case Mode::sse_watch:
        return true;
    case Mode::error:
    case Mode::plain:
    case Mode::plain_convert:
    case Mode::passthrough:
        return false;
    }
    return false;
}

std::string_view Response::sign_of_life() const noexcept
{
    const bool between_events = state_ == State::more && streaming()
        && has_events()
        && !std::holds_alternative<wire::JsonArrayFramer>(framer_);
    return between_events ? policy::sign_of_life(context_.api)
                          : std::string_view();
}

bool Response::spoke() const noexcept
{
    return first_token_ != 0 || (mode_ == Mode::passthrough && fed_ != 0);
}

std::string Response::take_body()
{
    return std::move(gathered_);
}

int Response::client_status() const noexcept
{
    return mode_ == Mode::error || state_ == State::failed
        ? error_.http_status()
        : status_;
}

std::string_view Response::content_type() const noexcept
{
    return content_type_;
}

std::string Response::error_event(const Error& error)
{
    std::string event;
    const auto* array = std::get_if<wire::JsonArrayFramer>(&framer_);
    if (array != nullptr && array->open()) {
        event = ",\r\n";
        dialect::write_error_body(event, dialect::Dialect::gemini, error);
        event += ']';
        return event;
    }
    if (watch_ && context_.api == Api::responses) {
        dialect::write_responses_error_event(event, error, watch_->events());
        return event;
    }
    if (conversion_ && conversion_->stream
        && !conversion_->writer->fail(event, error))
    {
        event.clear();
    }
    return event;
}

std::optional<uint64_t> Response::content_length() const noexcept
{
    return mode_ == Mode::passthrough ? length_ : std::nullopt;
}

} // namespace ai_proxy::policy
