#include "core/policy/output_text.h"

#include <algorithm>
#include <array>

namespace ai_proxy::policy {

namespace {

// Words of the form, and what is opaque.
constexpr std::array<std::string_view, 15> kFrame{"role", "type", "id",
    "call_id", "status", "signature", "thoughtSignature", "encrypted_content",
    "data", "mimeType", "annotations", "citations", "logprobs",
    // Said in reasoning_content or reasoning.
    "thinking_blocks", "reasoning_details"};

void add_strings(usage::TokenCounter& tally, json::Node node)
{
    if (const auto text = node.string(); text) {
        tally.add(*text);
        return;
    }
    for (const json::Node item : node.items()) {
        add_strings(tally, item);
    }
    for (const json::Member member : node.members()) {
        if (std::find(kFrame.begin(), kFrame.end(), member.key) == kFrame.end())
        {
            add_strings(tally, member.value);
        }
    }
}

} // namespace

void tally_event(usage::TokenCounter& tally, dialect::Api api, json::Node event)
{
    switch (api) {
    case dialect::Api::messages:
        add_strings(tally, event["delta"]["text"]);
        add_strings(tally, event["delta"]["thinking"]);
        add_strings(tally, event["delta"]["partial_json"]);
        break;
    case dialect::Api::responses:
        add_strings(tally, event["delta"]);
        break;
    case dialect::Api::gemini_stream:
    case dialect::Api::gemini_generate:
        for (const json::Node one : event["candidates"].items()) {
            add_strings(tally, one["content"]["parts"]);
        }
        break;
    default:
        for (const json::Node choice : event["choices"].items()) {
            add_strings(tally, choice["delta"]);
            add_strings(tally, choice["text"]);
        }
        break;
    }
}

void tally_answer(
    usage::TokenCounter& tally, dialect::Api api, json::Node answer)
{
    switch (api) {
    case dialect::Api::messages:
        add_strings(tally, answer["content"]);
        break;
    case dialect::Api::responses:
    case dialect::Api::responses_compact:
        add_strings(tally, answer["output"]);
        break;
    case dialect::Api::audio_transcriptions:
    case dialect::Api::audio_translations:
        add_strings(tally, answer["text"]);
        break;
    case dialect::Api::gemini_generate:
        tally_event(tally, api, answer);
        break;
    default:
        for (const json::Node choice : answer["choices"].items()) {
            add_strings(tally, choice["message"]);
            add_strings(tally, choice["text"]);
        }
        break;
    }
}

} // namespace ai_proxy::policy
