#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/caller.h"
#include "core/json/reader.h"
#include "core/json/writer.h"

#include <cstdint>
#include <string>
#include <vector>

// OpenAI's older completions of a client, on the way to a provider that only
// has chat.
namespace ai_proxy::dialect {

[[nodiscard]] Result<void> completions_to_chat(
    const ClientRequest& request, std::string& out);

// Writes canonical events as text_completion objects.  The dialect has text
// and its logprobs and nothing else: reasoning and calls are left out.
class CompletionsWriter final : public AnswerWriter {
public:
    explicit CompletionsWriter(const AnswerContext& context);
    CompletionsWriter(std::string& out, const AnswerContext& context);
    void on(const chat::Event& event) override;
    void write(std::string& out) const override;

private:
    struct Choice {
        std::string text;
        // Items of the arrays of logprobs.
        std::string tokens, values, tops, offsets;
        int64_t told = 0; // code points of the tokens told so far
        chat::Finish finish = chat::Finish::none;
    };
    void chunk(uint32_t index, std::string_view text, chat::Finish finish);
    void logprobs(uint32_t index, std::string_view array);
    static void write_logprobs(json::Writer& w, const Choice& choice);
    void head(std::string& out) const;

    std::string* out_ = nullptr;
    std::string id_, model_;
    int64_t created_ = 0;
    bool show_usage_ = false, ended_ = false;
    std::vector<Choice> choices_;
    chat::Usage usage_;
    json::Parser parser_;
};

} // namespace ai_proxy::dialect
