#include "core/config/gateway.h"
#include "core/json/reader.h"
#include "core/policy/response.h"
#include "core/wire/sse.h"

#include "input.h"

#include <memory>
#include <string>
#include <vector>

// The answers of the protocols, from any bytes.  The first byte of the input
// chooses the provider, the second what the client asked for.

using namespace ai_proxy;
using State = policy::Response::State;

namespace {

std::unique_ptr<config::Provider> provider(
    std::string_view type, const config::Words& option = {})
{
    config::ProviderBuilder builder(
        "fuzzed", [](std::string_view spec) -> Result<std::string> {
            return std::string(spec);
        });
    fuzz::require(builder.line({"type", type}).ok(), "the type is known");
    fuzz::require(
        builder.line({"api_token", "token"}).ok(), "a token is taken");
    if (!option.empty()) {
        fuzz::require(builder.line(option).ok(), "the option is known");
    }
    auto built = builder.finish();
    fuzz::require(built.ok(), "the provider is complete");
    return std::move(built).value();
}

// The order is known to seeds.py.
const std::vector<std::unique_ptr<config::Provider>>& providers()
{
    static const auto all = [] {
        std::vector<std::unique_ptr<config::Provider>> list;
        list.push_back(provider("openai"));
        list.push_back(provider("claude"));
        list.push_back(provider("gemini"));
        list.push_back(provider("qwen", {"qwen_enable_compatible", "off"}));
        list.push_back(provider("groq"));
        list.push_back(provider("moonshot"));
        return list;
    }();
    return all;
}

struct Wish {
    bool stream, show_usage, clean, json;
    int status;
};

struct Outcome {
    State state = State::more;
    ErrorCode error = ErrorCode::none;
    std::string out;
    chat::Usage usage;
    chat::Finish finish = chat::Finish::none;

    bool operator==(const Outcome&) const = default;
};

Outcome run(const config::Provider& from, const Wish& wish,
    std::string_view bytes, size_t longest)
{
    policy::ResponseContext context;
    context.provider = &from;
    context.api = dialect::Api::chat_completions;
    context.convert = !provider::relays(from.options);
    context.stream = wish.stream;
    context.show_usage = wish.show_usage;
    context.model = "model";
    context.fallback_id = "chatcmpl-1";
    policy::Response response(context);
    const Header head[] = {
        {"Content-Type", wish.json ? "application/json" : "text/event-stream"}};
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

// Each event of a converted stream is JSON, and [DONE] is the last, once.
void check_stream(const Outcome& got)
{
    wire::SseFramer framer;
    json::Parser parser;
    size_t done = 0;
    const auto look = [&](const wire::SseEvent& event) {
        fuzz::require(done == 0, "nothing follows [DONE]");
        if (event.data == "[DONE]") {
            done++;
        } else if (event.has_data) {
            fuzz::require(parser.parse(event.data).ok(), "an event is JSON");
        }
        return true;
    };
    fuzz::require(framer.feed(got.out, look).ok(), "the output is framed");
    fuzz::require(framer.buffered() == 0, "the last event is complete");
    fuzz::require(done == (got.state == State::whole ? 1 : 0),
        "a whole answer ends, a failed one does not");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const config::Provider& from = *providers()[data[0] % providers().size()];
    const Wish wish{(data[1] & 1) == 0, (data[1] & 2) == 0, (data[1] & 4) == 0,
        (data[1] & 8) != 0, (data[1] & 16) != 0 ? 429 : 200};
    const std::string_view bytes(
        reinterpret_cast<const char*>(data) + 2, size - 2);
    const Outcome whole = run(from, wish, bytes, size);
    check_usage(whole.usage);
    fuzz::require(run(from, wish, bytes, size < 600 ? 1 : 100) == whole,
        "the answer does not depend on the cuts");
    if (wish.stream && !wish.json && wish.status == 200
        && !provider::relays(from.options))
    {
        check_stream(whole);
    }
    return 0;
}
