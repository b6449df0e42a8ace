#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

#include <optional>

// Anthropic Messages, spoken to an OpenAI client (providers.md 4.1).
namespace ai_proxy::provider {

struct ClaudeVersion {
    int major = 0;
    int minor = 0;

    friend auto operator<=>(
        const ClaudeVersion&, const ClaudeVersion&) = default;
};

// "claude-3-7-sonnet-20250219" is 3.7, "claude-opus-4@20250514" is 4.0;
// nullopt when the name has no version.
[[nodiscard]] std::optional<ClaudeVersion> claude_version(
    std::string_view model) noexcept;

// From here on thinking has no budget and sampling parameters are refused.
inline constexpr ClaudeVersion kClaudeAdaptiveOnly{4, 7};

// How much to think, and the room for it.
struct ClaudeThinking {
    enum class Mode : uint8_t { unset, disabled, budget, adaptive, given };
    Mode mode = Mode::unset;
    int64_t budget = 0;
    int64_t max_tokens = 0;
    bool must_think = false; // though the client wants no thinking
    std::string_view effort;
    json::Node given;

    [[nodiscard]] bool on() const noexcept
    {
        return mode == Mode::budget || mode == Mode::adaptive
            || (mode == Mode::given && given["type"].string_or() != "disabled");
    }
};

// What Bedrock wants to be told of to take that effort; "" for nothing.
[[nodiscard]] std::string_view bedrock_effort_beta(
    const ClaudeThinking& thinking, std::string_view model) noexcept;
[[nodiscard]] ClaudeThinking plan_claude_thinking(
    const chat::Request& request, std::string_view model);
void write_claude_thinking(json::Writer& w, const ClaudeThinking& thinking);

// What the model takes of the sampling that the client asks for; the rest is
// noted as dropped.
struct ClaudeSampling {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<int64_t> top_k;
};
[[nodiscard]] ClaudeSampling plan_claude_sampling(
    const chat::Request& request, const EncodeContext& context, bool thinks);

// The stops but those of whitespace alone, which the API refuses.
[[nodiscard]] std::vector<std::string_view> claude_stops(
    const chat::Request& request, const EncodeContext& context);

// What the body must say outside of messages because of what they hold.
struct ClaudeNeeds {
    bool files_beta = false; // a document is named by file_id
};

// The list of those that were asked for and of the one that is needed ("": none
// is).
void write_claude_betas(
    json::Writer& w, json::Node given, std::string_view needed);

// Claude at another cloud: the path names the model, the body the version.
struct ClaudeHost {
    std::string_view version;  // "": Anthropic itself
    bool stream_member = true; // the body says whether to stream
    bool is_bedrock = false;
};
// The whole body of a call.
[[nodiscard]] Result<ClaudeNeeds> write_claude_body(std::string& body,
    const chat::Request& request, const EncodeContext& context,
    const ClaudeHost& host);

// What the body has words for.
[[nodiscard]] const Vocabulary& claude_vocabulary(
    const EncodeContext& context) noexcept;

// The members "system" and "messages".
[[nodiscard]] Result<ClaudeNeeds> write_claude_messages(
    json::Writer& w, const chat::Request& request, bool code_mode);

// A schema as structured outputs take it: objects closed, constraints that
// the API refuses left out (as Anthropic's own SDKs do).
void write_claude_schema(json::Writer& w, json::Node schema);

// Is there a schema for the answer, to a model that may hold to one?  One that
// may not is noted as dropped.
[[nodiscard]] bool claude_writes_format(
    const chat::Request& request, const EncodeContext& context);

// May the model's tools be strict?
[[nodiscard]] bool claude_takes_strict(std::string_view model) noexcept;
// What a tool takes, an object in any case; a strict one's is a schema of
// structured outputs.
void write_claude_input_schema(json::Writer& w, json::Node schema, bool strict);

[[nodiscard]] std::unique_ptr<Decoder> make_claude_decoder(
    const EncodeContext& context);
[[nodiscard]] Error claude_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
