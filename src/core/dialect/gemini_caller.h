#pragma once

#include "core/dialect/answer_writer.h"
#include "core/dialect/caller.h"
#include "core/dialect/call_pieces.h"
#include "core/dialect/tool_names.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Google's generateContent of a client, on the way to a provider that does
// not have it.
namespace ai_proxy::dialect {

// The model in "/v1beta/models/{model}:generateContent", decoded; "" when the
// path has none.
[[nodiscard]] std::string gemini_model(std::string_view path);

[[nodiscard]] Result<void> gemini_to_chat(
    const ClientRequest& request, std::string& out);

// Writes canonical events as GenerateContentResponses: one whole, or a stream
// of them as server-sent events or, without alt=sse, as one JSON array.
class GeminiWriter final : public AnswerWriter {
public:
    explicit GeminiWriter(const AnswerContext& context);
    GeminiWriter(std::string& out, const AnswerContext& context);
    void on(const chat::Event& event) override;
    void write(std::string& out) const override;
    bool fail(std::string& out, const Error& error) override;
    [[nodiscard]] size_t held() const noexcept override;

private:
    struct Call {
        uint32_t index = 0;
        std::string id, name, arguments, signature;
        ObjectWatch watch;
        bool written = false;
    };
    struct Candidate {
        bool seen = false;
        std::string parts;     // items of a JSON array: not written yet
        std::string signature; // of the next part
        std::vector<Call> calls;
        std::string chunks; // groundingChunks
        std::string supports;
        std::string chosen, top; // of logprobsResult
        size_t pages = 0;
        chat::Finish finish = chat::Finish::none;
        bool refused = false;
        std::string run; // plain: the text that goes on
        bool run_thought = false;
        bool thought = false; // thoughts without a signature so far
    };

    [[nodiscard]] bool streams() const noexcept { return out_ != nullptr; }
    Candidate& candidate(uint32_t index);
    void text(Candidate& to, std::string_view text, bool thought);
    void end_run(Candidate& to);
    void add_text(Candidate& to, std::string_view text, bool thought);
    void write_calls(Candidate& to, bool all);
    void redacted(Candidate& to, std::string_view data);
    void citations(Candidate& to, std::string_view array);
    void logprobs(Candidate& to, std::string_view array);
    void close(Candidate& of);
    void chunk(uint32_t index);
    void open_chunk(std::string& out);
    void close_chunk(std::string& out);
    void write_candidate(
        std::string& out, uint32_t index, const Candidate& of, bool last) const;
    void write_tail(std::string& out, bool last) const;
    void end();

    std::string* out_ = nullptr;
    std::string id_, model_;
    ToolNames names_;
    bool array_ = false, started_ = false, ended_ = false;
    std::vector<Candidate> candidates_;
    chat::Usage usage_;
    json::Parser parser_;
};

} // namespace ai_proxy::dialect
