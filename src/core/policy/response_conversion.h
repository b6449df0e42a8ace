#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/call_text.h"
#include "core/policy/response.h"
#include "core/policy/thought_filter.h"

#include <bitset>

namespace ai_proxy::policy {

// The canonical conversion of one response: the provider's decoder, and a
// writer of what the client gets.  Notes what the books need in passing.
struct Response::Conversion final : chat::Sink {
    explicit Conversion(const ResponseContext& context);
    void on(const chat::Event& event) override;

    // The provider sent more than any answer has: a choice or a call with an
    // impossible number.  Nothing is written from there on.
    bool overflowed = false;
    [[nodiscard]] size_t held() const noexcept
    {
        return decoder->held() + writer->held()
            + (thoughts ? thoughts->held() : 0);
    }

    // Where the decoder's events go: through the filter, if there is one.
    chat::Sink& sink();

    std::unique_ptr<provider::Decoder> decoder;
    std::optional<ThoughtFilter> thoughts;
    std::string buffer; // written by stream, moved on after each event
    std::unique_ptr<dialect::AnswerWriter> writer;
    bool stream = false;
    usage::TokenCounter* tally = nullptr; // set: of all that is said
    chat::Usage usage;
    chat::Finish finish = chat::Finish::none;
    bool spoke = false;
    bool ended = false;
    // Choices that speak and have no finish yet.
    std::bitset<dialect::kMaxChoices> open;
    void end_early(const chat::Usage& estimate);

private:
    [[nodiscard]] bool is_impossible(const chat::Event& event);

    void write(const chat::Event& event);

    uint32_t calls_ = 0;    // of all choices
    std::string_view mark_; // of what the provider signs
};

// Chat and the older completions: the APIs whose streams are understood.
[[nodiscard]] bool is_chat_like(dialect::Api api) noexcept;
[[nodiscard]] Error truncated_answer();
[[nodiscard]] Error too_large_answer();

} // namespace ai_proxy::policy
