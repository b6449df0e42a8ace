#pragma once

#include "core/json/writer.h"
#include "core/provider/protocol.h"

// Google's generateContent, spoken to an OpenAI client (providers.md 4.2).
namespace ai_proxy::provider {

// Gemini 3 and later: thinking by level, function calls with ids and
// mandatory thought signatures.
[[nodiscard]] bool is_gemini3(std::string_view model) noexcept;
// Accepted by Gemini 3 in place of the signature of a call that another model
// made (https://ai.google.dev/gemini-api/docs/thought-signatures).
inline constexpr std::string_view kForeignCall =
    "skip_thought_signature_validator";

// The members "systemInstruction" and "contents".
[[nodiscard]] Result<void> write_gemini_contents(
    json::Writer& w, const chat::Request& request, std::string_view model);

// Can the schema be said in Gemini's own subset of OpenAPI without loss that
// matters?  Recursion, maps and the like cannot.  union_alone: as Vertex AI
// takes it, nothing may stand beside anyOf.
[[nodiscard]] bool fits_gemini_schema(json::Node schema, bool union_alone);
// The schema in that subset: references resolved, null as "nullable", const
// as enum, keywords outside of the subset left out.
void write_gemini_schema(json::Writer& w, json::Node schema, bool union_alone);
// The schema for the fields that take JSON Schema itself.
void write_gemini_json_schema(json::Writer& w, json::Node schema);

// "/v1beta/models/M:ACTION"; the name must not reach out of its segment.
[[nodiscard]] std::string gemini_model_path(
    const Options& options, std::string_view model, std::string_view action);

// The whole body of a call.  tier: its service_tier, "" for none.
[[nodiscard]] Result<void> write_gemini_body(std::string& body,
    const chat::Request& request, const EncodeContext& context,
    std::string_view tier = {});
// Google's word for the service tier asked for.
[[nodiscard]] std::string_view gemini_tier(
    const chat::Request& request, const EncodeContext& context);

// What the body has words for.
[[nodiscard]] const Vocabulary& gemini_vocabulary() noexcept;

[[nodiscard]] std::unique_ptr<Decoder> make_gemini_decoder(
    const EncodeContext& context);
[[nodiscard]] Error gemini_error(
    int status, json::Node body, std::string_view text);

} // namespace ai_proxy::provider
