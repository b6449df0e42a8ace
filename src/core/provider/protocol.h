#pragma once

#include "core/base/result.h"
#include "core/base/text.h"
#include "core/chat/dropped.h"
#include "core/chat/event.h"
#include "core/chat/request.h"
#include "core/dialect/api.h"
#include "core/provider/options.h"
#include "core/provider/vocabulary.h"
#include "core/wire/sse.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ai_proxy::provider {

// One HTTP request to a provider.  body is a list of pieces: views into the
// client's body or into owned.
struct Outbound {
    std::string method = "POST";
    std::string path; // with prefix and query, begins with '/'
    std::vector<std::pair<std::string, std::string>> headers; // no Host, no
        // Content-Length; credentials included
    std::vector<std::string_view> body;
    std::vector<std::unique_ptr<std::string>> owned;

    void header(std::string_view name, std::string_view value);
    // Makes text the whole body.
    void own_body(std::string text);
    // The whole of a call that says and hears one JSON text.
    void post_json(std::string_view to, std::string text);
};

// What a codec may know of the call besides the request.
struct EncodeContext {
    const Options& options;
    std::string_view model; // the name to send
    int64_t now_seconds = 0;
    uint64_t random = 0; // for ids
    // Of a vendor that keeps the conversation itself; "" begins one.
    std::string_view conversation = {};
    chat::Dropped* dropped = nullptr;

    // Notes that the provider cannot be told this: ai_proxy_strict refuses.
    void drop(std::string_view field) const
    {
        if (dropped != nullptr) {
            dropped->add(field);
        }
    }
};

inline void drop_if(
    const EncodeContext& context, std::string_view field, bool lost)
{
    if (lost) {
        context.drop(field);
    }
}

// Decodes the answer of one try into canonical events.  All state of a
// response lives here.  Errors: upstream_error (the provider reports one, with
// type, code, message and, when it says so, a status), upstream_invalid.
class Decoder {
public:
    virtual ~Decoder() = default;
    // A whole plain body; ends with an end event.
    [[nodiscard]] virtual Result<void> body(
        json::Node body, chat::Sink& sink) = 0;
    // One stream event that has data; the parser is scratch.
    [[nodiscard]] virtual Result<void> event(const wire::SseEvent& event,
        json::Parser& parser, chat::Sink& sink) = 0;
    // The stream ended cleanly.  Emits end if the answer is whole and it was
    // not emitted before; Error upstream_truncated when it is not whole.
    [[nodiscard]] virtual Result<void> finish(chat::Sink& sink) = 0;
    // Bytes of a stream that are kept for a later event.
    [[nodiscard]] virtual size_t held() const noexcept { return 0; }
};

// How the events of a stream are told apart.  Decoders see the same events
// whatever the framing: ndjson gives each line as data, aws_event_stream gives
// the type as event and the payload as data.
enum class Framing : uint8_t { sse, ndjson, aws_event_stream };

// How a family of vendors speaks chat.  A plain table of functions.
struct Protocol {
    std::string_view name; // "openai", "claude", "gemini", "qwen"
    // What it has words for, with this provider and model; nullptr: whatever
    // the client says goes on.
    const Vocabulary* (*vocabulary)(const EncodeContext& context);
    // Path (without the endpoint's prefix), headers but for credentials, and
    // body of a chat call.
    Result<void> (*encode)(const chat::Request& request,
        const EncodeContext& context, Outbound& out);
    std::unique_ptr<Decoder> (*decoder)(const EncodeContext& context);
    // A body under a status >= 300 as an Error; body may be missing (no JSON).
    Error (*error)(int status, json::Node body, std::string_view text);
    // Of its streams.  An answer that is called text/event-stream is one.
    Framing framing = Framing::sse;
};

// How a vendor serves an API of one question and one plain answer (embeddings,
// rerank) in words of its own.
struct Translation {
    dialect::Api api;
    // Only when the provider as configured speaks its own protocol.
    bool native_only;
    const Vocabulary& vocabulary;
    Result<void> (*encode)(
        json::Node request, const EncodeContext& context, Outbound& out);
    // The answer in the client's dialect.  base64: it asked for vectors so.
    Result<void> (*answer)(json::Node body, const EncodeContext& context,
        bool base64, std::string& out, chat::Usage& usage);
    // Of that answer; nullptr: JSON.
    std::string_view (*media_type)(json::Node body) noexcept = nullptr;
};

// Protocol::vocabulary where there is but one.
template <const Vocabulary& only>
const Vocabulary* vocabulary_of(const EncodeContext&)
{
    return &only;
}

// The protocols.  openai's encode serves callers of other dialects; OpenAI's
// own requests are relayed.
extern const Protocol kOpenai;
extern const Protocol kClaude;
extern const Protocol kGemini;
extern const Protocol kQwen; // DashScope native
extern const Protocol kCohere;
extern const Protocol kBaidu;      // before version 2
extern const Protocol kCloudflare; // Workers AI's run
extern const Protocol kCoze;
extern const Protocol kDeepl;
extern const Protocol kDify;
extern const Protocol kHunyuan; // Tencent Cloud's own
extern const Protocol kMinimaxPro;
extern const Protocol kOllama; // /api/chat
extern const Protocol kTriton;
extern const Protocol kBedrock; // Converse, and InvokeModel for Claude
extern const Protocol kVertex;  // Gemini and Claude on Vertex AI

} // namespace ai_proxy::provider
