#pragma once

#include "core/chat/request.h"
#include "core/config/gateway.h"
#include "core/consumer/consumer.h"
#include "core/dialect/caller.h"
#include "core/dialect/chat_request.h"
#include "core/json/reader.h"
#include "core/json/splice.h"
#include "core/policy/books.h"
#include "core/policy/response.h"
#include "core/policy/token_limits.h"
#include "core/provider/protocol.h"
#include "core/route/route.h"
#include "core/wire/multipart.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::async {
class Io;
}

namespace ai_proxy::policy {

class PluginLimits;

// The client's request line and the header fields that matter here.  Views
// live as long as the request.
struct ClientHead {
    std::string_view method;
    std::string_view path;  // undecoded, without query
    std::string_view query; // without '?'
    std::string_view content_type;
    std::string_view authorization;
    std::string_view accept;
    std::string_view address; // of the client
    std::string_view host;    // without port, in lower case
    bool websocket = false;   // asks to go on as a WebSocket
    // Who it is, if that was asked; what proved it is not in the other members.
    const consumer::Consumer* consumer = nullptr;
    bool credential_ended = false; // it was looked for, nothing goes on
    // All header fields, for those that go on to the provider of a relayed
    // call.
    std::span<const Header> headers;
    // With credentials, where rules count by what clients send; nullopt: as
    // above.
    std::optional<std::span<const Header>> sent_headers;
    std::optional<std::string_view> sent_query;
};

// A complete answer made by the gateway or gathered from a provider.
struct Reply {
    int status = 500;
    std::string content_type = "application/json";
    std::vector<Response::Field> headers;
    std::string body;
};

// Texts of files at providers, each fetched once: what a file holds does not
// change.
class FileTexts {
public:
    using Text = std::shared_ptr<const std::string>;
    [[nodiscard]] Text of(uint16_t provider) const noexcept
    {
        return provider < texts_.size() ? texts_[provider] : nullptr;
    }
    void keep(uint16_t provider, std::string text);

private:
    std::vector<Text> texts_; // by provider
};

// One try: the request to send and the codec of its response.
struct Try {
    uint16_t provider_index = 0;
    uint32_t key = 0;
    std::string model; // sent upstream
    const config::Provider* provider = nullptr;
    const provider::Translation* translation = nullptr;
    bool base64 = false;         // the client asked for vectors in base64
    provider::Outbound outbound; // views into the Exchange's body
    std::unique_ptr<Response> response;
    // What the provider is asked in: the caller's API or, converted, chat.
    dialect::Api api = dialect::Api::unknown;
    // Set: there is nothing to send, this is the answer.
    std::optional<Reply> reply;
    // Milliseconds that the try may take at most, 0: the provider's own.
    uint64_t most = 0;
    std::vector<Place> places; // that a realtime session holds
};

// The dialect of a call: a list of models is wanted in the words that the
// client speaks.
[[nodiscard]] dialect::Dialect dialect_for(
    dialect::Api api, std::span<const Header> headers) noexcept;

// One client request inside the core: what it asks for, where it may go, what
// each try sends, and the books.  No I/O: time and randomness are arguments.
class Exchange {
public:
    // parser: scratch of the worker that several requests share, or nullptr.
    Exchange(const config::Gateway& gateway, const config::Site& site,
        const ClientHead& head, Micros now, json::Parser* parser = nullptr);
    ~Exchange();

    // How the body must be handled, known from the head alone.
    [[nodiscard]] dialect::BodyKind body_kind() const noexcept;
    // The whole body, followed by json::kPadding readable bytes; must stay
    // unchanged until release_body().  Parses, checks, maps the model, chooses
    // the route.  Errors are for the client.  io: knows the variables of
    // texts that the location adds; without it there are none.
    [[nodiscard]] Result<void> receive(
        const char* body, size_t length, async::Io* io = nullptr);

    [[nodiscard]] const route::Route& route() const noexcept { return *route_; }

    // Prepares a try.  Errors: the request cannot be expressed for this
    // provider (unsupported_api, invalid_request), before any network I/O.
    [[nodiscard]] Result<std::unique_ptr<Try>> make_try(
        const route::Target& target, uint32_t key, int64_t now_seconds,
        uint64_t random, std::string_view access_token = {});

    // Is the answer a list of models of our own (serve_models)?
    [[nodiscard]] bool lists_models() const noexcept;
    // A try that asks a provider for its models.
    [[nodiscard]] Result<std::unique_ptr<Try>> make_list_try(uint16_t provider,
        int64_t now_seconds, uint64_t random, std::string_view access_token);
    // The list, or the one model that was asked for; noted in the books.
    [[nodiscard]] Reply models_reply(std::vector<dialect::Model> models);
    // Must the providers of the location be asked for it?
    [[nodiscard]] bool asks_for_models() const noexcept;

