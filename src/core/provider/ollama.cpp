#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/logprobs.h"
#include "core/provider/vendor.h"

#include <algorithm>
#include <array>

// Ollama's own chat, /api/chat: lines of JSON (providers.md 3.18).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kWords[] = {"max_tokens", "temperature", "top_p",
    "top_k", "seed", "presence_penalty", "frequency_penalty", "stop",
    "logprobs", "top_logprobs", "reasoning_effort", "tools", "tool_choice.none",
    "response_format.json_object", "response_format.json_schema"};
constexpr std::string_view kOwn[] = {"options", "keep_alive"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

void write_arguments(json::Writer& w, std::string_view text)
{
    // Checked to be an object by object_arguments().
    w.key("arguments").raw(text);
}

Result<void> write_message(
    json::Writer& w, const chat::Request& request, size_t index)
{
    const chat::Message& message = request.messages[index];
    w.begin_object().field("role", plain_role(message.role));
    w.field("content", joined_text(message));
    if (!message.reasoning.empty()) {
        w.field("thinking", message.reasoning);
    }
    bool images = false;
    for (size_t i = 0; i < message.parts.size(); i++) {
        const chat::Part& part = message.parts[i];
        if (part.kind == chat::PartKind::image_data) {
            if (!images) {
                w.key("images").begin_array();
            }
            images = true;
            w.string(part.data);
        } else if (!is_text(part)) {
            return make_error(ErrorCode::invalid_request,
                "the provider takes text, and images as data: URLs",
                part_path(index, i));
        }
    }
    if (images) {
        w.end_array();
    }
    if (!message.tool_calls.empty()) {
        json::Parser scratch;
        w.key("tool_calls").begin_array();
        for (size_t i = 0; i < message.tool_calls.size(); i++) {
            const chat::ToolCall& call = message.tool_calls[i];
            const auto arguments = object_arguments(scratch, call, index, i);
            if (!arguments) {
                return arguments.error();
            }
            w.begin_object().key("function").begin_object();
            w.field("name", call.name);
            write_arguments(w, *arguments);
            w.end_object().end_object();
        }
        w.end_array();
    }
    if (message.role == chat::Role::tool) {
        const std::string_view name = answered_tool(request, index);
        if (!name.empty()) {
            w.field("tool_name", name);
        }
    }
    w.end_object();
    return {};
}

void write_options(json::Writer& w, const chat::Request& request)
{
    w.key("options").begin_object();
    // Ollama's own, which no field of OpenAI's overrides.
    constexpr std::array<std::string_view, 8> kDerived{"temperature", "top_p",
        "top_k", "seed", "num_predict", "presence_penalty", "frequency_penalty",
        "stop"};
    for (const json::Member own : request.raw["options"].members()) {
        if (std::find(kDerived.begin(), kDerived.end(), own.key)
            == kDerived.end()) {
            w.field(own.key, own.value);
        }
    }
    write_optional(w, "temperature", request.temperature);
    write_optional(w, "top_p", request.top_p);
    write_optional(w, "top_k", request.top_k);
    write_optional(w, "seed", request.seed);
    write_optional(w, "num_predict", request.max_tokens);
    write_optional(w, "presence_penalty", request.presence_penalty);
    write_optional(w, "frequency_penalty", request.frequency_penalty);
    write_strings(w, "stop", request.stop);
    w.end_object();
}

void write_thinking(json::Writer& w, const chat::Request& request)
{
    const std::string_view effort = request.reasoning_effort;
    const auto budget = thinking_budget(request);
    if (!budget) {
        return;
    }
    // Models that know degrees take the word, all others on and off.
    if (effort == "low" || effort == "medium" || effort == "high") {
        w.field("think", effort);
    } else {
        w.field("think", *budget > 0);
    }
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.field("stream", request.stream);
    w.key("messages").begin_array();
    for (size_t i = 0; i < request.messages.size(); i++) {
        if (auto done = write_message(w, request, i); !done) {
            return done;
        }
    }
    w.end_array();
    // There is no choice of tools: "none" is to show none.
    if (!request.tools.empty() && request.tool_choice != chat::ToolChoice::none)
    {
        write_functions(w, request);
    }
    if (request.schema.is_object()) {
        w.field("format", request.schema);
    } else if (request.format == chat::Format::json_object) {
        w.field("format", "json");
    }
    write_optional(w, "logprobs", request.logprobs);
    write_optional(w, "top_logprobs", request.top_logprobs);
    write_thinking(w, request);
    write_options(w, request);
    if (request.raw["keep_alive"].has_value()) {
        w.field("keep_alive", request.raw["keep_alive"]);
    }
    w.end_object();
    out.path = "/api/chat";
    out.header("Content-Type", "application/json");
    out.header(
        "Accept", request.stream ? "application/x-ndjson" : "application/json");
    out.own_body(std::move(body));
    return {};
}

class OllamaDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override
    {
        return chunk({}, body, sink);
    }
    Result<void> chunk(std::string_view, Node line, chat::Sink& sink) override;
};

Result<void> OllamaDecoder::chunk(std::string_view, Node line, chat::Sink& sink)
{
    const Node message = line["message"];
    if (message.is_object()) {
        say_.begin(sink, {}, line["model"].string_or());
    }
    say_.reasoning(sink, message["thinking"].string_or());
    say_.text(sink, message["content"].string_or());
    tell_openai_logprobs(line["logprobs"], 0, sink);
    for (const Node call : message["tool_calls"].items()) {
        std::string arguments;
        const Node given = call["function"]["arguments"];
        if (given.is_object()) {
            json::append_value(arguments, given);
        }
        say_.call(sink, call["id"].string_or(),
            call["function"]["name"].string_or(), arguments);
    }
    if (line["done"].boolean().value_or(false)) {
        say_.usage(
            sink, counted(line["prompt_eval_count"], line["eval_count"]));
        const std::string_view word = line["done_reason"].string_or("stop");
        say_.finish(sink,
            word == "length" ? chat::Finish::length : chat::Finish::stop, word);
        say_.end(sink);
    }
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<OllamaDecoder>(context.random);
}

} // namespace

const Protocol kOllama{"ollama", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error, Framing::ndjson};

} // namespace ai_proxy::provider
