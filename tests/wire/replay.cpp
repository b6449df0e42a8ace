// Drives the core with recorded exchanges: feeds a provider's response through
// policy::Response, or shows what a client's request becomes on its way to a
// provider.  One JSON line out per job.
//
//   wire_replay --provider TYPE [--option k=v]... [--api chat] [--model M]
//       [--stream] [--show-usage] [--split N|events] FIXTURE.json
//   wire_replay --request --provider TYPE [--option k=v]... BODY.json
//   wire_replay --batch < jobs      one JSON object per line:
//     {"fixture": PATH, "provider": TYPE, "options": {k: v}, "api": "chat",
//      "model": M, "stream": true, "show_usage": true, "split": N|"events",
//      "clean": true}      "response": {...} may stand instead of "fixture"
//     "through": [{"provider": TYPE, "options": {}, "to": API}, ...] feeds
//     what a client got to a further provider, as if it had answered so
//     {"request": {...}, "provider": TYPE, "options": {}, "model": M,
//      "path": "/v1/chat/completions"}      "text": the body as it is sent
//     "rebuilt": true sends its form in the hub, as an OpenAI client would
//     {"frames": BASE64, "split": N}        an AWS event stream, decoded

#include "core/config/gateway.h"
#include "core/dialect/caller.h"
#include "core/dialect/error_writer.h"
#include "core/json/writer.h"
#include "core/policy/exchange.h"
#include "core/policy/response.h"
#include "core/provider/registry.h"
#include "core/provider/vendor.h"

#include "frames.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace ai_proxy;

constexpr int64_t kNow = 1'700'000'000;

struct Api {
    std::string_view word, path;
};

constexpr Api kApis[] = {
    {"chat", "/v1/chat/completions"},
    {"completions", "/v1/completions"},
    {"embeddings", "/v1/embeddings"},
    {"responses", "/v1/responses"},
    {"messages", "/v1/messages"},
    {"models", "/v1/models"},
    {"moderations", "/v1/moderations"},
    {"images", "/v1/images/generations"},
    {"rerank", "/v1/rerank"},
    {"count_tokens", "/v1/messages/count_tokens"},
    {"gemini", "/v1beta/models/m:generateContent"},
    {"gemini-stream", "/v1beta/models/m:streamGenerateContent"},
    {"gemini-count", "/v1beta/models/m:countTokens"},
};

std::string_view path_of(std::string_view word)
{
    for (const Api& api : kApis) {
        if (api.word == word) {
            return api.path;
        }
    }
    return word; // a path itself
}

bool read_file(const std::string& path, std::string& out)
{
    std::ifstream in(path, std::ios::binary);
    out.assign(std::istreambuf_iterator<char>(in), {});
    return static_cast<bool>(in) || in.eof();
}

void failure(std::string& out, const Error& error)
{
    json::Writer w(out);
    w.begin_object().key("error").begin_object();
    w.field("code", describe(error.code).name);
    w.field("message", error.message);
    w.field("param", error.param);
    w.field("type", error.type);
    w.field("provider_code", error.provider_code);
    w.field("status", int64_t{error.http_status()});
    w.end_object().end_object();
}

std::vector<std::string_view> words_of(
    std::string_view name, std::string_view value)
{
    std::vector<std::string_view> words{name};
    while (!value.empty()) {
        const size_t space = value.find(' ');
        if (space != 0) {
            words.push_back(value.substr(0, space));
        }
        value = space == std::string_view::npos ? std::string_view()
                                                : value.substr(space + 1);
    }
    return words;
}

Result<std::unique_ptr<config::Provider>> build_provider(json::Node job)
{
    config::ProviderBuilder builder(
        "replayed", [](std::string_view) -> Result<std::string> {
            return make_error(ErrorCode::internal, "no secrets here");
        });
    const std::string_view type = job["provider"].string_or();
    if (auto r = builder.line({"type", type}); !r) {
        return std::move(r).error();
    }
    const json::Node options = job["options"];
    if (!options["api_token"].exists()) {
        // A type without credentials refuses the field.
        static_cast<void>(builder.line({"api_token", "replay-token"}).ok());
    }
    for (const json::Member option : options.members()) {
        std::string text(option.value.string_or());
        if (const auto number = option.value.integer()) {
            text = std::to_string(*number);
        }
        if (const auto flag = option.value.boolean()) {
            text = *flag ? "on" : "off";
        }
        if (auto r = builder.line(words_of(option.key, text)); !r) {
            return std::move(r).error();
        }
    }
    return builder.finish();
}

