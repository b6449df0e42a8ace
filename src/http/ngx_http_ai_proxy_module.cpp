#include "http/ngx_http_ai_proxy.h"

#include <openssl/rand.h>

#include <algorithm>

// The module itself: directives, configuration objects, phases and filters.

namespace ai_proxy::http {

namespace {

void* create_main_conf(ngx_conf_t* cf) noexcept
{
    return guard(cf->log, static_cast<void*>(nullptr), [cf]() -> void* {
        auto* mc =
            static_cast<MainConf*>(ngx_pcalloc(cf->pool, sizeof(MainConf)));
        if (mc != nullptr) {
            mc->configuration = pool_new<Configuration>(cf->pool);
            consumer::SipKey seed{};
            if (RAND_bytes(reinterpret_cast<unsigned char*>(seed.data()),
                    static_cast<int>(sizeof(seed)))
                != 1)
            {
                return nullptr;
            }
            mc->configuration->gateway.consumers = config::Consumers(seed);
        }
        return mc;
    });
}

char* init_main_conf(ngx_conf_t* cf, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* mc = static_cast<MainConf*>(conf);
        if (ngx_http_ai_proxy_zone_check(cf, &mc->zone) != NGX_OK
            || !compile_routes(cf, *mc->configuration))
        {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        return NGX_CONF_OK;
    });
}

void* create_loc_conf(ngx_conf_t* cf) noexcept
{
    auto* conf = static_cast<LocConf*>(ngx_pcalloc(cf->pool, sizeof(LocConf)));
    if (conf != nullptr) {
        conf->strict = NGX_CONF_UNSET;
        conf->model_list = NGX_CONF_UNSET_UINT;
        conf->model_list_valid = NGX_CONF_UNSET;
    }
    return conf;
}

char* merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* prev = static_cast<LocConf*>(parent);
        auto* conf = static_cast<LocConf*>(child);
        ngx_conf_merge_value(conf->strict, prev->strict, 0);
        // The time belongs to the line that says "merged".
        if (conf->model_list == NGX_CONF_UNSET_UINT) {
            conf->model_list_valid = prev->model_list_valid;
        }
        ngx_conf_merge_uint_value(conf->model_list, prev->model_list,
            static_cast<ngx_uint_t>(config::ModelList::configured));
        ngx_conf_init_value(conf->model_list_valid, 300);
        if (conf->model_maps == nullptr) {
            conf->model_maps = prev->model_maps;
        }
        if (conf->model_router == nullptr) {
            conf->model_router = prev->model_router;
        }
        if (conf->model_rules == nullptr) {
            conf->model_rules = prev->model_rules;
        }
        for (const auto lines : {&PromptLines::prepend, &PromptLines::append,
                 &PromptLines::replace, &PromptLines::templates})
        {
            if (conf->prompts.*lines == nullptr) {
                conf->prompts.*lines = prev->prompts.*lines;
            }
        }
        if (conf->context_limit == nullptr) {
            conf->context_limit = prev->context_limit;
        }
        if (conf->concurrency == nullptr) {
            conf->concurrency = prev->concurrency;
        }
        if (conf->request_limits == nullptr) {
            conf->request_limits = prev->request_limits;
        }
        if (conf->token_limits == nullptr) {
            conf->token_limits = prev->token_limits;
        }
        if (conf->prices == nullptr) {
            conf->prices = prev->prices;
        }
        if (conf->fallbacks == nullptr) {
            conf->fallbacks = prev->fallbacks;
        }
        if (conf->keepalive == nullptr) {
            conf->keepalive = prev->keepalive;
        }
        if (conf->client_abort == nullptr) {
            conf->client_abort = prev->client_abort;
        }
        merge_plugins(*conf, *prev);
        auto* mc = static_cast<MainConf*>(
            ngx_http_conf_get_module_main_conf(cf, ngx_http_ai_proxy_module));
        if (!compile_guards(cf, *mc->configuration, *prev, *conf)
            || !compile_site(cf, *mc->configuration, *conf)
            || !check_guards(cf, *mc->configuration, *conf))
        {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        return NGX_CONF_OK;
    });
}

