#include "core/provider/logprobs.h"

#include "core/json/writer.h"
#include "core/provider/vendor.h"

namespace ai_proxy::provider {
namespace {

using json::Node;

void begin_token(json::Writer& w, std::string_view text, double logprob)
{
    w.begin_object().field("token", text).field("logprob", logprob);
    w.key("bytes").begin_array();
    for (const char c : text) {
        w.integer(uint8_t(c));
    }
    w.end_array();
}

void begin_token(json::Writer& w, Node candidate)
{
    begin_token(w, candidate["token"].string_or(),
        candidate["logProbability"].number().value_or(0.0));
}

void tell(const std::string& text, uint32_t choice, chat::Sink& sink)
{
    if (text.size() > 2) { // not []
        sink.on(event_of(chat::EventKind::logprobs, text, choice));
    }
}

void cohere_piece(json::Writer& w, Node piece)
{
    const std::string_view text = piece["text"].string_or();
    if (text.empty() || piece["logprobs"].size() == 0) {
        return;
    }
    double sum = 0.0;
    for (const Node one : piece["logprobs"].items()) {
        sum += one.number().value_or(0.0);
    }
    begin_token(w, text, sum);
    w.key("top_logprobs").begin_array().end_array().end_object();
}

} // namespace

void tell_openai_logprobs(Node tokens, uint32_t choice, chat::Sink& sink)
{
    if (tokens.is_array() && tokens.size() > 0) {
        std::string text;
        json::append_value(text, tokens);
        tell(text, choice, sink);
    }
}

void tell_gemini_logprobs(Node result, uint32_t choice, chat::Sink& sink)
{
    if (result["chosenCandidates"].size() == 0) {
        return;
    }
    std::string text;
    json::Writer w(text);
    w.begin_array();
    auto top = result["topCandidates"].items().begin();
    const auto end = result["topCandidates"].items().end();
    for (const Node chosen : result["chosenCandidates"].items()) {
        begin_token(w, chosen);
        w.key("top_logprobs").begin_array();
        if (top != end) {
            for (const Node one : (*top)["candidates"].items()) {
                begin_token(w, one);
                w.end_object();
            }
            ++top;
        }
        w.end_array().end_object();
    }
    w.end_array();
    tell(text, choice, sink);
}

void tell_cohere_logprobs(Node pieces, chat::Sink& sink)
{
    std::string text;
    json::Writer w(text);
    w.begin_array();
    if (pieces.is_object()) {
        cohere_piece(w, pieces);
    }
    for (const Node one : pieces.items()) {
        cohere_piece(w, one);
    }
    w.end_array();
    tell(text, 0, sink);
}

} // namespace ai_proxy::provider