    // Request headers that the model router adds.
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>&
    added_headers() const noexcept
    {
        return added_headers_;
    }
    // Must a text be fetched before this provider can be asked (the file of
    // moonshot_file_id), and the try that does it.
    [[nodiscard]] bool wants_file(uint16_t provider);
    [[nodiscard]] Result<std::unique_ptr<Try>> make_file_try(
        uint16_t provider, uint32_t key, int64_t now_seconds, uint64_t random);
    [[nodiscard]] Result<void> take_file(Try& attempt);
    // Where such texts are kept for the requests to come.
    void keep_files(FileTexts& texts) noexcept { files_ = &texts; }

    // Must it come to where the client's other requests came to?
    [[nodiscard]] route::Affinity affinity() const noexcept
    {
        return affinity_;
    }
    // The client as a number.
    [[nodiscard]] uint64_t client_number() const noexcept;
    [[nodiscard]] const consumer::Consumer* consumer() const noexcept
    {
        return head_.consumer;
    }
    // What the prompt begins with as a number, 0: nothing.
    [[nodiscard]] uint64_t prompt_prefix(size_t bytes);
    // The model after the location's and the route's map.
    [[nodiscard]] std::string_view routed_model() const noexcept
    {
        return routed_model_;
    }

    // Does the connection become a WebSocket?
    [[nodiscard]] bool is_upgrade() const noexcept
    {
        return books_.api == dialect::Api::realtime && head_.websocket;
    }

    // May it be asked twice at once?
    [[nodiscard]] bool may_race() const noexcept;

    // Writes the outcome of a try into the books.
    void record(const Try& attempt, ErrorCode code, Micros begin, Micros end);

    // What the location's token limits make of the request; nullptr: there are
    // none, or it uses no tokens.
    [[nodiscard]] TokenLimits* limits() noexcept { return limits_.get(); }
    [[nodiscard]] const TokenLimits* limits() const noexcept
    {
        return limits_.get();
    }

    // The same of the limits of Higress' plugins.
    [[nodiscard]] PluginLimits* plugin_limits() const noexcept
    {
        return plugin_limits_.get();
    }

    // The client left before the answer was whole, and the provider was asked:
    // fills in what it has not counted yet, if the site wants that.
    void estimate_rest(const Response& response);

    // An error as a reply in the caller's dialect; noted in the books.
    [[nodiscard]] Reply error_reply(const Error& error);
    // The same in a stream of which the client has signs of life only.  A
    // plain answer cannot be given any more.
    [[nodiscard]] std::string reply_event(const Reply& reply);
    // An error as the last event of a stream that has begun; noted too.
    [[nodiscard]] std::string error_event(const Error& error);

    [[nodiscard]] const config::Gateway& gateway() const noexcept
    {
        return gateway_;
    }
    [[nodiscard]] const ClientHead& head() const noexcept { return head_; }
    [[nodiscard]] const config::Site& site() const noexcept { return site_; }
    [[nodiscard]] Books& books() noexcept { return books_; }
    [[nodiscard]] const Books& books() const noexcept { return books_; }

    // The request side is no longer needed (the response has begun): frees
    // the parsed document.
    void release_body() noexcept;

private:
    [[nodiscard]] bool is_chat() const noexcept;
    // Is the request of a kind that this provider gets converted?
    [[nodiscard]] bool converts(const provider::Options& options,
        std::string_view model = {}) const noexcept;
    [[nodiscard]] std::string_view client_credential(
        const provider::Options& options) const noexcept;
    // May the request name a model, and is it rewritten?
    [[nodiscard]] bool has_model() const noexcept;
    // Is the model named in the path, not in the body?
    [[nodiscard]] bool has_path_model() const noexcept;
    // The parsed body, for the turn of this event; parsed again when another
    // request has used the shared parser since.
    [[nodiscard]] Result<json::Node> document();
    void release_trees() noexcept;
    // Templates and decorators of the location.
    [[nodiscard]] bool has_prompts() const noexcept;
    [[nodiscard]] Result<void> apply_prompts(async::Io& io);
    [[nodiscard]] Result<void> apply_templates();
    [[nodiscard]] Result<void> decorate(
        const prompt::Decorations& rules, async::Io& io);
    [[nodiscard]] Result<void> check_context();
    // What rules of plugins go by, before the route is chosen.
    [[nodiscard]] config::Subject subject(json::Node body) const;
    void replace_body(std::string text);
    [[nodiscard]] Result<void> read_json();
    [[nodiscard]] Result<void> read_form();
    // May the consumer use what it asks for?
    [[nodiscard]] Result<void> check_consumer() const;
    [[nodiscard]] Result<void> check_model(std::string_view model) const;
    [[nodiscard]] bool restricted() const noexcept
    {
        return head_.consumer != nullptr && head_.consumer->restricted();
    }
    [[nodiscard]] Result<void> choose_route(std::string_view model);
    [[nodiscard]] static Error unknown_model(std::string_view model);
    [[nodiscard]] Result<void> take_route(const route::Route& route);
    // The first route with a provider that has the API; the first one.
    [[nodiscard]] const route::Route& route_of_api() const noexcept;
    void choose_affinity();
    void set_limits();
    void set_plugin_limits();
    // Of a model at a provider; nullptr: none, or nobody asks.
    [[nodiscard]] const usage::Price* price_of(
        uint16_t provider, std::string_view model) const noexcept;
    void note_price(const Try& attempt) noexcept;
    void ask_model_router();
    // What model-mapper makes of a member that is not the model.
    void map_other_key();
    void read_realtime();
    // What is the same for every try: paths, credentials, headers, codec.
    void complete(const provider::EncodeContext& context,
        std::string_view access_token, Try& attempt);
    [[nodiscard]] bool some_target_names_a_model(
        const route::Route& route) const;
    // The model as this target is asked for it.
    [[nodiscard]] std::string model_at(const route::Route& route,
        const route::Target& target, std::string_view model) const;