// Models that may appear as a label: the ones the operator wrote.
void collect_labels(Configuration& c)
{
    auto add = [&c](std::string_view model) {
        if (!model.empty()) {
            c.label_models.emplace_back(model);
        }
    };
    for (const auto& provider : c.gateway.providers) {
        for (std::string_view model : provider->model_map.names()) {
            add(model);
        }
        for (const std::string& model : provider->options.models) {
            add(model);
        }
    }
    for (const auto& route : c.gateway.routes) {
        for (std::string_view model : route->model_map.names()) {
            add(model);
        }
        for (const auto* targets : {&route->targets, &route->fallbacks}) {
            for (const route::Target& target : *targets) {
                add(target.model);
            }
        }
        for (const std::string& match : route->match) {
            if (match.find('*') == std::string::npos) {
                add(match);
            }
        }
    }
    for (const auto& site : c.gateway.sites) {
        for (std::string_view model : site->model_map.names()) {
            add(model);
        }
        for (std::string_view model : site->plugins.models()) {
            add(model);
        }
    }
    std::sort(c.label_models.begin(), c.label_models.end());
    c.label_models.erase(
        std::unique(c.label_models.begin(), c.label_models.end()),
        c.label_models.end());
}

ngx_int_t preconfiguration(ngx_conf_t* cf) noexcept
{
    return add_variables(cf);
}

ngx_int_t postconfiguration(ngx_conf_t* cf) noexcept
{
    return guard(cf->log, ngx_int_t(NGX_ERROR), [cf]() -> ngx_int_t {
        MainConf* mc = main_conf(cf);
        collect_labels(*mc->configuration);
        mc->configuration->gateway.link(mc->configuration->label_models);
        if (!make_upstreams(cf, *mc) || !make_redis(cf, *mc)) {
            return NGX_ERROR;
        }
        warn_of_prices(cf->log, *mc->configuration);
        auto* cmcf = static_cast<ngx_http_core_main_conf_t*>(
            ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
        auto* handler = static_cast<ngx_http_handler_pt*>(
            ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers));
        if (handler == nullptr) {
            return NGX_ERROR;
        }
        *handler = access_handler;
        next_request_body_filter = ngx_http_top_request_body_filter;
        ngx_http_top_request_body_filter = request_body_filter;
        next_header_filter = ngx_http_top_header_filter;
        ngx_http_top_header_filter = header_filter;
        next_body_filter = ngx_http_top_body_filter;
        ngx_http_top_body_filter = body_filter;
        return NGX_OK;
    });
}

MainConf* cycle_conf(ngx_cycle_t* cycle) noexcept
{
    return static_cast<MainConf*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ai_proxy_module));
}

// The memory of the zone is there.
ngx_int_t init_module(ngx_cycle_t* cycle) noexcept
{
    return guard(cycle->log, ngx_int_t(NGX_ERROR), [cycle]() -> ngx_int_t {
        if (MainConf* mc = cycle_conf(cycle); mc != nullptr) {
            share_states(*mc->configuration, mc->zone);
        }
        return NGX_OK;
    });
}

// The manager and the loader of nginx's cache serve no requests.
bool serves() noexcept
{
    return ngx_process != NGX_PROCESS_HELPER;
}

ngx_int_t init_process(ngx_cycle_t* cycle) noexcept
{
    MainConf* mc = cycle_conf(cycle);
    if (mc == nullptr || !serves()) {
        return NGX_OK;
    }
    if (!start_worker(mc->zone)) {
        return NGX_ERROR;
    }
    hang_bell(cycle);
    const bool checking = guard(cycle->log, false, [&] {
        start_health_checks(*mc->configuration, cycle);
        start_redis_clients(*mc->configuration, mc->zone);
        return true;
    });
    if (!checking) {
        return NGX_ERROR;
    }
    return ngx_http_ai_proxy_peer_init_process(cycle, &mc->peers);
}


void exit_process(ngx_cycle_t* cycle) noexcept
{
    if (MainConf* mc = cycle_conf(cycle); mc != nullptr && serves()) {
        ngx_http_ai_proxy_peer_exit_process(cycle, &mc->peers);
        take_bell_down();
        stop_worker(mc->zone);
    }
}

