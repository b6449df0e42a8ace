#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/base/text.h"
#include "core/dialect/error_writer.h"
#include "core/dialect/gemini_caller.h"
#include "core/policy/affinity.h"
#include "core/policy/plugin_limits.h"
#include "core/policy/prompt_prefix.h"
#include "core/policy/realtime.h"
#include "core/provider/registry.h"
#include "core/usage/estimate.h"

#include <algorithm>

namespace ai_proxy::policy {

namespace {

using dialect::Api;
using dialect::BodyKind;

// APIs whose POST body is a JSON object that names a model.
bool has_json_model(Api api) noexcept
{
    switch (api) {
    case Api::chat_completions:
    case Api::completions:
    case Api::embeddings:
    case Api::audio_speech:
    case Api::image_generations:
    case Api::image_variations:
    case Api::image_edits:
    case Api::responses:
    case Api::responses_compact:
    case Api::responses_count:
    case Api::videos:
    case Api::moderations:
    case Api::rerank:
    case Api::messages:
    case Api::messages_count:
    case Api::complete:
    case Api::gemini_generate:
    case Api::gemini_stream:
    case Api::gemini_count:
        return true;
    case Api::gemini_models:
    case Api::gemini_model:
    case Api::unknown:
    case Api::audio_transcriptions:
    case Api::audio_translations:
    case Api::realtime:
    case Api::batches:
    case Api::batch:
    case Api::batch_cancel:
    case Api::files:
    case Api::file:
    case Api::file_content:
    case Api::models:
    case Api::model:
    case Api::fine_tuning:
    case Api::response:
    case Api::video:
        return false;
    }
    return false;
}

// APIs whose form has a part named "model".
bool has_form_model(Api api) noexcept
{
    return api == Api::audio_transcriptions || api == Api::audio_translations
        || api == Api::image_edits || api == Api::image_variations
        || api == Api::videos;
}

bool has_body(std::string_view method) noexcept
{
    return method == "POST" || method == "PUT" || method == "PATCH";
}

// Clients that forget the content type (curl -d) still mean JSON.
BodyKind kind_of(Api api, const ClientHead& head) noexcept
{
    if (!has_body(head.method)) {
        return BodyKind::none;
    }
    if (istarts_with(trim(head.content_type), "multipart/form-data")) {
        if (has_form_model(api)) {
            return BodyKind::multipart;
        }
    }
    return has_json_model(api) ? BodyKind::json : BodyKind::raw;
}

Error no_model()
{
    return make_error(ErrorCode::invalid_request,
        "you must provide a model parameter", "model");
}

template <class List>
int index_of(const List& list, const void* item) noexcept
{
    for (size_t i = 0; i < list.size(); ++i) {
        if (list[i].get() == item) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

} // namespace

dialect::Dialect dialect_for(Api api, std::span<const Header> headers) noexcept
{
    if (api != Api::models && api != Api::model) {
        return dialect::dialect_of(api);
    }
    for (const Header& field : headers) {
        if (iequals(field.name, "anthropic-version")) {
            return dialect::Dialect::anthropic;
        }
        if (iequals(field.name, "x-goog-api-key")) {
            return dialect::Dialect::gemini;
        }
    }
    return dialect::Dialect::openai;
}

namespace {

// Google's clients may name their key in the query: it ends here.
std::string without_key(std::string_view query)
{
    std::string kept;
    while (!query.empty()) {
        const size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (!pair.starts_with("key=") && !pair.empty()) {
            kept += kept.empty() ? "" : "&";
            kept += pair;
        }
    }
    return kept;
}

} // namespace

Exchange::Exchange(const config::Gateway& gateway, const config::Site& site,
    const ClientHead& head, Micros now, json::Parser* parser)
    : gateway_(gateway), site_(site), head_(head), shared_(parser)
{
    books_.api = dialect::recognise(head_.path);
    books_.begin = now;
    dialect_ = dialect_for(books_.api, head_.headers);
    caller_ = dialect::find_caller(books_.api);
    kind_ = kind_of(books_.api, head_);
    query_ = has_path_model() || dialect_ == dialect::Dialect::gemini
        ? without_key(head_.query)
        : std::string(head_.query);
    path_ = dialect::canonical_path(books_.api, head_.path);
}

Exchange::~Exchange() = default;

dialect::BodyKind Exchange::body_kind() const noexcept
{
    return kind_;
}

bool Exchange::is_chat() const noexcept
{
    return books_.api == Api::chat_completions && kind_ == BodyKind::json;
}

bool Exchange::converts(
    const provider::Options& options, std::string_view model) const noexcept
{
    return caller_ != nullptr && kind_ == BodyKind::json && !options.original
        && !provider::native(options, books_.api, model);
}

bool Exchange::has_path_model() const noexcept
{
    return books_.api == Api::gemini_generate
        || books_.api == Api::gemini_stream || books_.api == Api::gemini_count;
}

bool Exchange::has_model() const noexcept
{
    return kind_ == BodyKind::json || kind_ == BodyKind::multipart
        || (books_.api == Api::realtime && !path_model_.empty());
}

Result<void> Exchange::receive(const char* body, size_t length, async::Io* io)
{
    body_ = body;
    body_length_ = length;
    if (kind_ == BodyKind::json) {
        if (caller_ != nullptr && io != nullptr && has_prompts()) {
            if (auto applied = apply_prompts(*io); !applied) {
                return applied;
            }
        }
        if (site_.plugins.model_mapper != nullptr) {
            map_other_key();
        }
        if (auto read = read_json(); !read) {
            return read;
        }
    } else if (kind_ == BodyKind::multipart) {
        if (auto read = read_form(); !read) {
            return read;
        }
    } else if (books_.api == Api::realtime && head_.method == "GET") {
        if (!head_.websocket) {
            Error error = make_error(ErrorCode::invalid_request,
                "the realtime API wants a WebSocket over HTTP/1.1");
            error.status = 426;
            return error;
        }
        read_realtime();
    } else if (books_.api == Api::responses && head_.method == "GET"
        && head_.websocket)
    {
        // Clients that know both take this for the sign to fall back.
        Error error = make_error(ErrorCode::invalid_request,
            "Responses are not served over WebSocket here; use HTTP.");
        error.status = 426;
        return error;
    }
    if (auto allowed = check_consumer(); !allowed) {
        return allowed;
    }
    if (site_.plugins.model_router != nullptr) {
        ask_model_router();
    }
    auto chosen = choose_route(
        chosen_model_.empty() ? books_.request_model : chosen_model_);
    if (chosen) {
        chosen = check_counted();
    }
    if (chosen) {
        choose_affinity();
        set_limits();
        set_plugin_limits();
    }
    return chosen;
}

void Exchange::read_realtime()
{
    path_model_ = realtime_model(head_.query);
    books_.request_model = path_model_;
    query_ = realtime_query(head_.query);
}

void Exchange::choose_affinity()
{
    affinity_ = books_.api == Api::unknown && is_kept(path_)
        ? route::Affinity::only
        : affinity_of(books_.api);
    const bool responses = dialect::is_responses(books_.api);
    const bool answers = responses && books_.api != Api::responses_count;
    if (responses && kind_ == BodyKind::json) {
        // What is not stored is not asked for again, and who answers by chat
        // stores nothing.
        const bool follows = document_["previous_response_id"].has_value()
            || document_["conversation"].has_value();
        const bool stored = answers
            && document_["store"].boolean().value_or(true)
            && std::any_of(route_->targets.begin(), route_->targets.end(),
                [this](const route::Target& target) {
                    return provider::native(
                        gateway_.providers[target.provider]->options,
                        Api::responses);
                });
        affinity_ = follows ? route::Affinity::only
            : stored        ? route::Affinity::first
                            : route::Affinity::none;
    }
    const bool chat = books_.api == Api::chat_completions
        || books_.api == Api::messages || responses;
    if (chat && kind_ == BodyKind::json && names_file(document_)) {
        affinity_ = route::Affinity::only;
    }
}

uint64_t Exchange::client_number() const noexcept
{
    return consumer_hash(head_);
}

bool Exchange::may_race() const noexcept
{
    // Only what a model says and nobody keeps.
    const bool asks = caller_ != nullptr || books_.api == Api::chat_completions
        || books_.api == Api::completions || books_.api == Api::embeddings;
    return asks && kind_ == BodyKind::json
        && affinity_ == route::Affinity::none;
}

uint64_t Exchange::prompt_prefix(size_t bytes)
{
    if (kind_ != BodyKind::json) {
        return 0;
    }
    const auto body = document();
    return body ? policy::prompt_prefix(*body, bytes) : 0;
}

Result<json::Node> Exchange::document()
{
    // What a shared parser once needed it keeps: big bodies get their own.
    constexpr size_t kShared = 256 * 1024;
    const bool apart = shared_ == nullptr || body_length_ > kShared;
    if (own_
        || (!apart && generation_ != 0 && generation_ == shared_->generation()))
    {
        return document_;
    }
    if (apart) {
        own_ = std::make_unique<json::Parser>();
    }
    auto parsed = (apart ? own_.get() : shared_)->parse(body_, body_length_);
    if (!parsed) {
        own_.reset();
        return parsed;
    }
    generation_ = apart ? 0 : shared_->generation();
    document_ = *parsed;
    return document_;
}

Result<void> Exchange::read_json()
{
    auto parsed = document();
    if (!parsed) {
        return std::move(parsed).error();
    }
    if (!document_.is_object()) {
        return make_error(ErrorCode::invalid_request,
            "the request body must be a JSON object");
    }
    if (auto unique = json::check_unique_keys(document_); !unique) {
        return unique;
    }
    auto envelope = dialect::read_envelope(document_);
    if (!envelope) {
        return std::move(envelope).error();
    }
    envelope_ = *envelope;
    if (has_path_model()) {
        path_model_ = dialect::gemini_model(path_);
        envelope_.model = path_model_;
        envelope_.stream = books_.api == Api::gemini_stream;
    }
    if (site_.client_abort.policy != config::ClientAbort::Policy::cancel
        || !site_.token_limits.empty())
    {
        prompt_ = usage::estimate_request(document_);
    }
    books_.request_model = envelope_.model;
    books_.stream = envelope_.stream;
    if (auto fits = check_context(); !fits) {
        return fits;
    }
    const bool checked = caller_ != nullptr && caller_->check != nullptr;
    return checked ? caller_->check(document_) : Result<void>();
}

Result<void> Exchange::read_form()
{
    const std::string_view body(body_, body_length_);
    boundary_ = wire::multipart_boundary(head_.content_type);
    if (boundary_.empty()) {
        return make_error(ErrorCode::invalid_request,
            "the content type of the request has no valid boundary");
    }
    form_ = wire::find_form_field(body, boundary_, "model");
    if (!form_.closed) {
        return make_error(ErrorCode::invalid_request,
            "the multipart request body is cut short");
    }
    if (form_.count > 1) {
        return make_error(ErrorCode::invalid_request,
            "the form has more than one part named \"model\"", "model");
    }
    if (form_.count == 1) {
        books_.request_model =
            body.substr(form_.begin, form_.end - form_.begin);
    }
    return {};
}

bool Exchange::some_target_names_a_model(const route::Route& route) const
{
    const auto names = [this, &route](const route::Target& target) {
        return !model_at(route, target, "").empty();
    };
    return std::any_of(route.targets.begin(), route.targets.end(), names);
}

Error Exchange::unknown_model(std::string_view model)
{
    std::string message = "The model `";
    message += model;
    message += "` does not exist or is not served here";
    Error error =
        make_error(ErrorCode::model_not_found, std::move(message), "model");
    error.provider_code = "model_not_found";
    return error;
}

Result<void> Exchange::choose_route(std::string_view model)
{
    if (site_.routes.empty()) {
        return make_error(ErrorCode::internal, "nothing is configured here");
    }
    if (!has_model()) {
        return take_route(route_of_api());
    }
    const std::string mapped = site_.model_map.map(model);
    const auto found = std::find_if(
        site_.routes.begin(), site_.routes.end(), [&](const route::Route* r) {
            // Routes may be written for "provider/model" as well.
            return r->matches(mapped)
                || (!chosen_model_.empty() && r->matches(books_.request_model));
        });
    if (found == site_.routes.end()) {
        if (!mapped.empty()) {
            return unknown_model(model.empty() ? mapped : model);
        }
        if (is_chat()) {
            return no_model();
        }
        return take_route(*site_.routes.front());
    }
    routed_model_ = (*found)->model_map.map(mapped);
    if (is_chat() && routed_model_.empty()
        && !some_target_names_a_model(**found)) {
        return no_model();
    }
    return take_route(**found);
}

const route::Route& Exchange::route_of_api() const noexcept
{
    for (const route::Route* route : site_.routes) {
        for (const route::Target& target : route->targets) {
            if (provider::supports(
                    gateway_.providers[target.provider]->options, books_.api))
            {
                return *route;
            }
        }
    }
    return *site_.routes.front();
}

Result<void> Exchange::take_route(const route::Route& route)
{
    route_ = &route;
    books_.route = index_of(gateway_.routes, route_);
    return {};
}

void Exchange::record(
    const Try& attempt, ErrorCode code, Micros begin, Micros end)
{
    TryRecord record;
    record.provider = attempt.provider_index;
    record.key = attempt.key;
    record.code = code;
    record.begin = begin;
    record.end = end;
    record.model = attempt.model;
    books_.provider = attempt.provider_index;
    books_.model = attempt.model;
    note_price(attempt);
    if (attempt.response) {
        const Response& response = *attempt.response;
        record.status = response.status();
        note_usage(response);
        if (response.finish() != chat::Finish::none) {
            books_.finish = response.finish();
        }
        if (response.first_token() != 0) {
            books_.first_token = response.first_token();
        }
    }
    books_.tries.push_back(std::move(record));
}

Reply Exchange::error_reply(const Error& error)
{
    Reply reply;
    reply.status = error.http_status();
    dialect::write_error_body(reply.body, dialect_, error);
    books_.status = reply.status;
    books_.error = error.code;
    return reply;
}

std::string Exchange::reply_event(const Reply& reply)
{
    if (books_.error == ErrorCode::none) {
        return error_event(make_error(ErrorCode::upstream_invalid,
            "The provider did not answer with a stream."));
    }
    if (reply.content_type.starts_with("text/plain")) {
        return error_event(make_error(books_.error, reply.body));
    }
    std::string event =
        dialect_ == dialect::Dialect::anthropic ? "event: error\n" : "";
    event.append("data: ").append(reply.body).append("\n\n");
    return event;
}

std::string Exchange::error_event(const Error& error)
{
    std::string event;
    dialect::write_error_event(event, dialect_, error);
    books_.error = error.code;
    return event;
}

void Exchange::release_trees() noexcept
{
    hub_text_ = {};
    hub_body_ = {};
    hub_.reset();
    if (own_) {
        own_.reset();
        document_ = {};
    }
}

void Exchange::release_body() noexcept
{
    release_trees();
    head_.headers = {};
    document_ = {};
    envelope_.model = {};
    generation_ = 0;
    body_ = nullptr;
    body_length_ = 0;
    made_body_ = {};
    file_text_.reset();
}

} // namespace ai_proxy::policy
