#include "http/ngx_http_ai_proxy.h"

// The directives that put texts into prompts.

namespace ai_proxy::http {

namespace {

constexpr size_t kMaxFile = 1024 * 1024;

// A text as it stands, when it begins like a JSON object, else a file.
Result<std::string> template_text(ngx_conf_t* cf, const std::string& word)
{
    if (trim(word).starts_with('{')) {
        return word;
    }
    ngx_str_t path = copy(cf->pool, word);
    if (path.data == nullptr
        || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        throw std::bad_alloc();
    }
    return read_file("file", std::string(view(path)), kMaxFile);
}

class Compiler {
public:
    Compiler(ngx_conf_t* cf, Configuration& c) : cf_(cf), c_(c) {}

    // Calls take(line) for each line of a directive; false: it said why not.
    template <class F>
    bool each(const char* directive, const std::vector<Line>* lines, F take)
    {
        if (lines == nullptr) {
            return true;
        }
        for (const Line& line : *lines) {
            const Result<void> taken = take(line.words);
            if (!taken.ok()) {
                log_at(cf_->log, line.position,
                    directive + (": " + taken.error().message));
                return false;
            }
        }
        return true;
    }

    Result<void> added(
        const std::vector<std::string>& words, std::vector<prompt::Added>& out)
    {
        auto made = prompt::read_added(words[0], words[1]);
        if (!made) {
            return std::move(made).error();
        }
        if (auto done = variables(made->content); !done) {
            return done;
        }
        out.push_back(std::move(*made));
        return {};
    }

    static Result<void> replacement(const std::vector<std::string>& words,
        std::vector<prompt::Replacement>& out)
    {
        std::string_view role;
        bool regex = false;
        for (size_t i = 2; i < words.size(); i++) {
            const std::string_view word = words[i];
            if (word.starts_with("role=") && word.size() > 5 && role.empty()) {
                role = word.substr(5);
            } else if (word == "regex" && !regex) {
                regex = true;
            } else {
                return make_error(ErrorCode::invalid_request,
                    "invalid parameter \"" + words[i] + "\"");
            }
        }
        auto made = prompt::read_replacement(words[0], words[1], role, regex);
        if (!made) {
            return std::move(made).error();
        }
        out.push_back(std::move(*made));
        return {};
    }

    Result<void> named_template(const std::vector<std::string>& words,
        std::vector<prompt::Template>& out)
    {
        for (const prompt::Template& known : out) {
            if (known.name() == words[0]) {
                return make_error(ErrorCode::invalid_request,
                    "template \"" + words[0] + "\" is duplicate");
            }
        }
        auto text = template_text(cf_, words[1]);
        if (!text) {
            return std::move(text).error();
        }
        auto made = prompt::Template::compile(words[0], *text);
        if (!made) {
            return std::move(made).error();
        }
        out.push_back(std::move(*made));
        return {};
    }

private:
    Result<void> variables(prompt::Text& text)
    {
        ngx_str_t value = copy(cf_->pool, text.text);
        if (value.data == nullptr) {
            throw std::bad_alloc();
        }
        if (ngx_http_script_variables_count(&value) == 0) {
            return {};
        }
        uint32_t number = 0;
        if (!add_text(cf_, c_, text.text, number)) {
            return make_error(ErrorCode::invalid_request,
                "invalid value \"" + text.text + "\"");
        }
        text.value = number;
        return {};
    }

    ngx_conf_t* cf_;
    Configuration& c_;
};

} // namespace

char* set_context_limit(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        if (lc->context_limit != nullptr) {
            return const_cast<char*>("is duplicate");
        }
        const auto* args = static_cast<const ngx_str_t*>(cf->args->elts);
        std::vector<std::string_view> words;
        for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
            words.push_back(view(args[i]));
        }
        auto limit = prompt::read_context_limit(words);
        if (!limit) {
            const std::string& text = limit.error().message;
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "ai_proxy_context_limit: %*s", text.size(), text.data());
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        lc->context_limit = pool_new<prompt::ContextLimit>(cf->pool, *limit);
        return NGX_CONF_OK;
    });
}

bool compile_prompts(ngx_conf_t* cf, Configuration& c, LocConf& lc)
{
    if (lc.context_limit != nullptr) {
        lc.site->context_limit = *lc.context_limit;
    }
    const PromptLines& lines = lc.prompts;
    if (lines.prepend == nullptr && lines.append == nullptr
        && lines.replace == nullptr && lines.templates == nullptr)
    {
        return true;
    }
    using Words = std::vector<std::string>;
    auto rules = std::make_shared<prompt::Rules>();
    Compiler compiler(cf, c);
    const bool good =
        compiler.each("ai_proxy_prompt_template", lines.templates,
            [&](const Words& w) {
                return compiler.named_template(w, rules->templates);
            })
        && compiler.each("ai_proxy_prompt_prepend", lines.prepend,
            [&](const Words& w) {
                return compiler.added(w, rules->decorations.prepend);
            })
        && compiler.each("ai_proxy_prompt_append", lines.append,
            [&](const Words& w) {
                return compiler.added(w, rules->decorations.append);
            })
        && compiler.each(
            "ai_proxy_prompt_replace", lines.replace, [&](const Words& w) {
                return Compiler::replacement(w, rules->decorations.replace);
            });
    lc.site->prompts = std::move(rules);
    return good;
}

} // namespace ai_proxy::http
