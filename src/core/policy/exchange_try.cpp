#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/policy/foreign_reasoning.h"
#include "core/policy/image_form.h"
#include "core/policy/realtime.h"
#include "core/policy/thought_filter.h"
#include "core/provider/header_fields.h"
#include "core/provider/registry.h"
#include "core/provider/result_parts.h"
#include "core/provider/shape.h"
#include "core/provider/signer.h"
#include "core/provider/spark.h"
#include "core/provider/vertex.h"

#include <algorithm>
#include <array>
#include <functional>

// What one try sends.
namespace ai_proxy::policy {

namespace {

using dialect::Api;
using dialect::BodyKind;

// Fields of the client that end here: those of its connection (RFC 9110
// 7.6.1), those that say who it is, and those the gateway sets itself.
constexpr std::array<std::string_view, 30> kNotRelayed{"accept",
    "accept-encoding", "api-key", "authorization", "connection",
    "content-length", "content-type", "cookie", "expect", "forwarded", "host",
    "keep-alive", "http2-settings", "origin", "proxy-authorization",
    "proxy-connection", "referer", "te", "trailer", "transfer-encoding",
    "upgrade", "via", "x-api-key", "x-authorization", "x-goog-api-key",
    "x-hi-original-auth", "x-mock", "x-mse-consumer", "x-real-ip",
    "ocp-apim-subscription-key"};

bool is_relayed(std::string_view name) noexcept
{
    return !istarts_with(name, "x-forwarded-") && !istarts_with(name, "sec-")
        && std::none_of(kNotRelayed.begin(), kNotRelayed.end(),
            [name](std::string_view kept) { return iequals(kept, name); });
}

// A header value must not end its line.
bool is_clean(std::string_view value) noexcept
{
    constexpr size_t none = std::string_view::npos;
    return value.find('\r') == none && value.find('\n') == none
        && value.find('\0') == none;
}

bool within(std::string_view piece, const char* begin, size_t length) noexcept
{
    const std::less<const char*> before;
    return !before(piece.data(), begin)
        && !before(begin + length, piece.data() + piece.size());
}

// The edited text; what is not the client's own bytes is copied.
void set_body(provider::Outbound& out, const json::Splice& splice,
    const char* body, size_t length)
{
    for (std::string_view piece : splice.pieces()) {
        if (!within(piece, body, length)) {
            out.owned.push_back(std::make_unique<std::string>(piece));
            piece = *out.owned.back();
        }
        out.body.push_back(piece);
    }
}

std::string quoted(std::string_view text)
{
    std::string out;
    json::append_string(out, text);
    return out;
}

// Sets include_usage and keeps the other members.
void ask_for_usage(json::Splice& splice)
{
    const std::string_view raw = splice.raw("stream_options");
    if (raw.empty() || raw == "null") {
        splice.set("stream_options", R"({"include_usage":true})");
        return;
    }
    auto options = json::Splice::scan(raw.data(), raw.size());
    if (options) {
        options->set("include_usage", "true");
        splice.set("stream_options", options->text());
    }
}

// The APIs that Type::adjust knows the bodies of.
bool is_adjusted(Api api) noexcept
{
    return api == Api::chat_completions || api == Api::completions
        || api == Api::embeddings || api == Api::image_generations;
}

std::string answer_id(std::string_view prefix, uint64_t random)
{
    std::string id(prefix);
    append_hex(id, random);
    return id;
}

// Dify's and Coze's conversations, as the client was told them.
std::string_view conversation(const ClientHead& head) noexcept
{
    for (const Header& field : head.headers) {
        if (iequals(field.name, "conversationid") && is_clean(field.value)) {
            return trim(field.value);
        }
    }
    return {};
}

// Are relayed chats answered in words that must be read all the same?
bool rewrites_answers(const provider::Options& options) noexcept
{
    return !options.original
        && (ThoughtFilter::wanted(options) || provider::is_spark(options));
}

const provider::Protocol& protocol_for(const provider::Options& options)
{
    return provider::relays(options) ? provider::kOpenai
                                     : provider::protocol(options);
}

Result<void> say(chat::Request& request, const provider::EncodeContext& context,
    provider::Outbound& out)
{
    const provider::Protocol& protocol = protocol_for(context.options);
    const provider::Vocabulary* words = protocol.vocabulary(context);
    if (context.dropped != nullptr && words != nullptr) {
        provider::note_unsaid(*words, request, *context.dropped);
    }
    if (const auto own = provider::signer(context.options, context.model); own)
    {
        provider::keep_own_reasoning(request, *own);
    }
    provider::move_result_parts(request, protocol);
    return protocol.encode(request, context, out);
}

} // namespace

Result<std::unique_ptr<Try>> Exchange::make_try(const route::Target& target,
    uint32_t key, int64_t now_seconds, uint64_t random,
    std::string_view access_token)
{
    const config::Provider& provider = *gateway_.providers[target.provider];
    auto attempt = std::make_unique<Try>();
    attempt->provider_index = target.provider;
    attempt->key = key;
    attempt->provider = &provider;

    std::string model;
    if (has_model()) {
        model = model_at(*route_, target, routed_model_);
    }
    attempt->model = model;
    books_.provider = target.provider;
    books_.model = model;
    if (limits_ != nullptr) {
        limits_->set_price(price_of(target.provider, model));
    }
    const bool converts = this->converts(provider.options, model);
    if ((is_chat() || converts) && model.empty()) {
        return make_error(ErrorCode::invalid_request,
            "you must provide a model parameter", "model");
    }

    chat::Dropped dropped;
    provider::EncodeContext context{
        provider.options, model, now_seconds, random};
    context.conversation = conversation(head_);
    context.dropped = site_.strict ? &dropped : nullptr;
    const bool is_image_form = kind_ == BodyKind::multipart
        && (books_.api == Api::image_edits
            || books_.api == Api::image_variations);
    attempt->translation = kind_ == BodyKind::json || is_image_form
        ? provider::translation(provider.options, books_.api)
        : nullptr;
    if (converts && caller_->answer != nullptr) {
        auto body = document();
        if (!body) {
            return std::move(body).error();
        }
        attempt->reply.emplace();
        attempt->reply->status = 200;
        caller_->answer(*body, attempt->reply->body);
        return attempt;
    }
    attempt->api = converts ? Api::chat_completions : books_.api;
    auto encoded = attempt->translation != nullptr
        ? encode_translated(context, *attempt)
        : converts ? encode_chat(context, *attempt)
                   : encode_relay(context, *attempt);
    if (!encoded) {
        return std::move(encoded).error();
    }
    complete(context, access_token, *attempt);
    return attempt;
}

void Exchange::complete(const provider::EncodeContext& context,
    std::string_view access_token, Try& attempt)
{
    const provider::Options& options = context.options;
    provider::Outbound& out = attempt.outbound;
    out.path = provider::with_base_paths(options, std::move(out.path));
    provider::add_credential(
        options, attempt.key, client_credential(options), access_token, out);
    // The operator's word is the last one.
    for (const auto& [name, value] : options.headers) {
        provider::set_header(out, name, value);
    }
    provider::sign(
        options, attempt.provider->endpoint, context.now_seconds, out);
    attempt.response =
        std::make_unique<Response>(response_context(context, attempt));
}

ResponseContext Exchange::response_context(
    const provider::EncodeContext& context, const Try& attempt) const
{
    ResponseContext response;
    response.provider = attempt.provider;
    response.api = books_.api;
    // Thoughts are sorted in the canonical form.
    response.convert = converts(context.options, context.model)
        || (is_chat() && rewrites_answers(context.options));
    response.translation = attempt.translation;
    response.base64 = attempt.base64;
    response.echo = response.convert ? echo_ : std::string();
    response.stream = envelope_.stream;
    response.json_array = response.convert && books_.api == Api::gemini_stream
        && query_value(head_.query, "alt").value_or("") != "sse";
    response.show_usage = envelope_.include_usage;
    response.no_body = head_.method == "HEAD";
    response.model = context.model;
    response.fallback_id =
        answer_id(caller_ ? caller_->id_prefix : "cmpl-", context.random);
    response.now_seconds = context.now_seconds;
    response.random = context.random;
    response.parser = shared_;
    response.tally = counts_tokens();
    response.meter =
        limits_ != nullptr && limits_->may_end() ? limits_.get() : nullptr;
    return response;
}

// The client's body as the provider's options want it; empty: as it came.
Result<std::string> Exchange::shaped(
    const provider::Options& options, json::Node body) const
{
    const bool chat = is_chat() || books_.api == Api::completions;
    if (!chat || options.original || !provider::shapes(options)) {
        return std::string();
    }
    return provider::shape_chat(
        options, context_of(options), {body_, body_length_}, body);
}

Result<void> Exchange::encode_shaped(const provider::EncodeContext& context,
    const std::string& text, Try& attempt)
{
    json::Parser parser;
    auto body = parser.parse(std::string_view(text));
    if (!body) {
        return std::move(body).error();
    }
    auto request = dialect::read_chat(*body);
    if (!request) {
        return std::move(request).error();
    }
    return say(*request, context, attempt.outbound);
}

Result<json::Node> Exchange::chat_body()
{
    auto body = document();
    if (!body || caller_->to_chat == nullptr) {
        return body;
    }
    if (hub_) {
        return hub_body_;
    }
    dropped_.clear();
    hub_text_.clear();
    const dialect::ClientRequest asked{
        *body, books_.request_model, envelope_.stream, dropped_};
    if (auto done = caller_->to_chat(asked, hub_text_); !done) {
        return std::move(done).error();
    }
    return read_hub();
}

Result<json::Node> Exchange::read_hub()
{
    auto parser = std::make_unique<json::Parser>();
    auto parsed = parser->parse(std::string_view(hub_text_));
    if (parsed) {
        hub_ = std::move(parser);
        hub_body_ = *parsed;
    }
    return parsed;
}

Result<void> Exchange::encode_request(
    const provider::EncodeContext& context, Try& attempt)
{
    const provider::Options& options = context.options;
    if (provider::shapes(options)) {
        auto body = chat_body();
        if (!body) {
            return std::move(body).error();
        }
        const std::string_view text = hub_
            ? std::string_view(hub_text_)
            : std::string_view(body_, body_length_);
        auto made =
            provider::shape_chat(options, context_of(options), text, *body);
        if (!made) {
            return std::move(made).error();
        }
        return encode_shaped(
            context, made->empty() ? std::string(text) : *made, attempt);
    }
    auto body = chat_body();
    if (!body) {
        return std::move(body).error();
    }
    auto request = dialect::read_chat(*body);
    if (!request) {
        return std::move(request).error();
    }
    return say(*request, context, attempt.outbound);
}

Result<void> Exchange::encode_chat(
    const provider::EncodeContext& context, Try& attempt)
{
    const provider::Options& options = context.options;
    provider::Outbound& out = attempt.outbound;
    auto encoded = encode_request(context, attempt);
    if (encoded && caller_->echo != nullptr && echo_.empty()) {
        if (auto body = document(); body) {
            echo_ = caller_->echo(*body);
        }
    }
    // A tree is many times the size of its text: another try reads it again.
    release_trees();
    if (!encoded) {
        return encoded;
    }
    if (auto allowed = check_dropped(context); !allowed) {
        return allowed;
    }
    if (!provider::relays(options)) {
        out.path =
            provider::join_path(attempt.provider->endpoint.path, out.path);
        return {};
    }
    auto path = provider::relay_path(options, attempt.provider->endpoint,
        Api::chat_completions, "/v1/chat/completions", {}, context.model);
    if (!path) {
        return std::move(path).error();
    }
    out.path = std::move(*path);
    return {};
}

Result<json::Node> Exchange::asked_body()
{
    if (kind_ == BodyKind::json) {
        return document();
    }
    if (hub_) {
        return hub_body_;
    }
    auto text = read_image_form(
        {body_, body_length_}, boundary_, books_.api == Api::image_edits);
    if (!text) {
        return std::move(text).error();
    }
    hub_text_ = std::move(*text);
    return read_hub();
}

Result<void> Exchange::encode_translated(
    const provider::EncodeContext& context, Try& attempt)
{
    if (context.model.empty()) {
        return make_error(ErrorCode::invalid_request,
            "you must provide a model parameter", "model");
    }
    auto body = asked_body();
    if (!body) {
        return std::move(body).error();
    }
    provider::Outbound& out = attempt.outbound;
    const provider::Translation& words = *attempt.translation;
    if (context.dropped != nullptr) {
        provider::note_unsaid(words.vocabulary, *body, *context.dropped);
    }
    if (auto encoded = words.encode(*body, context, out); !encoded) {
        return encoded;
    }
    if (auto allowed = check_dropped(context); !allowed) {
        return allowed;
    }
    attempt.base64 = (*body)["encoding_format"].string_or() == "base64";
    if (kind_ != BodyKind::json) {
        release_trees();
    }
    out.path = provider::join_path(attempt.provider->endpoint.path, out.path);
    return {};
}

// With ai_proxy_strict nothing is left out without a word.
Result<void> Exchange::check_dropped(
    const provider::EncodeContext& context) const
{
    if (!site_.strict) {
        return {};
    }
    const chat::Dropped& first = dropped_.empty() ? *context.dropped : dropped_;
    if (first.empty()) {
        return {};
    }
    const std::string& field = first.fields().front();
    return make_error(ErrorCode::invalid_request,
        "\"" + field + "\" cannot be said to the provider \""
            + context.options.name + "\"",
        field);
}

Result<void> Exchange::encode_relay(
    const provider::EncodeContext& context, Try& attempt)
{
    if (is_upgrade()
        && (context.options.type->mock || !context.options.location.empty()))
    {
        return make_error(ErrorCode::unsupported_api,
            "provider \"" + context.options.name + "\" has no realtime API");
    }
    const bool claude =
        provider::vertex_relays(context.options, books_.api, context.model);
    auto path = claude
        ? Result<std::string>(
            provider::join_path(attempt.provider->endpoint.path,
                provider::vertex_claude_path(
                    context.options, context.model, envelope_.stream)))
        : provider::relay_path(context.options, attempt.provider->endpoint,
            books_.api, path_, query_, context.model);
    if (!path) {
        return std::move(path).error();
    }
    provider::Outbound& out = attempt.outbound;
    out.path = std::move(*path);
    out.method = head_.method;
    relay_headers(attempt);
    if (is_upgrade()) {
        add_realtime_model(context.options, context.model, out.path);
        add_handshake(head_,
            head_.credential_ended || !context.options.api_tokens.empty(), out);
    }
    if (kind_ == BodyKind::json) {
        return relay_json(context, attempt);
    }
    if (kind_ == BodyKind::multipart) {
        relay_form(context.model, attempt);
    } else if (body_length_ != 0) {
        out.body.emplace_back(body_, body_length_);
    }
    return {};
}

Result<void> Exchange::relay_json(
    const provider::EncodeContext& context, Try& attempt)
{
    if (context.options.original) {
        attempt.outbound.body.emplace_back(body_, body_length_);
        return {};
    }
    const char* text = body_;
    size_t length = body_length_;
    if (provider::shapes(context.options)) {
        auto body = document();
        if (!body) {
            return std::move(body).error();
        }
        auto made = shaped(context.options, *body);
        if (!made) {
            return std::move(made).error();
        }
        if (!made->empty()) {
            length = made->size();
            made->append(json::kPadding, ' ');
            attempt.outbound.owned.push_back(
                std::make_unique<std::string>(std::move(*made)));
            text = attempt.outbound.owned.back()->data();
        }
    }
    auto splice = json::Splice::scan(text, length);
    if (!splice) {
        return std::move(splice).error();
    }
    if (!context.model.empty() && context.model != books_.request_model
        && !has_path_model())
    {
        splice->set("model", quoted(context.model));
    }
    const provider::Type& type = *context.options.type;
    const bool completion = is_chat() || books_.api == Api::completions;
    if (completion && envelope_.stream && !envelope_.include_usage
        && type.stream_options && context.options.stream_options)
    {
        ask_for_usage(*splice);
    }
    drop_foreign_reasoning(books_.api, context, *splice);
    if (provider::vertex_relays(context.options, books_.api, context.model)) {
        provider::adapt_vertex_messages(*splice, attempt.outbound);
    }
    if (is_adjusted(books_.api) && type.adjust != nullptr) {
        json::Parser own;
        auto body = text == body_ ? document() : own.parse(text, length);
        if (!body) {
            return std::move(body).error();
        }
        if (auto done = type.adjust(*splice, *body, context); !done) {
            return done;
        }
    }
    set_body(attempt.outbound, *splice, text, length);
    return {};
}

void Exchange::relay_form(std::string_view model, Try& attempt)
{
    provider::Outbound& out = attempt.outbound;
    const std::string_view body(body_, body_length_);
    if (model.empty() || (form_.count != 0 && model == books_.request_model)) {
        out.body.push_back(body);
        return;
    }
    const bool named = form_.count != 0;
    out.body.push_back(body.substr(0, named ? form_.begin : form_.close));
    out.owned.push_back(std::make_unique<std::string>(named
            ? std::string(model)
            : wire::form_part(boundary_, "model", model)));
    out.body.push_back(*out.owned.back());
    out.body.push_back(body.substr(named ? form_.end : form_.close));
}

void Exchange::relay_headers(Try& attempt)
{
    provider::Outbound& out = attempt.outbound;
    // With room for the credential and what the gateway adds.
    out.headers.reserve(head_.headers.size() + 6);
    for (const Header& field : head_.headers) {
        if (is_relayed(field.name) && is_clean(field.value)) {
            out.header(field.name, field.value);
        }
    }
    for (const auto& [name, value] : added_headers_) {
        if (is_clean(value)) {
            provider::set_header(out, name, value);
        }
    }
    if (kind_ == BodyKind::json) {
        out.header("Content-Type",
            istarts_with(trim(head_.content_type), "application/json")
                ? head_.content_type
                : "application/json");
    } else if (!head_.content_type.empty() && body_length_ != 0) {
        out.header("Content-Type", head_.content_type);
    }
    if (books_.api == Api::messages || books_.api == Api::messages_count) {
        provider::add_anthropic_version(attempt.provider->options, out);
    }
    if (envelope_.stream && !has_path_model()) {
        out.header("Accept", "text/event-stream");
    } else if (!head_.accept.empty()) {
        out.header("Accept", head_.accept);
    }
}

} // namespace ai_proxy::policy