    // The text that the provider's options put into every chat.
    [[nodiscard]] std::string_view context_of(
        const provider::Options& options) const noexcept;
    // Reads hub_text_ as the body of the tries to come.
    [[nodiscard]] Result<json::Node> read_hub();
    // The request as OpenAI chat, whatever the caller speaks.
    [[nodiscard]] Result<json::Node> chat_body();
    [[nodiscard]] Result<void> encode_request(
        const provider::EncodeContext& context, Try& attempt);
    [[nodiscard]] Result<void> encode_chat(
        const provider::EncodeContext& context, Try& attempt);
    [[nodiscard]] Result<std::string> shaped(
        const provider::Options& options, json::Node body) const;
    [[nodiscard]] static Result<void> encode_shaped(
        const provider::EncodeContext& context, const std::string& text,
        Try& attempt);
    // What is to be translated: the JSON body, or a form as one.
    [[nodiscard]] Result<json::Node> asked_body();
    [[nodiscard]] Result<void> encode_translated(
        const provider::EncodeContext& context, Try& attempt);
    [[nodiscard]] Result<void> check_dropped(
        const provider::EncodeContext& context) const;
    [[nodiscard]] Result<void> encode_relay(
        const provider::EncodeContext& context, Try& attempt);
    [[nodiscard]] Result<void> relay_json(
        const provider::EncodeContext& context, Try& attempt);
    void relay_form(std::string_view model, Try& attempt);
    void relay_headers(Try& attempt);
    [[nodiscard]] ResponseContext response_context(
        const provider::EncodeContext& context, const Try& attempt) const;
    [[nodiscard]] bool uses_nothing() const noexcept;
    [[nodiscard]] bool has_quota() const;
    [[nodiscard]] Result<void> check_counted() const;
    [[nodiscard]] bool counts_tokens() const noexcept;
    void note_usage(const Response& response);
    void estimate_usage(const Response& response);

    const config::Gateway& gateway_;
    const config::Site& site_;
    ClientHead head_;
    dialect::Dialect dialect_;
    const dialect::Caller* caller_; // nullptr: only relayed
    dialect::BodyKind kind_;
    std::string_view path_; // canonical
    const char* body_ = nullptr;
    size_t body_length_ = 0;
    json::Parser* shared_;
    std::unique_ptr<json::Parser> own_;
    json::Node document_;
    uint64_t generation_ = 0; // of the shared parser, when it was ours
    dialect::Envelope envelope_;
    std::string path_model_; // gemini, realtime: the model is not in a body
    std::string query_;      // without what is the client's credential
    std::string boundary_;   // of a multipart body
    wire::FormField form_;   // where its model stands
    // The body as OpenAI chat, when the caller speaks another dialect.
    std::string echo_; // what an answer repeats of the request
    std::string hub_text_;
    std::unique_ptr<json::Parser> hub_; // set: hub_body_ is read
    json::Node hub_body_;
    chat::Dropped dropped_; // on the way into the hub
    const route::Route* route_ = nullptr;
    route::Affinity affinity_ = route::Affinity::none;
    int64_t prompt_ = 0; // estimated tokens, if the site wants them
    std::unique_ptr<TokenLimits> limits_;
    std::unique_ptr<PluginLimits> plugin_limits_;
    // What the model router makes of the request's model; "": nothing.
    std::string chosen_model_;
    std::vector<std::pair<std::string, std::string>> added_headers_;
    FileTexts* files_ = nullptr;
    FileTexts own_files_;       // where nobody keeps them
    FileTexts::Text file_text_; // for the try
    std::string made_body_;     // what templates and decorators made of it
    std::string routed_model_;  // after the location's and the route's map
    Books books_;
};

} // namespace ai_proxy::policy
