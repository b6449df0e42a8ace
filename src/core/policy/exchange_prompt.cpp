#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/async/io.h"
#include "core/base/text.h"
#include "core/dialect/gemini_caller.h"
#include "core/prompt/decorate.h"

// What the location puts into the client's body before anything else reads it.
namespace ai_proxy::policy {

namespace {

class TextsOf final : public prompt::Values {
public:
    explicit TextsOf(async::Io& io) noexcept : io_(io) {}
    std::string text(uint32_t value) override { return io_.text(value); }
    std::string variable(std::string_view name) override
    {
        return io_.variable(name);
    }

private:
    async::Io& io_;
};

// A client may want its "template" left alone.
bool leaves_templates(const ClientHead& head) noexcept
{
    for (const Header& field : head.headers) {
        if (iequals(field.name, "template-enable")
            && iequals(trim(field.value), "false"))
        {
            return true;
        }
    }
    return false;
}

} // namespace

void Exchange::replace_body(std::string text)
{
    body_length_ = text.size();
    text.append(json::kPadding, ' ');
    made_body_ = std::move(text);
    body_ = made_body_.data();
    own_.reset();
    document_ = {};
    generation_ = 0;
}

bool Exchange::has_prompts() const noexcept
{
    return site_.prompts != nullptr || site_.plugins.prompt_template != nullptr
        || site_.plugins.prompt_decorator != nullptr;
}

// The route that the model leads to, and the first of its providers.
config::Subject Exchange::subject(json::Node body) const
{
    config::Subject subject;
    subject.location = site_.location;
    subject.host = head_.host;
    const std::string mapped =
        site_.model_map.map(has_path_model() ? dialect::gemini_model(path_)
                                             : body["model"].string_or());
    for (const route::Route* route : site_.routes) {
        if (!route->matches(mapped)) {
            continue;
        }
        subject.route = route->name;
        if (!route->targets.empty()) {
            const uint16_t index = route->targets.front().provider;
            subject.service = gateway_.providers[index]->options.name;
        }
        break;
    }
    return subject;
}

Result<void> Exchange::apply_templates()
{
    auto body = document();
    if (!body) {
        return std::move(body).error();
    }
    if (!prompt::asks_for_template(*body) || leaves_templates(head_)) {
        return {};
    }
    const prompt::Templates* own =
        site_.prompts != nullptr ? &site_.prompts->templates : nullptr;
    const prompt::Templates* lists[] = {site_.plugins.prompt_template != nullptr
            ? site_.plugins.prompt_template->find(subject(*body))
            : nullptr,
        own != nullptr && !own->empty() ? own : nullptr};
    const prompt::Templates* chosen = nullptr;
    for (const prompt::Templates* list : lists) {
        if (list != nullptr
            && (chosen == nullptr || !prompt::holds_template(*chosen, *body)))
        {
            chosen = list;
        }
    }
    if (chosen == nullptr) {
        return {};
    }
    auto made = prompt::fill_template(*chosen, *body);
    if (!made) {
        return std::move(made).error();
    }
    replace_body(std::move(*made));
    return {};
}

Result<void> Exchange::decorate(const prompt::Decorations& rules, async::Io& io)
{
    auto body = document();
    if (!body) {
        return std::move(body).error();
    }
    if (rules.empty() || !body->is_object()) {
        return {};
    }
    auto splice = json::Splice::scan(body_, body_length_);
    if (!splice) {
        return std::move(splice).error();
    }
    TextsOf values(io);
    auto done = prompt::decorate(rules, values, books_.api, *body, *splice);
    if (done) {
        replace_body(splice->text());
    }
    return done;
}

Result<void> Exchange::apply_prompts(async::Io& io)
{
    auto body = document();
    if (!body) {
        return std::move(body).error();
    }
    if (auto unique = json::check_unique_keys(*body); !unique) {
        return unique;
    }
    if (auto done = apply_templates(); !done) {
        return done;
    }
    if (site_.plugins.prompt_decorator != nullptr) {
        body = document();
        if (!body) {
            return std::move(body).error();
        }
        const prompt::Decorations* rules =
            site_.plugins.prompt_decorator->find(subject(*body));
        if (rules != nullptr) {
            if (auto done = decorate(*rules, io); !done) {
                return done;
            }
        }
    }
    return site_.prompts != nullptr ? decorate(site_.prompts->decorations, io)
                                    : Result<void>();
}

Result<void> Exchange::check_context()
{
    const prompt::ContextLimit* limit = &site_.context_limit;
    if (limit->tokens == 0 && site_.plugins.context_limit != nullptr) {
        limit = site_.plugins.context_limit->find(subject(document_));
    }
    if (limit == nullptr || limit->tokens == 0
        || body_length_ > prompt::kMaxCounted)
    {
        return {};
    }
    return prompt::check_context(*limit, books_.api, document_);
}

} // namespace ai_proxy::policy
