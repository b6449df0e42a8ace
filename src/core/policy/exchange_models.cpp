#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/dialect/model_list.h"
#include "core/provider/registry.h"

#include <algorithm>

// Lists of models: of the location, and what providers are asked for theirs.
namespace ai_proxy::policy {

namespace {

using dialect::Api;

// A provider that does not answer must not hold the list up for long.
constexpr uint64_t kMostMs = 10'000;

// All on one page, in the words of vendors that turn pages.
std::string_view page(const provider::Options& options) noexcept
{
    if (options.type->protocol == &provider::kClaude) {
        return "limit=1000";
    }
    return options.type->protocol == &provider::kGemini ? "pageSize=1000" : "";
}

const dialect::Model* find(
    const std::vector<dialect::Model>& models, std::string_view name) noexcept
{
    const auto found = std::find_if(models.begin(), models.end(),
        [name](const dialect::Model& m) { return m.id == name; });
    return found != models.end() ? &*found : nullptr;
}

} // namespace

bool Exchange::lists_models() const noexcept
{
    const bool asked = books_.api == Api::models || books_.api == Api::model
        || books_.api == Api::gemini_models || books_.api == Api::gemini_model;
    if (!asked || (head_.method != "GET" && head_.method != "HEAD")) {
        return false;
    }
    const bool all =
        books_.api == Api::models || books_.api == Api::gemini_models;
    if (all && asks_for_models()) {
        return true;
    }
    switch (site_.model_list) {
    case config::ModelList::configured:
        // Of one that it does not name a provider may know.
        return all ? !site_.models.empty()
                   : find(site_.models, dialect::model_in(path_)) != nullptr;
    case config::ModelList::merged:
        return true;
    case config::ModelList::relayed:
        return false;
    }
    return false;
}

bool Exchange::asks_for_models() const noexcept
{
    // A list that would be relayed cannot be, where it is not for everybody.
    return site_.model_list == config::ModelList::merged
        || (restricted()
            && (site_.model_list == config::ModelList::relayed
                || site_.models.empty()));
}

Result<std::unique_ptr<Try>> Exchange::make_list_try(uint16_t index,
    int64_t now_seconds, uint64_t random, std::string_view access_token)
{
    const config::Provider& provider = *gateway_.providers[index];
    auto attempt = std::make_unique<Try>();
    attempt->provider_index = index;
    attempt->provider = &provider;
    attempt->api = Api::models;
    attempt->most = kMostMs;
    books_.provider = index;

    auto path = provider::relay_path(provider.options, provider.endpoint,
        Api::models, "/v1/models", page(provider.options), {});
    if (!path) {
        return std::move(path).error();
    }
    attempt->outbound.method = "GET";
    attempt->outbound.path = std::move(*path);
    attempt->outbound.header("Accept", "application/json");
    const provider::EncodeContext context{
        provider.options, {}, now_seconds, random};
    complete(context, access_token, *attempt);
    ResponseContext response = response_context(context, *attempt);
    response.api = Api::models;
    response.no_body = false;
    attempt->response = std::make_unique<Response>(std::move(response));
    return attempt;
}

Reply Exchange::models_reply(std::vector<dialect::Model> models)
{
    if (restricted()) {
        std::erase_if(models, [this](const dialect::Model& model) {
            return !head_.consumer->may_use(model.id);
        });
    }
    Reply reply;
    reply.status = 200;
    books_.error = ErrorCode::none;
    books_.status = reply.status;
    if (books_.api == Api::models || books_.api == Api::gemini_models) {
        dialect::write_models(reply.body, dialect_, models);
        return reply;
    }
    const std::string_view name = dialect::model_in(path_);
    const dialect::Model* found = find(models, name);
    if (found == nullptr) {
        return error_reply(unknown_model(name));
    }
    dialect::write_model(reply.body, dialect_, *found);
    return reply;
}

} // namespace ai_proxy::policy
