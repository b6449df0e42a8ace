#include "core/provider/gemini.h"

#include "core/base/hash.h"
#include "core/provider/citation.h"
#include "core/provider/logprobs.h"
#include "core/provider/vendor.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

using chat::EventKind;
using chat::Finish;

struct StatusName {
    std::string_view name;
    uint16_t status;
};
constexpr std::array<StatusName, 13> kStatusNames{{
    {"INVALID_ARGUMENT", 400},
    {"FAILED_PRECONDITION", 400},
    {"OUT_OF_RANGE", 400},
    {"UNAUTHENTICATED", 401},
    {"PERMISSION_DENIED", 403},
    {"NOT_FOUND", 404},
    {"ABORTED", 409},
    {"RESOURCE_EXHAUSTED", 429},
    {"CANCELLED", 499},
    {"INTERNAL", 500},
    {"UNIMPLEMENTED", 501},
    {"UNAVAILABLE", 503},
    {"DEADLINE_EXCEEDED", 504},
}};

// The names by number, as an endpoint with enum-encoding=int sends them; from
// 5 on the numbers of the two services differ.
constexpr std::array<std::string_view, 5> kFinishNumbers{
    "", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION"};

std::string_view finish_name(json::Node reason) noexcept
{
    std::string_view name = reason.string_or();
    if (const auto number = reason.integer()) {
        name = *number >= 0 && size_t(*number) < kFinishNumbers.size()
            ? kFinishNumbers[size_t(*number)]
            : std::string_view("OTHER");
    }
    return name == "FINISH_REASON_UNSPECIFIED" ? std::string_view{} : name;
}

Finish finish_of(std::string_view name, bool calls) noexcept
{
    const Finish finish = chat::finish_of(name);
    if (finish != Finish::stop && finish != Finish::none) {
        return finish;
    }
    return calls ? Finish::tool_calls : Finish::stop;
}

struct TierName {
    std::string_view name, tier;
};
// Of the Gemini API and of Vertex AI.
constexpr TierName kTierNames[] = {
    {"standard", "default"},
    {"flex", "flex"},
    {"priority", "priority"},
    {"ON_DEMAND", "default"},
    {"ON_DEMAND_FLEX", "flex"},
    {"ON_DEMAND_PRIORITY", "priority"},
    {"PROVISIONED_THROUGHPUT", "scale"},
};

// In OpenAI's words, "" when unknown.
std::string_view tier_of(json::Node usage) noexcept
{
    const std::string_view name =
        usage["serviceTier"].string_or(usage["trafficType"].string_or());
    for (const TierName& row : kTierNames) {
        if (iequals(row.name, name)) {
            return row.tier;
        }
    }
    return {};
}

// {"error":{code, message, status}}, also as the only element of an array.
json::Node error_in(json::Node body) noexcept
{
    return body.is_array() ? body.at(0)["error"] : body["error"];
}

void fill_error(Error& out, json::Node error)
{
    out.type = error["status"].string_or();
    out.provider_code = out.type;
    out.message = error["message"].string_or(error.string_or());
}

Error reported_error(json::Node error)
{
    Error out = make_error(ErrorCode::upstream_error, {});
    fill_error(out, error);
    if (out.message.empty()) {
        out.message = "the provider reported an error";
    }
    const int64_t code = error["code"].integer().value_or(0);
    if (code >= 400 && code <= 599) {
        out.status = uint16_t(code);
        return out;
    }
    for (const StatusName& row : kStatusNames) {
        if (row.name == out.type) {
            out.status = row.status;
        }
    }
    return out;
}

// A call, or a search at work beside functions, whose signature signs nothing
// else.
bool is_tool(json::Node part) noexcept
{
    return part["functionCall"].is_object() || part["toolCall"].is_object()
        || part["toolResponse"].is_object();
}

bool speaks(json::Node part) noexcept
{
    return !is_tool(part) && !part["thought"].boolean().value_or(false)
        && !part["text"].string_or().empty();
}

class GeminiDecoder final : public Decoder {
public:
    explicit GeminiDecoder(uint64_t random) : random_(random) {}

    Result<void> body(json::Node body, chat::Sink& sink) override;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) override;
    Result<void> finish(chat::Sink& sink) override;

private:
    struct Candidate {
        bool seen = false;
        uint32_t calls = 0;
        int64_t text_bytes = 0;
        int64_t text_length = 0; // code points
        size_t supports = 0;     // grounding supports told
        std::string finish;      // vendor's word; "" while running
    };
    static constexpr size_t kMaxCandidates = 128;
    static constexpr size_t kMaxFinishName = 64;

    Result<void> chunk(json::Node chunk, chat::Sink& sink);
    Result<void> candidate(json::Node node, size_t place, chat::Sink& sink);
    void parts(json::Node node, uint32_t choice, chat::Sink& sink);
    void part(json::Node part, uint32_t choice, chat::Sink& sink);
    void signature(json::Node part, uint32_t choice, chat::Sink& sink);
    void media(json::Node part, uint32_t choice, chat::Sink& sink);
    void text(std::string_view text, uint32_t choice, chat::Sink& sink);
    void call(json::Node part, uint32_t choice, chat::Sink& sink);
    void grounding(json::Node metadata, uint32_t choice, chat::Sink& sink);
    void cite(json::Node support, json::Node chunks, const Candidate& state,
        std::string& out) const;
    void blocked(json::Node feedback, chat::Sink& sink);
    void end(chat::Sink& sink);

    uint64_t random_;
    std::vector<Candidate> candidates_;
    chat::Usage usage_;
    bool begun_ = false;
    bool ended_ = false;
    bool has_tier_ = false;
};

