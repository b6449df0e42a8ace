#include "core/dialect/caller.h"
#include "core/json/reader.h"
#include "core/policy/response.h"
#include "core/provider/registry.h"
#include "core/wire/sse.h"

#include "vendors.h"

#include <memory>
#include <string>
#include <vector>

// The answers of the protocols in every dialect, from any bytes.  The first
// byte of the input chooses the provider, the second what the client asked for.

using namespace ai_proxy;
using State = policy::Response::State;

namespace {

using dialect::Api;

const std::vector<std::unique_ptr<config::Provider>>& providers()
{
    static const auto all = fuzz::vendors();
    return all;
}

// What the client speaks, by the top three bits of the second byte.
constexpr Api kApis[] = {Api::chat_completions, Api::messages, Api::responses,
    Api::gemini_stream, Api::completions, Api::embeddings, Api::rerank,
    Api::gemini_generate};

struct Wish {
    Api api;
    bool stream, show_usage, clean, json;
    int status;
};

struct Outcome {
    State state = State::more;
    ErrorCode error = ErrorCode::none;
    std::string out, last; // last: the error event
    chat::Usage usage;
    chat::Finish finish = chat::Finish::none;

    bool operator==(const Outcome&) const = default;
};

bool is_plain(Api api)
{
    return api == Api::embeddings || api == Api::rerank
        || api == Api::gemini_generate;
}

bool converts(const provider::Options& options, Api api)
{
    return api == Api::chat_completions ? !provider::relays(options)
            || options.reasoning_content_mode != "passthrough"
                                        : dialect::find_caller(api) != nullptr
            && !provider::native(options, api);
}

std::string_view stream_type(const provider::Options& options)
{
    switch (provider::protocol(options).framing) {
    case provider::Framing::ndjson:
        return "application/x-ndjson";
    case provider::Framing::aws_event_stream:
        return "application/vnd.amazon.eventstream";
    case provider::Framing::sse:
        break;
    }
    return "text/event-stream";
}

Outcome run(const config::Provider& from, const Wish& wish,
    std::string_view bytes, size_t longest)
{
    policy::ResponseContext context;
    context.provider = &from;
    context.api = wish.api;
    context.translation = provider::translation(from.options, wish.api);
    context.convert =
        context.translation == nullptr && converts(from.options, wish.api);
    context.stream = wish.stream && !is_plain(wish.api);
    context.json_array = wish.api == Api::gemini_stream && wish.show_usage;
    context.show_usage = wish.show_usage;
    context.model = "model";
    context.fallback_id = "chatcmpl-1";
    policy::Response response(context);
    const Header head[] = {{"Content-Type",
        wish.json ? "application/json" : stream_type(from.options)}};
    response.head(wish.status, head);
    Outcome got;
    policy::Micros now = 1;
    fuzz::cut(bytes, longest, [&](std::string_view piece) {
        return response.feed(piece, got.out, now++) == State::more;
    });
    got.state = response.end(wish.clean, got.out, now);
    fuzz::require(got.state != State::more, "the end decides");
    if (got.state == State::failed) {
        got.error = response.error().code;
        fuzz::require(got.error != ErrorCode::none, "a failure has a code");
        got.last = response.error_event(response.error());
    } else if (!response.streaming()) {
        got.out += response.take_body();
    }
    got.usage = response.usage();
    got.finish = response.finish();
    return got;
}

void check_usage(const chat::Usage& usage)
{
    for (const int64_t count : {usage.prompt, usage.completion, usage.total,
             usage.cache_read, usage.cache_write, usage.reasoning})
    {
        fuzz::require(count >= 0, "counts are not negative");
    }
}

// Each event of a converted stream is JSON, and the end is the last, once.
void check_stream(const Outcome& got, Api api)
{
    wire::SseFramer framer;
    json::Parser parser;
    size_t done = 0;
    const auto look = [&](const wire::SseEvent& event) {
        fuzz::require(done == 0, "nothing follows the end");
        if (event.data == "[DONE]") {
            done++;
        } else if (event.has_data) {
            const auto parsed = parser.parse(event.data);
            fuzz::require(parsed.ok(), "an event is JSON");
            const auto type = (*parsed)["type"].string_or();
            done += type == "message_stop" || type == "response.completed"
                    || type == "response.incomplete"
                    || type == "response.failed"
                ? 1
                : 0;
        }
        return true;
    };
    fuzz::require(
        framer.feed(got.out + got.last, look).ok(), "the output is framed");
    fuzz::require(framer.buffered() == 0, "the last event is complete");
    if (api != Api::gemini_stream && api != Api::responses) {
        fuzz::require(done == (got.state == State::whole ? 1 : 0),
            "a whole answer ends, a failed one does not");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const config::Provider& from = *providers()[data[0] % providers().size()];
    const Wish wish{kApis[data[1] >> 5], (data[1] & 1) == 0, (data[1] & 2) == 0,
        (data[1] & 4) == 0, (data[1] & 8) != 0,
        (data[1] & 16) != 0 ? 429 : 200};
    const std::string_view bytes(
        reinterpret_cast<const char*>(data) + 2, size - 2);
    const Outcome whole = run(from, wish, bytes, size);
    check_usage(whole.usage);
    fuzz::require(run(from, wish, bytes, size < 600 ? 1 : 100) == whole,
        "the answer does not depend on the cuts");
    const bool array = wish.api == Api::gemini_stream && wish.show_usage;
    if (wish.stream && !wish.json && wish.status == 200
        && converts(from.options, wish.api) && !is_plain(wish.api) && !array)
    {
        check_stream(whole, wish.api);
    } else if (whole.state == State::whole && wish.status == 200
        && converts(from.options, wish.api)
        && (!wish.stream || is_plain(wish.api) || array))
    {
        json::Parser parser;
        fuzz::require(
            parser.parse(std::string_view(whole.out)).ok(), "a body is JSON");
    }
    return 0;
}
