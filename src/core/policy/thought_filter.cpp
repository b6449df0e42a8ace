#include "core/policy/thought_filter.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::policy {

using chat::EventKind;

bool ThoughtFilter::wanted(const provider::Options& options) noexcept
{
    return options.promote_thinking_on_empty
        || options.reasoning_content_mode != "passthrough";
}

ThoughtFilter::ThoughtFilter(const provider::Options& options, chat::Sink& next)
    : promote_(options.promote_thinking_on_empty), next_(next)
{
    if (options.reasoning_content_mode == "ignore") {
        mode_ = Mode::ignore;
    } else if (options.reasoning_content_mode == "concat") {
        mode_ = Mode::concat;
    }
}

ThoughtFilter::Choice& ThoughtFilter::choice(uint32_t index)
{
    const size_t place = std::min(index, kMostChoices);
    if (choices_.size() <= place) {
        choices_.resize(place + 1);
    }
    return choices_[place];
}

void ThoughtFilter::tell(EventKind kind, uint32_t index, std::string_view text)
{
    chat::Event event;
    event.kind = kind;
    event.choice = index;
    event.text = text;
    next_.on(event);
}

void ThoughtFilter::reasoning(const chat::Event& event, Choice& state)
{
    if (promote_ && !state.spoke && !state.held_too_much) {
        state.held += event.text;
        if (state.held.size() > kMostHeld) {
            state.held_too_much = true;
            release(event.choice, state);
        }
        return;
    }
    if (mode_ == Mode::passthrough) {
        next_.on(event);
    } else if (mode_ == Mode::concat) {
        if (!state.thinking) {
            state.thinking = true;
            tell(EventKind::text, event.choice, "<think>");
        }
        tell(EventKind::text, event.choice, event.text);
    }
}

// The answer has begun: what was held is reasoning after all.
void ThoughtFilter::release(uint32_t index, Choice& state)
{
    if (state.held.empty()) {
        return;
    }
    std::string held;
    held.swap(state.held);
    if (mode_ == Mode::passthrough) {
        tell(EventKind::reasoning, index, held);
    } else if (mode_ == Mode::concat) {
        state.thinking = true;
        tell(EventKind::text, index, "<think>");
        tell(EventKind::text, index, held);
    }
}

void ThoughtFilter::close(uint32_t index, Choice& state)
{
    if (state.thinking) {
        state.thinking = false;
        tell(EventKind::text, index, "</think>\n");
    }
}

void ThoughtFilter::finish(const chat::Event& event, Choice& state)
{
    if (!state.spoke && !state.held.empty()) {
        std::string held;
        held.swap(state.held);
        tell(EventKind::text, event.choice, held);
    }
    close(event.choice, state);
    next_.on(event);
}

size_t ThoughtFilter::held() const noexcept
{
    size_t sum = 0;
    for (const Choice& one : choices_) {
        sum += one.held.size();
    }
    return sum;
}

void ThoughtFilter::on(const chat::Event& event)
{
    Choice& state = choice(event.choice);
    switch (event.kind) {
    case EventKind::reasoning:
        reasoning(event, state);
        return;
    case EventKind::signature:
    case EventKind::redacted:
        // They belong to thoughts that the client gets as such.
        if (mode_ == Mode::passthrough && !(promote_ && !state.spoke)) {
            next_.on(event);
        }
        return;
    case EventKind::text:
        // White space alone is no answer.
        if (promote_ && !state.spoke && trim(event.text).empty()) {
            return;
        }
        [[fallthrough]];
    case EventKind::refusal:
    case EventKind::audio:
    case EventKind::tool_begin:
        state.spoke = true;
        release(event.choice, state);
        close(event.choice, state);
        break;
    case EventKind::finish:
        finish(event, state);
        return;
    case EventKind::begin:
    case EventKind::annotations:
    case EventKind::logprobs:
    case EventKind::service_tier:
    case EventKind::tool_arguments:
    case EventKind::usage:
    case EventKind::end:
        break;
    }
    next_.on(event);
}

} // namespace ai_proxy::policy
