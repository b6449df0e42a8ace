#include "http/ngx_http_ai_proxy.h"

#include "core/config/plugin.h"

#include <algorithm>

// ai_proxy_plugin: files as Higress' plugins take them.

namespace ai_proxy::http {

namespace {

char* fail(ngx_conf_t* cf, std::string_view text)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s", text.size(), text.data());
    return static_cast<char*>(NGX_CONF_ERROR);
}

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
    config::LoadContext context{*document, warnings};
    const auto loaded = plugin.load(context, file.plugins);
    for (const std::string& warning : warnings) {
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0, "%*s", warning.size(), warning.data());
    }
    if (!loaded.ok()) {
        fail(cf, loaded.error().message);
    }
    return loaded.ok();
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

} // namespace ai_proxy::http
