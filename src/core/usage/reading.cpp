#include "core/usage/reading.h"

#include "core/json/writer.h"

#include <algorithm>
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

// The first of two places that holds a number.
Count either(Count a, Count b)
{
    return a ? a : b;
}

// Vendors often send the standard field as 0 next to their own.
void raise(int64_t& known, json::Node node)
{
    known = std::max(known, count(node).value_or(0));
}

// What the members of an OpenAI usage object say, in any of the spellings.
struct OpenaiCounts {
    Count prompt, input, completion, output, total;
    json::Node prompt_details, input_details, completion_details,
        output_details;
    int64_t cache_read = 0, cache_write = 0, reasoning = 0;

    void take(std::string_view key, json::Node value);
    void take_prompt_details(json::Node details, chat::Usage& out);
    void take_completion_details(json::Node details, chat::Usage& out);
};

void OpenaiCounts::take(std::string_view key, json::Node value)
{
    if (key == "prompt_tokens") {
        prompt = count(value);
    } else if (key == "completion_tokens") {
        completion = count(value);
    } else if (key == "total_tokens") {
        total = count(value);
    } else if (key == "prompt_tokens_details") {
        prompt_details = value;
    } else if (key == "completion_tokens_details") {
        completion_details = value;
    } else if (key == "input_tokens") {
        input = count(value);
    } else if (key == "output_tokens") {
        output = count(value);
    } else if (key == "input_tokens_details" || key == "input_token_details") {
        input_details = value;
    } else if (key == "output_tokens_details" || key == "output_token_details")
    {
        output_details = value;
    } else if (key == "prompt_cache_hit_tokens" || key == "cached_tokens") {
        raise(cache_read, value);
    } else if (key == "cache_creation_input_tokens") {
        raise(cache_write, value);
    } else if (key == "reasoning_tokens") {
        raise(reasoning, value);
    }
}

void OpenaiCounts::take_prompt_details(json::Node details, chat::Usage& out)
{
    for (const auto& [key, value] : details.members()) {
        if (key == "cached_tokens") {
            raise(cache_read, value);
        } else if (key == "cache_write_tokens"
            || key == "cache_creation_tokens") {
            raise(cache_write, value);
        } else if (key == "audio_tokens") {
            out.audio_prompt = count(value).value_or(0);
        }
    }
}

void OpenaiCounts::take_completion_details(json::Node details, chat::Usage& out)
{
    for (const auto& [key, value] : details.members()) {
        if (key == "reasoning_tokens") {
            raise(reasoning, value);
        } else if (key == "audio_tokens") {
            out.audio_completion = count(value).value_or(0);
        }
    }
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
    OpenaiCounts found;
    for (const auto& [key, value] : usage.members()) {
        found.take(key, value);
    }
    const Count prompt = either(found.prompt, found.input);
    const Count completion = either(found.completion, found.output);
    out.known = prompt || completion || found.total;
    if (!out.known) {
        return out;
    }
    found.take_prompt_details(found.prompt_details.has_value()
            ? found.prompt_details
            : found.input_details,
        out);
    found.take_completion_details(found.completion_details.has_value()
            ? found.completion_details
            : found.output_details,
        out);
    out.prompt = prompt.value_or(0);
    out.completion = completion.value_or(0);
    out.cache_read = found.cache_read;
    out.cache_write = found.cache_write;
    out.reasoning = found.reasoning;
    absorb_gap(out, found.total);
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
        either(count(tokens["input_tokens"]), count(billed["input_tokens"]));
    const Count completion =
        either(count(tokens["output_tokens"]), count(billed["output_tokens"]));
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
