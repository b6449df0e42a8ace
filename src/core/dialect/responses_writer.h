#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/call_pieces.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::dialect {

// Writes canonical events as OpenAI's response object, plain or as its typed
// event stream.  The stream's last event repeats the whole answer, so both
// gather it; of several choices the first one is told.
class ResponsesWriter final : public AnswerWriter {
public:
    explicit ResponsesWriter(const AnswerContext& context);
    ResponsesWriter(std::string& out, const AnswerContext& context);
    void on(const chat::Event& event) override;
    void write(std::string& out) const override;
    bool fail(std::string& out, const Error& error) override;
    [[nodiscard]] size_t held() const noexcept override { return held_; }

private:
    enum class Kind : uint8_t { reasoning, message, call };
    struct Item {
        Kind kind = Kind::message;
        bool done = false;
        std::string id, text; // text: also summary, arguments
        std::string refusal, annotations, logprobs;
        std::string opaque;               // encrypted_content
        std::string call_id, name, space; // space: of the name
        bool custom = false;              // the call is of a text
        uint32_t call = 0;
        int text_at = -1, refusal_at = -1; // content_index, -1: no such part
        size_t annotation_count = 0;
        ObjectWatch watch;
    };

    // How calls of a function are told, that the provider calls "sent".
    struct ToolName {
        std::string sent, name, space;
        bool custom = false;
    };

    void read_names();
    void name_call(Item& item, std::string_view sent) const;
    [[nodiscard]] std::string input_of(const std::string& arguments);
    void write_call(
        json::Writer& w, const Item& item, std::string_view status) const;
    [[nodiscard]] bool streams() const noexcept { return out_ != nullptr; }
    [[nodiscard]] json::Writer event(std::string_view type);
    json::Writer item_event(std::string_view type, const Item& item);
    void close_event(json::Writer& w);
    void start();
    Item& add(Kind kind);
    // The open item of the kind, or a new one; calls stay open beside it.
    Item& current(Kind kind);
    void close(Item& item);
    void close_reasoning(Item& item);
    void close_message(Item& item);
    void close_call(Item& item);
    void close_others(const Item* keep);
    void part_added(Item& item, bool refusal);
    void text(std::string_view text);
    void refusal(std::string_view text);
    void reasoning(std::string_view text);
    void opaque(std::string_view data, bool redacted);
    // The message whose text is newest; nullptr: none is told yet.
    [[nodiscard]] Item* newest_text();
    void annotations(std::string_view array);
    void annotate(Item& item, json::Node one);
    void logprobs(std::string_view array);
    void tool_begin(const chat::Event& event);
    void tool_arguments(const chat::Event& event);
    void end();
    [[nodiscard]] size_t index_of(const Item& item) const noexcept;
    void write_item(json::Writer& w, const Item& item) const;
    void write_part(json::Writer& w, const Item& item, bool refusal) const;
    void write_response(
        json::Writer& w, std::string_view status, const Error* error) const;
    [[nodiscard]] std::string_view status() const noexcept;

    std::string* out_ = nullptr;
    std::string id_, model_, echo_, tier_;
    int64_t created_ = 0, sequence_ = 0;
    bool started_ = false, ended_ = false;
    std::vector<Item> items_;
    std::vector<ToolName> names_;
    std::vector<std::string> early_; // annotations of a text to come
    size_t held_ = 0;                // bytes of the items
    chat::Finish finish_ = chat::Finish::none;
    chat::Usage usage_;
    json::Parser parser_;
};

} // namespace ai_proxy::dialect
