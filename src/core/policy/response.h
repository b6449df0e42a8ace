#pragma once

#include "core/base/text.h"
#include "core/config/gateway.h"
#include "core/dialect/api.h"
#include "core/dialect/chat_relay.h"
#include "core/policy/books.h"
#include "core/policy/early_end.h"
#include "core/policy/event_watch.h"
#include "core/policy/meter.h"
#include "core/provider/protocol.h"
#include "core/usage/token_count.h"
#include "core/wire/event_stream.h"
#include "core/wire/json_array.h"
#include "core/wire/ndjson.h"
#include "core/wire/sse.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ai_proxy::policy {

// What the response of a try is for: fixed when the try begins.
struct ResponseContext {
    const config::Provider* provider = nullptr;
    dialect::Api api = dialect::Api::unknown;
    bool convert = false; // canonical conversion, else relay
    // An API that the provider answers in its own words.
    const provider::Translation* translation = nullptr;
    bool base64 = false;     // vectors were asked for so
    bool stream = false;     // the client asked for a stream
    bool show_usage = false; // the client asked for the usage chunk
    bool no_body = false;    // HEAD: the answer is its header
    std::string model;       // sent upstream
    bool json_array = false; // gemini: a stream without alt=sse
    std::string echo;        // what the answer repeats of the request
    std::string fallback_id; // "chatcmpl-..."
    int64_t now_seconds = 0;
    uint64_t random = 0;
    bool tally = false; // what it says is counted as it passes
    // Asked with each event of a stream that says more; needs the tally.
    Meter* meter = nullptr;
    // Scratch of the worker, used within one call at a time; nullptr: own.
    json::Parser* parser = nullptr;
};

// Turns one provider response (any pieces of bytes, no transfer coding) into
// what the client gets.  Pure and synchronous: the glue feeds it from the
// upstream input filter.
//
// Until feed() or end() has appended something to out, or state() is whole,
// nothing is visible to the client and another try may follow.
class Response {
public:
    // Bounds: a plain body that must be gathered, and an error body.
    static constexpr size_t kMaxPlain = 64 * 1024 * 1024;
    static constexpr size_t kMaxError = 64 * 1024;
    // What a stream may make its decoder and its writer keep: calls that wait
    // for their turn, or the whole answer where the last event repeats it.
    static constexpr size_t kMaxHeld = 16 * 1024 * 1024;

    enum class State : uint8_t {
        more,   // feed on
        whole,  // complete; no more input is wanted
        failed, // see error(); no more input is wanted
    };

    explicit Response(ResponseContext context);
    ~Response();

    // The status line and header fields; views need not outlive the call.
    void head(int status, std::span<const Header> headers);
    // length: announced body length, if known (reserves memory).
    void expect(uint64_t length);
    // now: for the time of the first token.
    State feed(std::string_view bytes, std::string& out, Micros now);
    // The body is over.  clean: by its framing (content length, last chunk, or
    // close where the message has no length).
    State end(bool clean, std::string& out, Micros now);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const Error& error() const noexcept { return error_; }
    // The stream itself says error(), in the provider's words: it may be whole
    // and is a failure all the same.
    [[nodiscard]] bool told() const noexcept { return told_; }
    // The client has the whole answer; the message may not be over.
    [[nodiscard]] bool answered() const noexcept
    {
        return state_ == State::whole || (watch_ && watch_->over());
    }
    [[nodiscard]] int status() const noexcept { return status_; }
    // From Retry-After (seconds or HTTP date), retry-after-ms; 0: none.
    [[nodiscard]] uint64_t retry_after_ms() const noexcept;

    // True: the client's response is a stream of what feed() appends; false: a
    // plain body, given whole by take_body() once state() is whole.
    [[nodiscard]] bool streaming() const noexcept;
    [[nodiscard]] std::string take_body();
    // Of the client's response; valid after head(), except that the first
    // bytes may show a stream that the provider called JSON.
    [[nodiscard]] int client_status() const noexcept;
    [[nodiscard]] std::string_view content_type() const noexcept;
    // Header fields of the provider that go on to the client: rate limits,
    // retry-after, x-request-id, and for untouched bodies content-disposition,
    // content-range and the like.  Never set-cookie, server, connection, ...
    struct Field {
        std::string name, value;
    };
    [[nodiscard]] const std::vector<Field>& headers() const noexcept
    {
        return headers_;
    }
    // The event that ends a stream that has begun and is not whole, in words
    // that only the writer knows; "": the dialect's common error event does.
    [[nodiscard]] std::string error_event(const Error& error);
    // What may follow the bytes appended so far while the provider is silent,
    // "": nothing may.
    [[nodiscard]] std::string_view sign_of_life() const noexcept;
    // Length of an untouched body that is streamed on, when known.
    [[nodiscard]] std::optional<uint64_t> content_length() const noexcept;

