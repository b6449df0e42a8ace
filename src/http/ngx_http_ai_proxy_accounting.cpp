#include "http/ngx_http_ai_proxy.h"

#include "core/policy/plugin_limits.h"

#include <algorithm>

// The end of a request: its books are closed, and go into the shared counters.

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

// As $status says it.
int logged_status(const ngx_http_request_t& r) noexcept
{
    const ngx_uint_t status =
        r.err_status != 0 ? r.err_status : r.headers_out.status;
    return status != 0 ? static_cast<int>(status)
                       : NGX_HTTP_CLIENT_CLOSED_REQUEST;
}

// Of what ended without a word of ours: the client left, or was waited for too
// long, or nginx answered.
ErrorCode why_ended(const Ctx& ctx) noexcept
{
    const ngx_connection_t& c = *ctx.r->connection;
    const int status = ctx.exchange->books().status;
    if (c.error || c.timedout || status == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
        return ErrorCode::client_closed;
    }
    if (status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return ErrorCode::request_too_large;
    }
    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return ErrorCode::internal;
    }
    // error_page may make anything of the status.
    return status >= NGX_HTTP_BAD_REQUEST || ctx.gathering
        ? ErrorCode::invalid_request
        : ErrorCode::internal;
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

void settle_limits(Ctx& ctx) noexcept
{
    guard(ctx.r->connection->log, 0, [&] {
        const policy::Books& books = ctx.exchange->books();
        if (policy::TokenLimits* limits = ctx.exchange->limits()) {
            limits->settle(ctx.io, books);
        }
        if (policy::PluginLimits* limits = ctx.exchange->plugin_limits()) {
            limits->settle(ctx.io, books);
        }
        return 0;
    });
}

// Everything that is under way ends here, on every ending of the request;
// nginx calls it before the log phase and before the pool goes.
void close_books(Ctx& ctx) noexcept
{
    if (ctx.timer.timer_set) {
        ngx_del_timer(&ctx.timer);
    }
    if (ctx.wake.posted) {
        ngx_delete_posted_event(&ctx.wake);
    }
    if (ctx.exchange && !ctx.exchange->books().closed) {
        policy::Books& books = ctx.exchange->books();
        // Tries that were cut off by the client's leaving are told by nobody
        // else.
        for (const Run* run : {ctx.second, ctx.run}) {
            if (run != nullptr && run->op != nullptr && !run->settled) {
                guard(ctx.r->connection->log, 0, [&] {
                    ctx.exchange->record(*run->attempt,
                        ErrorCode::client_closed, run->end.begin, ctx.io.now());
                    note_abort(ctx, *run);
                    return 0;
                });
            }
        }
        const bool answered = books.status != 0;
        if (!answered) {
            books.status = logged_status(*ctx.r);
        }
        if (books.error == ErrorCode::none && !(ctx.over && answered)) {
            books.error = why_ended(ctx);
        }
        books.end = ctx.io.now();
        books.closed = true;
        settle_limits(ctx);
        account(ctx);
    }
    ctx.root.reset();
    if (ctx.upgraded != nullptr) {
        ctx.upgraded->places.clear();
    }
    leave_race(ctx);
    ctx.over = true;
    for (auto& run : ctx.runs) {
        stop_timers(*run);
    }
}

} // namespace ai_proxy::http
