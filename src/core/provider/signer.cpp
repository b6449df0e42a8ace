#include "core/provider/signer.h"

#include "core/provider/bedrock.h"
#include "core/provider/registry.h"
#include "core/provider/vertex.h"

#include <vector>

namespace ai_proxy::provider {

std::optional<chat::Signer> signer(
    const Options& options, std::string_view model) noexcept
{
    if (options.type == nullptr || relays(options)) {
        return std::nullopt;
    }
    const Protocol* const speaks = &protocol(options);
    if (speaks == &kClaude || (speaks == &kVertex && vertex_is_claude(model))
        || (speaks == &kBedrock && bedrock_is_claude(model)))
    {
        return chat::Signer::anthropic;
    }
    if (speaks == &kGemini || speaks == &kVertex) {
        return chat::Signer::google;
    }
    return speaks == &kBedrock ? std::optional(chat::Signer::amazon)
                               : std::nullopt;
}

void keep_own_reasoning(chat::Request& request, chat::Signer own)
{
    for (chat::Message& message : request.messages) {
        std::erase_if(message.parts, [own](chat::Part& part) {
            std::string_view* const opaque =
                part.kind == chat::PartKind::thinking   ? &part.signature
                : part.kind == chat::PartKind::redacted ? &part.data
                                                        : nullptr;
            if (opaque == nullptr || opaque->empty()) {
                return false;
            }
            if (chat::signer_of(*opaque) != own) {
                return true;
            }
            *opaque = chat::unmarked(*opaque);
            return false;
        });
    }
}

} // namespace ai_proxy::provider
