#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/dialect/model_list.h"

#include <algorithm>

// What a consumer may ask for.
namespace ai_proxy::policy {

namespace {

using dialect::Api;
using dialect::BodyKind;

// Calls without a model that use none: what they speak of was made before, by
// a call that had one.
bool uses_no_model(
    Api api, std::string_view method, std::string_view path) noexcept
{
    switch (api) {
    case Api::response:
        // What else may be asked of a response is not known.
        return method != "POST" || path.ends_with("/cancel");
    case Api::files:
    case Api::file:
    case Api::file_content:
    case Api::batch:
    case Api::batch_cancel:
    case Api::video:
    case Api::models:
    case Api::model:
    case Api::gemini_models:
    case Api::gemini_model:
        return true;
    default:
        return false;
    }
}

bool reads_only(std::string_view method) noexcept
{
    return method == "GET" || method == "HEAD" || method == "DELETE"
        || method == "OPTIONS";
}

} // namespace

bool Exchange::uses_nothing() const noexcept
{
    return uses_no_model(books_.api, head_.method, path_)
        || (reads_only(head_.method) && books_.api != Api::realtime);
}

// What uses tokens and does not say how many would go around every budget.
Result<void> Exchange::check_counted() const
{
    if (has_model() || uses_nothing()) {
        return {};
    }
    const bool limited = std::any_of(site_.token_limits.begin(),
        site_.token_limits.end(), [](const limit::Rule& rule) {
            return rule.mode == limit::Mode::enforce;
        });
    if (!limited && !has_quota()) {
        return {};
    }
    Error error = make_error(ErrorCode::token_limit,
        "Tokens are limited here, and what this call uses cannot be counted.");
    error.status = 403;
    return error;
}

Result<void> Exchange::check_model(std::string_view model) const
{
    if (head_.consumer->may_use(model)) {
        return {};
    }
    // OpenAI's words: who may not use a model does not learn that it exists,
    // as it is in no list of theirs either.
    std::string message = "The model `";
    message += model;
    message += "` does not exist or you do not have access to it.";
    Error error =
        make_error(ErrorCode::model_forbidden, std::move(message), "model");
    error.provider_code = "model_not_found";
    return error;
}

Result<void> Exchange::check_consumer() const
{
    if (!restricted()) {
        return {};
    }
    if (books_.api == Api::model || books_.api == Api::gemini_model) {
        return check_model(dialect::model_in(path_));
    }
    if (has_model()) {
        const std::string model = books_.request_model.empty()
            ? site_.model_map.map("")
            : books_.request_model;
        if (model.empty()) {
            return make_error(ErrorCode::invalid_request,
                "you must provide a model parameter", "model");
        }
        if (kind_ == BodyKind::json) {
            // OpenRouter's list of others that may answer instead.
            for (const json::Node other : document_["models"].items()) {
                if (auto one = check_model(other.string_or()); !one) {
                    return one;
                }
            }
        }
        return check_model(model);
    }
    if (uses_nothing()) {
        return {};
    }
    Error error = make_error(ErrorCode::model_forbidden,
        "You may use certain models only, and which one this call uses cannot "
        "be told.");
    error.status = 403;
    return error;
}

// What the client has for a provider without keys of its own: OpenAI's takes
// the fields of Anthropic's and Higress' clients as well (providers.md 3.1).
std::string_view Exchange::client_credential(
    const provider::Options& options) const noexcept
{
    std::string_view found = head_.authorization;
    if (head_.credential_ended || options.type->name != "openai") {
        return found;
    }
    for (const std::string_view name : {"x-authorization", "x-api-key"}) {
        for (const Header& field : head_.headers) {
            if (iequals(field.name, name) && !trim(field.value).empty()) {
                found = field.value;
            }
        }
    }
    return found;
}

} // namespace ai_proxy::policy
