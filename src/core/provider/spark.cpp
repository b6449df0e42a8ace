#include "core/provider/spark.h"

#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/adjust.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/registry.h"
#include "core/usage/reading.h"

// iFlytek's Spark (providers.md 4.6).  Requests are OpenAI's; answers are so
// only nearly: "sid" for the id, no model, no finish_reason, and a single
// tool call as an object.
namespace ai_proxy::provider {
namespace {

using json::Node;

class SparkDecoder final : public ChunkDecoder {
public:
    explicit SparkDecoder(uint64_t random) : ChunkDecoder(random) {}

protected:
    Result<void> answer(Node body, chat::Sink& sink) override
    {
        return say(body, "message", sink);
    }
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override
    {
        return say(chunk, "delta", sink);
    }

private:
    Result<void> say(Node body, std::string_view key, chat::Sink& sink);
    void call(Node call, chat::Sink& sink);
};

void SparkDecoder::call(Node call, chat::Sink& sink)
{
    const Node function = call["function"];
    if (!function["name"].string_or().empty()) {
        say_.open_call(
            sink, call["id"].string_or(), function["name"].string_or());
    }
    say_.arguments(sink, function["arguments"].string_or());
}

Result<void> SparkDecoder::say(
    Node body, std::string_view key, chat::Sink& sink)
{
    const std::string_view sid = body["sid"].string_or(body["id"].string_or());
    const Node choice = body["choices"].at(0);
    if (choice.exists()) {
        say_.begin(sink, sid, body["model"].string_or(),
            body["created"].integer().value_or(0));
    }
    const Node message = choice[key];
    say_.reasoning(sink, message["reasoning_content"].string_or());
    say_.text(sink, message["content"].string_or());
    const Node calls = message["tool_calls"];
    if (calls.is_object()) {
        call(calls, sink);
    }
    for (const Node one : calls.items()) {
        call(one, sink);
    }
    if (const auto word = choice["finish_reason"].string_or(); !word.empty()) {
        say_.finish(sink, chat::finish_of(word), word);
    }
    say_.usage(sink, usage::read_openai(body["usage"]));
    return {};
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    return kOpenai.encode(request, context, out);
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<SparkDecoder>(context.random);
}

const Vocabulary* vocabulary(const EncodeContext& context)
{
    return kOpenai.vocabulary(context);
}

Error error(int status, Node body, std::string_view text)
{
    return kOpenai.error(status, body, text);
}

} // namespace

Result<void> adjust_spark(
    json::Splice& body, json::Node parsed, const EncodeContext& context)
{
    // Tool calls in an array, as OpenAI has them.
    if (parsed["tools"].size() != 0 && !parsed["tool_calls_switch"].exists()) {
        body.set("tool_calls_switch", "true");
    }
    return adjust_relayed(body, parsed, context);
}

bool is_spark(const Options& options) noexcept
{
    return options.type->name == "spark";
}

const Protocol kSpark{"spark", vocabulary, encode, decoder, error};

} // namespace ai_proxy::provider
