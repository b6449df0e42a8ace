#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

// AWS Bedrock, spoken to an OpenAI client (providers.md 4.4): Converse for all
// models, InvokeModel for Claude where the provider is configured so.
namespace ai_proxy::provider {

// Is the model one of Anthropic's?
[[nodiscard]] bool bedrock_is_claude(std::string_view model) noexcept;
// May cache points be set for the model?
[[nodiscard]] bool bedrock_caches(std::string_view model) noexcept;
// How long cached prompts are kept: "" (no cache points), "in_memory", "24h".
[[nodiscard]] std::string_view bedrock_retention(
    std::string_view text) noexcept;

// "/model/M/ACTION"; the model is data: an ARN's ':' and '/' stay in its
// segment.
[[nodiscard]] std::string bedrock_model_path(
    std::string_view model, std::string_view action);
[[nodiscard]] Result<void> check_bedrock_model(std::string_view model);

// One hour is the longest that a cache point can ask for, and only Claude's
// can.
void write_bedrock_cache_point(
    json::Writer& w, std::string_view model, bool long_lived);
// Where a client marked something for Anthropic's cache.
void write_bedrock_marker(
    json::Writer& w, json::Node cache_control, std::string_view model);

// The members "messages" and "system".
[[nodiscard]] Result<void> write_bedrock_messages(json::Writer& w,
    const chat::Request& request, const EncodeContext& context);

[[nodiscard]] std::unique_ptr<Decoder> make_bedrock_decoder(
    const EncodeContext& context);
// Of InvokeModel with a Claude model: the messages of the event stream hold
// Anthropic's events.
[[nodiscard]] std::unique_ptr<Decoder> make_bedrock_claude_decoder(
    const EncodeContext& context);
// An exception in an event stream.
[[nodiscard]] Error bedrock_exception(
    const wire::SseEvent& event, json::Parser& parser);
[[nodiscard]] Error bedrock_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
