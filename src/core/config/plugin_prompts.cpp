#include "core/config/plugin_prompts.h"

namespace ai_proxy::config {

namespace {

using yaml::Kind;
using yaml::Node;

// Adds what each element of a sequence says; read is
// Result<void>(T& to, Node element, Warnings&).
template <class T, class Read>
Result<void> each(T& to, Node list, Read read)
{
    if (auto done = list.expect(Kind::sequence); !done) {
        return done;
    }
    for (size_t i = 0; i < list.size(); ++i) {
        if (auto done = read(to, list.at(i)); !done) {
            return done;
        }
    }
    return {};
}

// ---- ai-prompt-template

struct NamedText {
    std::string name, text;
};

// JSON as a text, or as it would be written in YAML.
Result<void> set_template(NamedText& to, Node value)
{
    if (value.is_mapping()) {
        to.text = value.json();
        return {};
    }
    return yaml::set_text<&NamedText::text>(to, value);
}

constexpr yaml::Field<NamedText> kTemplate[] = {
    {"name", yaml::set_text<&NamedText::name>},
    {"template", set_template},
};

Result<void> add_template(prompt::Templates& to, Node element)
{
    NamedText read;
    yaml::Warnings none;
    if (auto done = yaml::read_fields(kTemplate, read, element, none); !done) {
        return done;
    }
    for (const prompt::Template& known : to) {
        if (known.name() == read.name) {
            return element.error("the template is duplicate");
        }
    }
    auto made = prompt::Template::compile(read.name, read.text);
    if (!made) {
        return element.error(made.error().message);
    }
    to.push_back(std::move(*made));
    return {};
}

Result<void> set_templates(prompt::Templates& to, Node value)
{
    return each(to, value, add_template);
}

constexpr yaml::Field<prompt::Templates> kTemplates[] = {
    {"templates", set_templates},
};

// ---- ai-prompt-decorator

struct RoleAndText {
    std::string role, content;
};

constexpr yaml::Field<RoleAndText> kMessage[] = {
    {"role", yaml::set_text<&RoleAndText::role>},
    {"content", yaml::set_text<&RoleAndText::content>},
};

Result<void> add_message(std::vector<prompt::Added>& to, Node element)
{
    RoleAndText read;
    yaml::Warnings none;
    if (auto done = yaml::read_fields(kMessage, read, element, none); !done) {
        return done;
    }
    // An empty text adds nothing.
    auto made = prompt::read_added(
        read.role, read.content.empty() ? " " : read.content);
    if (!made) {
        return element.error(made.error().message);
    }
    made->content = prompt::geo_text(std::move(read.content));
    to.push_back(std::move(*made));
    return {};
}

struct Replaced {
    std::string role, pattern, with;
    bool regex = false;
};

constexpr yaml::Field<Replaced> kReplaced[] = {
    {"on_role", yaml::set_text<&Replaced::role>},
    {"pattern", yaml::set_text<&Replaced::pattern>},
    {"replacement", yaml::set_text<&Replaced::with>},
    {"regex", yaml::set_flag<&Replaced::regex>},
};

Result<void> add_replacement(std::vector<prompt::Replacement>& to, Node element)
{
    Replaced read;
    yaml::Warnings none;
    if (auto done = yaml::read_fields(kReplaced, read, element, none); !done) {
        return done;
    }
    auto made = prompt::read_replacement(
        read.pattern, read.with, read.role, read.regex);
    if (!made) {
        return element.error(made.error().message);
    }
    to.push_back(std::move(*made));
    return {};
}

Result<void> set_prepend(prompt::Decorations& to, Node value)
{
    return each(to.prepend, value, add_message);
}

Result<void> set_append(prompt::Decorations& to, Node value)
{
    return each(to.append, value, add_message);
}

Result<void> set_replace(prompt::Decorations& to, Node value)
{
    return each(to.replace, value, add_replacement);
}

constexpr yaml::Field<prompt::Decorations> kDecorations[] = {
    {"prepend", set_prepend},
    {"append", set_append},
    {"replace", set_replace},
};

// ---- ai-context-limit

Result<void> set_tokens(prompt::ContextLimit& to, Node value)
{
    return yaml::set_integer<&prompt::ContextLimit::tokens, 0, 1'000'000'000>(
        to, value);
}

Result<void> set_status(prompt::ContextLimit& to, Node value)
{
    return yaml::set_integer<&prompt::ContextLimit::status, 400, 599>(
        to, value);
}

Result<void> set_ratio(prompt::ContextLimit& to, Node value)
{
    const auto ratio = value.number(0, 10);
    if (!ratio) {
        return ratio.error();
    }
    to.ratio = *ratio;
    return {};
}

constexpr yaml::Field<prompt::ContextLimit> kLimit[] = {
    {"max_context_tokens", set_tokens},
    {"error_status_code", set_status},
    {"buffer_ratio", set_ratio},
};

template <class T, size_t count>
Result<T> read(
    const yaml::Field<T> (&table)[count], Node settings, LoadContext& context)
{
    T made;
    auto done = yaml::read_fields(table, made, settings, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    return made;
}

} // namespace

Result<prompt::Templates> read_prompt_templates(
    Node settings, LoadContext& context)
{
    return read(kTemplates, settings, context);
}

Result<prompt::Decorations> read_prompt_decorations(
    Node settings, LoadContext& context)
{
    return read(kDecorations, settings, context);
}

Result<prompt::ContextLimit> read_context_limit(
    Node settings, LoadContext& context)
{
    auto limit = read(kLimit, settings, context);
    if (limit && !settings["max_context_tokens"].has_value()) {
        return settings.error("\"max_context_tokens\" is missing");
    }
    return limit;
}

} // namespace ai_proxy::config
