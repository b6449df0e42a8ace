#include "core/dialect/chat_relay.h"
#include "core/json/writer.h"
#include "core/provider/protocol.h"
#include "core/provider/vendor.h"

#include <array>

// DeepL's translation as a chat: the messages are the texts, the answer has a
// choice for each (providers.md 4.12).
namespace ai_proxy::provider {
namespace {

using json::Node;

constexpr uint32_t kMaxChoices = 50; // texts of one call

constexpr std::array<std::string_view, 7> kOwn{"source_lang", "formality",
    "glossary_id", "split_sentences", "preserve_formatting", "model_type",
    "tag_handling"};
constexpr std::string_view kWords[] = {"target_lang"};
constexpr Vocabulary kVocabulary{kWords, kOwn};

bool is_system(const chat::Message& message) noexcept
{
    return message.role == chat::Role::system
        || message.role == chat::Role::developer;
}

Result<void> encode(
    const chat::Request& request, const EncodeContext& context, Outbound& out)
{
    std::string body, about;
    json::Writer w(body);
    w.begin_object().field("target_lang",
        request.raw["target_lang"].string_or(context.options.target_lang));
    w.key("text").begin_array();
    size_t texts = 0;
    for (size_t i = 0; i < request.messages.size(); i++) {
        const chat::Message& message = request.messages[i];
        for (size_t k = 0; k < message.parts.size(); k++) {
            if (!is_text(message.parts[k])) {
                return make_error(ErrorCode::invalid_request,
                    "the provider translates text only", part_path(i, k));
            }
        }
        if (is_system(message)) {
            about = joined_text(message);
        } else {
            w.string(joined_text(message));
            texts++;
        }
    }
    w.end_array();
    if (texts == 0 || texts > kMaxChoices) {
        return make_error(ErrorCode::invalid_request,
            "the provider translates 1 to 50 messages", "messages");
    }
    if (!about.empty()) {
        w.field("context", std::string_view(about));
    }
    for (const std::string_view name : kOwn) {
        if (request.raw[name].has_value()) {
            w.field(name, request.raw[name]);
        }
    }
    w.end_object();
    out.path = "/v2/translate";
    out.header("Content-Type", "application/json");
    out.own_body(std::move(body));
    return {};
}

class DeeplDecoder final : public Decoder {
public:
    Result<void> body(Node body, chat::Sink& sink) override;
    Result<void> event(
        const wire::SseEvent&, json::Parser&, chat::Sink&) override
    {
        return make_error(
            ErrorCode::upstream_invalid, "the provider has no streams");
    }
    Result<void> finish(chat::Sink&) override
    {
        return make_error(
            ErrorCode::upstream_truncated, "the provider sent no answer");
    }
};

Result<void> DeeplDecoder::body(Node body, chat::Sink& sink)
{
    if (body["translations"].size() == 0) {
        Error out = make_error(ErrorCode::upstream_error,
            std::string(body["message"].string_or(
                "the provider's answer has no translations")));
        return out;
    }
    sink.on(event_of(chat::EventKind::begin));
    uint32_t choice = 0;
    for (const Node one : body["translations"].items()) {
        if (choice == kMaxChoices) {
            break;
        }
        const std::string_view text = one["text"].string_or();
        if (!text.empty()) {
            sink.on(event_of(chat::EventKind::text, text, choice));
        }
        chat::Event end = event_of(chat::EventKind::finish, {}, choice);
        end.finish = chat::Finish::stop;
        sink.on(end);
        choice++;
    }
    sink.on(event_of(chat::EventKind::end));
    return {};
}

std::unique_ptr<Decoder> decoder(const EncodeContext&)
{
    return std::make_unique<DeeplDecoder>();
}

} // namespace

const Protocol kDeepl{"deepl", vocabulary_of<kVocabulary>, encode, decoder,
    dialect::read_openai_error};

} // namespace ai_proxy::provider
