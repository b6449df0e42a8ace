#include "http/ngx_http_ai_proxy.h"

#include <algorithm>

// The access phase: who is it, before anything of the body is read.

namespace ai_proxy::http {

namespace {

constexpr std::string_view kConsumerHeader = "x-mse-consumer";

using Policies = std::vector<const consumer::Policy*>;

template <class F>
void each_header(ngx_http_request_t* r, F&& visit)
{
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr;
         part = part->next)
    {
        auto* h = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0) {
                visit(h[i]);
            }
        }
    }
}

// Elements of the list stay where they are: others point to them.
void take_away(ngx_table_elt_t& h) noexcept
{
    h.hash = 0;
    h.value.len = 0;
}

// What looks like the value of a parameter, wherever it stands.
void mask_in(ngx_str_t text, std::string_view raw) noexcept
{
    const std::string_view all = view(text);
    for (size_t at = all.find(raw); at != std::string_view::npos;
         at = all.find(raw, at + 1))
    {
        const size_t end = at + raw.size();
        const bool whole = at != 0 && all[at - 1] == '='
            && (end == all.size() || all[end] == '&' || all[end] == ' '
                || all[end] == '#');
        if (whole) {
            ngx_memset(text.data + at, '*', raw.size());
        }
    }
}

// A credential of the query is in no log, ours or nginx's.
void mask(
    ngx_http_request_t* r, const std::vector<consumer::Presented>& presented)
{
    for (const consumer::Presented& one : presented) {
        if (!one.raw.empty()) {
            const std::string raw(one.raw);
            mask_in(r->request_line, raw);
            mask_in(r->unparsed_uri, raw);
            mask_in(r->args, raw);
        }
    }
}

void push(ngx_http_request_t* r, std::string_view name, std::string_view value)
{
    auto* h =
        static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_in.headers));
    if (h == nullptr) {
        throw std::bad_alloc();
    }
    h->hash = 0; // until it is whole
    h->key = copy(r->pool, name);
    h->value = copy(r->pool, value);
    h->lowcase_key = static_cast<u_char*>(ngx_pnalloc(r->pool, name.size()));
    ngx_ai_table_elt_end(h);
    if (h->key.data == nullptr || h->value.data == nullptr
        || h->lowcase_key == nullptr)
    {
        h->value.len = 0;
        throw std::bad_alloc();
    }
    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
}

// What rules of plugins go by.
config::Subject subject_of(ngx_http_request_t* r)
{
    const auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    config::Subject subject;
    subject.location = view(clcf->name);
    subject.host = view(r->headers_in.server);
    if (const config::Site* site = find_site(r); site != nullptr) {
        // What they say is the same for all of its routes: check_guards().
        const route::Route& route = *site->routes.front();
        const auto& providers = main_conf(r)->configuration->gateway.providers;
        subject.route = route.name;
        subject.service =
            providers[route.targets.front().provider]->options.name;
    }
    return subject;
}

Policies policies_of(ngx_http_request_t* r)
{
    Policies policies;
    const LocConf* lc = loc_conf(r);
    if (lc->guards == nullptr || lc->guards->empty()) {
        return policies;
    }
    const config::Subject subject = subject_of(r);
    for (const Guard& guard : *lc->guards) {
        if (const consumer::Policy* policy = guard.find(subject)) {
            policies.push_back(policy);
        }
    }
    return policies;
}

// May limits go by what proves who it is?
bool limits_by_keys(const LocConf& lc) noexcept
{
    return lc.plugins != nullptr
        && (lc.plugins->token_limit != nullptr
            || lc.plugins->request_limit != nullptr);
}

bool is_told(const Policies& policies, std::string_view name)
{
    return iequals(name, kConsumerHeader)
        || std::any_of(policies.begin(), policies.end(),
            [name](const consumer::Policy* p) { return p->tells(name); });
}

// A refused request has no books: what is counted of it is counted here.
void count_refusal(void* data) noexcept
{
    auto* identity = static_cast<Identity*>(data);
    ngx_http_request_t* r = identity->r;
    const ErrorCode code = identity->refused;
    if (code == ErrorCode::none || context(r) != nullptr
        || r->headers_out.status != describe(code).status)
    {
        return;
    }
    const metrics::Labels none{"none", "none", "none"};
    if (metrics::Series* series =
            ngx_http_ai_proxy_series(&main_conf(r)->zone, none))
    {
        series->requests.fetch_add(1, std::memory_order_relaxed);
        series->errors[static_cast<size_t>(code)].fetch_add(
            1, std::memory_order_relaxed);
    }
}

Identity& make_identity(ngx_http_request_t* r)
{
    ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, sizeof(Identity));
    if (cleanup == nullptr) {
        throw std::bad_alloc();
    }
    cleanup->handler = count_refusal;
    auto* identity = new (cleanup->data) Identity();
    identity->r = r;
    slot_of(r, true)->identity = identity;
    return *identity;
}

