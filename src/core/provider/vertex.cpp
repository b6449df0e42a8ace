#include "core/provider/vertex.h"

#include "core/base/text.h"
#include "core/json/elements.h"
#include "core/provider/claude.h"
#include "core/provider/gemini.h"
#include "core/provider/header_fields.h"
#include "core/provider/shape.h"
#include "core/provider/surface.h"
#include "core/provider/vendor.h"

#include <algorithm>

// Google Vertex AI (providers.md 4.3): Gemini's and Claude's own protocols
// under Google Cloud's paths.
namespace ai_proxy::provider {
namespace {

constexpr std::string_view kClaudeVersionName = "vertex-2023-10-16";

// "google/gemini-2.5-pro", "models/...": the publisher follows from the name.
std::string_view bare_model(std::string_view model) noexcept
{
    for (const std::string_view head : {"google/", "anthropic/", "models/"}) {
        if (model.starts_with(head)) {
            model.remove_prefix(head.size());
        }
    }
    return model;
}

// A header's list of names as the items of an array.
void add_names(std::string& items, std::string_view list)
{
    while (!list.empty()) {
        const size_t end = std::min(list.find(','), list.size());
        const std::string_view name = trim(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
        if (!name.empty()) {
            items += items.empty() ? "" : ",";
            json::append_string(items, name);
        }
    }
}

Result<void> encode_claude(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body;
    auto needs =
        write_claude_body(body, request, context, {kClaudeVersionName, true});
    if (!needs) {
        return needs.error();
    }
    const std::string_view tier = request.service_tier;
    drop_if(context, "service_tier",
        !tier.empty() && tier != "auto" && tier != "default");
    out.path =
        vertex_claude_path(context.options, context.model, request.stream);
    out.own_body(std::move(body));
    return {};
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    out.method = "POST";
    out.header("Content-Type", "application/json");
    if (vertex_is_claude(context.model)) {
        return encode_claude(request, context, out);
    }
    // Thinking and the like are decided by the name alone.
    EncodeContext bare = context;
    bare.model = bare_model(context.model);
    std::string body;
    if (auto done = write_gemini_body(body, request, bare); !done) {
        return done;
    }
    out.path = vertex_model_path(context.options, context.model,
        request.stream ? "streamGenerateContent?alt=sse" : "generateContent");
    // The tier that is not the standard one is for a header to ask for.
    const std::string_view tier = gemini_tier(request, context);
    if (!tier.empty() && tier != "standard") {
        out.header("X-Vertex-AI-LLM-Shared-Request-Type", tier);
    }
    out.own_body(std::move(body));
    return {};
}

const Vocabulary* vocabulary(const EncodeContext& context)
{
    return vertex_is_claude(context.model) ? &claude_vocabulary(context)
                                           : &gemini_vocabulary();
}

std::unique_ptr<Decoder> decoder(const EncodeContext& context)
{
    return vertex_is_claude(context.model) ? make_claude_decoder(context)
                                           : make_gemini_decoder(context);
}

// Google's own errors and Anthropic's, whichever side of rawPredict failed.
Error error(int status, json::Node body, std::string_view text)
{
    return body["type"].string_or() == "error"
        ? claude_error(status, body, text)
        : gemini_error(status, body, text);
}

} // namespace

bool vertex_is_claude(std::string_view model) noexcept
{
    return bare_model(model).starts_with("claude");
}

std::string vertex_model_path(
    const Options& options, std::string_view model, std::string_view action)
{
    std::string path = "/v1/";
    if (options.api_tokens.empty()) {
        path += "projects/" + options.vertex_project_id + "/locations/"
            + options.vertex_region + "/";
    }
    path += vertex_is_claude(model) ? "publishers/anthropic/models/"
                                    : "publishers/google/models/";
    // "@" stands before a version.
    path += percent_encode(bare_model(model), "@");
    return path.append(":").append(action);
}

bool vertex_relays(
    const Options& options, dialect::Api api, std::string_view model) noexcept
{
    return api == dialect::Api::messages && vertex_is_claude(model)
        && options.type->protocol == &kVertex && !relays(options)
        && capability(options, api).empty() && !shapes(options);
}

std::string vertex_claude_path(
    const Options& options, std::string_view model, bool stream)
{
    return vertex_model_path(
        options, model, stream ? "streamRawPredict" : "rawPredict");
}

void adapt_vertex_messages(json::Splice& body, Outbound& out)
{
    body.remove("model");
    body.remove("service_tier");
    std::string version;
    json::append_string(version, kClaudeVersionName);
    body.set("anthropic_version", std::move(version));
    std::string betas;
    for (const std::string_view one :
        json::elements(body.raw("anthropic_beta"))) {
        betas.append(betas.empty() ? "" : ",").append(one);
    }
    for (const auto& [name, value] : out.headers) {
        if (iequals(name, "anthropic-beta")) {
            add_names(betas, value);
        }
    }
    if (!betas.empty()) {
        body.set("anthropic_beta", "[" + betas + "]");
    }
    set_header(out, "anthropic-beta", {});
    set_header(out, "anthropic-version", {});
}

std::string_view vertex_raw_path(std::string_view client_path) noexcept
{
    const size_t publishers = client_path.find("/publishers/");
    if (publishers == std::string_view::npos) {
        return {};
    }
    // The version stands before "projects", or before "publishers".
    const size_t projects = client_path.find("/projects/");
    const size_t first = std::min(projects, publishers);
    if (first == 0 || first == std::string_view::npos) {
        return {};
    }
    const size_t version = client_path.rfind('/', first - 1);
    return version == std::string_view::npos ? std::string_view()
                                             : client_path.substr(version);
}

const Protocol kVertex{"vertex", vocabulary, encode, decoder, error};

} // namespace ai_proxy::provider
