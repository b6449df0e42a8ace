#include "core/json/splice.h"

#include "core/policy/serve_models.h"

#include "core/config/site_models.h"
#include "core/provider/registry.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::policy {

namespace {

using dialect::Model;

constexpr int64_t kAsking = 30; // seconds that others wait for who asks
constexpr int64_t kFailed = 10; // seconds until a provider is asked again

// Providers whose lists are worth asking for, each once.
std::vector<uint16_t> providers_of(const Exchange& exchange)
{
    const config::Gateway& gateway = exchange.gateway();
    std::vector<uint16_t> found;
    if (!exchange.asks_for_models()) {
        return found;
    }
    for (const route::Route* route : exchange.site().routes) {
        for (const route::Target& target : route->targets) {
            const provider::Options& options =
                gateway.providers[target.provider]->options;
            const bool known =
                std::find(found.begin(), found.end(), target.provider)
                != found.end();
            if (!known && target.model.empty() && !options.type->mock
                && options.location.empty()
                && provider::supports(options, dialect::Api::models))
            {
                found.push_back(target.provider);
            }
        }
    }
    return found;
}

// What one client may see is not what another may.
bool is_private(const provider::Options& options) noexcept
{
    return provider::credential_of(options)
        == provider::Credential::bearer_or_client
        && options.api_tokens.empty() && !options.anonymous;
}

class Listing {
public:
    Listing(Exchange& exchange, ModelLists& lists, async::Io& io)
        : exchange_(exchange), lists_(lists), io_(io),
          models_(exchange.site().models), providers_(providers_of(exchange))
    {
    }

    // The next provider that must be asked; what is known is taken on the way.
    [[nodiscard]] bool next();
    [[nodiscard]] uint16_t provider() const noexcept { return asked_; }
    [[nodiscard]] bool wants_token() const noexcept
    {
        return provider::wants_access_token(options());
    }
    [[nodiscard]] bool prepare(const Result<std::string>& token);
    [[nodiscard]] Try& attempt() noexcept { return *attempt_; }
    void settle(const async::TryEnd& end);
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    [[nodiscard]] Outcome take();

private:
    [[nodiscard]] const provider::Options& options() const noexcept
    {
        return exchange_.gateway().providers[asked_]->options;
    }
    void merge(const std::vector<Model>& models);
    void failed();

    Exchange& exchange_;
    ModelLists& lists_;
    async::Io& io_;
    std::vector<Model> models_;
    std::vector<uint16_t> providers_;
    size_t position_ = 0;
    uint16_t asked_ = 0;
    std::unique_ptr<Try> attempt_;
    bool broken_ = false;
};

bool Listing::next()
{
    const int64_t now = io_.now_seconds();
    while (position_ < providers_.size()) {
        asked_ = providers_[position_++];
        if (is_private(options())) {
            return true;
        }
        ModelLists::List& list = lists_.of(asked_);
        const bool fresh = now < list.expires;
        const bool under_way = list.asked != 0 && now < list.asked + kAsking
            && !list.models.empty();
        if (!fresh && !under_way) {
            list.asked = now;
            return true;
        }
        merge(list.models);
    }
    return false;
}

bool Listing::prepare(const Result<std::string>& token)
{
    if (!token) {
        failed();
        return false;
    }
    auto made = exchange_.make_list_try(
        asked_, io_.now_seconds(), io_.random(), *token);
    if (!made) {
        failed();
        return false;
    }
    attempt_ = std::move(*made);
    return true;
}

void Listing::settle(const async::TryEnd& end)
{
    exchange_.record(*attempt_, end.code, end.begin, end.end);
    broken_ = end.committed || end.code == ErrorCode::client_closed;
    Response& response = *attempt_->response;
    if (end.code != ErrorCode::none || broken_) {
        if (response.status() == 401 && wants_token()) {
            io_.drop_token(asked_);
        }
        failed();
        return;
    }
    json::Parser parser;
    const std::string text = response.take_body();
    auto body = parser.parse(std::string_view(text));
    auto models = body ? dialect::read_models(*body, options().name)
                       : Result<std::vector<Model>>(std::move(body).error());
    if (!models) {
        exchange_.books().tries.back().code = ErrorCode::upstream_invalid;
        failed();
        return;
    }
    merge(*models);
    if (!is_private(options())) {
        ModelLists::List& list = lists_.of(asked_);
        list.models = std::move(*models);
        list.asked = 0;
        list.expires = io_.now_seconds() + exchange_.site().model_list_seconds;
    }
}

// What was known before is better than nothing.
void Listing::failed()
{
    if (is_private(options())) {
        return;
    }
    ModelLists::List& list = lists_.of(asked_);
    list.asked = 0;
    list.expires = io_.now_seconds() + kFailed;
    merge(list.models);
}

void Listing::merge(const std::vector<Model>& models)
{
    for (const Model& model : models) {
        const auto same = [&model](const Model& m) { return m.id == model.id; };
        if (config::reaches(
                exchange_.gateway(), exchange_.site(), model.id, asked_)
            && std::none_of(models_.begin(), models_.end(), same))
        {
            models_.push_back(model);
        }
    }
}

Outcome Listing::take()
{
    Outcome outcome;
    if (broken_) {
        outcome.streamed = true;
        outcome.broken = true;
    } else {
        outcome.reply = exchange_.models_reply(std::move(models_));
    }
    return outcome;
}

} // namespace

ModelLists::List& ModelLists::of(uint16_t provider)
{
    if (lists.size() <= provider) {
        lists.resize(size_t{provider} + 1);
    }
    return lists[provider];
}

async::Task<Outcome> serve_models(
    async::Scope& s, Exchange& exchange, ModelLists& lists)
{
    Listing listing(exchange, lists, s.io);
    while (!listing.broken() && listing.next()) {
        Result<std::string> token{std::string()};
        if (listing.wants_token()) {
            token = co_await s.io.token(listing.provider());
        }
        if (!listing.prepare(token)) {
            continue;
        }
        const async::RaceEnd race = co_await s.io.attempt(listing.attempt());
        listing.settle(race.end);
    }
    co_return listing.take();
}

} // namespace ai_proxy::policy