// clang-format off
ngx_command_t commands[] = {

    { ngx_string("ai_proxy_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_ai_proxy_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(MainConf, zone),
      nullptr },

    { ngx_string("ai_proxy_provider"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      set_provider,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      set_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_route"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      set_route,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_consumer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      set_consumer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      set_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_consumers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, consumers),
      nullptr },

    { ngx_string("ai_proxy_pass"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_1MORE,
      set_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, pass),
      nullptr },

    { ngx_string("ai_proxy_model_map"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, model_maps),
      nullptr },

    { ngx_string("ai_proxy_fallback"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, fallbacks),
      nullptr },

    { ngx_string("ai_proxy_models"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      set_models,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_concurrency"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, concurrency),
      nullptr },

    { ngx_string("ai_proxy_request_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, request_limits),
      nullptr },

    { ngx_string("ai_proxy_token_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, token_limits),
      nullptr },

    { ngx_string("ai_proxy_price"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, prices),
      nullptr },

    { ngx_string("ai_proxy_context_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      set_context_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_prompt_template"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, prompts.templates),
      nullptr },

    { ngx_string("ai_proxy_prompt_prepend"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, prompts.prepend),
      nullptr },

    { ngx_string("ai_proxy_prompt_append"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, prompts.append),
      nullptr },

    { ngx_string("ai_proxy_prompt_replace"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, prompts.replace),
      nullptr },

    { ngx_string("ai_proxy_strict"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, strict),
      nullptr },

    { ngx_string("ai_proxy_keepalive_interval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      set_keepalive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_client_abort"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      set_client_abort,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_model_router"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      set_one_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, model_router),
      nullptr },

    { ngx_string("ai_proxy_model_rule"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      set_line,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(LocConf, model_rules),
      nullptr },

    { ngx_string("ai_proxy_plugin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      set_plugin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      nullptr },

    { ngx_string("ai_proxy_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ai_proxy_set_metrics,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(MainConf, zone),
      nullptr },

    { ngx_string("ai_proxy_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ai_proxy_set_status,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(MainConf, zone),
      nullptr },

      ngx_null_command
};

ngx_http_module_t module_context = {
    preconfiguration,
    postconfiguration,
    create_main_conf,
    init_main_conf,
    nullptr,                        // create server configuration
    nullptr,                        // merge server configuration
    create_loc_conf,
    merge_loc_conf
};
// clang-format on

} // namespace

MainConf* main_conf(ngx_http_request_t* r) noexcept
{
    return static_cast<MainConf*>(
        ngx_http_get_module_main_conf(r, ngx_http_ai_proxy_module));
}

MainConf* main_conf(ngx_conf_t* cf) noexcept
{
    return static_cast<MainConf*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_ai_proxy_module));
}

LocConf* loc_conf(ngx_http_request_t* r) noexcept
{
    return static_cast<LocConf*>(
        ngx_http_get_module_loc_conf(r, ngx_http_ai_proxy_module));
}

Slot* slot_of(ngx_http_request_t* r, bool make)
{
    auto* slot = static_cast<Slot*>(
        ngx_http_get_module_ctx(r, ngx_http_ai_proxy_module));
    if (slot == nullptr && make) {
        slot = static_cast<Slot*>(ngx_pcalloc(r->pool, sizeof(Slot)));
        if (slot == nullptr) {
            throw std::bad_alloc();
        }
        ngx_http_set_ctx(r, slot, ngx_http_ai_proxy_module);
    }
    return slot;
}

Ctx* context(ngx_http_request_t* r) noexcept
{
    auto* slot = static_cast<Slot*>(
        ngx_http_get_module_ctx(r->main, ngx_http_ai_proxy_module));
    return slot != nullptr ? slot->ctx : nullptr;
}

} // namespace ai_proxy::http

ngx_http_ai_proxy_zone_t* ngx_http_ai_proxy_zone_of(
    ngx_http_request_t* r) noexcept
{
    return &ai_proxy::http::main_conf(r)->zone;
}

// clang-format off
extern "C" {

ngx_module_t ngx_http_ai_proxy_module = {
    NGX_MODULE_V1,
    &ai_proxy::http::module_context,
    ai_proxy::http::commands,
    NGX_HTTP_MODULE,
    nullptr,                        // init master
    ai_proxy::http::init_module,
    ai_proxy::http::init_process,
    nullptr,                        // init thread
    nullptr,                        // exit thread
    ai_proxy::http::exit_process,
    nullptr,                        // exit master
    NGX_MODULE_V1_PADDING
};

}
// clang-format on
