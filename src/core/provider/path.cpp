#include "core/provider/registry.h"

#include "core/base/text.h"
#include "core/provider/surface.h"
#include "core/provider/url.h"
#include "core/provider/vertex.h"

#include <algorithm>
#include <string>

// The path a relayed call has at the provider.
namespace ai_proxy::provider {

namespace {

using dialect::Api;

std::string_view npos_cut(std::string_view text, size_t at) noexcept
{
    return text.substr(0, std::min(at, text.size()));
}

// "v1", "v1beta", "v4": letter v, digits, then letters or digits.
bool is_version(std::string_view segment) noexcept
{
    return segment.size() >= 2 && segment[0] == 'v' && segment[1] >= '0'
        && segment[1] <= '9' && segment.find('.') == std::string_view::npos;
}

std::string_view last_segment(std::string_view path) noexcept
{
    return path.substr(path.rfind('/') + 1);
}

// Offset behind the first version segment of path; npos when it has none.
size_t behind_version(std::string_view path) noexcept
{
    for (size_t begin = 0; begin < path.size();) {
        size_t end = std::min(path.find('/', begin + 1), path.size());
        if (is_version(path.substr(begin + 1, end - begin - 1)))
            return end;
        begin = end;
    }
    return std::string_view::npos;
}

// Length of the longest run of whole segments, with a version among them,
// that ends prefix and begins path.
size_t overlap(std::string_view prefix, std::string_view path) noexcept
{
    for (size_t at = prefix.find('/'); at != std::string_view::npos;
         at = prefix.find('/', at + 1))
    {
        std::string_view tail = prefix.substr(at);
        bool whole = path.size() == tail.size()
            || (path.size() > tail.size() && path[tail.size()] == '/');
        if (whole && path.starts_with(tail)
            && behind_version(tail) != std::string_view::npos)
            return tail.size();
    }
    return 0;
}

std::string_view collection(Api api) noexcept
{
    switch (api) {
    case Api::batch:
    case Api::batch_cancel:
        return "/v1/batches/";
    case Api::file:
    case Api::file_content:
        return "/v1/files/";
    case Api::model:
        return "/v1/models/";
    case Api::fine_tuning:
        return "/v1/fine_tuning/";
    case Api::response:
        return "/v1/responses/";
    case Api::video:
        return "/v1/videos/";
    default:
        return {};
    }
}

void replace(std::string& text, std::string_view mark, std::string_view by)
{
    size_t at = text.find(mark);
    if (at != std::string::npos)
        text.replace(at, mark.size(), by);
}

Error bad_path(const Error& fault)
{
    return make_error(
        ErrorCode::invalid_request, "invalid request path: " + fault.message);
}

// The client's "/v1beta/models/gemini-pro:generateContent" in parts.
struct GeminiPath {
    std::string_view version, model;
};
GeminiPath split_gemini(std::string_view path) noexcept
{
    GeminiPath parts;
    size_t models = path.rfind("/models/");
    if (models == std::string_view::npos)
        return parts;
    parts.version = last_segment(path.substr(0, models));
    parts.model = path.substr(models + 8);
    parts.model = npos_cut(parts.model, parts.model.rfind(':'));
    return parts;
}

// Of "/v1beta/models".
std::string_view version_of(std::string_view path) noexcept
{
    return last_segment(path.substr(0, path.rfind('/')));
}

Result<std::string> encode_model(std::string_view model)
{
    if (model.empty())
        return make_error(
            ErrorCode::invalid_request, "no model in the request", "model");
    if (model == "." || model == "..")
        return make_error(ErrorCode::invalid_request, "invalid model", "model");
    return percent_encode(model);
}

std::string surface_of(const Options& options)
{
    std::string text(surface(options));
    replace(text, "{account}", options.cloudflare_account_id);
    return text;
}

Result<std::string> fill(const Options& options, Api api, std::string_view path,
    std::string_view client_path, std::string_view model)
{
    // The operator's paths are whole, and some stand beside the surface.
    const bool beside = path.starts_with("//");
    path.remove_prefix(beside ? 1 : 0);
    std::string text = capability(options, api).empty() && !beside
        ? surface_of(options)
        : std::string();
    text += path;
    if (text.find("{id}") != std::string::npos) {
        std::string_view head = collection(api);
        if (api == Api::gemini_model)
            head = client_path.substr(0, client_path.rfind('/') + 1);
        if (!client_path.starts_with(head))
            return make_error(
                ErrorCode::invalid_request, "invalid request path");
        replace(text, "{id}", client_path.substr(head.size()));
    }
    replace(text, "{project}", options.vertex_project_id);
    replace(text, "{region}", options.vertex_region);
    GeminiPath native = split_gemini(client_path);
    if (api == Api::gemini_models) // no model follows
        native.version = version_of(client_path);
    if (text.find("{version}") != std::string::npos) {
        std::string_view version = options.api_version;
        if (version.empty() && is_version(native.version)
            && (api == Api::gemini_generate || api == Api::gemini_stream
                || api == Api::gemini_count || api == Api::gemini_models
                || api == Api::gemini_model))
            version = native.version;
        replace(text, "{version}", version.empty() ? "v1beta" : version);
    }
    if (text.find("{model}") != std::string::npos) {
        if (model.empty() && !native.model.empty()) {
            replace(text, "{model}", native.model);
            return text;
        }
        if (model.starts_with("models/"))
            model.remove_prefix(7);
        if (options.type->name == "vertex" && model.starts_with("google/"))
            model.remove_prefix(7);
        auto encoded = encode_model(model);
        if (!encoded)
            return encoded;
        replace(text, "{model}", *encoded);
    }
    return text;
}

// A base URL that is the type's own ("/compatible-mode/v1" of qwen) must not
// drag its surface into the paths of the others ("/apps/anthropic/v1").
std::string_view without_surface(
    const Options& options, std::string_view prefix)
{
    if (prefix.empty())
        return prefix;
    const std::string own = surface_of(options);
    std::string chat = own;
    chat += api_path(options, Api::chat_completions);
    const size_t end = behind_version(chat);
    if (end != std::string::npos && prefix.ends_with(chat.substr(0, end)))
        prefix.remove_suffix(end);
    else if (prefix.ends_with(own) && !own.empty())
        prefix.remove_suffix(own.size());
    else if (end != std::string::npos) {
        // The same without the version ("/openai").
        const size_t version = chat.rfind('/', end - 1);
        if (version != 0 && prefix.ends_with(chat.substr(0, version)))
            prefix.remove_suffix(version);
    }
    return prefix;
}

// Does path begin with the whole segments of prefix?
bool is_below(std::string_view path, std::string_view prefix) noexcept
{
    return path.starts_with(prefix)
        && (path.size() == prefix.size() || path[prefix.size()] == '/'
            || path[prefix.size()] == '?');
}

std::string_view without_base_path(
    const Options& options, std::string_view path) noexcept
{
    if (options.base_path.empty() || options.base_path_prepend
        || !is_below(path, options.base_path))
        return path;
    path.remove_prefix(options.base_path.size());
    return path.empty() ? std::string_view("/") : path;
}

std::string with_query(std::string path, std::string_view query)
{
    if (!query.empty()) {
        path += path.find('?') == std::string::npos ? '?' : '&';
        path += query;
    }
    return path;
}

bool is_ascii(std::string_view text) noexcept
{
    return std::none_of(text.begin(), text.end(),
        [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
}

// Bytes outside ASCII may come raw; a request line must not have them.
std::string ascii(std::string_view text)
{
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        auto u = static_cast<unsigned char>(c);
        if (u < 0x80) {
            out += c;
            continue;
        }
        out += '%';
        out += kHex[u >> 4];
        out += kHex[u & 15];
    }
    return out;
}

bool is_query(std::string_view text) noexcept
{
    return std::none_of(text.begin(), text.end(), [](char c) {
        auto u = static_cast<unsigned char>(c);
        return u <= 0x20 || u == 0x7f || c == '#';
    });
}

Error unsupported(const Options& options, Api api)
{
    std::string text = "provider \"" + options.name + "\" does not have ";
    text.append(dialect::name(api));
    return make_error(ErrorCode::unsupported_api, std::move(text));
}

bool ends_with_any(std::string_view text,
    std::initializer_list<std::string_view> suffixes) noexcept
{
    return std::any_of(suffixes.begin(), suffixes.end(),
        [text](std::string_view s) { return text.ends_with(s); });
}

// A custom URL that names an API serves every call as it stands
// (providers.md 3.1, 3.19).
bool is_direct(const Options& options, std::string_view path) noexcept
{
    if (options.type->name == "vllm")
        return ends_with_any(path, {"/completions", "/rerank"});
    return ends_with_any(path,
        {"/completions", "/embeddings", "/audio/speech",
            "/audio/transcriptions", "/audio/translations",
            "/images/generations", "/images/variations", "/images/edits",
            "/models", "/responses", "/fine_tuning/jobs",
            "/fine_tuning/checkpoints", "/realtime", "/videos"});
}

// Joins without looking for a version: the custom path replaces "/v1".
std::string onto_custom(std::string_view base, std::string_view path)
{
    if (path.starts_with("/v1/"))
        path.remove_prefix(3);
    return std::string(base).append(path);
}

Result<std::string> azure_path(const Options& options, std::string_view prefix,
    Api api, std::string_view path, std::string_view client_path,
    std::string_view model)
{
    UrlTail url = url_tail(options.azure_service_url);
    std::string_view base = url.path;
    AzureShape shape = azure_shape(base);
    if (shape == AzureShape::verbatim)
        return with_query(join_path(prefix, base), url.query);
    if (azure_version1(prefix)) { // base_url is the v1 surface
        shape = AzureShape::version1;
        base = prefix;
        prefix = {};
    }
    if (shape == AzureShape::version1)
        return with_query(
            std::string(prefix).append(onto_custom(base, client_path)),
            url.query);
    if (path.empty()) // unknown to the type: relayed as it came
        return with_query(std::string(prefix).append(client_path), url.query);
    if (shape == AzureShape::deployment) {
        constexpr std::string_view kAny = "/openai/deployments/{model}";
        if (path.starts_with(kAny))
            return with_query(std::string(prefix).append(base).append(
                                  path.substr(kAny.size())),
                url.query);
    }
    auto filled = fill(options, api, path, client_path, model);
    if (!filled)
        return filled;
    return with_query(std::string(prefix).append(*filled), url.query);
}

} // namespace

AzureShape azure_shape(std::string_view path) noexcept
{
    constexpr std::string_view kDeployments = "/openai/deployments/";
    if (path.empty())
        return AzureShape::resource;
    if (path == "/openai/v1")
        return AzureShape::version1;
    if (path.starts_with(kDeployments)
        && path.find('/', kDeployments.size()) == std::string_view::npos)
        return AzureShape::deployment;
    return AzureShape::verbatim;
}

bool azure_version1(std::string_view path) noexcept
{
    return path.ends_with("/openai/v1")
        || path.find("/openai/v1/") != std::string_view::npos;
}

std::string with_base_paths(const Options& options, std::string path)
{
    if (options.base_path_prepend && !options.base_path.empty()
        && !is_below(path, options.base_path))
        path.insert(0, options.base_path);
    if (!options.provider_base_path.empty()
        && !is_below(path, options.provider_base_path))
        path.insert(0, options.provider_base_path);
    return path;
}

std::string join_path(std::string_view prefix, std::string_view path)
{
    if (size_t both = overlap(prefix, path); both != 0) {
        path.remove_prefix(both);
    } else if (is_version(last_segment(prefix))) {
        size_t behind = behind_version(path);
        if (behind != std::string_view::npos)
            path.remove_prefix(behind);
    }
    return std::string(prefix).append(path);
}

Result<std::string> relay_path(const Options& options, const Endpoint& endpoint,
    Api api, std::string_view client_path, std::string_view client_query,
    std::string_view model)
{
    if (!supports(options, api))
        return unsupported(options, api);
    if (auto done = check_path(client_path); !done)
        return bad_path(done.error());
    // It is decoded: behind one of these a call that is not known here could
    // be one that the provider knows.
    if (client_path.find_first_of("?%") != std::string_view::npos)
        return make_error(
            ErrorCode::invalid_request, "invalid character in the path");
    if (!is_query(client_query))
        return make_error(
            ErrorCode::invalid_request, "invalid character in the query");
    const std::string encoded = is_ascii(client_path) ? "" : ascii(client_path);
    if (!encoded.empty())
        client_path = encoded;
    const std::string query = ascii(client_query);
    client_path = without_base_path(options, client_path);

    std::string_view path = api_path(options, api);
    if (options.type->name == "azure") {
        auto full =
            azure_path(options, endpoint.path, api, path, client_path, model);
        return full ? with_query(std::move(*full), query) : std::move(full);
    }
    const std::string_view raw = options.type->name == "vertex"
        ? vertex_raw_path(client_path)
        : std::string_view();
    if (!raw.empty())
        return with_query(join_path(endpoint.path, raw), query);
    std::string_view custom = custom_url(options);
    if (!custom.empty()) {
        UrlTail url = url_tail(custom);
        if (is_direct(options, url.path))
            return with_query(std::string(url.path), url.query);
        auto rest = fill(options, api, path.empty() ? client_path : path,
            client_path, model);
        if (!rest)
            return rest;
        return with_query(
            with_query(onto_custom(url.path, *rest), url.query), query);
    }
    // Spark's models that think have an address of their own.
    if (options.type->name == "spark" && api == Api::chat_completions
        && (model.starts_with("x1") || model.starts_with("spark-x"))
        && path == "/v1/chat/completions")
        path = "/v2/chat/completions";
    const size_t talks = options.type->name == "qwen"
        ? client_path.rfind("/v1/conversations")
        : std::string_view::npos;
    if (path.empty() && talks != std::string_view::npos && !options.original)
        return with_query(
            join_path(without_surface(options, endpoint.path),
                "/compatible-mode" + std::string(client_path.substr(talks))),
            query);
    if (path.empty()) { // unknown to the type: relayed as it came
        // DashScope's own paths stand beside its compatible ones.
        const std::string_view prefix =
            options.type->name == "qwen" && client_path.starts_with("/api/v1/")
            ? without_surface(options, endpoint.path)
            : std::string_view(endpoint.path);
        const size_t both = overlap(prefix, client_path);
        return with_query(
            std::string(prefix).append(client_path.substr(both)), query);
    }
    auto rest = fill(options, api, path, client_path, model);
    if (!rest)
        return rest;
    return with_query(
        join_path(without_surface(options, endpoint.path), *rest), query);
}

} // namespace ai_proxy::provider
