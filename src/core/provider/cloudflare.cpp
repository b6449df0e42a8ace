#include "core/provider/cloudflare.h"

#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <array>

// Workers AI's own call, /ai/run/{model} (providers.md 3.16).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::array<std::string_view, 3> kOwn{
    "repetition_penalty", "lora", "raw"};
constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "seed", "presence_penalty", "frequency_penalty", "tools",
    "tool_choice.none", "response_format.json_object",
    "response_format.json_schema"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    auto path = run_path(context.options, context.model);
    if (!path) {
        return std::move(path).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (auto done = write_openai_messages(w, request); !done) {
        return done;
    }
    if (request.stream) {
        w.field("stream", true);
    }
    write_optional(w, "max_tokens", request.max_tokens);
    write_optional(w, "temperature", request.temperature);
    write_optional(w, "top_p", request.top_p);
    write_optional(w, "top_k", request.top_k);
    write_optional(w, "seed", request.seed);
    write_optional(w, "presence_penalty", request.presence_penalty);
    write_optional(w, "frequency_penalty", request.frequency_penalty);
    if (request.schema.is_object()) {
        w.key("response_format").begin_object();
        w.field("type", "json_schema").field("json_schema", request.schema);
        w.end_object();
    } else if (request.format == chat::Format::json_object) {
        w.key("response_format").begin_object();
        w.field("type", "json_object").end_object();
    }
    if (!request.tools.empty() && request.tool_choice != chat::ToolChoice::none)
    {
        w.key("tools").begin_array();
        for (const chat::Tool& tool : request.tools) {
            w.begin_object().field("name", tool.name);
            w.field("description", tool.description);
            w.key("parameters");
            write_schema(w, tool.parameters);
            w.end_object();
        }
        w.end_array();
    }
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = std::move(*path);
    out.header("Content-Type", "application/json");
    out.header(
        "Accept", request.stream ? "text/event-stream" : "application/json");
    out.own_body(std::move(body));
    return {};
}

class CloudflareDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override;
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override;
    void say(Node result, chat::Sink& sink);
};

void CloudflareDecoder::say(Node result, chat::Sink& sink)
{
    say_.text(sink, result["response"].string_or());
    for (const Node call : result["tool_calls"].items()) {
        // Either flat or as OpenAI has it.
        const Node function =
            call["function"].is_object() ? call["function"] : call;
        std::string made;
        const Node given = function["arguments"];
        if (given.is_object()) {
            json::append_value(made, given);
        }
        say_.call(sink, call["id"].string_or(), function["name"].string_or(),
            given.is_string() ? given.string_or() : std::string_view(made));
    }
    // Newer models answer as OpenAI's do, inside the envelope.
    for (const Node choice : result["choices"].items()) {
        const Node message =
            choice["message"].is_object() ? choice["message"] : choice["delta"];
        say_.reasoning(sink,
            message["reasoning_content"].string_or(
                message["reasoning"].string_or()));
        say_.text(sink, message["content"].string_or());
        for (const Node call : message["tool_calls"].items()) {
            const Node function = call["function"];
            if (!function["name"].string_or().empty()) {
                say_.open_call(
                    sink, call["id"].string_or(), function["name"].string_or());
            }
            say_.arguments(sink, function["arguments"].string_or());
        }
        if (const auto word = choice["finish_reason"].string_or();
            !word.empty()) {
            say_.finish(sink, chat::finish_of(word), word);
        }
    }
    say_.usage(sink, usage::read_openai(result["usage"]));
}

Result<void> CloudflareDecoder::answer(Node body, chat::Sink& sink)
{
    const Node result = body["result"];
    if (!result.is_object()) {
        return make_error(
            ErrorCode::upstream_invalid, "the provider's answer has no result");
    }
    say_.begin(sink, result["id"].string_or());
    say(result, sink);
    return {};
}

Result<void> CloudflareDecoder::chunk(
    std::string_view, Node chunk, chat::Sink& sink)
{
    say(chunk["result"].is_object() ? chunk["result"] : chunk, sink);
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<CloudflareDecoder>(context.random);
}

} // namespace

Result<std::string> run_path(const Options& options, std::string_view model)
{
    std::string path;
    if (!options.cloudflare_account_id.empty()) {
        path = "/client/v4/accounts/" + options.cloudflare_account_id + "/ai";
    }
    path += "/run";
    // Names like "@cf/meta/llama" are several segments.
    while (!model.empty()) {
        const size_t slash = std::min(model.find('/'), model.size());
        const std::string_view segment = model.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") {
            return make_error(
                ErrorCode::invalid_request, "invalid model", "model");
        }
        path += '/';
        path += percent_encode(segment, "@"); // as the documents write it
        model.remove_prefix(std::min(slash + 1, model.size()));
    }
    return path;
}

const Protocol kCloudflare{"cloudflare", vocabulary_of<kVocabulary>, encode,
    decoder, dialect::read_openai_error};

} // namespace ai_proxy::provider