ngx_int_t refuse(
    ngx_http_request_t* r, Identity& identity, const consumer::Refusal& refusal)
{
    identity.consumer = nullptr;
    identity.refused = refusal.code;
    identity.message = copy(r->pool, refusal.message);
    const ErrorRow& row = describe(refusal.code);
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
        "ai_proxy: no consumer, %*s", row.name.size(), row.name.data());
    auto* h =
        static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (h == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_ai_table_elt_end(h);
    h->hash = 0;
    h->lowcase_key = nullptr;
    ngx_str_set(&h->key, "WWW-Authenticate");
    h->value = copy(r->pool, refusal.challenge);
    if (h->value.data == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    h->hash = 1;
    r->headers_out.www_authenticate = h;
    return row.status;
}

ngx_int_t check(ngx_http_request_t* r, const Policies& policies)
{
    Identity* known = identity_of(r);
    Identity& identity = known != nullptr ? *known : make_identity(r);
    if (identity.consumer != nullptr) {
        // After an internal redirect: what he showed is gone by now.
        for (const consumer::Policy* policy : policies) {
            if (auto no = consumer::check_allowed(*policy, *identity.consumer))
            {
                return refuse(r, identity, *no);
            }
        }
        return NGX_OK;
    }
    each_header(r, [&policies](ngx_table_elt_t& h) {
        if (is_told(policies, view(h.key))) {
            take_away(h);
        }
    });
    if (limits_by_keys(*loc_conf(r)) && r->args.len != 0) {
        identity.sent_query = copy(r->pool, view(r->args));
    }
    const std::vector<Header> headers = header_fields(r);
    const dialect::Api api = dialect::recognise(view(r->uri));
    consumer::Call call{headers, view(r->args), takes_seldom_places(api)};
    const consumer::Consumer* found = nullptr;
    for (const consumer::Policy* policy : policies) {
        const consumer::Verdict verdict =
            consumer::authenticate(*policy, call, ngx_time());
        if (verdict.refusal) {
            call.seldom = true; // a key in the wrong place is a key
            mask(r, consumer::find_presented(policy->places, call));
            mask(r, verdict.presented);
            return refuse(r, identity, *verdict.refusal);
        }
        found = verdict.consumer;
        for (const auto& [rule, text] : verdict.headers) {
            push(r, rule->header, text);
        }
        mask(r, verdict.presented);
    }
    identity.refused = ErrorCode::none;
    identity.consumer = found;
    return NGX_OK;
}

} // namespace

std::vector<Header> header_fields(ngx_http_request_t* r)
{
    std::vector<Header> headers;
    headers.reserve(16);
    each_header(r, [&headers](const ngx_table_elt_t& h) {
        headers.push_back({view(h.key), view(h.value)});
    });
    return headers;
}

bool takes_seldom_places(dialect::Api api) noexcept
{
    return api == dialect::Api::realtime
        || dialect::dialect_of(api) == dialect::Dialect::gemini;
}

Identity* identity_of(ngx_http_request_t* r) noexcept
{
    r = r->main;
    if (const Slot* slot = slot_of(r); slot != nullptr && slot->identity) {
        return slot->identity;
    }
    // An internal redirect forgets the contexts of modules.
    for (ngx_http_cleanup_t* c = r->cleanup; c != nullptr; c = c->next) {
        if (c->handler == count_refusal) {
            return static_cast<Identity*>(c->data);
        }
    }
    return nullptr;
}

ngx_int_t access_handler(ngx_http_request_t* r) noexcept
{
    const LocConf* lc = loc_conf(r);
    if (lc->guards == nullptr || lc->guards->empty()) {
        return NGX_DECLINED;
    }
    return guard(r->connection->log, ngx_int_t(NGX_HTTP_INTERNAL_SERVER_ERROR),
        [r]() -> ngx_int_t {
            const Policies policies = policies_of(r);
            return policies.empty() ? NGX_DECLINED : check(r, policies);
        });
}

void drop_credentials(Ctx& ctx, policy::ClientHead& head)
{
    const Identity* identity = identity_of(ctx.r);
    head.consumer = identity != nullptr ? identity->consumer : nullptr;
    const Policies policies = policies_of(ctx.r);
    if (policies.empty()) {
        return;
    }
    head.credential_ended = true;
    if (limits_by_keys(*loc_conf(ctx.r))) {
        ctx.sent_headers = ctx.headers;
        head.sent_headers = ctx.sent_headers;
        if (identity != nullptr && identity->sent_query.data != nullptr) {
            head.sent_query = view(identity->sent_query);
        }
    }
    ctx.query = head.query;
    const bool seldom = takes_seldom_places(dialect::recognise(head.path));
    for (const consumer::Policy* policy : policies) {
        std::erase_if(ctx.headers, [policy](const Header& field) {
            return policy->owns(consumer::Where::header, field.name);
        });
        if (policy->owns(consumer::Where::header, "authorization")) {
            head.authorization = {};
        }
        ctx.query = policy->kept_query(ctx.query, seldom);
    }
    head.query = ctx.query;
    head.headers = ctx.headers;
}

} // namespace ai_proxy::http
