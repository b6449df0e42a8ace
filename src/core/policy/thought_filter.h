#pragma once

#include "core/chat/event.h"
#include "core/provider/options.h"

#include <string>
#include <vector>

namespace ai_proxy::policy {

// What becomes of reasoning on its way to the client
// (reasoning_content_mode, promote_thinking_on_empty).
class ThoughtFilter final : public chat::Sink {
public:
    ThoughtFilter(const provider::Options& options, chat::Sink& next);
    void on(const chat::Event& event) override;

    // Is there anything to do?
    [[nodiscard]] static bool wanted(const provider::Options& options) noexcept;

    // Bytes of reasoning that wait.
    [[nodiscard]] size_t held() const noexcept;

private:
    enum class Mode : uint8_t { passthrough, ignore, concat };
    struct Choice {
        std::string held; // reasoning that may become the answer
        bool held_too_much = false;
        bool spoke = false;    // text, a refusal or a tool call
        bool thinking = false; // concat: <think> is open
    };
    // Reasoning held back for one choice, at most.
    static constexpr size_t kMostHeld = 1024 * 1024;
    static constexpr uint32_t kMostChoices = 128;

    [[nodiscard]] Choice& choice(uint32_t index);
    void reasoning(const chat::Event& event, Choice& state);
    void release(uint32_t index, Choice& state);
    void close(uint32_t index, Choice& state);
    void finish(const chat::Event& event, Choice& state);
    void tell(chat::EventKind kind, uint32_t index, std::string_view text);

    Mode mode_ = Mode::passthrough;
    bool promote_;
    chat::Sink& next_;
    std::vector<Choice> choices_;
};

} // namespace ai_proxy::policy
