#include "core/config/gateway.h"
#include "core/config/plugin.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using namespace ai_proxy;
using config::Plugins;

// "" when the file is right.
std::string load(std::string_view name, std::string_view text, Plugins& to)
{
    auto document = config::yaml::Document::parse("f.yaml", text);
    if (!document) {
        return document.error().message;
    }
    config::yaml::Warnings warnings;
    config::Gateway gateway;
    const config::SecretSource secrets;
    config::LoadContext context{*document, warnings, secrets, gateway};
    const config::Plugin* plugin = config::find_plugin(name);
    if (plugin == nullptr) {
        return "nobody knows the plugin";
    }
    const auto done = plugin->load(context, to);
    EXPECT_TRUE(warnings.empty());
    EXPECT_EQ(plugin->is_set(to), done.ok());
    return done ? "" : done.error().message;
}

std::string fault(std::string_view name, std::string_view text)
{
    Plugins plugins;
    return load(name, text, plugins);
}

TEST(PluginPrompts, Template)
{
    Plugins plugins;
    ASSERT_EQ(load("ai-prompt-template", R"(
templates:
- name: "developer-chat"
  template:
    model: gpt-3.5-turbo
    temperature: 0.5
    messages:
    - role: system
      content: "You are a {{program}} expert."
- name: text
  template: '{"messages":[],"n":{{n}}}'
)",
                  plugins),
        "");
    const prompt::Templates& made = *plugins.prompt_template->global;
    ASSERT_EQ(made.size(), 2u);
    json::Parser parser;
    const auto properties =
        parser.parse(std::string_view(R"({"program":"\"C\"","n":3})"));
    EXPECT_EQ(*made[0].fill(*properties),
        R"({"model":"gpt-3.5-turbo","temperature":0.5,"messages":[)"
        R"({"role":"system","content":"You are a \"C\" expert."}]})");
    EXPECT_EQ(*made[1].fill(*properties), R"({"messages":[],"n":3})");
}

TEST(PluginPrompts, Decorator)
{
    Plugins plugins;
    ASSERT_EQ(load("ai-prompt-decorator", R"(
prepend:
- role: system
  content: "You are from ${geo-country}."
append:
- {role: user, content: ""}
replace:
- {on_role: user, pattern: a, replacement: b}
- {on_role: "", pattern: '(\d+)', replacement: "<$1>", regex: true
}
_rules_:
- _match_domain_: [x.com]
  prepend: [{role: user, content: of x}]
)",
                  plugins),
        "");
    const auto& rules = *plugins.prompt_decorator;
    ASSERT_TRUE(rules.global);
    EXPECT_EQ(rules.global->prepend.at(0).role, "system");
    EXPECT_TRUE(rules.global->prepend.at(0).content.geo);
    EXPECT_EQ(rules.global->append.at(0).content.text, "");
    ASSERT_EQ(rules.global->replace.size(), 2u);
    EXPECT_EQ(rules.global->replace[0].role, "user");
    EXPECT_FALSE(rules.global->replace[0].regex);
    EXPECT_TRUE(rules.global->replace[1].regex);
    config::Subject subject;
    subject.host = "x.com";
    EXPECT_EQ(rules.find(subject)->prepend.at(0).content.text, "of x");
    subject.host = "y.com";
    EXPECT_EQ(rules.find(subject)->prepend.size(), 1u);
    EXPECT_EQ(rules.find(subject)->append.size(), 1u);
}

TEST(PluginPrompts, ContextLimit)
{
    Plugins plugins;
    ASSERT_EQ(load("ai-context-limit",
                  "max_context_tokens: 4096\nerror_status_code: 413\n"
                  "buffer_ratio: 1.5\n",
                  plugins),
        "");
    EXPECT_EQ(plugins.context_limit->global->tokens, 4096);
    EXPECT_EQ(plugins.context_limit->global->status, 413);
    EXPECT_EQ(plugins.context_limit->global->ratio, 1.5);
    ASSERT_EQ(load("ai-context-limit", "max_context_tokens: 0", plugins), "");
    EXPECT_EQ(plugins.context_limit->global->status, 400);
    EXPECT_EQ(plugins.context_limit->global->ratio, 1.1);
}

TEST(PluginPrompts, FaultsNameTheirLine)
{
    const auto starts = [](std::string_view name, std::string_view text,
                            std::string_view wanted) {
        const std::string said = fault(name, text);
        EXPECT_TRUE(said.starts_with(wanted)) << said;
    };
    starts("ai-prompt-template",
        "templates:\n- name: a\n  template: '{\"x\":}'\n", "f.yaml:2: field ");
    starts("ai-prompt-template",
        "templates:\n- {name: a, template: '{}'}\n- {name: a, template: {}}\n",
        "f.yaml:3: field \"templates[1]\": the template is duplicate");
    starts("ai-prompt-template", "templates: {}\n", "f.yaml:1: field ");
    starts("ai-prompt-template", "template: []\n", "f.yaml:1: ");
    starts("ai-prompt-decorator", "prepend:\n- role: tool\n  content: x\n",
        "f.yaml:2: field \"prepend[0]\": invalid role \"tool\"");
    starts("ai-prompt-decorator", "replace:\n- pattern: ''\n",
        "f.yaml:2: field \"replace[0]\": the pattern is empty");
    starts("ai-prompt-decorator", "replace:\n- {pattern: '(', regex: true}\n",
        "f.yaml:2: field \"replace[0]\": invalid regex \"(\"");
    starts("ai-context-limit", "buffer_ratio: 1\n", "f.yaml:1: ");
    starts("ai-context-limit",
        "max_context_tokens: 1\nerror_status_code: 200\n",
        "f.yaml:2: field \"error_status_code\"");
    starts("ai-context-limit", "max_context_tokens: 1\nbuffer_ratio: 11\n",
        "f.yaml:2: field \"buffer_ratio\"");
}

} // namespace