void GeminiDecoder::text(
    std::string_view text, uint32_t choice, chat::Sink& sink)
{
    if (!text.empty()) {
        Candidate& state = candidates_[choice];
        state.text_bytes += int64_t(text.size());
        state.text_length += code_points(text);
        sink.on(event_of(EventKind::text, text, choice));
    }
}

// Calls come whole.  Older models give them no id: the client needs one to
// answer to, so it is made from the random number of this try.
void GeminiDecoder::call(json::Node part, uint32_t choice, chat::Sink& sink)
{
    const json::Node call = part["functionCall"];
    const uint32_t index = candidates_[choice].calls++;
    std::string id(call["id"].string_or());
    if (id.empty()) {
        id = "call_";
        append_hex(id, random_);
        id += '_' + std::to_string(choice) + '_' + std::to_string(index);
    }
    chat::Event begin = tool_event(EventKind::tool_begin, choice, index,
        part["thoughtSignature"].string_or());
    begin.id = id;
    begin.name = call["name"].string_or();
    sink.on(begin);
    std::string arguments;
    if (call["args"].is_object()) {
        json::append_value(arguments, call["args"]);
    } else {
        arguments = "{}";
    }
    sink.on(tool_event(EventKind::tool_arguments, choice, index, arguments));
}

void GeminiDecoder::part(json::Node part, uint32_t choice, chat::Sink& sink)
{
    if (part["functionCall"].is_object()) {
        call(part, choice, sink);
        return;
    }
    if (is_tool(part)) {
        return;
    }
    const std::string_view written = part["text"].string_or();
    if (part["thought"].boolean().value_or(false)) {
        if (!written.empty()) {
            sink.on(event_of(EventKind::reasoning, written, choice));
        }
    } else {
        text(written, choice, sink);
    }
}

void GeminiDecoder::media(json::Node part, uint32_t choice, chat::Sink& sink)
{
    if (is_tool(part)) {
        return;
    }
    // A chat completion has no place for a picture but its text.
    const json::Node data = part["inlineData"];
    const std::string_view type = data["mimeType"].string_or();
    if (type.starts_with("image/")) {
        std::string link = "![image](data:";
        link += type;
        link += ";base64,";
        link += data["data"].string_or();
        link += ')';
        text(link, choice, sink);
    } else if (type.starts_with("audio/")) {
        std::string audio;
        json::Writer w(audio);
        w.begin_object().field("data", data["data"].string_or()).end_object();
        sink.on(event_of(EventKind::audio, audio, choice));
    }
    // executableCode and codeExecutionResult: the provider's own tools at
    // work, no business of an OpenAI client.
}

