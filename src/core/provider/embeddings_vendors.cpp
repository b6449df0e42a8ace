#include "core/provider/embeddings.h"

#include "core/base/text.h"
#include "core/json/writer.h"
#include "core/provider/cloudflare.h"
#include "core/provider/minimax.h"
#include "core/provider/vendor.h"

// Embeddings of the vendors that have their own form.
namespace ai_proxy::provider {
namespace {

constexpr std::string_view kQwenPath =
    "/api/v1/services/embeddings/text-embedding/text-embedding";
constexpr std::string_view kCoherePath = "/v2/embed";

constexpr std::string_view kWords[] = {"input", "dimensions"};
constexpr std::string_view kTextAlone[] = {"input"};
constexpr std::string_view kCohereWords[] = {
    "input", "dimensions", "input_type"};
constexpr std::string_view kMinimaxWords[] = {"input", "type"};

// Members that clients of the vendors put beside OpenAI's.
constexpr std::string_view kQwenOwn[] = {
    "text_type", "output_type", "instruct"};
constexpr std::string_view kCohereOwn[] = {
    "truncate", "max_tokens", "priority"};
constexpr std::string_view kCloudflareOwn[] = {"pooling"};
constexpr std::string_view kHuggingfaceOwn[] = {
    "normalize", "prompt_name", "truncate"};

void write_texts(
    json::Writer& w, std::string_view name, const EmbeddingsRequest& request)
{
    w.key(name).begin_array();
    for (const std::string_view text : request.inputs) {
        w.string(text);
    }
    w.end_array();
}

chat::Usage prompt_only(json::Node count)
{
    chat::Usage usage;
    const auto tokens = count.integer();
    if (tokens && *tokens >= 0) {
        usage.known = true;
        usage.prompt = usage.total = *tokens;
    }
    return usage;
}

} // namespace

const Vocabulary kQwenEmbeddings{kWords, kQwenOwn};
const Vocabulary kCohereEmbeddings{kCohereWords, kCohereOwn};
const Vocabulary kMinimaxEmbeddings{kMinimaxWords};
const Vocabulary kHunyuanEmbeddings{kTextAlone};
const Vocabulary kCloudflareEmbeddings{kTextAlone, kCloudflareOwn};
const Vocabulary kHuggingfaceEmbeddings{kWords, kHuggingfaceOwn};

Result<void> encode_qwen_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.key("input").begin_object();
    write_texts(w, "texts", *asked);
    w.end_object().key("parameters").begin_object();
    if (asked->dimensions) {
        w.field("dimension", *asked->dimensions);
    }
    write_own(w, request, kQwenOwn);
    w.end_object().end_object();
    out.post_json(kQwenPath, std::move(body));
    return {};
}

Result<void> answer_qwen_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    usage = prompt_only(body["usage"]["total_tokens"]);
    EmbeddingsWriter writer(out, base64);
    int64_t place = 0;
    for (const json::Node item : body["output"]["embeddings"].items()) {
        const int64_t index = item["text_index"].integer().value_or(place++);
        if (auto done = writer.add(index, item["embedding"]); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

void write_cohere_texts(json::Writer& w, const EmbeddingsRequest& asked)
{
    write_texts(w, "texts", asked);
    // Required by all current models; OpenAI has no word for it.
    w.field("input_type", asked.raw["input_type"].string_or("search_document"));
    w.key("embedding_types").begin_array().string("float").end_array();
    if (asked.dimensions) {
        w.field("output_dimension", *asked.dimensions);
    }
}

Result<void> encode_cohere_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    write_cohere_texts(w, *asked);
    write_own(w, request, kCohereOwn);
    w.end_object();
    out.post_json(kCoherePath, std::move(body));
    return {};
}

Result<void> answer_cohere_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    const json::Node meta = body["meta"];
    usage = prompt_only(meta["tokens"]["input_tokens"]);
    if (!usage.known) {
        usage = prompt_only(meta["billed_units"]["input_tokens"]);
    }
    EmbeddingsWriter writer(out, base64);
    int64_t index = 0;
    for (const json::Node vector : body["embeddings"]["float"].items()) {
        if (auto done = writer.add(index++, vector); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

Result<void> encode_minimax_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    write_texts(w, "texts", *asked);
    // What the vectors are for: "db" or "query"; OpenAI has no word for it.
    w.field("type", request["type"].string_or("db"));
    w.end_object();
    out.post_json(
        minimax_path(context.options, "/v1/embeddings"), std::move(body));
    return {};
}

Result<void> answer_minimax_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    usage = prompt_only(body["total_tokens"]);
    EmbeddingsWriter writer(out, base64);
    int64_t index = 0;
    for (const json::Node vector : body["vectors"].items()) {
        if (auto done = writer.add(index++, vector); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

Result<void> encode_hunyuan_embeddings(
    json::Node request, const EncodeContext&, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (asked->inputs.size() == 1) {
        w.field("Input", asked->inputs[0]);
    } else {
        write_texts(w, "InputList", *asked);
    }
    w.end_object();
    out.path = "/";
    out.header("Content-Type", "application/json");
    out.header("X-TC-Action", "GetEmbedding");
    out.header("X-TC-Version", "2023-09-01");
    out.own_body(std::move(body));
    return {};
}

Result<void> answer_hunyuan_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    const json::Node answer = body["Response"];
    usage = prompt_only(answer["Usage"]["TotalTokens"]);
    EmbeddingsWriter writer(out, base64);
    int64_t place = 0;
    for (const json::Node item : answer["Data"].items()) {
        const int64_t index = item["Index"].integer().value_or(place++);
        if (auto done = writer.add(index, item["Embedding"]); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

Result<void> encode_cloudflare_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    auto path = run_path(context.options, context.model);
    if (!path) {
        return std::move(path).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    write_texts(w, "text", *asked);
    write_own(w, request, kCloudflareOwn);
    w.end_object();
    out.post_json(*path, std::move(body));
    return {};
}

Result<void> answer_cloudflare_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    usage = prompt_only(body["result"]["usage"]["prompt_tokens"]);
    EmbeddingsWriter writer(out, base64);
    int64_t index = 0;
    for (const json::Node vector : body["result"]["data"].items()) {
        if (auto done = writer.add(index++, vector); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

// The feature extraction of Hugging Face's own inference provider.
Result<void> encode_huggingface_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    write_texts(w, "inputs", *asked);
    write_own(w, request, kHuggingfaceOwn);
    if (asked->dimensions) {
        w.field("dimensions", *asked->dimensions);
    }
    w.end_object();
    const std::string path = "/hf-inference/models/"
        + percent_encode(context.model, "/") + "/pipeline/feature-extraction";
    if (path.find("/..") != std::string::npos) {
        return make_error(ErrorCode::invalid_request, "invalid model", "model");
    }
    out.post_json(path, std::move(body));
    return {};
}

// A vector for each text; the bare vector for a single one in older answers.
Result<void> answer_huggingface_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    EmbeddingsWriter writer(out, base64);
    if (body.at(0).is_number()) {
        if (auto done = writer.add(0, body); !done) {
            return done;
        }
        return writer.finish(context.model, usage);
    }
    int64_t index = 0;
    for (const json::Node vector : body.items()) {
        if (auto done = writer.add(index++, vector); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

} // namespace ai_proxy::provider
