#include "http/ngx_http_ai_proxy_conf.h"

#include "core/config/site_models.h"

#include <algorithm>
#include <cstdlib>

// Directives: blocks are read line by line into the core's builders; whatever
// names something else waits until all names are known.

namespace ai_proxy::http {

namespace {

constexpr size_t kMaxSecretFile = 64 * 1024;

} // namespace

char* fail(ngx_conf_t* cf, std::string_view text)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s", text.size(), text.data());
    return static_cast<char*>(NGX_CONF_ERROR);
}

Position position_of(const ngx_conf_t* cf)
{
    return {std::string(view(cf->conf_file->file.name)), cf->conf_file->line};
}

config::Words words_of(const ngx_conf_t* cf)
{
    config::Words words;
    auto* value = static_cast<ngx_str_t*>(cf->args->elts);
    for (ngx_uint_t i = 0; i < cf->args->nelts; i++) {
        words.push_back(view(value[i]));
    }
    return words;
}

// Read by the master while it still has its rights and its environment.
config::SecretSource secret_source(ngx_conf_t* cf)
{
    return [cf](std::string_view spec) -> Result<std::string> {
        if (spec.starts_with("env:")) {
            std::string name(spec.substr(4));
            const char* value = std::getenv(name.c_str());
            if (value == nullptr) {
                return make_error(ErrorCode::internal,
                    "environment variable \"" + name + "\" is not set");
            }
            return std::string(value);
        }
        ngx_str_t path = copy(cf->pool, spec.substr(5));
        if (path.data == nullptr
            || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            throw std::bad_alloc();
        }
        return read_file(
            "secret file", std::string(view(path)), kMaxSecretFile);
    };
}

// Names appear in variables, labels and logs.
bool valid_name(std::string_view name)
{
    return !name.empty() && name.size() <= 64
        && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   || (c >= '0' && c <= '9') || c == '_' || c == '-'
                   || c == '.';
           });
}

char* parse_block(ngx_conf_t* cf, ngx_conf_handler_pt handler, void* data)
{
    ngx_conf_t saved = *cf;
    cf->handler = handler;
    cf->handler_conf = static_cast<char*>(data);
    char* rv = ngx_conf_parse(cf, nullptr);
    *cf = saved;
    return rv;
}

config::Words views(const std::vector<std::string>& words)
{
    return {words.begin(), words.end()};
}

namespace {

struct ProviderParser {
    config::ProviderBuilder builder;
    std::string name;
};

char* provider_line(ngx_conf_t* cf, ngx_command_t*, void* data) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* parser = static_cast<ProviderParser*>(data);
        auto rc = parser->builder.line(words_of(cf));
        if (!rc.ok()) {
            return fail(cf,
                "ai_proxy_provider \"" + parser->name
                    + "\": " + rc.error().message);
        }
        return NGX_CONF_OK;
    });
}

char* route_line(ngx_conf_t* cf, ngx_command_t*, void* data) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* block = static_cast<RouteBlock*>(data);
        Line line;
        line.position = position_of(cf);
        for (std::string_view word : words_of(cf)) {
            line.words.emplace_back(word);
        }
        block->lines.push_back(std::move(line));
        return NGX_CONF_OK;
    });
}

bool route_block_exists(const Configuration& c, std::string_view name)
{
    return std::any_of(c.route_blocks.begin(), c.route_blocks.end(),
        [&](const RouteBlock& block) { return block.name == name; });
}

char* check_name(ngx_conf_t* cf, const Configuration& c, std::string_view name)
{
    if (!valid_name(name)) {
        return fail(cf, "invalid name \"" + std::string(name) + "\"");
    }
    if (c.gateway.find_provider(name) >= 0 || route_block_exists(c, name)) {
        return fail(cf, "duplicate name \"" + std::string(name) + "\"");
    }
    return NGX_CONF_OK;
}

} // namespace

Result<std::string> read_file(
    std::string_view what, const std::string& path, size_t most)
{
    const std::string name = std::string(what) + " \"" + path + "\"";
    ngx_fd_t fd =
        ngx_open_file(path.c_str(), NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return make_error(ErrorCode::internal,
            "cannot open " + name + ": " + strerror(ngx_errno));
    }
    std::string text(most + 1, '\0');
    ssize_t n = ngx_read_fd(fd, text.data(), text.size());
    int error = ngx_errno;
    ngx_close_file(fd);
    if (n < 0) {
        return make_error(ErrorCode::internal,
            "cannot read " + name + ": " + strerror(error));
    }
    if (static_cast<size_t>(n) > most) {
        return make_error(ErrorCode::internal, name + " is too big");
    }
    text.resize(static_cast<size_t>(n));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

void log_at(ngx_log_t* log, const Position& position, std::string_view text)
{
    std::string line(text);
    line += " in " + position.file + ":" + std::to_string(position.line);
    log_text(NGX_LOG_EMERG, log, line);
}

char* set_provider(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        Configuration& c = *static_cast<MainConf*>(conf)->configuration;
        std::string name(words_of(cf)[1]);
        if (check_name(cf, c, name) != NGX_CONF_OK) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        Position position = position_of(cf);
        ProviderParser parser{
            config::ProviderBuilder(name, secret_source(cf)), name};
        char* rv = parse_block(cf, provider_line, &parser);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
        auto provider = parser.builder.finish();
        if (!provider.ok()) {
            log_at(cf->log, position,
                "ai_proxy_provider \"" + name
                    + "\": " + provider.error().message);
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        (void)c.gateway.add(std::move(*provider));
        c.provider_positions.push_back(std::move(position));
        return NGX_CONF_OK;
    });
}

