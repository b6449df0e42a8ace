#include "core/dialect/api.h"

#include <array>

namespace ai_proxy::dialect {
namespace {

using enum Api;

constexpr size_t npos = std::string_view::npos;

// What may follow the fixed part of a path.
enum class Tail : uint8_t {
    none,    // nothing
    segment, // "/{id}", then the rest of the row
    below,   // "/" and anything
};

struct Row {
    Api api;
    std::string_view name;
    std::string_view path;
    Tail tail = Tail::none;
    std::string_view rest = {};
};

// In the order of the tests: the first row that fits wins.  providers.md 2.1;
// gemini_* stand apart, their model is in the middle of a segment.
// clang-format off
constexpr Row kRows[] = {
    {chat_completions, "openai/v1/chatcompletions", "/v1/chat/completions"},
    {completions, "openai/v1/completions", "/v1/completions"},
    {embeddings, "openai/v1/embeddings", "/v1/embeddings"},
    {audio_speech, "openai/v1/audiospeech", "/v1/audio/speech"},
    {audio_transcriptions, "openai/v1/audiotranscription",
        "/v1/audio/transcriptions"},
    {audio_translations, "openai/v1/audiotranslation",
        "/v1/audio/translations"},
    {realtime, "openai/v1/realtime", "/v1/realtime"},
    {image_generations, "openai/v1/imagegeneration", "/v1/images/generations"},
    {image_variations, "openai/v1/imagevariation", "/v1/images/variations"},
    {image_edits, "openai/v1/imageedit", "/v1/images/edits"},
    {batches, "openai/v1/batches", "/v1/batches"},
    {files, "openai/v1/files", "/v1/files"},
    {models, "openai/v1/models", "/v1/models"},
    {fine_tuning, "openai/v1/fine-tuningjobs", "/v1/fine_tuning/jobs"},
    {responses, "openai/v1/responses", "/v1/responses"},
    {responses_compact, "openai/v1/compactresponse", "/v1/responses/compact"},
    {responses_count, "openai/v1/countresponsetokens",
        "/v1/responses/input_tokens"},
    {videos, "openai/v1/videos", "/v1/videos"},
    {messages, "anthropic/v1/messages", "/v1/messages"},
    {messages_count, "anthropic/v1/messages/count_tokens",
        "/v1/messages/count_tokens"},
    {complete, "anthropic/v1/complete", "/v1/complete"},
    {rerank, "cohere/v1/rerank", "/v1/rerank"},
    {rerank, "cohere/v1/rerank", "/v2/rerank"},
    {rerank, "cohere/v1/rerank", "/v1/reranks"}, // Qwen's
    {moderations, "openai/v1/moderations", "/v1/moderations"},

    {batch, "openai/v1/retrievebatch", "/v1/batches", Tail::segment},
    {batch_cancel, "openai/v1/cancelbatch", "/v1/batches", Tail::segment,
        "/cancel"},
    {file, "openai/v1/retrievefile", "/v1/files", Tail::segment},
    {file_content, "openai/v1/retrievefilecontent", "/v1/files",
        Tail::segment, "/content"},
    {video, "openai/v1/retrievevideo", "/v1/videos", Tail::segment},
    {video, "openai/v1/retrievevideo", "/v1/videos", Tail::segment,
        "/content"},
    {video, "openai/v1/retrievevideo", "/v1/videos", Tail::segment, "/remix"},
    {fine_tuning, "openai/v1/fine-tuningjobs", "/v1/fine_tuning/jobs",
        Tail::below},
    {fine_tuning, "openai/v1/fine-tuningjobs", "/v1/fine_tuning/checkpoints",
        Tail::below},
    {response, "openai/v1/retrieveresponse", "/v1/responses", Tail::segment},
    {response, "openai/v1/retrieveresponse", "/v1/responses", Tail::below},
    // Model names may have slashes of their own.
    {model, "openai/v1/retrievemodel", "/v1/models", Tail::below},
};
// clang-format on

constexpr std::string_view kGeminiModels = "/models";
constexpr std::string_view kGenerate = ":generateContent";
constexpr std::string_view kGenerateStream = ":streamGenerateContent";
constexpr std::string_view kCountTokens = ":countTokens";

// Where the row's path begins in path, npos when it does not fit.
size_t fit(const Row& row, std::string_view path) noexcept
{
    if (row.tail == Tail::none) {
        return path.ends_with(row.path) ? path.size() - row.path.size() : npos;
    }
    if (!path.ends_with(row.rest) || path.ends_with('/')) {
        return npos;
    }
    const std::string_view body = path.substr(0, path.size() - row.rest.size());
    size_t begin = body.rfind(row.path);
    while (begin != npos) {
        const std::string_view id = body.substr(begin + row.path.size());
        const bool one = id.size() > 1 && id.front() == '/';
        if (one && (row.tail == Tail::below || id.rfind('/') == 0)) {
            return begin;
        }
        begin = begin == 0 ? npos : body.rfind(row.path, begin - 1);
    }
    return npos;
}

// Where "/{version}/models/{model}:verb" begins, npos when it is none.
size_t fit_gemini(std::string_view path, std::string_view verb) noexcept
{
    if (!path.ends_with(verb)) {
        return npos;
    }
    constexpr std::string_view kModels = "/models/";
    path.remove_suffix(verb.size());
    const size_t segment = path.rfind('/');
    if (segment == npos || segment + 1 == path.size()
        || !path.substr(0, segment + 1).ends_with(kModels))
    {
        return npos;
    }
    const std::string_view before =
        path.substr(0, segment + 1 - kModels.size());
    const size_t version = before.rfind('/');
    if (version == npos || before.size() - version < 3
        || before[version + 1] != 'v' || before[version + 2] < '0'
        || before[version + 2] > '9')
    {
        return npos;
    }
    return version;
}

// Where "/{version}/models" begins, npos when it is none.  Version v1 is
// OpenAI's path too.
size_t fit_gemini_list(std::string_view path) noexcept
{
    if (!path.ends_with(kGeminiModels)) {
        return npos;
    }
    path.remove_suffix(kGeminiModels.size());
    const size_t version = path.rfind('/');
    if (version == npos) {
        return npos;
    }
    const std::string_view name = path.substr(version + 1);
    return name.starts_with("v1alpha") || name.starts_with("v1beta") ? version
                                                                     : npos;
}

// "/{version}/models/{model}", without a verb.
size_t fit_gemini_model(std::string_view path) noexcept
{
    const size_t slash = path.rfind('/');
    if (slash == npos || slash + 1 == path.size()
        || path.find(':', slash) != npos) {
        return npos;
    }
    return fit_gemini_list(path.substr(0, slash));
}

struct Found {
    Api api = unknown;
    size_t begin = 0;
};

Found look(std::string_view path) noexcept
{
    if (const size_t at = fit_gemini(path, kGenerate); at != npos) {
        return {gemini_generate, at};
    }
    if (const size_t at = fit_gemini(path, kGenerateStream); at != npos) {
        return {gemini_stream, at};
    }
    if (const size_t at = fit_gemini(path, kCountTokens); at != npos) {
        return {gemini_count, at};
    }
    if (const size_t at = fit_gemini_list(path); at != npos) {
        return {gemini_models, at};
    }
    if (const size_t at = fit_gemini_model(path); at != npos) {
        return {gemini_model, at};
    }
    for (const Row& row : kRows) {
        if (const size_t at = fit(row, path); at != npos) {
            return {row.api, at};
        }
    }
    return {};
}

constexpr auto kNames = [] {
    std::array<std::string_view, kApis> names{};
    names[size_t(unknown)] = "unknown";
    names[size_t(gemini_generate)] = "gemini/v1beta/generatecontent";
    names[size_t(gemini_stream)] = "gemini/v1beta/streamgeneratecontent";
    names[size_t(gemini_count)] = "gemini/v1beta/counttokens";
    names[size_t(gemini_models)] = "gemini/v1beta/models";
    names[size_t(gemini_model)] = "gemini/v1beta/retrievemodel";
    for (const Row& row : kRows) {
        names[size_t(row.api)] = row.name;
    }
    return names;
}();

consteval bool all_named()
{
    for (const std::string_view name : kNames) {
        if (name.empty()) {
            return false;
        }
    }
    return true;
}
static_assert(all_named());

} // namespace

std::string_view name(Api api) noexcept
{
    const auto index = size_t(api);
    return kNames[index < kApis ? index : size_t(unknown)];
}

Api recognise(std::string_view path) noexcept
{
    return look(path).api;
}

std::string_view canonical_path(Api api, std::string_view path) noexcept
{
    const Found found = look(path);
    return api == unknown || found.api != api ? path : path.substr(found.begin);
}

Dialect dialect_of(Api api) noexcept
{
    if (api == messages || api == messages_count || api == complete) {
        return Dialect::anthropic;
    }
    const bool gemini = api == gemini_generate || api == gemini_stream
        || api == gemini_count || api == gemini_models || api == gemini_model;
    return gemini ? Dialect::gemini : Dialect::openai;
}

bool uses_tokens(Api api) noexcept
{
    return generates(api) || api == Api::embeddings || api == Api::moderations
        || api == Api::rerank;
}

bool generates(Api api) noexcept
{
    switch (api) {
    case Api::chat_completions:
    case Api::completions:
    case Api::audio_speech:
    case Api::audio_transcriptions:
    case Api::audio_translations:
    case Api::realtime:
    case Api::image_generations:
    case Api::image_variations:
    case Api::image_edits:
    case Api::responses:
    case Api::responses_compact:
    case Api::messages:
    case Api::gemini_generate:
    case Api::gemini_stream:
    case Api::complete:
        return true;
    default:
        return false;
    }
}

} // namespace ai_proxy::dialect
