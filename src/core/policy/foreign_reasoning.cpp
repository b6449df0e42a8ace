#include "core/policy/foreign_reasoning.h"

#include "core/dialect/marked_reasoning.h"
#include "core/provider/gemini.h"
#include "core/provider/signer.h"

namespace ai_proxy::policy {

void drop_foreign_reasoning(dialect::Api api,
    const provider::EncodeContext& context, json::Splice& body)
{
    const std::string_view model = context.model;
    switch (dialect::dialect_of(api)) {
    case dialect::Dialect::openai:
        if (dialect::is_responses(api)) {
            dialect::drop_marked_reasoning(body);
        }
        break;
    case dialect::Dialect::anthropic: {
        // Others that have this API may sign nothing, and want their thoughts.
        const bool claude =
            provider::signer(context.options, model) == chat::Signer::anthropic
            && model.find("claude") != std::string_view::npos;
        dialect::drop_foreign_thinking(body, claude);
        break;
    }
    case dialect::Dialect::gemini:
        dialect::drop_foreign_signatures(body,
            provider::is_gemini3(model) ? provider::kForeignCall
                                        : std::string_view());
        break;
    }
}

} // namespace ai_proxy::policy
