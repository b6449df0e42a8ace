#pragma once

#include "core/chat/event.h"

#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::dialect {

// Writes canonical events as OpenAI chat.completion.chunk events.
// Role on the first chunk of each choice, finish_reason once per choice,
// usage as a chunk with empty choices (only when show_usage), then
// "data: [DONE]" once on end.  reasoning goes to delta.reasoning_content,
// signatures and redacted blocks to delta.thinking_blocks, a tool's signature
// to tool_calls[].extra_content.google.thought_signature.
class ChatStreamWriter final : public chat::Sink {
public:
    // out is appended to; created: seconds, used when the provider gives none;
    // id is used when the provider gives none.
    ChatStreamWriter(std::string& out, bool show_usage, std::string fallback_id,
        std::string model, int64_t created);
    void on(const chat::Event& event) override;

private:
    void chunk_head(std::string& out) const;

    std::string& out_;
    bool show_usage_;
    std::string id_, model_;
    int64_t created_;
    std::vector<uint8_t> begun_; // per choice: role was written
    chat::Usage usage_;
    bool ended_ = false;
};

// Gathers canonical events into one chat.completion object.
class ChatBodyWriter final : public chat::Sink {
public:
    ChatBodyWriter(std::string fallback_id, std::string model, int64_t created);
    void on(const chat::Event& event) override;
    // Appends the chat.completion JSON.
    void write(std::string& out) const;

private:
    struct Call {
        std::string id, name, arguments, signature;
    };
    struct Block { // a reasoning block with its signature, or a redacted one
        std::string text, signature;
        bool redacted = false;
    };
    struct Choice {
        std::string text, reasoning, refusal, annotations;
        bool has_text = false, has_refusal = false;
        std::vector<Call> calls;
        std::vector<Block> blocks;
        chat::Finish finish = chat::Finish::none;
    };
    Choice& choice(uint32_t index);

    std::string id_, model_;
    int64_t created_;
    std::vector<Choice> choices_;
    chat::Usage usage_;
};

} // namespace ai_proxy::dialect