// It stands on the part after the thoughts it signs; a call has its own.
void GeminiDecoder::signature(
    json::Node part, uint32_t choice, chat::Sink& sink)
{
    const std::string_view sign = part["thoughtSignature"].string_or();
    if (!sign.empty() && !is_tool(part)) {
        sink.on(event_of(EventKind::signature, sign, choice));
    }
}

void GeminiDecoder::cite(json::Node support, json::Node chunks,
    const Candidate& state, std::string& out) const
{
    // Offsets count bytes here and characters at OpenAI; where they differ
    // and the text is gone by, the span is the whole text.
    const json::Node segment = support["segment"];
    int64_t start = segment["startIndex"].integer().value_or(0);
    int64_t end = segment["endIndex"].integer().value_or(state.text_bytes);
    if (state.text_bytes != state.text_length) {
        start = 0;
        end = state.text_length;
    }
    for (const json::Node number : support["groundingChunkIndices"].items()) {
        const int64_t at = number.integer().value_or(-1);
        if (at < 0) {
            continue;
        }
        const json::Node chunk = chunks.at(size_t(at));
        // A page, a document of a store, or a place on the map.
        json::Node page = chunk["web"];
        for (const std::string_view kind : {"retrievedContext", "maps"}) {
            page = page.is_object() ? page : chunk[kind];
        }
        if (page.size() == 0) {
            continue;
        }
        Citation cited;
        cited.page = chunk["web"].is_object();
        cited.url = page["uri"].string_or();
        cited.title = page["title"].string_or();
        cited.content = page["text"].string_or();
        cited.index = at;
        begin_citation(out, cited);
        end_citation(out, {start, end});
    }
}

// Sent once, or again and longer with each chunk.
void GeminiDecoder::grounding(
    json::Node metadata, uint32_t choice, chat::Sink& sink)
{
    Candidate& state = candidates_[choice];
    std::string all;
    size_t place = 0;
    for (const json::Node support : metadata["groundingSupports"].items()) {
        if (place++ >= state.supports) {
            cite(support, metadata["groundingChunks"], state, all);
        }
    }
    state.supports = std::max(state.supports, place);
    if (!all.empty()) {
        all.insert(0, 1, '[').push_back(']');
        sink.on(event_of(EventKind::annotations, all, choice));
    }
}

// What is told of the text stands behind it, before the calls and signatures
// that end it for most clients; of a text that came before, first.
void GeminiDecoder::parts(json::Node node, uint32_t choice, chat::Sink& sink)
{
    const json::Node parts = node["content"]["parts"];
    size_t place = 0, spoken = 0; // spoken: parts up to the last of the text
    for (const json::Node one : parts.items()) {
        ++place;
        spoken = speaks(one) ? place : spoken;
    }
    const auto details = [&] {
        tell_gemini_logprobs(node["logprobsResult"], choice, sink);
        grounding(node["groundingMetadata"], choice, sink);
    };
    if (spoken == 0) {
        details();
    }
    for (const json::Node one : parts.items()) {
        part(one, choice, sink);
        if (spoken > 0 && --spoken == 0) {
            details();
        }
        signature(one, choice, sink);
        media(one, choice, sink);
    }
}

Result<void> GeminiDecoder::candidate(
    json::Node node, size_t place, chat::Sink& sink)
{
    const int64_t index = node["index"].integer().value_or(int64_t(place));
    if (index < 0 || size_t(index) >= kMaxCandidates) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent a candidate with an impossible index");
    }
    const auto choice = uint32_t(index);
    if (candidates_.size() <= choice) {
        candidates_.resize(choice + 1);
    }
    candidates_[choice].seen = true;
    parts(node, choice, sink);
    if (const auto name = finish_name(node["finishReason"]); !name.empty()) {
        candidates_[choice].finish = name.substr(0, kMaxFinishName);
    }
    return {};
}

