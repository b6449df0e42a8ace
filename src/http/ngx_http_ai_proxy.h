#pragma once

// What the files of the nginx module share: configuration, the context of a
// request, and the steps from one file to the next.

#include "ngx/ngx.h"
#include "ngx/bridge.h"

#include "http/ngx_http_ai_proxy_limits.h"
#include "http/ngx_http_ai_proxy_peer.h"
#include "http/ngx_http_ai_proxy_redis.h"
#include "http/ngx_http_ai_proxy_settle.h"
#include "http/ngx_http_ai_proxy_places.h"
#include "http/ngx_http_ai_proxy_token.h"
#include "http/ngx_http_ai_proxy_zone.h"

#include "core/async/frame_arena.h"
#include "core/async/io.h"
#include "core/async/task.h"
#include "core/config/gateway.h"
#include "core/config/plugin.h"
#include "core/config/plugin_auth.h"
#include "core/metrics/consumers.h"
#include "core/metrics/keys.h"
#include "core/policy/exchange.h"
#include "core/policy/realtime.h"
#include "core/policy/serve.h"
#include "core/policy/serve_models.h"
#include "core/provider/mock.h"
#include "core/wire/chunked.h"

#include <array>
#include <deque>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

extern "C" __attribute__((visibility("default")))
ngx_module_t ngx_http_ai_proxy_module;

namespace ai_proxy::http {

// A place in the configuration, for errors found after parsing.
struct Position {
    std::string file;
    ngx_uint_t line = 0;
};

// One directive kept for later, when all names are known.
struct Line {
    std::vector<std::string> words; // without the directive's own name
    Position position;
};

struct RouteBlock {
    std::string name;
    Position position;
    std::vector<Line> lines;
};

// A file of ai_proxy_plugin: what it says is in its plugin's member.
struct PluginFile {
    const config::Plugin* plugin;
    std::string path;
    config::Plugins plugins;
};

// What nginx needs to connect to a provider.
struct Upstream {
    ngx_http_upstream_conf_t head_conf;  // until the response header is read
    ngx_http_upstream_conf_t body_conf;  // idle timeout of the body
    ngx_http_upstream_conf_t drain_conf; // after the last event of a stream
    ngx_http_complex_value_t ssl_name;
    ngx_str_t schema;
    ngx_str_t location; // provider is this internal location
    std::string authority;
    bool ready = false;
    std::unique_ptr<TokenSource> tokens; // of a provider that wants them
    ngx_http_upstream_conf_t check_conf; // of its health checks
};

// Everything http-level that is C++; made on cf->pool.
struct Configuration {
    config::Gateway gateway;
    std::vector<Position> provider_positions;
    std::vector<std::string> provider_certificates;
    std::vector<RouteBlock> route_blocks;
    std::deque<PluginFile> plugin_files;
    std::vector<Upstream> upstreams;       // by provider index
    std::vector<std::string> label_models; // bounded label set, sorted
    policy::ModelLists model_lists;        // of the worker
    policy::FileTexts file_texts;          // of the worker
    std::vector<Position> redis_positions;
    std::vector<RedisSetup> redis; // by index in Gateway::redis
    std::vector<std::unique_ptr<config::AuthRules>> auth_rules;
    // By consumer; nullptr: there is no room in the zone, or no zone.
    std::vector<metrics::ConsumerCounts*> consumer_counts;
    std::vector<metrics::LimitRow> limits; // by name
    // Texts with variables, by the numbers that the gateway has for them.
    std::vector<ngx_http_complex_value_t> texts;
};

struct MainConf {
    Configuration* configuration;
    ngx_http_ai_proxy_zone_t zone;
    ngx_http_ai_proxy_peers_t peers;
};

struct PromptLines {
    std::vector<Line>*prepend, *append, *replace, *templates;
};

// ai_proxy_auth.
struct AuthLine {
    config::AuthRule rule;
    Position position;
};

// Who may come, by a directive or by a plugin's file.
struct Guard {
    const consumer::Policy* policy = nullptr; // holds for all requests
    const config::AuthRules* rules = nullptr; // else these say what does

