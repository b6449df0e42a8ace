#include "http/ngx_http_ai_proxy_conf.h"

#include "core/config/plugin.h"
#include "core/config/plugin_model_router.h"

#include <algorithm>

// ai_proxy_plugin: files as Higress' plugins take them.

namespace ai_proxy::http {

namespace {

std::string unknown_plugin(std::string_view name)
{
    std::string text = "unknown plugin \"" + std::string(name) + "\" (known:";
    for (const config::Plugin& plugin : config::plugins()) {
        text.append(" ").append(plugin.name);
    }
    return text + ")";
}

// Says what is wrong, or what has no effect, in the log.
bool load(ngx_conf_t* cf, const config::Plugin& plugin, PluginFile& file)
{
    auto text = read_file("file", file.path, config::yaml::kMostBytes);
    if (!text.ok()) {
        fail(cf, text.error().message);
        return false;
    }
    auto document = config::yaml::Document::parse(file.path, *text);
    if (!document.ok()) {
        fail(cf, document.error().message);
        return false;
    }
    config::yaml::Warnings warnings;
    const config::SecretSource secrets = secret_source(cf);
    Configuration& c = *main_conf(cf)->configuration;
    config::LoadContext context{*document, warnings, secrets, c.gateway};
    const size_t before = c.gateway.providers.size();
    const auto loaded = plugin.load(context, file.plugins);
    c.redis_positions.resize(c.gateway.redis.size(), position_of(cf));
    for (const std::string& warning : warnings) {
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0, "%*s", warning.size(), warning.data());
    }
    if (!loaded.ok()) {
        fail(cf, loaded.error().message);
        return false;
    }
    for (size_t i = before; i < c.gateway.providers.size(); i++) {
        c.provider_positions.push_back(position_of(cf));
        const std::string& name = c.gateway.providers[i]->options.name;
        for (const RouteBlock& block : c.route_blocks) {
            if (block.name == name) {
                fail(cf, file.path + ": duplicate name \"" + name + "\"");
                return false;
            }
        }
    }
    return true;
}

// The file as it was read for another level, or as it is; nullptr: it is no
// good.
const PluginFile* find_file(ngx_conf_t* cf, Configuration& c,
    const config::Plugin& plugin, std::string path)
{
    for (const PluginFile& file : c.plugin_files) {
        if (file.plugin == &plugin && file.path == path) {
            return &file;
        }
    }
    PluginFile file{&plugin, std::move(path), {}};
    if (!load(cf, plugin, file)) {
        return nullptr;
    }
    return &c.plugin_files.emplace_back(std::move(file));
}

} // namespace

// NAME FILE
char* set_plugin(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        auto* value = static_cast<ngx_str_t*>(cf->args->elts);
        const config::Plugin* plugin = config::find_plugin(view(value[1]));
        if (plugin == nullptr) {
            return fail(cf, unknown_plugin(view(value[1])));
        }
        if (lc->plugins == nullptr) {
            lc->plugins = pool_new<config::Plugins>(cf->pool);
        }
        if (plugin->is_set(*lc->plugins)) {
            return fail(cf,
                "the plugin \"" + std::string(plugin->name)
                    + "\" is duplicate");
        }
        ngx_str_t path = value[2];
        if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        const PluginFile* file = find_file(cf, *main_conf(cf)->configuration,
            *plugin, std::string(view(path)));
        if (file == nullptr) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        plugin->inherit(*lc->plugins, file->plugins);
        if ((cf->cmd_type & NGX_HTTP_LOC_CONF) != 0
            && file->plugins.ai_proxy != nullptr)
        {
            lc->plugin_target = true;
            lc->plugin_position = pool_new<Position>(cf->pool, position_of(cf));
        }
        return NGX_CONF_OK;
    });
}

void merge_plugins(LocConf& to, const LocConf& from)
{
    if (to.plugins == nullptr) {
        to.plugins = from.plugins;
    } else if (from.plugins != nullptr) {
        for (const config::Plugin& plugin : config::plugins()) {
            plugin.inherit(*to.plugins, *from.plugins);
        }
    }
}

