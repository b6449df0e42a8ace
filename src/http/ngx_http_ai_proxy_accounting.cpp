#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

// From the books of a request into the shared counters.

namespace ai_proxy::http {

namespace {

metrics::Series* series_of(
    Ctx& ctx, int provider, std::string_view model) noexcept
{
    MainConf* mc = main_conf(ctx.r);
    const Configuration& c = *mc->configuration;
    const policy::Books& books = ctx.exchange->books();
    metrics::Labels labels;
    labels.route = books.route >= 0 ? std::string_view(
                       c.gateway.routes[static_cast<size_t>(books.route)]->name)
                                    : std::string_view("none");
    labels.provider = provider >= 0
        ? std::string_view(
            c.gateway.providers[static_cast<size_t>(provider)]->options.name)
        : std::string_view("none");
    labels.model = label_model(c, model);
    return ngx_http_ai_proxy_series(&mc->zone, labels);
}

} // namespace

std::string_view label_model(
    const Configuration& c, std::string_view model) noexcept
{
    if (model.empty()) {
        return "none";
    }
    auto found = std::lower_bound(c.label_models.begin(), c.label_models.end(),
        model, [](const std::string& a, std::string_view b) { return a < b; });
    return found != c.label_models.end() && *found == model
        ? std::string_view(*found)
        : std::string_view("other");
}

void stream_began(Ctx& ctx) noexcept
{
    const policy::Books& books = ctx.exchange->books();
    if (!books.stream || ctx.active != nullptr) {
        return;
    }
    ctx.active = series_of(ctx, books.provider, books.model);
    if (ctx.active != nullptr) {
        ctx.active_place = take_place(
            worker().places, ngx_http_ai_proxy_stream_id(ctx.active), 0);
        stream_held(ctx);
    }
}

void account(Ctx& ctx) noexcept
{
    stream_released(ctx);
    if (ctx.active != nullptr) {
        ctx.active_place.leave();
        ctx.active = nullptr;
    }
    const policy::Books& books = ctx.exchange->books();
    if (const consumer::Consumer* who = ctx.exchange->consumer()) {
        const auto& all = main_conf(ctx.r)->configuration->consumer_counts;
        if (who->index < all.size() && all[who->index] != nullptr) {
            metrics::account(*all[who->index], books);
        }
    }
    for (const policy::TryRecord& record : books.tries) {
        if (metrics::Series* series =
                series_of(ctx, record.provider, record.model)) {
            metrics::account_try(*series, record);
        }
    }
    if (metrics::Series* series = series_of(ctx, books.provider, books.model)) {
        metrics::account(*series, books);
    }
}

} // namespace ai_proxy::http
