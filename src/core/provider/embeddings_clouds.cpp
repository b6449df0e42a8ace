#include "core/provider/embeddings.h"

#include "core/json/writer.h"
#include "core/provider/bedrock.h"
#include "core/provider/gemini.h"
#include "core/provider/vertex.h"

#include <algorithm>

// Embeddings of Google and Amazon (providers.md 4.2 to 4.4).
namespace ai_proxy::provider {
namespace {

constexpr std::string_view kWords[] = {"input", "dimensions"};
constexpr std::string_view kGoogleOwn[] = {"taskType", "task_type", "title"};
constexpr std::string_view kVertexOwn[] = {
    "taskType", "task_type", "title", "autoTruncate", "auto_truncate"};
constexpr std::string_view kBedrockOwn[] = {
    "input_type", "truncate", "normalize"};

void write_content(json::Writer& w, std::string_view text)
{
    w.key("content").begin_object().key("parts").begin_array();
    w.begin_object().field("text", text).end_object();
    w.end_array().end_object();
}

// A member that clients of the vendor put beside OpenAI's, under either name.
void write_own(json::Writer& w, json::Node request, std::string_view name,
    std::string_view snake)
{
    const json::Node value =
        request[name].has_value() ? request[name] : request[snake];
    if (value.has_value()) {
        w.field(name, value);
    }
}

void add(chat::Usage& usage, json::Node count)
{
    const auto tokens = count.integer();
    if (tokens && *tokens >= 0) {
        usage.known = true;
        usage.prompt += std::min(*tokens, INT64_MAX - usage.prompt);
        usage.total = usage.prompt;
    }
}

// Models that embed one text a call, by a method of their own.
bool embeds_content(std::string_view model) noexcept
{
    return model.find("gemini-embedding-2") != std::string_view::npos;
}

Error one_text()
{
    return make_error(ErrorCode::invalid_request,
        "this model of the provider embeds one text a call", "input");
}

bool is_cohere(std::string_view model) noexcept
{
    return model.find("cohere.") != std::string_view::npos;
}

Result<void> answer_vectors(json::Node vectors, std::string_view values,
    const EncodeContext& context, bool base64, std::string& out,
    const chat::Usage& usage)
{
    EmbeddingsWriter writer(out, base64);
    int64_t index = 0;
    for (const json::Node item : vectors.items()) {
        const json::Node vector = values.empty() ? item : item[values];
        if (auto done = writer.add(index++, vector); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

Result<void> answer_vector(json::Node vector, const EncodeContext& context,
    bool base64, std::string& out, const chat::Usage& usage)
{
    EmbeddingsWriter writer(out, base64);
    if (auto done = writer.add(0, vector); !done) {
        return done;
    }
    return writer.finish(context.model, usage);
}

} // namespace

const Vocabulary kGeminiEmbeddings{kWords, kGoogleOwn};
const Vocabulary kVertexEmbeddings{kWords, kVertexOwn};
const Vocabulary kBedrockEmbeddings{kWords, kBedrockOwn};

Result<void> encode_gemini_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string_view model = context.model;
    if (model.starts_with("models/")) {
        model.remove_prefix(7);
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().key("requests").begin_array();
    for (const std::string_view text : asked->inputs) {
        w.begin_object();
        w.field("model", "models/" + std::string(model));
        write_content(w, text);
        if (asked->dimensions) {
            w.field("outputDimensionality", *asked->dimensions);
        }
        write_own(w, request, "taskType", "task_type");
        write_own(w, request, "title", "title");
        w.end_object();
    }
    w.end_array().end_object();
    out.post_json(
        gemini_model_path(context.options, model, "batchEmbedContents"),
        std::move(body));
    return {};
}

Result<void> answer_gemini_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    add(usage, body["usageMetadata"]["promptTokenCount"]);
    return answer_vectors(
        body["embeddings"], "values", context, base64, out, usage);
}

Result<void> encode_vertex_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    const bool content = embeds_content(context.model);
    if (content && asked->inputs.size() > 1) {
        return one_text();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (content) {
        write_content(w, asked->inputs.front());
        if (asked->dimensions) {
            w.field("outputDimensionality", *asked->dimensions);
        }
        write_own(w, request, "taskType", "task_type");
        w.end_object();
        out.post_json(
            vertex_model_path(context.options, context.model, "embedContent"),
            std::move(body));
        return {};
    }
    w.key("instances").begin_array();
    for (const std::string_view text : asked->inputs) {
        w.begin_object().field("content", text);
        write_own(w, request, "task_type", "taskType");
        write_own(w, request, "title", "title");
        w.end_object();
    }
    w.end_array();
    if (asked->dimensions || request["autoTruncate"].has_value()) {
        w.key("parameters").begin_object();
        if (asked->dimensions) {
            w.field("outputDimensionality", *asked->dimensions);
        }
        write_own(w, request, "autoTruncate", "auto_truncate");
        w.end_object();
    }
    w.end_object();
    out.post_json(vertex_model_path(context.options, context.model, "predict"),
        std::move(body));
    return {};
}

Result<void> answer_vertex_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    if (const json::Node one = body["embedding"]; one.has_value()) {
        add(usage, body["usageMetadata"]["promptTokenCount"]);
        return answer_vector(one["values"], context, base64, out, usage);
    }
    EmbeddingsWriter writer(out, base64);
    int64_t index = 0;
    for (const json::Node item : body["predictions"].items()) {
        const json::Node embedded = item["embeddings"];
        add(usage, embedded["statistics"]["token_count"]);
        if (auto done = writer.add(index++, embedded["values"]); !done) {
            return done;
        }
    }
    return writer.finish(context.model, usage);
}

Result<void> encode_bedrock_embeddings(
    json::Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read_embeddings(request);
    if (!asked) {
        return std::move(asked).error();
    }
    if (auto valid = check_bedrock_model(context.model); !valid) {
        return valid;
    }
    std::string body;
    json::Writer w(body);
    w.begin_object();
    if (is_cohere(context.model)) {
        write_cohere_texts(w, *asked);
        write_own(w, request, "truncate", "truncate");
    } else {
        if (asked->inputs.size() > 1) {
            return one_text();
        }
        w.field("inputText", asked->inputs.front());
        if (asked->dimensions) {
            w.field("dimensions", *asked->dimensions);
        }
        write_own(w, request, "normalize", "normalize");
    }
    w.end_object();
    out.post_json(bedrock_model_path(context.model, "invoke"), std::move(body));
    return {};
}

Result<void> answer_bedrock_embeddings(json::Node body,
    const EncodeContext& context, bool base64, std::string& out,
    chat::Usage& usage)
{
    add(usage, body["inputTextTokenCount"]);
    if (const json::Node one = body["embedding"]; one.has_value()) {
        return answer_vector(one, context, base64, out, usage);
    }
    const json::Node all = body["embeddings"];
    return answer_vectors(
        all.is_array() ? all : all["float"], {}, context, base64, out, usage);
}

} // namespace ai_proxy::provider
