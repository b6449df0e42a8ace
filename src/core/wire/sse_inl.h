#pragma once

// Bodies of the templates of sse.h.

namespace ai_proxy::wire {

template <class F>
Result<void> SseFramer::feed(std::string_view bytes, F&& on_event)
{
    size_t begin = 0;
    while (begin < bytes.size()) {
        const size_t end = next_boundary(bytes, begin);
        if (end == std::string_view::npos) {
            return keep(bytes.substr(begin));
        }
        std::string_view raw = bytes.substr(begin, end - begin);
        begin = end;
        // An event that lies within bytes is not copied.
        if (!carry_.empty()) {
            if (auto kept = keep(raw); !kept) {
                return kept;
            }
            raw = carry_;
        } else if (raw.size() > kMaxEvent) {
            return keep(raw);
        }
        const bool more = on_event(parse(raw));
        release();
        if (!more) {
            break;
        }
    }
    return {};
}

template <class F>
Result<void> SseFramer::finish(F&& on_event)
{
    if (!carry_.empty()) {
        on_event(parse(carry_));
        release();
    }
    prior_ = Prior::start;
    owed_lf_ = false;
    return {};
}

} // namespace ai_proxy::wire
