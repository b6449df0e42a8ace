#pragma once

#include "core/provider/protocol.h"
#include "core/provider/speaker.h"

#include <string_view>

namespace ai_proxy::provider {

// A decoder for vendors whose plain body is one JSON object and whose stream
// is JSON objects: it deals with what is not JSON, with errors in an answer,
// with [DONE] and with the end.
class ChunkDecoder : public Decoder {
public:
    explicit ChunkDecoder(uint64_t random) : say_(random) {}

    Result<void> body(json::Node body, chat::Sink& sink) final;
    Result<void> event(const wire::SseEvent& event, json::Parser& parser,
        chat::Sink& sink) final;
    Result<void> finish(chat::Sink& sink) final;

protected:
    // What a whole body says.
    virtual Result<void> answer(json::Node body, chat::Sink& sink) = 0;
    // What one event says; name as in its event field.
    virtual Result<void> chunk(
        std::string_view name, json::Node chunk, chat::Sink& sink) = 0;
    // Does the stream end well without a word about it?
    [[nodiscard]] virtual bool may_just_end() const { return false; }

    Speaker say_;
};

} // namespace ai_proxy::provider