    // Of a request; nullptr: nothing.
    [[nodiscard]] const consumer::Policy* find(
        const config::Subject& subject) const
    {
        return rules != nullptr ? rules->find(subject) : policy;
    }
};

// Lines of a location, inherited as lists: a level's own lines replace those
// of the level above.
struct LocConf {
    std::vector<Line>* pass; // never inherited
    std::vector<Line>* model_maps;
    std::vector<Line>* fallbacks;
    std::vector<Line>* concurrency;
    std::vector<Line>* token_limits;
    std::vector<Line>* prices;
    std::vector<Line>* request_limits;
    PromptLines prompts;
    prompt::ContextLimit* context_limit;
    ngx_flag_t strict;
    ngx_uint_t model_list; // config::ModelList
    time_t model_list_valid;
    config::Keepalive* keepalive;
    config::ClientAbort* client_abort; // nullptr: that of the level above
    AuthLine* auth;
    std::vector<Line>* consumers;
    std::vector<Guard>* guards;      // nullptr: anybody may come
    std::vector<Line>* model_router; // one
    std::vector<Line>* model_rules;
    config::Plugins* plugins; // nullptr: none
    bool plugin_target;       // ai-proxy stands on this level, here:
    Position* plugin_position;
    // What a file makes of the location: by domain, when it has no site.
    config::Rules<config::Site*>* plugin_sites;
    ngx_http_handler_pt otherwise; // where no provider is active
    config::Site* site;
};

struct Ctx;

// What the access phase found out of a request; outlives internal redirects.
struct Identity {
    ngx_http_request_t* r = nullptr;
    const consumer::Consumer* consumer = nullptr;
    ErrorCode refused = ErrorCode::none;
    ngx_str_t message{}; // of the refusal
    // With credentials, where limits of plugins may go by them.
    ngx_str_t sent_query{};
};

// The module's context of a request: what a request of ours has before and
// besides its Ctx.
struct Slot {
    Ctx* ctx;
    Identity* identity;
    ngx_str_t error_body; // replaces the page nginx made
    bool replace;
};

// The body of a request gathered in memory, with room for the JSON parser to
// read past its end.
class BodyBuffer {
public:
    // Throws std::bad_alloc.
    void reserve(size_t length);
    void append(const u_char* data, size_t length);
    [[nodiscard]] const char* data() const noexcept { return data_.get(); }
    [[nodiscard]] size_t size() const noexcept { return size_; }
    void reset() noexcept
    {
        data_.reset();
        size_ = capacity_ = 0;
    }

private:
    struct Free {
        void operator()(char* p) const noexcept { std::free(p); }
    };
    std::unique_ptr<char, Free> data_;
    size_t size_ = 0, capacity_ = 0;
};

// One try as nginx runs it: natively (own upstream), through an internal
// location, or played by the mock.
struct Run {
    enum class Kind : uint8_t { native, location, mock };

    Ctx* ctx = nullptr;
    async::AttemptOp* op = nullptr; // nullptr: cancelled
    policy::Try* attempt = nullptr;
    const Upstream* upstream = nullptr;
    ngx_http_request_t* sr = nullptr;
    Kind kind = Kind::native;

    bool header_seen = false;
    bool chunked = false;
    bool framed = false; // the end of the body can be told from the bytes
    bool keepalive = true;
    bool settled = false;     // the outcome was taken
    bool whole_drain = false; // the answer is whole, the connection not yet
    bool invalid_header = false;
    bool invalid_framing = false;        // of the body
    ErrorCode stopped = ErrorCode::none; // why we ended it, if we did
    ErrorCode code = ErrorCode::none;
    async::TryEnd end; // once it is settled

    ngx_http_status_t status{};
    wire::ChunkedDecoder decoder;
    std::vector<Header> fields; // views into the upstream's buffer
    std::string tail;    // output made after the last read; the driver sends it
    ngx_event_t watch{}; // of the deadlines
    ngx_msec_t begin = 0;    // when the try began
    ngx_msec_t progress = 0; // when its answer last got on
    off_t length = -1;       // of an upgrade that was refused: bytes left
    // of an upgrade that was not: what it used, and how it is read
    std::unique_ptr<policy::RealtimeUsage> realtime;
    ngx_recv_pt receive = nullptr;

    // kind location: input that waits for the client, own output buffers
    ngx_chain_t* in = nullptr;
    ngx_chain_t* free = nullptr;
    ngx_chain_t* busy = nullptr;
    bool input_ended = false;

