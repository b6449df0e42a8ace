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

// What the body must say outside of messages because of what they hold.
struct ClaudeNeeds {
    bool files_beta = false; // a document is named by file_id
};

// The members "system" and "messages".
[[nodiscard]] Result<ClaudeNeeds> write_claude_messages(
    json::Writer& w, const chat::Request& request, bool code_mode);

// A schema as structured outputs take it: objects closed, constraints that
// the API refuses left out (as Anthropic's own SDKs do).
void write_claude_schema(json::Writer& w, json::Node schema);

[[nodiscard]] std::unique_ptr<Decoder> make_claude_decoder(
    const EncodeContext& context);
[[nodiscard]] Error claude_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
