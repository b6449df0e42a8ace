#pragma once

// Bodies of the templates of sse.h.

namespace ai_proxy::wire {

template <class F>
Result<void> SseFramer::feed(std::string_view bytes, F&& on_event)
{
    auto fed = carry_.split(
        bytes, [this](std::string_view rest) { return end_of(rest); },
        [this](std::string_view raw) { return parse(raw); }, on_event);
    release(joined_);
    return fed;
}

template <class F>
Result<void> SseFramer::finish(F&& on_event)
{
    carry_.finish(
        [this](std::string_view raw) { return parse(raw); }, on_event);
    release(joined_);
    prior_ = Prior::start;
    owed_lf_ = false;
    return {};
}

} // namespace ai_proxy::wire
