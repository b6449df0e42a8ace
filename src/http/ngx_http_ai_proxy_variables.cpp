#include "http/ngx_http_ai_proxy.h"

#include "core/policy/plugin_limits.h"

#include "core/json/writer.h"

#include <algorithm>

// $ai_proxy_* variables: what the books say, as text.

namespace ai_proxy::http {

namespace {

using policy::Books;
using policy::Micros;

// Seconds with microseconds, as nginx writes times with milliseconds.
std::string seconds(Micros micros)
{
    micros = std::max<Micros>(micros, 0);
    std::string fraction = std::to_string(micros % 1'000'000);
    return std::to_string(micros / 1'000'000) + "."
        + std::string(6 - fraction.size(), '0') + fraction;
}

Micros end_of(const Ctx& ctx)
{
    const Books& books = ctx.exchange->books();
    return books.end != 0 ? books.end : const_cast<Ctx&>(ctx).io.now();
}

Micros overhead(const Ctx& ctx)
{
    const Books& books = ctx.exchange->books();
    Micros own = end_of(ctx) - books.begin;
    for (const policy::TryRecord& record : books.tries) {
        own -= record.end - record.begin;
    }
    return own;
}

std::string_view provider_name(const Ctx& ctx, int index)
{
    const auto& providers = ctx.exchange->gateway().providers;
    return index < 0
        ? std::string_view()
        : std::string_view(providers[static_cast<size_t>(index)]->options.name);
}

std::string text_api(const Ctx& ctx)
{
    return std::string(dialect::name(ctx.exchange->books().api));
}

std::string text_request_model(const Ctx& ctx)
{
    return ctx.exchange->books().request_model;
}

std::string text_model(const Ctx& ctx)
{
    return ctx.exchange->books().model;
}

std::string text_provider(const Ctx& ctx)
{
    return std::string(provider_name(ctx, ctx.exchange->books().provider));
}

std::string text_route(const Ctx& ctx)
{
    int route = ctx.exchange->books().route;
    return route < 0
        ? std::string()
        : ctx.exchange->gateway().routes[static_cast<size_t>(route)]->name;
}

std::string text_stream(const Ctx& ctx)
{
    return ctx.exchange->books().stream ? "1" : "0";
}

std::string text_tries(const Ctx& ctx)
{
    std::string out;
    for (const policy::TryRecord& record : ctx.exchange->books().tries) {
        if (!out.empty()) {
            out += ", ";
        }
        out += provider_name(ctx, record.provider);
        out += ":" + std::to_string(record.key) + ":";
        out += record.status != 0 ? std::to_string(record.status)
                                  : std::string(describe(record.code).name);
        out += ":" + seconds(record.end - record.begin);
    }
    return out;
}

template <int64_t chat::Usage::*Field>
std::string text_tokens(const Ctx& ctx)
{
    const Books& books = ctx.exchange->books();
    return books.usage_source == policy::UsageSource::none
        ? std::string()
        : std::to_string(books.usage.*Field);
}

std::string text_cost(const Ctx& ctx)
{
    const auto cost = policy::cost_of(ctx.exchange->books());
    std::string text;
    if (cost) {
        usage::append_decimal(
            text, static_cast<uint64_t>(usage::charge_of(*cost)), 6, true);
    }
    return text;
}

std::string text_usage_source(const Ctx& ctx)
{
    return std::string(policy::to_text(ctx.exchange->books().usage_source));
}

std::string text_finish_reason(const Ctx& ctx)
{
    return std::string(chat::to_text(ctx.exchange->books().finish));
}

std::string text_ttft(const Ctx& ctx)
{
    const Books& books = ctx.exchange->books();
    return books.first_token == 0 ? std::string()
                                  : seconds(books.first_token - books.begin);
}

std::string text_duration(const Ctx& ctx)
{
    return seconds(end_of(ctx) - ctx.exchange->books().begin);
}

std::string text_overhead(const Ctx& ctx)
{
    return seconds(overhead(ctx));
}

std::string text_error(const Ctx& ctx)
{
    ErrorCode code = ctx.exchange->books().error;
    return code == ErrorCode::none ? std::string()
                                   : std::string(describe(code).name);
}

policy::LimitStatus limit_status(const Ctx& ctx)
{
    using policy::LimitStatus;
    const policy::TokenLimits* limits = ctx.exchange->limits();
    const policy::PluginLimits* plugins = ctx.exchange->plugin_limits();
    const LimitStatus own =
        limits != nullptr ? limits->status() : LimitStatus::none;
    const LimitStatus theirs =
        plugins != nullptr ? plugins->status() : LimitStatus::none;
    // The plugins are asked first.
    return own == LimitStatus::none || theirs == LimitStatus::rejected ? theirs
                                                                       : own;
}

std::string text_limit_status(const Ctx& ctx)
{
    return std::string(policy::to_text(limit_status(ctx)));
}

std::string early_consumer(ngx_http_request_t* r)
{
    const Identity* identity = identity_of(r);
    return identity != nullptr && identity->consumer != nullptr
        ? identity->consumer->name
        : std::string();
}

std::string text_consumer(const Ctx& ctx)
{
    return early_consumer(ctx.r);
}

ErrorCode early_code(ngx_http_request_t* r)
{
    // Another module may have let him in ("satisfy any").
    const Identity* identity = identity_of(r);
    return identity != nullptr
            && r->headers_out.status == describe(identity->refused).status
        ? identity->refused
        : ErrorCode::none;
}

std::string early_error(ngx_http_request_t* r)
{
    const ErrorCode code = early_code(r);
    return code == ErrorCode::none ? std::string()
                                   : std::string(describe(code).name);
}

// Of a request that did not come as far as to have books.
std::string early_log(ngx_http_request_t* r)
{
    std::string text;
    const ErrorCode code = early_code(r);
    if (code == ErrorCode::none) {
        return text;
    }
    json::Writer out(text);
    out.begin_object();
    out.field("api", dialect::name(dialect::recognise(view(r->uri))));
    out.field("status", int64_t(r->headers_out.status));
    out.field("error", describe(code).name);
    out.end_object();
    return text;
}

void write_tries(json::Writer& out, const Ctx& ctx)
{
    out.key("tries").begin_array();
    for (const policy::TryRecord& record : ctx.exchange->books().tries) {
        out.begin_object();
        out.field("provider", provider_name(ctx, record.provider));
        out.field("model", std::string_view(record.model));
        out.field("key", int64_t(record.key));
        out.field("status", int64_t(record.status));
        if (record.code != ErrorCode::none) {
            out.field("error", describe(record.code).name);
        }
        out.key("seconds").raw(seconds(record.end - record.begin));
        out.end_object();
    }
    out.end_array();
}

std::string text_log(const Ctx& ctx)
{
    const Books& books = ctx.exchange->books();
    std::string text;
    json::Writer out(text);
    out.begin_object();
    out.field("api", dialect::name(books.api));
    if (const consumer::Consumer* who = ctx.exchange->consumer()) {
        out.field("consumer", std::string_view(who->name));
    }
    out.field("route", std::string_view(text_route(ctx)));
    out.field("provider", provider_name(ctx, books.provider));
    out.field("request_model", std::string_view(books.request_model));
    out.field("model", std::string_view(books.model));
    out.field("stream", books.stream);
    out.field("status", int64_t(books.status));
    if (books.error != ErrorCode::none) {
        out.field("error", describe(books.error).name);
    }
    if (const auto limited = limit_status(ctx);
        limited != policy::LimitStatus::none)
    {
        out.field("limit_status", policy::to_text(limited));
    }
    if (books.finish != chat::Finish::none) {
        out.field("finish_reason", chat::to_text(books.finish));
    }
    out.field("usage_source", policy::to_text(books.usage_source));
    if (books.usage_source != policy::UsageSource::none) {
        out.field("input_tokens", books.usage.prompt);
        out.field("output_tokens", books.usage.completion);
        out.field("total_tokens", books.usage.total);
        out.field("cached_tokens", books.usage.cache_read);
        out.field("cache_write_tokens", books.usage.cache_write);
        out.field("reasoning_tokens", books.usage.reasoning);
    }
    if (const std::string cost = text_cost(ctx); !cost.empty()) {
        out.key("cost").raw(cost);
    }
    if (books.first_token != 0) {
        out.key("ttft").raw(seconds(books.first_token - books.begin));
    }
    out.key("duration").raw(text_duration(ctx));
    out.key("overhead").raw(text_overhead(ctx));
    write_tries(out, ctx);
    out.end_object();
    return text;
}

struct Row {
    std::string_view name;
    std::string (*text)(const Ctx& ctx); // empty: the variable is "-"
    // The same before the content handler, or without it.
    std::string (*early)(ngx_http_request_t* r) = nullptr;
};

constexpr Row kVariables[] = {
    {"ai_proxy_api", text_api},
    {"ai_proxy_request_model", text_request_model},
    {"ai_proxy_model", text_model},
    {"ai_proxy_provider", text_provider},
    {"ai_proxy_route", text_route},
    {"ai_proxy_stream", text_stream},
    {"ai_proxy_tries", text_tries},
    {"ai_proxy_input_tokens", text_tokens<&chat::Usage::prompt>},
    {"ai_proxy_output_tokens", text_tokens<&chat::Usage::completion>},
    {"ai_proxy_total_tokens", text_tokens<&chat::Usage::total>},
    {"ai_proxy_cached_tokens", text_tokens<&chat::Usage::cache_read>},
    {"ai_proxy_reasoning_tokens", text_tokens<&chat::Usage::reasoning>},
    {"ai_proxy_cost", text_cost},
    {"ai_proxy_usage_source", text_usage_source},
    {"ai_proxy_finish_reason", text_finish_reason},
    {"ai_proxy_ttft", text_ttft},
    {"ai_proxy_duration", text_duration},
    {"ai_proxy_overhead", text_overhead},
    {"ai_proxy_consumer", text_consumer, early_consumer},
    {"ai_proxy_error", text_error, early_error},
    {"ai_proxy_limit_status", text_limit_status},
    {"ai_proxy_log", text_log, early_log},
};

ngx_int_t get_variable(ngx_http_request_t* r, ngx_http_variable_value_t* v,
    uintptr_t data) noexcept
{
    v->not_found = 1;
    const Row& row = kVariables[data];
    Ctx* ctx = context(r);
    const bool early = ctx == nullptr || !ctx->exchange;
    if (early && row.early == nullptr) {
        return NGX_OK;
    }
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        const std::string text = early ? row.early(r->main) : row.text(*ctx);
        if (text.empty()) {
            return NGX_OK;
        }
        ngx_str_t value = copy(r->pool, text);
        if (value.data == nullptr) {
            return NGX_ERROR;
        }
        v->data = value.data;
        v->len = static_cast<unsigned>(value.len) & 0xfffffffu;
        v->valid = 1;
        v->not_found = 0;
        v->no_cacheable = 1;
        return NGX_OK;
    });
}

} // namespace

ngx_int_t add_variables(ngx_conf_t* cf) noexcept
{
    for (size_t i = 0; i < std::size(kVariables); i++) {
        ngx_str_t name = to_ngx(kVariables[i].name);
        ngx_http_variable_t* variable =
            ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == nullptr) {
            return NGX_ERROR;
        }
        variable->get_handler = get_variable;
        variable->data = i;
    }
    return NGX_OK;
}

} // namespace ai_proxy::http
