#pragma once

#include "core/json/reader.h"
#include "core/provider/options.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::provider {

// The built-in provider: a deterministic answer in OpenAI's shape, made
// without network.  The glue plays it piece by piece against the clock.
class MockScript {
public:
    // request: the chat body after mapping (its model, stream, stream_options,
    // messages are read); other APIs get a small answer of their own shape
    // (embeddings, models) or a 404 error body.  The request may steer the
    // answer by header x-mock; steer is that header's value:
    // "status=429,retry_after=2,delay=100,tokens=50,rate=20,cut=3,reply=..."
    // (delay in ms; reply takes the rest of the value).  Faults in it are
    // ignored, numbers are bounded.
    MockScript(const MockOptions& options, std::string_view api_name,
        json::Node request, std::string_view model, std::string_view steer,
        int64_t now_seconds);

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] bool stream() const noexcept { return stream_; }
    [[nodiscard]] uint64_t retry_after() const noexcept { return retry_after_; }
    // Milliseconds to wait before the next piece.
    [[nodiscard]] uint64_t delay_ms() const noexcept;
    // Appends the next piece (one event, or the whole body).  False: over.
    bool next(std::string& out);
    // After the last piece: was the answer cut short on purpose?
    [[nodiscard]] bool cut() const noexcept { return cut_; }

private:
    // What a streamed answer consists of; position_ counts in it.
    enum class Shape : uint8_t { body, chat, completion };

    void steer(std::string_view text);
    void answer_error();
    void answer_chat(json::Node request);
    void answer_completion(json::Node request);
    void answer_embeddings(json::Node request);
    void answer_models();
    void chat_body();
    void completion_body();
    void choose_text(std::string_view echo);
    [[nodiscard]] uint64_t words() const noexcept;
    [[nodiscard]] std::string_view word(uint64_t i) const noexcept;
    [[nodiscard]] uint64_t events() const noexcept;
    [[nodiscard]] bool next_body(std::string& out);
    void chat_event(std::string& out);
    void completion_event(std::string& out);
    void usage_field(std::string& out) const;

    MockOptions options_;
    Shape shape_ = Shape::body;
    int status_ = 200;
    bool stream_ = false, include_usage_ = false, cut_ = false;
    uint64_t retry_after_ = 0;
    uint64_t position_ = 0;
    std::string model_, id_, text_, body_, tool_;
    std::vector<uint32_t> ends_; // of the words in text_
    int64_t created_ = 0;
    int64_t prompt_tokens_ = 0, completion_tokens_ = 0;
};

} // namespace ai_proxy::provider
