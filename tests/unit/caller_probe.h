#pragma once

#include "core/json/splice.h"

#include "core/dialect/caller.h"
#include "core/policy/exchange.h"
#include "core/policy/response.h"

#include "exchange_fixture.h"

#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::testing {

// A request of any dialect as the text that the hub reads.
struct Hub {
    std::string text;
    chat::Dropped dropped;
    Error error;
    bool ok = false;
};

inline Hub to_hub(dialect::Api api, std::string_view body, bool stream = false)
{
    Hub out;
    json::Parser parser;
    auto parsed = parser.parse(body);
    if (!parsed) {
        out.error = parsed.error();
        return out;
    }
    const dialect::ClientRequest request{*parsed, "m", stream, out.dropped};
    auto done = dialect::find_caller(api)->to_chat(request, out.text);
    out.ok = done.ok();
    if (!done) {
        out.error = done.error();
    }
    return out;
}

// What a client of one dialect gets of a provider's answer, fed in pieces.
struct Fed {
    std::string out;
    policy::Response::State state = policy::Response::State::more;
    chat::Usage usage;
    std::string failure; // error_event of a stream that broke
};

inline Fed feed(const config::Provider& provider, dialect::Api api, bool stream,
    std::string_view body, size_t split, bool json_array = false,
    std::string echo = {})
{
    policy::ResponseContext context;
    context.provider = &provider;
    context.api = api;
    context.convert = true;
    context.stream = stream;
    context.show_usage = true;
    context.json_array = json_array;
    context.echo = std::move(echo);
    context.model = "m";
    context.fallback_id = "resp_1";
    context.now_seconds = 7;
    policy::Response response(context);
    const std::vector<Header> headers{{"content-type",
        body.starts_with('{') ? "application/json" : "text/event-stream"}};
    response.head(200, headers);
    Fed fed;
    while (!body.empty() && response.state() == policy::Response::State::more) {
        const size_t n =
            split == 0 ? body.size() : std::min(split, body.size());
        response.feed(body.substr(0, n), fed.out, 1);
        body.remove_prefix(n);
    }
    response.end(true, fed.out, 2);
    fed.state = response.state();
    fed.usage = response.usage();
    if (fed.state == policy::Response::State::failed && !fed.out.empty()) {
        fed.failure = response.error_event(response.error());
    }
    if (!stream) {
        fed.out = response.take_body();
    }
    return fed;
}

inline size_t count(std::string_view text, std::string_view what)
{
    size_t n = 0;
    for (size_t at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + what.size()))
    {
        ++n;
    }
    return n;
}

inline bool has(std::string_view text, std::string_view what)
{
    return text.find(what) != std::string_view::npos;
}

// An OpenAI stream with reasoning, text, two calls side by side and usage.
inline constexpr std::string_view kBusyStream =
    R"(data: {"id":"c1","object":"chat.completion.chunk","created":5,"model":"m1","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm "},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"reasoning_content":"so"},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"content":"Let \"me\""},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"content":" see"},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t0","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t1","type":"function","function":{"name":"g","arguments":"{\"b\""}}]},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":":2}"}}]},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})"
    "\n\n"
    R"(data: {"id":"c1","created":5,"model":"m1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":6,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}})"
    "\n\n"
    "data: [DONE]\n\n";

} // namespace ai_proxy::testing