char* set_route(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        Configuration& c = *static_cast<MainConf*>(conf)->configuration;
        std::string name(words_of(cf)[1]);
        if (check_name(cf, c, name) != NGX_CONF_OK) {
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        RouteBlock block{std::move(name), position_of(cf), {}};
        char* rv = parse_block(cf, route_line, &block);
        if (rv == NGX_CONF_OK) {
            c.route_blocks.push_back(std::move(block));
        }
        return rv;
    });
}

char* set_line(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto** lines = reinterpret_cast<std::vector<Line>**>(
            static_cast<char*>(conf) + cmd->offset);
        if (*lines == nullptr) {
            *lines = pool_new<std::vector<Line>>(cf->pool);
        }
        Line line;
        line.position = position_of(cf);
        config::Words words = words_of(cf);
        for (size_t i = 1; i < words.size(); i++) {
            line.words.emplace_back(words[i]);
        }
        (*lines)->push_back(std::move(line));
        return NGX_CONF_OK;
    });
}

char* set_one_line(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    auto** lines = reinterpret_cast<std::vector<Line>**>(
        static_cast<char*>(conf) + cmd->offset);
    if (*lines != nullptr) {
        return const_cast<char*>("is duplicate");
    }
    return set_line(cf, cmd, conf);
}

// configured | merged [valid=TIME] | relayed
char* set_models(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        if (lc->model_list != NGX_CONF_UNSET_UINT) {
            return const_cast<char*>("is duplicate");
        }
        const config::Words words = words_of(cf);
        const bool merged = words[1] == "merged";
        if (!merged && words[1] != "configured" && words[1] != "relayed") {
            return fail(cf,
                "ai_proxy_models: invalid value \"" + std::string(words[1])
                    + "\" (configured, merged or relayed)");
        }
        lc->model_list =
            static_cast<ngx_uint_t>(merged  ? config::ModelList::merged
                    : words[1] == "relayed" ? config::ModelList::relayed
                                            : config::ModelList::configured);
        if (words.size() > 2) {
            constexpr std::string_view kValid = "valid=";
            const auto time = words[2].starts_with(kValid)
                ? parse_duration_ms(words[2].substr(kValid.size()))
                : std::nullopt;
            if (!merged || !time || *time < 1000) {
                return fail(cf,
                    "ai_proxy_models: invalid parameter \""
                        + std::string(words[2])
                        + "\" (merged takes valid=TIME, at least 1s)");
            }
            lc->model_list_valid = static_cast<time_t>(*time / 1000);
        }
        return NGX_CONF_OK;
    });
}

char* set_pass(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    auto* lc = static_cast<LocConf*>(conf);
    if (lc->pass != nullptr) {
        return const_cast<char*>("is duplicate");
    }
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    clcf->handler = content_handler;
    if (clcf->name.len != 0 && clcf->name.data[clcf->name.len - 1] == '/') {
        clcf->auto_redirect = 1;
    }
    return set_line(cf, cmd, conf);
}

bool add_text(
    ngx_conf_t* cf, Configuration& c, const std::string& text, uint32_t& number)
{
    ngx_str_t value = copy(cf->pool, text);
    if (value.data == nullptr) {
        return false;
    }
    ngx_http_complex_value_t compiled;
    ngx_http_compile_complex_value_t ccv{};
    ccv.cf = cf;
    ccv.value = &value;
    ccv.complex_value = &compiled;
    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return false;
    }
    number = static_cast<uint32_t>(c.texts.size());
    c.texts.push_back(compiled);
    return true;
}

