#include "core/usage/reading.h"

#include "core/json/writer.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace ai_proxy::usage {

namespace {

using Count = std::optional<int64_t>;

// No model answers a thousand billion tokens: such a number is noise.
constexpr int64_t kAbsurd = 1'000'000'000'000;

Count count(json::Node node)
{
    const Count n = node.integer();
    return n && *n >= 0 && *n <= kAbsurd ? n : std::nullopt;
}

// The first of several places that holds a number.
Count first(std::initializer_list<json::Node> places)
{
    for (const json::Node place : places) {
        if (const Count n = count(place)) {
            return n;
        }
    }
    return std::nullopt;
}

// The first that is not zero, else zero or nothing: vendors often send the
// standard field as 0 next to their own.
Count largest(std::initializer_list<json::Node> places)
{
    Count best;
    for (const json::Node place : places) {
        if (const Count n = count(place); n && (!best || *n > *best)) {
            best = n;
        }
    }
    return best;
}

// Forces the invariants: parts are no larger than their whole, total is the
// sum.
void settle(chat::Usage& usage)
{
    usage.cache_read = std::min(usage.cache_read, usage.prompt);
    usage.cache_write =
        std::min(usage.cache_write, usage.prompt - usage.cache_read);
    usage.audio_prompt = std::min(usage.audio_prompt, usage.prompt);
    usage.reasoning = std::min(usage.reasoning, usage.completion);
    usage.audio_completion = std::min(usage.audio_completion, usage.completion);
    usage.total = usage.prompt + usage.completion;
}

// A total above prompt + completion counts tokens that the vendor left out of
// one of them; which, the details tell.
void absorb_gap(chat::Usage& usage, Count total)
{
    if (!total) {
        return;
    }
    const int64_t gap = *total - usage.prompt - usage.completion;
    if (gap <= 0) {
        return;
    }
    if (usage.completion == 0 && usage.prompt == 0) {
        usage.prompt = gap;
    } else if (gap == usage.audio_prompt && gap != usage.reasoning) {
        usage.prompt += gap; // Mistral: audio is not in prompt_tokens
    } else {
        usage.completion += gap; // xAI, Gemini: reasoning is not in completion
    }
}

int64_t modality(json::Node details, std::string_view name)
{
    int64_t sum = 0;
    for (const json::Node entry : details.items()) {
        if (entry["modality"].string_or() == name) {
            sum += count(entry["tokenCount"]).value_or(0);
        }
    }
    return sum;
}

} // namespace

chat::Usage read_openai(json::Node usage)
{
    chat::Usage out;
    const json::Node in = usage["prompt_tokens_details"].has_value()
        ? usage["prompt_tokens_details"]
        : usage["input_tokens_details"];
    const json::Node made = usage["completion_tokens_details"].has_value()
        ? usage["completion_tokens_details"]
        : usage["output_tokens_details"];
    const Count prompt = first({usage["prompt_tokens"], usage["input_tokens"]});
    const Count completion =
        first({usage["completion_tokens"], usage["output_tokens"]});
    const Count total = count(usage["total_tokens"]);
    out.known = prompt || completion || total;
    if (!out.known) {
        return out;
    }
    out.prompt = prompt.value_or(0);
    out.completion = completion.value_or(0);
    out.cache_read =
        largest({in["cached_tokens"], usage["prompt_cache_hit_tokens"],
                    usage["cached_tokens"]})
            .value_or(0);
    out.cache_write =
        largest({in["cache_write_tokens"], in["cache_creation_tokens"],
                    usage["cache_creation_input_tokens"]})
            .value_or(0);
    out.reasoning =
        largest({made["reasoning_tokens"], usage["reasoning_tokens"]})
            .value_or(0);
    out.audio_prompt = count(in["audio_tokens"]).value_or(0);
    out.audio_completion = count(made["audio_tokens"]).value_or(0);
    absorb_gap(out, total);
    settle(out);
    return out;
}

