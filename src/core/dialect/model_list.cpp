#include "core/dialect/model_list.h"

#include "core/base/calendar.h"

#include "core/json/writer.h"

#include <algorithm>
#include <array>

namespace ai_proxy::dialect {

namespace {

constexpr size_t kMost = 5000;
constexpr size_t kLongest = 256;
constexpr std::string_view kGeminiPrefix = "models/";

// A name that can be asked for, and shown.
bool is_name(std::string_view name) noexcept
{
    return !name.empty() && name.size() <= kLongest
        && std::none_of(name.begin(), name.end(), [](char c) {
               const auto u = static_cast<unsigned char>(c);
               return u <= 0x20 || u == 0x7f;
           });
}

json::Node list_of(json::Node body) noexcept
{
    if (body.is_array()) {
        return body;
    }
    const json::Node data = body["data"];
    return data.is_array() ? data : body["models"];
}

std::string_view name_of(json::Node entry) noexcept
{
    std::string_view name = entry["id"].string_or();
    if (name.empty()) {
        name = entry["name"].string_or();
    }
    if (name.starts_with(kGeminiPrefix)) {
        name.remove_prefix(kGeminiPrefix.size());
    }
    return name;
}

std::string_view title_of(json::Node entry) noexcept
{
    for (const auto member : {"display_name", "displayName"}) {
        const std::string_view title = entry[member].string_or();
        if (!title.empty() && title.size() <= kLongest) {
            return title;
        }
    }
    return {};
}

// Days since 1970-01-01 as year, month and day (proleptic Gregorian).
std::string_view title(const Model& model) noexcept
{
    return model.title.empty() ? model.id : model.title;
}

void write_openai(json::Writer& w, const Model& model)
{
    w.begin_object();
    w.field("id", model.id);
    w.field("object", "model");
    w.field("created", model.created);
    w.field("owned_by", model.owner);
    w.end_object();
}

void write_anthropic(json::Writer& w, const Model& model)
{
    w.begin_object();
    w.field("type", "model");
    w.field("id", model.id);
    w.field("display_name", title(model));
    w.field("created_at", time_text(model.created));
    w.end_object();
}

void write_gemini(json::Writer& w, const Model& model)
{
    w.begin_object();
    w.field("name", std::string(kGeminiPrefix) + model.id);
    w.field("displayName", title(model));
    w.key("supportedGenerationMethods").begin_array();
    w.string("generateContent").string("countTokens");
    w.end_array();
    w.end_object();
}

void write_one(json::Writer& w, Dialect dialect, const Model& model)
{
    switch (dialect) {
    case Dialect::openai:
        return write_openai(w, model);
    case Dialect::anthropic:
        return write_anthropic(w, model);
    case Dialect::gemini:
        return write_gemini(w, model);
    }
}

// Anthropic's clients turn pages by these.
void write_page(json::Writer& w, const std::vector<Model>& models)
{
    w.field("has_more", false);
    for (const bool first : {true, false}) {
        w.key(first ? "first_id" : "last_id");
        if (models.empty()) {
            w.null();
        } else {
            w.string(first ? models.front().id : models.back().id);
        }
    }
}

} // namespace

Result<std::vector<Model>> read_models(json::Node body, std::string_view owner)
{
    const json::Node list = list_of(body);
    if (!list.is_array()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer is no list of models");
    }
    std::vector<Model> models;
    for (const json::Node entry : list.items()) {
        const std::string_view name = name_of(entry);
        if (models.size() == kMost) {
            break;
        }
        if (!is_name(name)) {
            continue;
        }
        Model& model = models.emplace_back();
        model.id = name;
        model.title = title_of(entry);
        model.owner = entry["owned_by"].string_or(owner);
        if (model.owner.empty() || model.owner.size() > kLongest) {
            model.owner = owner;
        }
        model.created =
            std::max<int64_t>(entry["created"].integer().value_or(0), 0);
    }
    return models;
}

std::string_view model_in(std::string_view path) noexcept
{
    constexpr std::string_view kCollection = "/models/";
    const size_t at = path.find(kCollection);
    return at == std::string_view::npos ? std::string_view()
                                        : path.substr(at + kCollection.size());
}

void write_models(
    std::string& out, Dialect dialect, const std::vector<Model>& models)
{
    json::Writer w(out);
    w.begin_object();
    if (dialect == Dialect::openai) {
        w.field("object", "list");
    }
    w.key(dialect == Dialect::gemini ? "models" : "data").begin_array();
    for (const Model& model : models) {
        write_one(w, dialect, model);
    }
    w.end_array();
    if (dialect == Dialect::anthropic) {
        write_page(w, models);
    }
    w.end_object();
}

void write_model(std::string& out, Dialect dialect, const Model& model)
{
    json::Writer w(out);
    write_one(w, dialect, model);
}

} // namespace ai_proxy::dialect