bool compile_routes(ngx_conf_t* cf, Configuration& c)
{
    for (RouteBlock& block : c.route_blocks) {
        std::string prefix = "ai_proxy_route \"" + block.name + "\": ";
        config::RouteBuilder builder(block.name, c.gateway);
        for (const Line& line : block.lines) {
            auto rc = builder.line(views(line.words));
            if (!rc.ok()) {
                log_at(cf->log, line.position, prefix + rc.error().message);
                return false;
            }
        }
        auto route = builder.finish();
        if (!route.ok()) {
            log_at(cf->log, block.position, prefix + route.error().message);
            return false;
        }
        if ((*route)->balance == route::Balance::hash
            && !add_text(cf, c, (*route)->hash_text, (*route)->hash_value))
        {
            log_at(cf->log, block.position,
                prefix + "invalid value \"" + (*route)->hash_text
                    + "\" in \"balance\"");
            return false;
        }
        c.gateway.routes.push_back(std::move(*route));
    }
    return true;
}

namespace {

bool add_model_maps(
    ngx_conf_t* cf, const std::vector<Line>& lines, route::ModelMap& map)
{
    for (const Line& line : lines) {
        std::string from = line.words[0];
        std::string to = line.words.size() > 1 ? line.words[1] : "";
        if (line.words.size() == 1) {
            size_t space = from.find(' ');
            if (space == std::string::npos) {
                log_at(cf->log, line.position,
                    "ai_proxy_model_map: a target is missing after \"" + from
                        + "\"");
                return false;
            }
            to = from.substr(space + 1);
            from.resize(space);
        }
        auto rc = map.add(from, to);
        if (!rc.ok()) {
            log_at(cf->log, line.position,
                "ai_proxy_model_map: " + rc.error().message);
            return false;
        }
    }
    return true;
}

} // namespace

// The route a plain provider name stands for.
bool add_provider(ngx_conf_t* cf, Configuration& c, LocConf& lc, int provider)
{
    const config::Provider& named =
        *c.gateway.providers[static_cast<size_t>(provider)];
    auto route = std::make_unique<route::Route>();
    route->name = named.options.name;
    route->retries = named.retry.count;
    route->retry_on = named.retry.on;
    route->retry_ms = named.retry.most_ms;
    route::Target target;
    target.provider = static_cast<uint16_t>(provider);
    route->targets.push_back(std::move(target));
    if (lc.fallbacks != nullptr) {
        for (const Line& line : *lc.fallbacks) {
            auto fallback =
                config::parse_target(views(line.words), 0, c.gateway, true);
            if (!fallback.ok()) {
                log_at(cf->log, line.position,
                    "ai_proxy_fallback: " + fallback.error().message);
                return false;
            }
            route->fallbacks.push_back(std::move(*fallback));
        }
    }
    lc.site->routes.push_back(route.get());
    c.gateway.routes.push_back(std::move(route));
    return true;
}

bool open_site(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    c.gateway.sites.push_back(std::make_unique<config::Site>());
    lc.site = c.gateway.sites.back().get();
    lc.site->strict = lc.strict != 0;
    const auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    lc.site->location = view(clcf->name);
    if (lc.plugins != nullptr) {
        lc.site->plugins = *lc.plugins;
    }
    if (lc.keepalive != nullptr) {
        lc.site->keepalive = *lc.keepalive;
    }
    if (lc.client_abort != nullptr) {
        lc.site->client_abort = *lc.client_abort;
    }
    if (!add_model_router(cf, lc)) {
        return false;
    }
    if (lc.model_maps != nullptr
        && !add_model_maps(cf, *lc.model_maps, lc.site->model_map))
    {
        return false;
    }
    if (!compile_prompts(cf, c, lc)) {
        return false;
    }
    return compile_limits(cf, c, lc);
}

void close_site(Configuration& c, LocConf& lc)
{
    lc.site->model_list = static_cast<config::ModelList>(lc.model_list);
    lc.site->model_list_seconds = lc.model_list_valid;
    lc.site->models = config::own_models(c.gateway, *lc.site);
}

bool compile_site(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    if (lc.pass == nullptr) {
        return !lc.plugin_target || compile_plugin_sites(cf, c, lc);
    }
    if (!open_site(cf, c, lc)) {
        return false;
    }
    const Line& line = lc.pass->front();
    for (const std::string& name : line.words) {
        if (route::Route* route = c.gateway.find_route(name);
            route != nullptr && route_block_exists(c, name))
        {
            lc.site->routes.push_back(route);
            continue;
        }
        int provider = c.gateway.find_provider(name);
        if (provider < 0) {
            log_at(cf->log, line.position,
                "ai_proxy_pass: unknown route or provider \"" + name + "\"");
            return false;
        }
        if (!add_provider(cf, c, lc, provider)) {
            return false;
        }
    }
    close_site(c, lc);
    for (size_t i = 0; i + 1 < lc.site->routes.size(); i++) {
        if (lc.site->routes[i]->match.empty()) {
            log_at(cf->log, line.position,
                "ai_proxy_pass: \"" + lc.site->routes[i]->name
                    + "\" serves every model, so \""
                    + lc.site->routes[i + 1]->name + "\" is never reached");
            return false;
        }
    }
    return true;
}

} // namespace ai_proxy::http
