#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/json/writer.h"
#include "core/policy/plugin_limits.h"

// What the plugins of a location make of a request.
namespace ai_proxy::policy {

using dialect::BodyKind;

namespace {

// The last text of the last message of the user.
std::string last_question(json::Node body)
{
    std::string question;
    const auto messages = body["messages"];
    for (const json::Node message : messages.items()) {
        if (message["role"].string_or() != "user") {
            continue;
        }
        const json::Node content = message["content"];
        if (content.is_string()) {
            question = content.string_or();
            continue;
        }
        question.clear();
        for (const json::Node part : content.items()) {
            if (part["type"].string_or() == "text") {
                question = part["text"].string_or();
            }
        }
    }
    return question;
}

} // namespace

void Exchange::ask_model_router()
{
    const bool form = kind_ == BodyKind::multipart;
    if (kind_ != BodyKind::json && !form) {
        return;
    }
    const route::ModelRouter* router =
        site_.plugins.model_router->find({{}, site_.location, head_.host, {}});
    if (router == nullptr || !router->paths.cover(head_.path)) {
        return;
    }
    const bool own = router->key == "model";
    const std::string model(own ? std::string_view(books_.request_model)
            : form              ? std::string_view()
                                : document_[router->key].string_or());
    if (model.empty()) {
        return;
    }
    const bool ask = !form && router->asks(model);
    auto routed =
        router->route(model, ask ? last_question(document_) : std::string());
    if (form && router->asks(model)) {
        return;
    }
    added_headers_ = std::move(routed.headers);
    if (own) {
        chosen_model_ = std::move(routed.model);
    }
}

bool Exchange::has_quota() const
{
    return site_.plugins.quota != nullptr
        && site_.plugins.quota->find(
               subject_of(gateway_, site_, *route_, head_.host))
        != nullptr;
}

// What clients sent is looked at here, while it is there.
void Exchange::set_plugin_limits()
{
    const config::Plugins& plugins = site_.plugins;
    if (plugins.request_limit == nullptr && plugins.token_limit == nullptr
        && plugins.quota == nullptr)
    {
        return;
    }
    limit::KeyFacts facts;
    facts.headers = head_.sent_headers.value_or(head_.headers);
    facts.query = head_.sent_query.value_or(head_.query);
    facts.address = head_.address;
    if (head_.consumer != nullptr) {
        facts.consumer = head_.consumer->name;
    }
    plugin_limits_ = PluginLimits::find(gateway_, plugins,
        subject_of(gateway_, site_, *route_, head_.host), facts,
        dialect::uses_tokens(books_.api));
}

// Before the route is chosen: rules go by the name of the location.
void Exchange::map_other_key()
{
    const route::ModelMapper* mapper =
        site_.plugins.model_mapper->find({{}, site_.location, head_.host, {}});
    if (mapper == nullptr || mapper->key == "model"
        || !mapper->paths.cover(head_.path))
    {
        return;
    }
    const auto body = document();
    if (!body || !body->is_object()) {
        return;
    }
    const json::Node named = (*body)[mapper->key];
    if (named.exists() && !named.is_string()) {
        return;
    }
    const std::string_view from = named.string_or();
    const std::string_view to = mapper->map(from);
    auto splice = json::Splice::scan(body_, body_length_);
    if (to == from || !splice) {
        return;
    }
    std::string text;
    json::append_string(text, to);
    splice->set(mapper->key, text);
    replace_body(splice->text());
}

std::string Exchange::model_at(const route::Route& route,
    const route::Target& target, std::string_view model) const
{
    if (!target.model.empty()) {
        return target.model;
    }
    const config::Provider& provider = *gateway_.providers[target.provider];
    if (site_.plugins.model_mapper != nullptr) {
        const route::ModelMapper* mapper = site_.plugins.model_mapper->find(
            {route.name, site_.location, head_.host, provider.options.name});
        if (mapper != nullptr && mapper->key == "model"
            && mapper->paths.cover(head_.path))
        {
            model = mapper->map(model);
        }
    }
    return provider.model_map.map(model);
}

} // namespace ai_proxy::policy