bool compile_plugin_sites(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    using Sites = config::Rules<config::Site*>;
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    auto* sites = pool_new<Sites>(cf->pool);
    // An inactive plugin is one as well: nothing after it is looked at.
    const auto add = [&](const config::AiProxy& settings) {
        lc.site = nullptr;
        if (settings.provider.empty()) {
            return true;
        }
        const int provider = c.gateway.find_provider(settings.provider);
        if (provider < 0) {
            log_at(cf->log, *lc.plugin_position,
                settings.place + "unknown provider \"" + settings.provider
                    + "\"");
            return false;
        }
        if (!open_site(cf, c, lc) || !add_provider(cf, c, lc, provider)) {
            return false;
        }
        close_site(c, lc);
        return true;
    };
    const auto& rules = *lc.plugins->ai_proxy;
    const std::string_view location = view(clcf->name);
    bool some = false;
    for (const auto& rule : rules.list) {
        if (!rule.matcher.services.empty()
            || !rule.matcher.may_match({{}, location, {}, {}}))
        {
            continue;
        }
        if (!add(rule.settings)) {
            return false;
        }
        some = some || lc.site != nullptr;
        sites->list.push_back({rule.matcher, lc.site});
    }
    if (rules.global) {
        if (!add(*rules.global)) {
            return false;
        }
        some = some || lc.site != nullptr;
        sites->global = lc.site;
    }
    lc.site = nullptr;
    if (!some) {
        log_at(cf->log, *lc.plugin_position,
            "ai_proxy_plugin: no rule of \"ai-proxy\" can make a provider "
            "active here: name one by ai_proxy_pass");
        return false;
    }
    lc.plugin_sites = sites;
    lc.otherwise = clcf->handler;
    clcf->handler = content_handler;
    if (clcf->name.len != 0 && clcf->name.data[clcf->name.len - 1] == '/') {
        clcf->auto_redirect = 1;
    }
    return true;
}

bool add_model_router(ngx_conf_t* cf, LocConf& lc)
{
    if (lc.model_router == nullptr) {
        if (lc.model_rules != nullptr) {
            log_at(cf->log, lc.model_rules->front().position,
                "ai_proxy_model_rule needs ai_proxy_model_router with auto=");
        }
        return lc.model_rules == nullptr;
    }
    using Routers = config::Rules<route::ModelRouter>;
    Routers routers;
    route::ModelRouter& router = routers.global.emplace();
    const auto take = [&](const Line& line, const char* name, auto set) {
        config::Words words{name};
        words.insert(words.end(), line.words.begin(), line.words.end());
        const auto done = set(router, words);
        if (!done.ok()) {
            log_at(cf->log, line.position,
                std::string(name) + ": " + done.error().message);
        }
        return done.ok();
    };
    const Line& line = lc.model_router->front();
    if (!take(line, "ai_proxy_model_router", config::set_model_router)) {
        return false;
    }
    if (lc.model_rules != nullptr) {
        if (router.auto_model.empty()) {
            log_at(cf->log, line.position,
                "ai_proxy_model_rule needs ai_proxy_model_router with auto=");
            return false;
        }
        for (const Line& rule : *lc.model_rules) {
            if (!take(rule, "ai_proxy_model_rule", config::add_model_rule)) {
                return false;
            }
        }
    }
    lc.site->plugins.model_router =
        std::make_shared<const Routers>(std::move(routers));
    return true;
}

void add_request_headers(Ctx& ctx)
{
    ngx_http_request_t* r = ctx.r;
    for (const auto& [name, value] : ctx.exchange->added_headers()) {
        ngx_table_elt_t* field = nullptr;
        for (ngx_list_part_t* part = &r->headers_in.headers.part;
             part != nullptr && field == nullptr; part = part->next)
        {
            auto* h = static_cast<ngx_table_elt_t*>(part->elts);
            for (ngx_uint_t i = 0; i < part->nelts; i++) {
                if (iequals(view(h[i].key), name)) {
                    field = &h[i];
                    break;
                }
            }
        }
        if (field == nullptr) {
            field = static_cast<ngx_table_elt_t*>(
                ngx_list_push(&r->headers_in.headers));
            if (field == nullptr) {
                throw std::bad_alloc();
            }
            field->key = copy(r->pool, name);
            field->lowcase_key =
                static_cast<u_char*>(ngx_pnalloc(r->pool, name.size()));
            if (field->key.data == nullptr || field->lowcase_key == nullptr) {
                throw std::bad_alloc();
            }
            field->hash = ngx_hash_strlow(
                field->lowcase_key, field->key.data, field->key.len);
            ngx_ai_table_elt_end(field);
        }
        field->value = copy(r->pool, value);
        if (field->value.data == nullptr) {
            throw std::bad_alloc();
        }
    }
}

const config::Site* find_site(ngx_http_request_t* r) noexcept
{
    const LocConf& lc = *loc_conf(r);
    if (lc.plugin_sites == nullptr) {
        return lc.site;
    }
    const auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    config::Site* const* site = lc.plugin_sites->find(
        {{}, view(clcf->name), view(r->headers_in.server), {}});
    return site != nullptr ? *site : nullptr;
}

} // namespace ai_proxy::http