struct Recording {
    int status = 200;
    std::vector<Header> headers;
    std::string body;
};

Recording read_response(json::Node response)
{
    Recording out;
    out.status = static_cast<int>(response["status"].integer().value_or(200));
    for (const json::Member header : response["headers"].members()) {
        out.headers.push_back({header.key, header.value.string_or()});
    }
    if (const auto text = response["body_text"].string()) {
        out.body = *text;
    } else if (const auto binary = response["body_base64"].string()) {
        out.body = provider::decode_base64(*binary).value_or("");
    } else if (response["body"].exists()) {
        json::append_value(out.body, response["body"]);
    }
    return out;
}

// Length of the piece at the front of text.
size_t cut(std::string_view text, json::Node split)
{
    if (split.string_or() == "events" && text.starts_with('\0')) {
        // An AWS event stream: the length stands first.
        size_t length = 0;
        for (size_t i = 0; i < 4 && i < text.size(); i++) {
            length = length * 256 + static_cast<unsigned char>(text[i]);
        }
        return std::min(text.size(), std::max<size_t>(length, 1));
    }
    if (split.string_or() == "events") {
        size_t end = text.size();
        for (const std::string_view blank : {"\n\n", "\r\n\r\n", "\r\r"}) {
            const size_t at = text.find(blank);
            if (at != std::string_view::npos) {
                end = std::min(end, at + blank.size());
            }
        }
        return end;
    }
    const auto n = split.integer().value_or(0);
    return n > 0 ? std::min(text.size(), static_cast<size_t>(n)) : text.size();
}

const char* name_of(policy::Response::State state)
{
    switch (state) {
    case policy::Response::State::more:
        return "more";
    case policy::Response::State::whole:
        return "whole";
    case policy::Response::State::failed:
        return "failed";
    }
    return "";
}

void write_usage(json::Writer& w, const chat::Usage& usage)
{
    w.key("usage").begin_object();
    w.field("known", usage.known);
    w.field("prompt", usage.prompt).field("completion", usage.completion);
    w.field("total", usage.total).field("cache_read", usage.cache_read);
    w.field("cache_write", usage.cache_write);
    w.field("reasoning", usage.reasoning);
    w.end_object();
}

void write_result(
    std::string& out, policy::Response& response, std::string streamed)
{
    const bool failed = response.state() == policy::Response::State::failed;
    const bool committed = !streamed.empty();
    std::string tail;
    if (failed) {
        if (committed) {
            write_error_event(tail, dialect::Dialect::openai, response.error());
        } else {
            dialect::write_error_body(
                tail, dialect::Dialect::openai, response.error());
        }
    }
    json::Writer w(out);
    w.begin_object().field("state", name_of(response.state()));
    w.field("status", int64_t{response.status()});
    w.field("client_status",
        committed ? int64_t{response.status()}
                  : int64_t{response.client_status()});
    w.field("content_type", response.content_type());
    w.field("streaming", response.streaming());
    w.field("committed", committed);
    w.key("headers").begin_object();
    for (const auto& field : response.headers()) {
        w.field(field.name, field.value);
    }
    w.end_object();
    w.field("retry_after_ms", static_cast<int64_t>(response.retry_after_ms()));
    write_usage(w, response.usage());
    w.field("finish", chat::to_text(response.finish()));
    w.field("first_token", static_cast<int64_t>(response.first_token()));
    if (response.state() == policy::Response::State::whole
        && !response.streaming()) {
        streamed = response.take_body();
    }
    w.field("output", streamed).field("tail", tail);
    w.key("error");
    if (failed) {
        const Error& error = response.error();
        w.begin_object().field("code", describe(error.code).name);
        w.field("message", error.message).field("param", error.param);
        w.field("type", error.type);
        w.field("provider_code", error.provider_code);
        w.field("status", int64_t{error.http_status()}).end_object();
    } else {
        w.null();
    }
    w.end_object();
}

