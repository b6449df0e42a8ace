#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/chunk_decoder.h"
#include "core/provider/transcript.h"
#include "core/provider/vendor.h"

// Triton's generate extension: a text in, a text out (providers.md 4.13).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr std::string_view kWords[] = {
    "max_tokens", "temperature", "top_p", "top_k", "seed"};
constexpr std::string_view kOwn[] = {"parameters"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    auto text = transcript(request, true, false);
    if (!text) {
        return std::move(text).error();
    }
    drop_if(context, "messages", request.messages.size() > 1);
    std::string body;
    json::Writer w(body);
    w.begin_object().field("text_input", std::string_view(*text));
    // The names are those of the TensorRT-LLM and vLLM backends; the client's
    // own "parameters" are for all others.
    w.key("parameters").begin_object();
    w.field("stream", request.stream);
    write_optional(w, "temperature", request.temperature);
    write_optional(w, "top_p", request.top_p);
    write_optional(w, "top_k", request.top_k);
    write_optional(w, "max_tokens", request.max_tokens);
    write_optional(w, "seed", request.seed);
    for (const json::Member own : request.raw["parameters"].members()) {
        if (own.key != "stream" && own.key != "temperature"
            && own.key != "top_p" && own.key != "top_k"
            && own.key != "max_tokens" && own.key != "seed")
        {
            w.field(own.key, own.value);
        }
    }
    w.end_object().end_object();
    out.path = "/v2/models/" + percent_encode(context.model);
    if (!context.options.triton_model_version.empty()) {
        out.path +=
            "/versions/" + percent_encode(context.options.triton_model_version);
    }
    out.path += request.stream ? "/generate_stream" : "/generate";
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

class TritonDecoder final : public ChunkDecoder {
public:
    using ChunkDecoder::ChunkDecoder;

private:
    Result<void> answer(Node body, chat::Sink& sink) override
    {
        if (!body["text_output"].is_string()) {
            return make_error(ErrorCode::upstream_invalid,
                "the provider's answer has no text_output");
        }
        return chunk({}, body, sink);
    }
    Result<void> chunk(std::string_view, Node chunk, chat::Sink& sink) override
    {
        say_.begin(
            sink, chunk["id"].string_or(), chunk["model_name"].string_or());
        say_.text(sink, chunk["text_output"].string_or());
        return {};
    }
    // It has no word for the end: that of the transfer has to do.
    [[nodiscard]] bool may_just_end() const override { return true; }
};

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return std::make_unique<TritonDecoder>(context.random);
}

} // namespace

const Protocol kTriton{"triton", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