    // kind mock
    std::unique_ptr<provider::MockScript> script;
    ngx_event_t timer{};

    ~Run();
};

// nginx as the core sees it.
class NgxIo final : public async::Io {
public:
    explicit NgxIo(Ctx& ctx) noexcept : ctx_(ctx) {}
    bool start(async::SleepOp& op) override;
    bool start(async::AttemptOp& op) override;
    bool start(async::TokenOp& op) override;
    bool start(async::PlaceOp& op) override;
    bool start(async::RedisOp& op) override;
    void tell(
        uint16_t redis, std::vector<redis::Command> commands) noexcept override;
    void drop_token(uint16_t provider) noexcept override;
    void cancel(async::Op& op) noexcept override;
    InFlight& in_flight() noexcept override;
    limit::Counters& counters() noexcept override;
    limit::Unsettled& unsettled() noexcept override;
    std::string text(uint32_t value) override;
    std::string variable(std::string_view name) override;
    int64_t now() noexcept override;
    int64_t now_seconds() noexcept override;
    uint64_t random() noexcept override;

private:
    Ctx& ctx_;
};

// A request in the worker's list of those that run.
struct Link {
    ngx_queue_t queue;
    Ctx* ctx;
};

// The context of a client request (always of r->main).
struct Ctx {
    explicit Ctx(ngx_http_request_t* request);
    ~Ctx();
    Ctx(const Ctx&) = delete;
    Ctx& operator=(const Ctx&) = delete;

