#include "core/provider/chunk_decoder.h"

#include "core/base/text.h"
#include "core/dialect/chat_relay.h"
#include "core/dialect/openai_error.h"

namespace ai_proxy::provider {

Result<void> ChunkDecoder::body(json::Node body, chat::Sink& sink)
{
    if (dialect::reports_error(body)) {
        return dialect::read_openai_error(0, body, {});
    }
    if (auto done = answer(body, sink); !done) {
        return done;
    }
    if (!say_.begun()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider's answer holds no message");
    }
    say_.finish(sink, chat::Finish::stop, {});
    say_.end(sink);
    return {};
}

Result<void> ChunkDecoder::event(
    const wire::SseEvent& event, json::Parser& parser, chat::Sink& sink)
{
    const std::string_view data = trim(event.data);
    if (say_.ended() || data.empty()) {
        return {};
    }
    if (data == "[DONE]" || data == "\"[DONE]\"") {
        if (!say_.begun()) {
            return make_error(ErrorCode::upstream_truncated,
                "the provider's stream ended without an answer");
        }
        say_.finish(sink, chat::Finish::stop, {});
        say_.end(sink);
        return {};
    }
    const auto parsed = parser.parse(event.data);
    if (event.event == "error" || (parsed && dialect::reports_error(*parsed))) {
        return dialect::read_openai_error(
            0, parsed ? *parsed : json::Node(), event.data);
    }
    if (!parsed || !parsed.value().is_object()) {
        return make_error(ErrorCode::upstream_invalid,
            "the provider sent a stream event that is not a JSON object");
    }
    return chunk(event.event, *parsed, sink);
}

Result<void> ChunkDecoder::finish(chat::Sink& sink)
{
    if (say_.ended()) {
        return {};
    }
    if (!say_.finished() && !(may_just_end() && say_.begun())) {
        return make_error(ErrorCode::upstream_truncated,
            "the provider's stream ended before the answer was complete");
    }
    say_.finish(sink, chat::Finish::stop, {});
    say_.end(sink);
    return {};
}

} // namespace ai_proxy::provider
