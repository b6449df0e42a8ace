#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/spoken.h"

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
class ChatStreamWriter final : public AnswerWriter {
public:
    // out is appended to.
    ChatStreamWriter(std::string& out, const AnswerContext& context);
    void on(const chat::Event& event) override;

private:
    void begin(const chat::Event& event);
    void make_head();
    // "data: {..."choices":[{"index":N,"delta":{" with the role when it is
    // the first chunk of the choice; the caller goes on inside delta.
    bool open(uint32_t choice, bool content_null = false);
    void close_delta();
    void text_delta(const chat::Event& event, std::string_view key);
    void block_delta(const chat::Event& event);
    void raw_delta(const chat::Event& event, std::string_view key);
    void logprobs(const chat::Event& event);
    void tool_begin(const chat::Event& event);
    void tool_arguments(const chat::Event& event);
    void finish(const chat::Event& event);
    void end();

    std::string& out_;
    bool show_usage_;
    std::string id_, model_, tier_;
    int64_t created_;
    std::string head_;           // what all chunks begin with
    std::vector<uint8_t> begun_; // per choice: role was written
    chat::Usage usage_;
    bool ended_ = false;
};

// Gathers canonical events into one chat.completion object.
class ChatBodyWriter final : public AnswerWriter {
public:
    explicit ChatBodyWriter(const AnswerContext& context);
    void on(const chat::Event& event) override;
    // Appends the chat.completion JSON.
    void write(std::string& out) const override;

private:
    struct Call {
        std::string id, name, arguments, signature;
    };
    struct Block { // a reasoning block with its signature, or a redacted one
        std::string text, signature;
        bool redacted = false;
    };
    struct Choice {
        std::string text, reasoning, refusal;
        std::string annotations, logprobs; // items of JSON arrays
        Spoken audio;
        bool has_text = false, has_refusal = false;
        std::vector<Call> calls;
        std::vector<Block> blocks;
        chat::Finish finish = chat::Finish::none;
    };
    Choice& choice(uint32_t index);
    static void add_reasoning(Choice& choice, std::string_view text);
    static void add_items(std::string& items, std::string_view array);
    void write_message(std::string& out, const Choice& choice) const;
    void write_calls(std::string& out, const Choice& choice) const;

    std::string id_, model_, tier_;
    int64_t created_;
    std::vector<Choice> choices_;
    chat::Usage usage_;
};

} // namespace ai_proxy::dialect