chat::Usage read_anthropic(json::Node usage)
{
    chat::Usage out;
    const Count input = count(usage["input_tokens"]);
    const Count output = count(usage["output_tokens"]);
    const Count read = count(usage["cache_read_input_tokens"]);
    const json::Node created = usage["cache_creation"];
    Count write = count(usage["cache_creation_input_tokens"]);
    if (!write && created.is_object()) {
        write = count(created["ephemeral_5m_input_tokens"]).value_or(0)
            + count(created["ephemeral_1h_input_tokens"]).value_or(0);
    }
    out.known = input || output || read || write;
    out.cache_read = read.value_or(0);
    out.cache_write = write.value_or(0);
    out.prompt = input.value_or(0) + out.cache_read + out.cache_write;
    out.completion = output.value_or(0);
    out.reasoning =
        count(usage["output_tokens_details"]["thinking_tokens"]).value_or(0);
    settle(out);
    return out;
}

chat::Usage read_bedrock(json::Node usage)
{
    chat::Usage out;
    const Count input = count(usage["inputTokens"]);
    const Count output = count(usage["outputTokens"]);
    const Count read = count(usage["cacheReadInputTokens"]);
    const Count write = count(usage["cacheWriteInputTokens"]);
    out.known = input || output || read || write;
    out.cache_read = read.value_or(0);
    out.cache_write = write.value_or(0);
    out.prompt = input.value_or(0) + out.cache_read + out.cache_write;
    out.completion = output.value_or(0);
    settle(out);
    return out;
}

chat::Usage read_gemini(json::Node meta)
{
    chat::Usage out;
    const Count prompt = count(meta["promptTokenCount"]);
    const Count tools = count(meta["toolUsePromptTokenCount"]);
    const Count candidates = count(meta["candidatesTokenCount"]);
    const Count thoughts = count(meta["thoughtsTokenCount"]);
    const Count total = count(meta["totalTokenCount"]);
    out.known = prompt || candidates || thoughts || total;
    out.prompt = prompt.value_or(0) + tools.value_or(0);
    out.completion = candidates.value_or(0) + thoughts.value_or(0);
    out.reasoning = thoughts.value_or(0);
    out.cache_read = count(meta["cachedContentTokenCount"]).value_or(0);
    out.audio_prompt = modality(meta["promptTokensDetails"], "AUDIO");
    out.audio_completion = modality(meta["candidatesTokensDetails"], "AUDIO");
    absorb_gap(out, total);
    settle(out);
    return out;
}

chat::Usage read_dashscope(json::Node usage)
{
    // The same numbers under the same names as OpenAI's Responses API; the
    // cache is reported under prompt_tokens_details.
    return read_openai(usage);
}

chat::Usage read_cohere(json::Node usage)
{
    chat::Usage out;
    const json::Node tokens = usage["tokens"];
    const json::Node billed = usage["billed_units"];
    const Count prompt =
        first({tokens["input_tokens"], billed["input_tokens"]});
    const Count completion =
        first({tokens["output_tokens"], billed["output_tokens"]});
    out.known = prompt || completion;
    out.prompt = prompt.value_or(0);
    out.completion = completion.value_or(0);
    out.cache_read = count(usage["cached_tokens"]).value_or(0);
    out.reasoning = count(tokens["reasoning_tokens"]).value_or(0);
    settle(out);
    return out;
}

void write_openai(std::string& out, const chat::Usage& usage)
{
    json::Writer w(out);
    w.begin_object();
    w.field("prompt_tokens", usage.prompt);
    w.field("completion_tokens", usage.completion);
    w.field("total_tokens", usage.total);
    w.key("prompt_tokens_details").begin_object();
    w.field("cached_tokens", usage.cache_read);
    if (usage.cache_write > 0) {
        w.field("cache_write_tokens", usage.cache_write);
    }
    w.field("audio_tokens", usage.audio_prompt);
    w.end_object();
    w.key("completion_tokens_details").begin_object();
    w.field("reasoning_tokens", usage.reasoning);
    w.field("audio_tokens", usage.audio_completion);
    w.end_object();
    w.end_object();
}

} // namespace ai_proxy::usage