policy::ResponseContext context_of(
    json::Node job, const config::Provider& provider, bool stream)
{
    policy::ResponseContext context;
    context.provider = &provider;
    context.api = dialect::recognise(path_of(job["api"].string_or("chat")));
    context.convert = context.api == dialect::Api::chat_completions
        && !provider::relays(provider.options);
    // "to": the dialect of a client that is answered by this chat provider.
    if (const auto to = job["to"].string(); to) {
        context.api = dialect::recognise(path_of(*to));
        context.convert = true;
    }
    context.json_array = job["json_array"].boolean().value_or(false);
    context.translation = provider::translation(provider.options, context.api);
    context.stream = job["stream"].boolean().value_or(stream);
    context.show_usage = job["show_usage"].boolean().value_or(false);
    context.model = job["model"].string_or("model");
    context.fallback_id = "chatcmpl-replay";
    context.now_seconds = kNow;
    return context;
}

// All of the recording in the pieces that are asked for; what was streamed.
std::string feed(policy::Response& response, const Recording& recording,
    json::Node split, bool clean)
{
    response.head(recording.status, recording.headers);
    std::string streamed;
    std::string_view rest = recording.body;
    policy::Micros now = 1;
    while (!rest.empty() && response.state() == policy::Response::State::more) {
        const size_t n = cut(rest, split);
        // A copy of its own size, so that a sanitizer sees every overrun.
        const std::vector<char> piece(rest.begin(), rest.begin() + n);
        response.feed({piece.data(), n}, streamed, now++);
        rest.remove_prefix(n);
    }
    response.end(clean, streamed, now);
    return streamed;
}

// What a client got, as the answer of another provider.
Recording answer_of(policy::Response& response, std::string streamed)
{
    Recording out;
    out.status = response.client_status();
    out.headers = {{"content-type",
        response.streaming() ? "text/event-stream" : "application/json"}};
    out.body =
        response.streaming() ? std::move(streamed) : response.take_body();
    return out;
}

void replay(json::Node job, json::Node exchange, std::string& out)
{
    Recording recording = read_response(exchange);
    const bool clean = job["clean"].boolean().value_or(true);
    const bool stream =
        job["stream"].boolean().value_or(recording.body.starts_with("data:"));
    json::Node hop = job;
    for (size_t next = 0;; ++next) {
        auto provider = build_provider(hop);
        if (!provider) {
            failure(out, provider.error());
            return;
        }
        policy::Response response(context_of(hop, **provider, stream));
        std::string streamed = feed(response, recording, job["split"], clean);
        if (next == job["through"].size()
            || response.state() == policy::Response::State::failed)
        {
            write_result(out, response, std::move(streamed));
            return;
        }
        recording = answer_of(response, std::move(streamed));
        hop = job["through"].at(next);
    }
}

bool is_credential(std::string_view name)
{
    return iequals(name, "authorization") || iequals(name, "api-key")
        || iequals(name, "x-api-key") || iequals(name, "x-goog-api-key");
}

void write_outbound(std::string& out, const provider::Outbound& outbound)
{
    std::string body;
    for (const std::string_view piece : outbound.body) {
        body += piece;
    }
    json::Writer w(out);
    w.begin_object().key("outbound").begin_object();
    w.field("method", outbound.method).field("path", outbound.path);
    w.key("headers").begin_object();
    for (const auto& [name, value] : outbound.headers) {
        if (!is_credential(name)) {
            w.field(name, value);
        }
    }
    w.end_object();
    w.field("body", body).end_object().end_object();
}

// The request of another dialect becomes one of OpenAI's chat.
Result<void> to_hub(
    std::string_view model, policy::ClientHead& head, std::string& body)
{
    const dialect::Api api = dialect::recognise(head.path);
    json::Parser parser;
    auto parsed = parser.parse(std::string_view(body));
    if (!parsed) {
        return std::move(parsed).error();
    }
    chat::Dropped dropped;
    const bool stream = api == dialect::Api::gemini_stream
        || (*parsed)["stream"].boolean().value_or(false);
    std::string hub;
    const dialect::ClientRequest asked{*parsed, model, stream, dropped};
    auto done = dialect::find_caller(api)->to_chat(asked, hub);
    body = std::move(hub);
    head.path = "/v1/chat/completions";
    head.query = {};
    return done;
}

