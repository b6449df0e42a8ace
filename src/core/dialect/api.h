#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ai_proxy::dialect {

// What a request asks for, recognised by the suffix of its path.
// The names are those of providers.md 2.1 ("openai/v1/chatcompletions").
enum class Api : uint8_t {
    unknown, // relayed untouched
    chat_completions,
    completions,
    embeddings,
    audio_speech,
    audio_transcriptions,
    audio_translations,
    realtime,
    image_generations,
    image_variations,
    image_edits,
    batches,
    batch,
    batch_cancel,
    files,
    file,
    file_content,
    models,
    model,
    fine_tuning, // jobs and everything below them
    responses,
    response, // /v1/responses/{id}...
    videos,
    video,
    moderations,
    rerank,
    messages,       // Anthropic
    messages_count, // Anthropic count_tokens
    gemini_generate,
    gemini_stream,
    gemini_count,  // countTokens
    gemini_models, // the list
    gemini_model,
    complete,          // Anthropic's older /v1/complete
    responses_compact, // a conversation made shorter
    responses_count,   // /v1/responses/input_tokens
};
inline constexpr size_t kApis = size_t(Api::responses_count) + 1;

[[nodiscard]] std::string_view name(Api api) noexcept;
// Path without query; any prefix before /v1 is allowed.
[[nodiscard]] Api recognise(std::string_view path) noexcept;
// The part of path after the prefix: "/v1/files/f-1" of "/x/v1/files/f-1".
// The whole path when the API is unknown.
[[nodiscard]] std::string_view canonical_path(
    Api api, std::string_view path) noexcept;

// How the request body is handled.
enum class BodyKind : uint8_t {
    none,      // GET, DELETE, ...
    json,      // gathered, parsed, model mapped
    multipart, // gathered; the part named "model" is rewritten
    raw,       // passed on untouched
};

// Does a request use tokens of a model?
[[nodiscard]] bool uses_tokens(Api api) noexcept;
// And is the answer made of tokens too?
[[nodiscard]] bool generates(Api api) noexcept;

// A conversation in the form of OpenAI's Responses?
[[nodiscard]] constexpr bool is_responses(Api api) noexcept
{
    return api == Api::responses || api == Api::responses_compact
        || api == Api::responses_count;
}

// Who the caller is, for the shape of errors.
enum class Dialect : uint8_t { openai, anthropic, gemini };
[[nodiscard]] Dialect dialect_of(Api api) noexcept;

} // namespace ai_proxy::dialect