void GeminiDecoder::blocked(json::Node feedback, chat::Sink& sink)
{
    const std::string_view reason = feedback["blockReason"].is_number()
        ? std::string_view("SAFETY")
        : feedback["blockReason"].string_or();
    if (reason.empty() || reason == "BLOCK_REASON_UNSPECIFIED"
        || !candidates_.empty())
    {
        return;
    }
    // Blocked whatever the reason: OTHER must not read as a normal stop.
    candidates_.emplace_back();
    candidates_[0].seen = true;
    candidates_[0].finish = "PROHIBITED_CONTENT";
    if (const auto why = feedback["blockReasonMessage"].string_or();
        !why.empty()) {
        sink.on(event_of(EventKind::refusal, why));
    }
}

Result<void> GeminiDecoder::chunk(json::Node chunk, chat::Sink& sink)
{
    if (chunk["error"].has_value()) {
        return reported_error(chunk["error"]);
    }
    if (!begun_) {
        begun_ = true;
        chat::Event begin = event_of(EventKind::begin);
        begin.id = chunk["responseId"].string_or();
        begin.model = chunk["modelVersion"].string_or();
        sink.on(begin);
    }
    size_t place = 0;
    for (const json::Node node : chunk["candidates"].items()) {
        if (auto done = candidate(node, place++, sink); !done) {
            return done;
        }
    }
    blocked(chunk["promptFeedback"], sink);
    const std::string_view tier = tier_of(chunk["usageMetadata"]);
    if (!tier.empty() && !has_tier_) {
        has_tier_ = true;
        sink.on(event_of(EventKind::service_tier, tier));
    }
    const chat::Usage usage = usage::read_gemini(chunk["usageMetadata"]);
    if (usage.known && usage != usage_) {
        usage_ = usage;
        chat::Event event = event_of(EventKind::usage);
        event.usage = usage;
        sink.on(event);
    }
    return {};
}

// More chunks may follow a finishReason, so the ends are told together.
void GeminiDecoder::end(chat::Sink& sink)
{
    for (size_t i = 0; i < candidates_.size(); i++) {
        const Candidate& state = candidates_[i];
        if (!state.seen) {
            continue;
        }
        chat::Event event =
            event_of(EventKind::finish, state.finish, uint32_t(i));
        event.finish = finish_of(state.finish, state.calls > 0);
        sink.on(event);
    }
    ended_ = true;
    sink.on(event_of(EventKind::end));
}

Result<void> GeminiDecoder::body(json::Node body, chat::Sink& sink)
{
    if (body.is_array()) { // streamGenerateContent without alt=sse
        for (const json::Node one : body.items()) {
            if (auto done = chunk(one, sink); !done) {
                return done;
            }
        }
        return finish(sink);
    }
    if (!body.is_object()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer is no JSON object");
    }
    if (auto done = chunk(body, sink); !done) {
        return done;
    }
    if (candidates_.empty()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer has no candidates");
    }
    for (Candidate& state : candidates_) {
        if (state.finish.empty()) {
            state.finish = "STOP"; // a whole body needs no other sign
        }
    }
    end(sink);
    return {};
}

Result<void> GeminiDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    if (ended_ || event.data == "[DONE]") {
        return {};
    }
    const auto parsed = parser.parse(event.data);
    if (!parsed) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent an event that is not JSON: "
                + parsed.error().message);
    }
    if (error_in(*parsed).has_value()) {
        return reported_error(error_in(*parsed));
    }
    return chunk(*parsed, sink);
}

Result<void> GeminiDecoder::finish(chat::Sink& sink)
{
    if (ended_) {
        return {};
    }
    const bool whole = !candidates_.empty()
        && std::all_of(candidates_.begin(), candidates_.end(),
            [](const Candidate& c) { return !c.seen || !c.finish.empty(); });
    if (!whole) {
        return make_error(ErrorCode::upstream_truncated,
            "the provider's stream ended without a finishReason");
    }
    end(sink);
    return {};
}

} // namespace

std::unique_ptr<Decoder> make_gemini_decoder(const EncodeContext& context)
{
    return std::make_unique<GeminiDecoder>(context.random);
}

Error gemini_error(int status, json::Node body, std::string_view text)
{
    Error out = make_error(ErrorCode::upstream_status, {});
    out.status = uint16_t(status);
    fill_error(out, error_in(body));
    if (out.message.empty()) {
        out.message = plain_message(status, text);
    }
    return out;
}

} // namespace ai_proxy::provider
