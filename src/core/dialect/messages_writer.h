#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/call_pieces.h"
#include "core/dialect/tool_names.h"
#include "core/json/reader.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ai_proxy::dialect {

// Writes canonical events as the stream of Anthropic's Messages: message_start
// and a ping, blocks one after the other, message_delta with the reason and
// the usage once both are known, message_stop.  Of several choices the first
// one is told, the dialect has no others.
class MessagesStreamWriter final : public AnswerWriter {
public:
    MessagesStreamWriter(std::string& out, const AnswerContext& context);
    void on(const chat::Event& event) override;
    [[nodiscard]] size_t held() const noexcept override;

private:
    enum class Block : uint8_t { none, text, thinking, tool };
    // A call that has begun; those behind the one that is written now wait.
    struct Call {
        uint32_t index = 0;
        std::string id, name, arguments; // not written yet
        ObjectWatch watch;
        bool closed = false;
    };

    void start();
    void open(Block block);
    void close();
    void begin_event(std::string_view type);
    void delta(
        std::string_view type, std::string_view key, std::string_view text);
    void signature(std::string_view text);
    void redacted(std::string_view data);
    void text(std::string_view text);
    void citations(std::string_view array);
    void tool_begin(const chat::Event& event);
    void tool_arguments(const chat::Event& event);
    void open_call(Call& call);
    void flush_calls();
    void end();
    Call* active() noexcept;

    std::string& out_;
    std::string id_, model_;
    ToolNames names_;
    std::string_view tier_;
    std::string stop_sequence_;
    bool started_ = false, ended_ = false, refused_ = false, spoke_ = false;
    std::vector<std::string> early_; // annotations of a text to come
    Block block_ = Block::none;
    int64_t index_ = -1; // of the newest block
    std::vector<Call> calls_;
    size_t next_call_ = 0; // the first that is not closed
    chat::Finish finish_ = chat::Finish::none;
    chat::Usage usage_;
    json::Parser parser_;
};

// Gathers canonical events into one message object.
class MessagesBodyWriter final : public AnswerWriter {
public:
    explicit MessagesBodyWriter(const AnswerContext& context);
    void on(const chat::Event& event) override;
    void write(std::string& out) const override;

private:
    enum class Kind : uint8_t { text, thinking, redacted, tool };
    struct Block {
        Kind kind = Kind::text;
        uint32_t call = 0;
        bool done = false; // nothing more belongs to it
        std::string text;  // also data, arguments
        std::string id, name, signature, citations;
    };
    Block& block(Kind kind);
    void text(std::string_view text);
    void citations(std::string_view array);
    void write_block(std::string& out, const Block& block) const;

    std::string id_, model_;
    ToolNames names_;
    std::string_view tier_;
    std::string stop_sequence_;
    std::string early_; // citations of a text to come
    bool refused_ = false;
    std::vector<Block> blocks_;
    chat::Finish finish_ = chat::Finish::none;
    chat::Usage usage_;
};

} // namespace ai_proxy::dialect
