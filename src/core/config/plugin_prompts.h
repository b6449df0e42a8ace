#pragma once

#include "core/config/plugin.h"
#include "core/prompt/context_limit.h"
#include "core/prompt/rules.h"

namespace ai_proxy::config {

// features.md 12, 13 and 21b: ai-prompt-template, ai-prompt-decorator,
// ai-context-limit.
[[nodiscard]] Result<prompt::Templates> read_prompt_templates(
    yaml::Node settings, LoadContext& context);
[[nodiscard]] Result<prompt::Decorations> read_prompt_decorations(
    yaml::Node settings, LoadContext& context);
[[nodiscard]] Result<prompt::ContextLimit> read_context_limit(
    yaml::Node settings, LoadContext& context);

} // namespace ai_proxy::config
