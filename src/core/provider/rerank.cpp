#include "core/provider/rerank.h"

#include "core/json/writer.h"

#include <vector>

namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr size_t kMaxDocuments = 10'000;
constexpr std::string_view kQwenPath =
    "/api/v1/services/rerank/text-rerank/text-rerank";

constexpr std::string_view kWords[] = {
    "query", "documents", "top_n", "top_k", "return_documents"};
constexpr std::string_view kVoyageOwn[] = {"truncation"};

struct Asked {
    std::string_view query;
    std::vector<std::string_view> documents;
    std::optional<int64_t> top;
    std::optional<bool> return_documents;
};

Error wrong(std::string_view what, std::string_view param)
{
    return make_error(
        ErrorCode::invalid_request, std::string(what), std::string(param));
}

// Documents are texts, or objects with one; top_k is Voyage's name of top_n.
Result<Asked> read(Node request)
{
    Asked out;
    const auto query = request["query"].string();
    if (!query) {
        return wrong("query must be a string", "query");
    }
    out.query = *query;
    for (const Node document : request["documents"].items()) {
        const auto text = document.is_object() ? document["text"].string()
                                               : document.string();
        if (!text) {
            return wrong("the provider ranks texts only", "documents");
        }
        out.documents.push_back(*text);
    }
    if (out.documents.empty() || out.documents.size() > kMaxDocuments) {
        return wrong("documents must be an array of texts", "documents");
    }
    const Node top =
        request["top_n"].has_value() ? request["top_n"] : request["top_k"];
    if (top.has_value()) {
        out.top = top.integer();
        if (!out.top || *out.top < 1) {
            return wrong("top_n must be a positive integer", "top_n");
        }
    }
    out.return_documents = request["return_documents"].boolean();
    return out;
}

void write_documents(json::Writer& w, const Asked& asked)
{
    w.field("query", asked.query);
    w.key("documents").begin_array();
    for (const std::string_view text : asked.documents) {
        w.string(text);
    }
    w.end_array();
}

// Cohere's answer: {id, model, results: [{index, relevance_score, document}]}
Result<void> answer(std::string_view id, Node results, Node tokens,
    const EncodeContext& context, std::string& out, chat::Usage& usage)
{
    if (!results.is_array()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer has no results");
    }
    json::Writer w(out);
    w.begin_object().field("id", id).field("model", context.model);
    w.key("results").begin_array();
    for (const Node one : results.items()) {
        const auto index = one["index"].integer();
        const auto score = one["relevance_score"].number();
        if (!index || !score) {
            return make_error(ErrorCode::upstream_invalid,
                "a result of the provider has no index or score");
        }
        w.begin_object().field("index", *index);
        w.field("relevance_score", *score);
        const Node document = one["document"];
        if (document.is_string()) {
            w.key("document").begin_object();
            w.field("text", document).end_object();
        } else if (document.is_object()) {
            w.field("document", document);
        }
        w.end_object();
    }
    w.end_array();
    const auto count = tokens.integer();
    if (count && *count >= 0) {
        usage.known = true;
        usage.prompt = usage.total = *count;
        w.key("usage").begin_object().field("total_tokens", *count);
        w.end_object();
    }
    w.end_object();
    return {};
}

} // namespace

const Vocabulary kQwenRerank{kWords};
const Vocabulary kVoyageRerank{kWords, kVoyageOwn};

Result<void> encode_qwen_rerank(
    Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    w.key("input").begin_object();
    write_documents(w, *asked);
    w.end_object().key("parameters").begin_object();
    if (asked->top) {
        w.field("top_n", *asked->top);
    }
    if (asked->return_documents) {
        w.field("return_documents", *asked->return_documents);
    }
    w.end_object().end_object();
    out.post_json(kQwenPath, std::move(body));
    return {};
}

Result<void> answer_qwen_rerank(Node body, const EncodeContext& context, bool,
    std::string& out, chat::Usage& usage)
{
    return answer(body["request_id"].string_or(), body["output"]["results"],
        body["usage"]["total_tokens"], context, out, usage);
}

Result<void> encode_voyage_rerank(
    Node request, const EncodeContext& context, Outbound& out)
{
    auto asked = read(request);
    if (!asked) {
        return std::move(asked).error();
    }
    std::string body;
    json::Writer w(body);
    w.begin_object().field("model", context.model);
    write_documents(w, *asked);
    if (asked->top) {
        w.field("top_k", *asked->top);
    }
    if (asked->return_documents) {
        w.field("return_documents", *asked->return_documents);
    }
    for (const std::string_view name : kVoyageOwn) {
        if (request[name].has_value()) {
            w.field(name, request[name]);
        }
    }
    w.end_object();
    out.post_json("/v1/rerank", std::move(body));
    return {};
}

Result<void> answer_voyage_rerank(Node body, const EncodeContext& context, bool,
    std::string& out, chat::Usage& usage)
{
    return answer(
        {}, body["data"], body["usage"]["total_tokens"], context, out, usage);
}

} // namespace ai_proxy::provider