    ngx_http_request_t* r;
    bool gathering = false;  // the body filter keeps what passes
    bool opened = false;     // it was sent, and signs of life, no answer
    bool committed = false;  // the response header was sent
    ngx_msec_t written = 0;  // when the client last got something
    bool over = false;       // the outcome was acted on
    Run* draining = nullptr; // whose answer is read on, the client has left
    ngx_msec_t left = 0;     // when it left
    uint64_t drained = 0;    // bytes that came since
    BodyBuffer body;
    std::vector<Header> headers;
    std::vector<Header> sent_headers; // with credentials, if they are wanted
    std::string query;                // without credentials
    std::optional<policy::Exchange> exchange;
    NgxIo io;
    async::FrameArena frames;
    async::Scope scope;
    std::optional<async::Root<policy::Outcome>> root;
    std::vector<std::unique_ptr<Run>> runs;
    Run* run = nullptr; // the one that is on
    // Of two that are on at once: what they are for, the other one, and the
    // one that the client hears.
    async::AttemptOp* race = nullptr;
    Run* second = nullptr;
    Run* winner = nullptr;
    ngx_event_t second_timer{};            // until there are two
    ngx_event_t stop{};                    // posted when one of them has lost
    std::unique_ptr<policy::Try> upgraded; // whose connection is the client's
    int64_t upgrade_begin = 0;
    async::SleepOp* sleeping = nullptr;
    async::TokenOp* token_op = nullptr; // that is waited for
    async::PlaceOp* place_op = nullptr; // that has ended
    async::RedisOp* redis_op = nullptr; // that is waited for
    ngx_event_t timer{};                // of the sleep
    ngx_event_t wake{};                 // posted when an operation has ended
    bool attempt_ended = false;
    bool sleep_ended = false;
    bool token_ended = false;
    bool redis_ended = false;
    std::string reply; // bytes of a plain answer, until they are sent
    metrics::Series* active = nullptr; // whose stream it is
    Place active_place;                // among the streams that run
    Place held; // among the streams of workers that are to leave
    Link link{};
};

[[nodiscard]] MainConf* main_conf(ngx_http_request_t* r) noexcept;
[[nodiscard]] MainConf* main_conf(ngx_conf_t* cf) noexcept;
[[nodiscard]] LocConf* loc_conf(ngx_http_request_t* r) noexcept;
// Of the main request, or nullptr.
[[nodiscard]] Ctx* context(ngx_http_request_t* r) noexcept;
// The slot of r; made when it does not exist (throws std::bad_alloc).
[[nodiscard]] Slot* slot_of(ngx_http_request_t* r, bool make = false);

// configuration (ngx_http_ai_proxy_conf.cpp)
// The words of a directive, its name first, and where it stands.
[[nodiscard]] config::Words words_of(const ngx_conf_t* cf);
[[nodiscard]] Position position_of(const ngx_conf_t* cf);
// Of something that appears in variables, labels and logs.
[[nodiscard]] bool valid_name(std::string_view name);
// Read by the master while it still has its rights and its environment.
[[nodiscard]] config::SecretSource secret_source(ngx_conf_t* cf);
char* set_provider(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_route(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_pass(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_models(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_one_line(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_context_limit(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_line(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
[[nodiscard]] bool compile_routes(ngx_conf_t* cf, Configuration& c);
[[nodiscard]] bool compile_site(ngx_conf_t* cf, Configuration& c, LocConf& lc);
// The steps of it, on lc.site.
[[nodiscard]] bool open_site(ngx_conf_t* cf, Configuration& c, LocConf& lc);
[[nodiscard]] bool add_provider(
    ngx_conf_t* cf, Configuration& c, LocConf& lc, int provider);
void close_site(Configuration& c, LocConf& lc);
// The whole file without line ends behind it.  what: "secret file", for errors.
[[nodiscard]] Result<std::string> read_file(
    std::string_view what, const std::string& path, size_t most);
// Compiles a text with variables; its number is the place in texts.
[[nodiscard]] bool add_text(ngx_conf_t* cf, Configuration& c,
    const std::string& text, uint32_t& number);
// What goes into prompts (ngx_http_ai_proxy_prompt.cpp).
[[nodiscard]] bool compile_prompts(
    ngx_conf_t* cf, Configuration& c, LocConf& lc);
void log_at(ngx_log_t* log, const Position& position, std::string_view text);

// plugins (ngx_http_ai_proxy_plugin.cpp)
char* set_plugin(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
void merge_plugins(LocConf& to, const LocConf& from);
// Makes the file's active provider the target of a location without
// ai_proxy_pass.
[[nodiscard]] bool compile_plugin_sites(
    ngx_conf_t* cf, Configuration& c, LocConf& lc);
// What ai_proxy_model_router says, for lc.site.
[[nodiscard]] bool add_model_router(ngx_conf_t* cf, LocConf& lc);
// Headers that the model router adds go among the client's.
void add_request_headers(Ctx& ctx);
// The site of a request; nullptr: no provider is active for it.
[[nodiscard]] const config::Site* find_site(ngx_http_request_t* r) noexcept;

// consumers (ngx_http_ai_proxy_auth_conf.cpp)
char* set_consumer(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_auth(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
// Who may come to the location; prev: the level above, already compiled.
[[nodiscard]] bool compile_guards(
    ngx_conf_t* cf, Configuration& c, const LocConf& prev, LocConf& lc);
// Once it is known what the location serves: are they for this phase?
[[nodiscard]] bool check_guards(
    ngx_conf_t* cf, const Configuration& c, const LocConf& lc);

// access phase (ngx_http_ai_proxy_auth.cpp)
ngx_int_t access_handler(ngx_http_request_t* r) noexcept;
// Of the main request; nullptr: nobody asked.
[[nodiscard]] Identity* identity_of(ngx_http_request_t* r) noexcept;
// What the client sent, as far as it was not taken away.
[[nodiscard]] std::vector<Header> header_fields(ngx_http_request_t* r);
// Has the API clients that put their key where others do not?
[[nodiscard]] bool takes_seldom_places(dialect::Api api) noexcept;
// Says who it is, and takes what proved it out of what may go to a provider.
void drop_credentials(Ctx& ctx, policy::ClientHead& head);

// upstream configuration (ngx_http_ai_proxy_upstream_conf.cpp)
[[nodiscard]] bool make_upstreams(ngx_conf_t* cf, MainConf& mc);
// The upstream {} of that name, or nullptr.
[[nodiscard]] ngx_http_upstream_srv_conf_t* find_upstream(
    ngx_conf_t* cf, std::string_view name);

// Redis (ngx_http_ai_proxy_redis_conf.cpp, ngx_http_ai_proxy_redis.cpp)
char* set_redis(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
[[nodiscard]] bool make_redis(ngx_conf_t* cf, MainConf& mc);
// Begins to connect.
void start_redis_clients(
    const Configuration& c, ngx_http_ai_proxy_zone_t& zone);
// As Io::start(): true when op has its result.
bool start_redis(Ctx& ctx, async::RedisOp& op);
// Of the operation that ctx waits for.
void finish_redis(Ctx& ctx);
void cancel_redis(Ctx& ctx) noexcept;
[[nodiscard]] ErrorCode tell_redis(
    uint16_t index, std::vector<redis::Command> commands);
[[nodiscard]] std::vector<metrics::RedisRow> redis_rows();

// request (ngx_http_ai_proxy_handler.cpp)
ngx_int_t content_handler(ngx_http_request_t* r) noexcept;
ngx_int_t request_body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept;
extern ngx_http_request_body_filter_pt next_request_body_filter;
void drive(Ctx& ctx);
// Of a request to which no try writes.
void write_handler(ngx_http_request_t* r) noexcept;
// Ends a request to which nothing was sent with an error.
void finalize_with(Ctx& ctx, const Error& error);
void post_wake(Ctx& ctx) noexcept;
void close_books(Ctx& ctx) noexcept;
// Once what the request used is known, at the latest when its books close.
void settle_limits(Ctx& ctx) noexcept;

// output to the client (ngx_http_ai_proxy_output.cpp)
// Sends the header of a streamed response; NGX_OK or NGX_ERROR.
ngx_int_t commit_stream(Ctx& ctx, const policy::Response& response);
ngx_int_t push_header(
    ngx_http_request_t* r, std::string_view name, std::string_view value);
// The same without an answer yet.
ngx_int_t open_stream(Ctx& ctx);
// Acts on the outcome; finalizes the request.
void send_outcome(Ctx& ctx, policy::Outcome outcome);
// Bytes as a chain of recycled buffers.
[[nodiscard]] ngx_chain_t* to_chain(ngx_pool_t* pool, ngx_chain_t** free,
    ngx_buf_tag_t tag, std::string_view bytes) noexcept;
// Frees the memory of large buffers of to_chain() whose bytes are on their way.
void release_sent(ngx_pool_t* pool, ngx_chain_t* sent) noexcept;

// tries (ngx_http_ai_proxy_try.cpp, _location.cpp, _mock.cpp)
bool start_try(Ctx& ctx, async::AttemptOp& op);
// The run is the first whose answer the client gets; false: another one was.
[[nodiscard]] bool claim_client(Run& run) noexcept;
// The other one of two that run at once; nullptr: there is none.
[[nodiscard]] Run* rival(const Run& run) noexcept;
// Lets the next of the request's subrequests speak when one has ended.
void activate_postponed(ngx_http_request_t* r) noexcept;
// The operation ends for the core, or is of no more interest to it.
void leave_race(Ctx& ctx) noexcept;
ngx_int_t try_content_handler(ngx_http_request_t* sr) noexcept;
void settle(Run& run, ErrorCode code);
// Ends a running try as if the provider had timed out, for run.stopped.
void stop_run(Run& run) noexcept;
// Sees to it that the run's next deadline is kept
// (ngx_http_ai_proxy_watch.cpp).
void watch_run(Run& run);
void stop_timers(Run& run) noexcept;
// Head and body of a request to a provider; nullptr: out of memory.
[[nodiscard]] ngx_chain_t* request_chain(ngx_pool_t* pool,
    const provider::Outbound& outbound, std::string_view authority);
ngx_int_t start_location_try(Run& run);
// Which deadline has passed before a byte of the answer came.
[[nodiscard]] ErrorCode timeout_before_answer(
    const Run& run, const ngx_http_upstream_t& u);
// Warns of a try that failed.
void log_failure(const Run& run, ErrorCode code);
[[nodiscard]] ErrorCode location_outcome(Run& run, ngx_int_t rc);
ngx_int_t start_subrequest(
    Run& run, ngx_str_t uri, ngx_str_t args, ngx_uint_t flags);
void start_mock_try(Run& run);
// Joins the client's connection to one with the provider
// (ngx_http_ai_proxy_upgrade.cpp).
void start_upgrade(Ctx& ctx, std::unique_ptr<policy::Try> attempt);
// Ends it because the worker has to leave; the request may be gone after this.
void end_upgrade(Ctx& ctx) noexcept;
[[nodiscard]] Run* run_of(ngx_http_request_t* sr) noexcept;
// Whose upstream this request has; nullptr: it is of no try.
[[nodiscard]] Run* run_behind(ngx_http_request_t* r) noexcept;
void feed_run(Run& run, std::string_view payload, std::string& out);

// Memory of the worker process that all its requests use in turn, each within
// one event; from init_process to exit_process.
struct Worker {
    json::Parser parser;
    // What one read of a provider brings; its bytes are decoded before the
    // next read of any provider.
    std::array<u_char, 16384> input;
    std::string output;   // bytes on their way from one read to the client
    ngx_queue_t requests; // Link of each that runs
    ngx_connection_t* bell = nullptr; // closed when the worker is to leave
    ngx_event_t last_call{};          // before its streams are cut
    bool leaving = false;
    bool closing = false; // the last call was made
    Places places;
    Limits limits;
    Unsettled unsettled;
    // Numbers of clients for which the zone has no room.
    std::vector<std::unique_ptr<metrics::RedisState>> redis_states;
    RedisClients redis;
};
[[nodiscard]] bool start_worker(ngx_http_ai_proxy_zone_t& zone) noexcept;
void stop_worker(ngx_http_ai_proxy_zone_t& zone) noexcept;
[[nodiscard]] Worker& worker() noexcept;
// worker().output, empty.
[[nodiscard]] std::string& scratch() noexcept;

// the client's side of a try (ngx_http_ai_proxy_client.cpp)
char* set_client_abort(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* set_keepalive(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
// Tells the client, if it may be told now, that its stream lives.  The request
// may be gone after this.
void show_life(Run& run) noexcept;
ngx_int_t write_through_location(Run& run, std::string_view bytes);
// Once nginx has begun the upstream of the run.
void look_after_client(Run& run) noexcept;
// Is output of a run swallowed?  rc: what writing it came to, so far.
[[nodiscard]] bool drains_on(Run& run, ngx_chain_t* in, ngx_int_t rc);
// More of the answer has come: may it be read on?
[[nodiscard]] bool may_drain(Ctx& ctx, size_t bytes) noexcept;
// Its time is over.  The request may be gone after this.
void end_drain(Run& run) noexcept;
// The client left while the run was on: for the books.
void note_abort(Ctx& ctx, const Run& run);

// the end of a worker (ngx_http_ai_proxy_shutdown.cpp)
// From init_process to exit_process.
void hang_bell(ngx_cycle_t* cycle) noexcept;
void take_bell_down() noexcept;
// A stream begins and ends, for those that workers hold which are to leave.
void stream_held(Ctx& ctx) noexcept;
void stream_released(Ctx& ctx) noexcept;

// filters for location tries (ngx_http_ai_proxy_location.cpp)
ngx_int_t header_filter(ngx_http_request_t* r) noexcept;
ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept;
extern ngx_http_output_header_filter_pt next_header_filter;
extern ngx_http_output_body_filter_pt next_body_filter;

// error pages of nginx (ngx_http_ai_proxy_error_page.cpp)
ngx_int_t replace_error_page(ngx_http_request_t* r) noexcept;
ngx_int_t replace_error_body(ngx_http_request_t* r, ngx_chain_t* in) noexcept;

// shared states (ngx_http_ai_proxy_shared.cpp)
// Gives keys, models and routes their states in the zone; own ones where it
// has no room.
void share_states(Configuration& c, ngx_http_ai_proxy_zone_t& zone);
[[nodiscard]] std::vector<metrics::ConsumerRow> consumer_rows(
    const Configuration& c);
// The first budget of dollars where nothing has a price, warned of.
void warn_of_prices(ngx_log_t* log, const Configuration& c);
[[nodiscard]] std::vector<metrics::KeyRow> key_rows(
    const config::Gateway& gateway);
[[nodiscard]] std::vector<metrics::PeerRow> peer_rows(
    const config::Gateway& gateway);
[[nodiscard]] int64_t monotonic_micros() noexcept;

// health checks (ngx_http_ai_proxy_health.cpp)
// Begins the checks of this worker; they share the work with other workers'.
void start_health_checks(Configuration& c, ngx_cycle_t* cycle);

// variables (ngx_http_ai_proxy_variables.cpp)
ngx_int_t add_variables(ngx_conf_t* cf) noexcept;

// accounting (ngx_http_ai_proxy_accounting.cpp)
void account(Ctx& ctx) noexcept;
void stream_began(Ctx& ctx) noexcept;
[[nodiscard]] std::string_view label_model(
    const Configuration& c, std::string_view model) noexcept;

} // namespace ai_proxy::http