    [[nodiscard]] const chat::Usage& usage() const noexcept { return usage_; }
    [[nodiscard]] chat::Finish finish() const noexcept { return finish_; }
    // Estimated tokens of what has come so far; 0 without tally.
    [[nodiscard]] int64_t said() const noexcept { return tally_.tokens(); }
    // The meter ended it: the client has the finish of an answer that reached
    // its bound, usage() is an estimate, the provider may still be speaking.
    [[nodiscard]] bool ended_early() const noexcept { return ended_early_; }
    [[nodiscard]] Micros first_token() const noexcept { return first_token_; }

    // Is it read event by event?
    [[nodiscard]] bool has_events() const noexcept;
    // Has something of the answer come: a token, not a sign of life?
    [[nodiscard]] bool spoke() const noexcept;
    // Of a response that has events: has one come since the last call that is
    // no comment and no ping?
    [[nodiscard]] bool take_progress() noexcept
    {
        return std::exchange(progress_, false);
    }

private:
    enum class Mode : uint8_t {
        error,         // gather an error body
        plain,         // gather, relay
        plain_convert, // gather, convert
        sse_relay,
        sse_convert, // a stream of any framing
        sse_gather,  // a stream that the client gets as one plain body
        sse_watch,   // a stream of another API: relayed, usage read
        passthrough, // untouched bytes at once
    };
    struct Conversion;

    void read_headers(std::span<const Header> headers);
    [[nodiscard]] provider::Framing own_framing() const;
    [[nodiscard]] std::optional<provider::Framing> stream_framing() const;
    [[nodiscard]] bool is_array() const noexcept;
    [[nodiscard]] Mode choose_mode() const;
    void frame(provider::Framing framing);
    [[nodiscard]] size_t buffered() const noexcept;
    void prepare();
    void keep_error(Error error);
    void fail(Error error);
    bool sniff(std::string_view bytes);
    State gather(std::string_view bytes, size_t limit);
    State sse(
        std::string_view bytes, std::string& out, Micros now, bool at_end);
    void count_event(const wire::SseEvent& event, json::Parser& parser);
    void relay_event(const wire::SseEvent& event, json::Parser& parser,
        std::string& out, Micros now);
    void convert_event(const wire::SseEvent& event, json::Parser& parser,
        std::string& out, Micros now);
    void watch_event(const wire::SseEvent& event, json::Parser& parser,
        std::string& out, Micros now);
    void ask_meter(std::string& out);
    void end_early(std::string& out);
    State finish_sse(std::string& out, Micros now);
    State finish_plain(std::string& out);
    State finish_relayed_plain(json::Node body);
    State finish_translated(json::Node body);
    State finish_converted(Result<void> result, std::string& out);
    State finish_error();

    [[nodiscard]] json::Parser& parser();

    ResponseContext context_;
    std::unique_ptr<json::Parser> own_parser_;
    Mode mode_ = Mode::plain;
    State state_ = State::more;
    bool progress_ = false;
    bool encoded_ = false; // it has a content coding we did not ask for
    bool told_ = false;
    bool ended_early_ = false;
    int status_ = 0;
    Error error_;
    std::string content_type_;
    std::vector<Field> headers_;
    std::optional<uint64_t> length_;
    std::string gathered_;
    uint64_t fed_ = 0;
    std::variant<wire::SseFramer, wire::NdjsonFramer, wire::EventStreamFramer,
        wire::JsonArrayFramer>
        framer_;
    std::optional<dialect::ChatRelay> relay_;
    std::optional<EventWatch> watch_;
    std::unique_ptr<EarlyEnd> early_end_; // of a relayed stream with a meter
    std::unique_ptr<Conversion> conversion_;
    chat::Usage usage_;
    usage::TokenCounter tally_;
    int64_t metered_ = 0; // said, when the meter was last asked
    chat::Finish finish_ = chat::Finish::none;
    Micros first_token_ = 0;
    uint64_t retry_after_ms_ = 0;
};

} // namespace ai_proxy::policy
