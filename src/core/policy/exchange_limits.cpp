#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/usage/estimate.h"

// What a request may use and what it costs.
namespace ai_proxy::policy {

void Exchange::set_limits()
{
    if (site_.token_limits.empty() || !dialect::uses_tokens(books_.api)) {
        return;
    }
    std::optional<int64_t> bound;
    if (!dialect::generates(books_.api)) {
        bound = 0;
    } else if (kind_ == dialect::BodyKind::json) {
        bound = usage::answer_bound(document_);
    }
    limits_ = std::make_unique<TokenLimits>(
        gateway_, site_.token_limits, prompt_, bound);
    if (!limits_->counts_cost()) {
        return;
    }
    // It is not known yet who will be asked: the dearest of them.
    const usage::Price* dearest = nullptr;
    for (const route::Target& target : route_->targets) {
        const usage::Price* price =
            price_of(target.provider, model_at(*route_, target, routed_model_));
        if (price != nullptr
            && (dearest == nullptr
                || limits_->likely_cost(*price)
                    > limits_->likely_cost(*dearest)))
        {
            dearest = price;
        }
    }
    limits_->set_price(dearest);
}

const usage::Price* Exchange::price_of(
    uint16_t provider, std::string_view model) const noexcept
{
    return site_.prices.empty()
        ? nullptr
        : usage::find_price(
            site_.prices, gateway_.providers[provider]->options.name, model);
}

void Exchange::note_price(const Try& attempt) noexcept
{
    const bool counted = limits_ != nullptr && limits_->counts_cost();
    if (site_.prices.empty() && !counted) {
        return;
    }
    books_.price = price_of(attempt.provider_index, attempt.model);
    books_.unpriced = books_.price == nullptr;
}

void Exchange::note_usage(const Response& response)
{
    if (books_.api == dialect::Api::realtime) {
        return; // noted as it comes
    }
    // What a try that failed had counted is no part of the answer.
    books_.usage = {};
    books_.usage_source = UsageSource::none;
    if (response.usage().known) {
        books_.usage = response.usage();
        books_.usage_source = response.ended_early() ? UsageSource::estimated
                                                     : UsageSource::provider;
    } else if (counts_tokens() && response.state() == Response::State::whole
        && response.status() < 400 && dialect::uses_tokens(books_.api))
    {
        estimate_usage(response);
    }
}

void Exchange::estimate_rest(const Response& response)
{
    if (site_.client_abort.policy != config::ClientAbort::Policy::cancel
        && response.state() != Response::State::whole
        && response.status() < 400)
    {
        estimate_usage(response);
    }
}

bool Exchange::counts_tokens() const noexcept
{
    return limits_ != nullptr
        || site_.client_abort.policy != config::ClientAbort::Policy::cancel;
}

void Exchange::estimate_usage(const Response& response)
{
    chat::Usage& usage = books_.usage;
    if (!usage.known || usage.prompt == 0) {
        usage.prompt = prompt_;
    }
    usage.known = true;
    usage.completion = std::max(usage.completion, response.said());
    usage.total = usage.prompt + usage.completion;
    books_.usage_source = UsageSource::estimated;
}

} // namespace ai_proxy::policy