void request(json::Node job, json::Node body_node, std::string& out)
{
    auto provider = build_provider(job);
    if (!provider) {
        failure(out, provider.error());
        return;
    }
    config::Gateway gateway;
    (void)gateway.add(std::move(*provider));
    route::Route route;
    route.targets.emplace_back();
    route.targets[0].model = job["model"].string_or();
    config::Site site;
    site.routes.push_back(&route);
    policy::ClientHead head;
    head.method = "POST";
    head.path = job["path"].string_or("/v1/chat/completions");
    if (const size_t mark = head.path.find('?'); mark != head.path.npos) {
        head.query = head.path.substr(mark + 1);
        head.path = head.path.substr(0, mark);
    }
    head.content_type = "application/json";
    std::string body;
    if (const auto text = job["text"].string()) {
        body = *text;
    } else {
        json::append_value(body, body_node);
    }
    if (job["rebuilt"].boolean().value_or(false)) {
        if (auto r = to_hub(job["model"].string_or(), head, body); !r) {
            failure(out, r.error());
            return;
        }
    }
    const size_t length = body.size();
    body.resize(length + json::kPadding);
    policy::Exchange exchange(gateway, site, head, 1);
    if (auto r = exchange.receive(body.data(), length); !r) {
        failure(out, r.error());
        return;
    }
    auto attempt = exchange.make_try(route.targets[0], 0, kNow, 1);
    if (!attempt) {
        failure(out, attempt.error());
        return;
    }
    write_outbound(out, (*attempt)->outbound);
}

void run(json::Node job, std::string& out)
{
    if (job["request"].exists()) {
        request(job, job["request"], out);
        return;
    }
    if (const auto frames = job["frames"].string()) {
        const auto split = job["split"].integer().value_or(0);
        wire::write_frames(provider::decode_base64(*frames).value_or(""),
            static_cast<size_t>(split), out);
        return;
    }
    if (job["response"].exists()) {
        replay(job, job["response"], out);
        return;
    }
    std::string text;
    const std::string path(job["fixture"].string_or());
    json::Parser parser;
    if (path.empty() || !read_file(path, text)) {
        failure(out,
            make_error(ErrorCode::internal, "cannot read \"" + path + "\""));
        return;
    }
    auto fixture = parser.parse(std::string_view(text));
    if (!fixture) {
        failure(out, fixture.error());
        return;
    }
    replay(job, (*fixture)["response"], out);
}

void run_text(std::string_view text)
{
    std::string out;
    json::Parser parser;
    auto job = parser.parse(text);
    if (job) {
        run(*job, out);
    } else {
        failure(out, job.error());
    }
    out += '\n';
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
}

int batch()
{
    std::string line;
    for (int c; (c = std::getc(stdin)) != EOF;) {
        if (c != '\n') {
            line += static_cast<char>(c);
        } else {
            run_text(line);
            line.clear();
        }
    }
    if (!line.empty()) {
        run_text(line);
    }
    return 0;
}

int usage_error()
{
    std::fputs("usage: wire_replay --batch | [--request] --provider TYPE "
               "[--option k=v]... [--api A] [--model M] [--stream] "
               "[--show-usage] [--split N|events] FILE\n",
        stderr);
    return 2;
}

// The words of the command line as the job they stand for.
int single(const std::vector<std::string_view>& words)
{
    std::string job, options, file, text;
    bool is_request = false;
    json::Writer w(job), o(options);
    w.begin_object();
    o.begin_object();
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        if (word == "--request") {
            is_request = true;
        } else if (word == "--stream") {
            w.field("stream", true);
        } else if (word == "--show-usage") {
            w.field("show_usage", true);
        } else if (word.starts_with("--") && i + 1 < words.size()) {
            const std::string_view value = words[++i];
            const size_t equals = value.find('=');
            const auto number = parse_uint(value);
            if (word == "--option" && equals != std::string_view::npos) {
                o.field(value.substr(0, equals), value.substr(equals + 1));
            } else if (word == "--split" && number) {
                w.field("split", static_cast<int64_t>(*number));
            } else {
                w.field(word.substr(2), value);
            }
        } else {
            file = word;
        }
    }
    o.end_object();
    w.key("options").raw(options);
    if (file.empty()) {
        return usage_error();
    }
    if (!is_request) {
        w.field("fixture", file);
    } else if (read_file(file, text)) {
        w.key("request").raw(text);
    }
    w.end_object();
    run_text(job);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    if (words.size() == 1 && words[0] == "--batch") {
        return batch();
    }
    return words.empty() ? usage_error() : single(words);
}
